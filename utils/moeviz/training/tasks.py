"""Toy tasks: clusters of points, each with its own function to learn."""

from typing import NamedTuple

import numpy as np

from moeviz.arrays import check_count, check_matrix, check_number, check_rng, check_same_shape, check_vector

LARGEST = 1e6  # of a mean or a spread: tokens are float32


class Batch(NamedTuple):
    """T samples: tokens (T, D) in, targets (T, D) out, cluster (T,) int that each came from."""

    tokens: np.ndarray
    targets: np.ndarray
    cluster: np.ndarray


class Task(NamedTuple):
    """A regression task: what to train on, and what is held out to test on."""

    train: Batch
    test: Batch


def clustered_task(*, rng, clusters=8, width=16, mean=3.0, spread=1.5, zipf=0.0, samples=32_768,
                   held_out=4096):
    """Draw Gaussian clusters in `width` dimensions, each with a small network of its own as teacher.

    A token is mean + centre of its cluster + offset; its target is tanh(offset @ A) @ B with the A and B
    of its cluster, so the same offset means something else in each cluster. Targets have variance 1.
    mean: a constant added to every input, as hidden states of language models have one; 0 centres the
    inputs. spread: std of the centres; the offsets have std 1. zipf: cluster c is drawn in proportion to
    (c + 1)^-zipf; 0 makes all equally large. samples, held_out: tokens to train and to test on.
    Raises ValueError for counts below 1, numbers that are not finite or beyond a million, a negative spread
    or zipf, or a bad rng.

    >>> task = clustered_task(rng=np.random.default_rng(0), samples=100, held_out=50)
    >>> task.train.tokens.shape, task.test.targets.shape
    ((100, 16), (50, 16))
    """
    rng, clusters = check_rng(rng), check_count(clusters, "clusters")
    width, samples = check_count(width, "width"), check_count(samples, "samples", low=2)
    total = samples + check_count(held_out, "held_out", low=2)
    share = np.arange(1, clusters + 1) ** -check_number(zipf, "zipf", low=0.0)
    cluster = rng.choice(clusters, size=total, p=share / share.sum())
    centres = check_number(spread, "spread", low=0.0, high=LARGEST) * rng.normal(size=(clusters, width))
    offset = rng.normal(size=(total, width))
    mean = check_number(mean, "mean", low=-LARGEST, high=LARGEST)
    tokens = mean + (centres - centres.mean(axis=0))[cluster] + offset
    targets = _teach(rng, offset, cluster, clusters)
    drawn = (tokens.astype(np.float32), (targets / targets.std()).astype(np.float32), cluster)
    return Task(Batch(*(a[:samples] for a in drawn)), Batch(*(a[samples:] for a in drawn)))


def check_task(value, name="task"):
    """Return `value` as a Task whose arrays fit together, or raise a ValueError that says what does not.

    >>> check_task(7)
    Traceback (most recent call last):
    ValueError: task must be a Task of two batches, got int
    """
    if not isinstance(value, tuple) or len(value) != 2:
        raise ValueError(f"{name} must be a Task of two batches, got {type(value).__name__}")
    train, test = _check_batch(value[0], f"{name}.train"), _check_batch(value[1], f"{name}.test")
    if train.tokens.shape[1] != test.tokens.shape[1]:
        raise ValueError(f"{name}.test must have the width of {name}.train {train.tokens.shape[1]}, "
                         f"got {test.tokens.shape[1]}")
    return Task(train, test)


def _check_batch(value, name):
    if not isinstance(value, tuple) or len(value) != 3:
        raise ValueError(f"{name} must be a Batch(tokens, targets, cluster), got {type(value).__name__}")
    tokens = check_matrix(value[0], f"{name}.tokens", "(T, D)")
    targets = check_same_shape(value[1], f"{name}.targets", tokens, "tokens")
    return Batch(tokens, targets, check_vector(value[2], f"{name}.cluster", len(tokens), kind="iu"))


def _teach(rng, offset, cluster, clusters):
    width = offset.shape[1]
    inner, outer = rng.normal(size=(2, clusters, width, width)) / np.sqrt(width)
    inner *= 2  # steep enough that a straight line is a poor answer
    targets = np.empty_like(offset)
    for c in range(clusters):
        targets[cluster == c] = np.tanh(offset[cluster == c] @ inner[c]) @ outer[c]
    return targets
