"""An expert cache: of E experts only `size` fit into fast memory; how often is the wanted one there?

The experts of a token are asked for one after another, best first, and each one must be in the cache to
be computed: a miss loads it, and when the cache is full one other expert leaves. The policies differ
only in who leaves.
"""

from typing import NamedTuple

import numpy as np

from moeviz.arrays import check_choice, check_count
from moeviz.metrics.meaning import expert_columns
from moeviz.record import EMPTY

POLICIES = ("lru", "lfu", "belady")


class CacheRun(NamedTuple):
    """What a cache did with N requests, in order."""

    expert: np.ndarray   # (N,) the expert that was asked for
    hit: np.ndarray      # (N,) bool, True where it was in the cache
    evicted: np.ndarray  # (N,) the expert that left to make room, EMPTY (-1) where none did


def cache_hits(expert_index, size, *, policy="lru"):
    """Return the share of requests that find their expert among the `size` experts in the cache.

    expert_index: a Routing, (T,) or (T, k); tokens in reading order. Dropped choices count, EMPTY slots
    do not. policy: who leaves a full cache. "lru": the expert whose last use is longest ago; "lfu": the
    one used least often so far, of equals the one whose last use is longest ago; "belady": the one whose
    next use is farthest away, which needs the future and is the best that any policy can do.
    With a cache of all E experts only the first use of each misses.
    Raises ValueError for an unknown policy, a size below 1 or no request.
    Source: Belady 1966, IBM Systems Journal 5(2); Mattson et al. 1970 for the proof.

    >>> cache_hits([0, 1, 2, 0, 1, 2], 2), cache_hits([0, 1, 2, 0, 1, 2], 2, policy="belady")
    (0.0, 0.3333333333333333)
    """
    return float(cache_run(expert_index, size, policy=policy).hit.mean())


def cache_run(expert_index, size, *, policy="lru"):
    """Return the CacheRun of these requests: which hit, and who left for whom.

    Arguments and errors are those of `cache_hits`.

    >>> cache_run([0, 1, 0, 2], 2).evicted.tolist()
    [-1, -1, -1, 1]
    """
    requests = _requests(expert_index)
    size = check_count(size, "size")
    worth = _worth(requests, policy).tolist()
    hit = np.zeros(len(requests), dtype=bool)
    evicted = np.full(len(requests), EMPTY)
    held = {}  # expert: what it is worth to keep
    for at, expert in enumerate(requests.tolist()):
        if expert in held:
            hit[at] = True
        elif len(held) == size:
            evicted[at] = min(held, key=held.get)
            del held[int(evicted[at])]
        held[expert] = worth[at]
    return CacheRun(requests, hit, evicted)


def _requests(expert_index):
    index = expert_columns(expert_index).ravel()
    requests = index[index != EMPTY]
    if len(requests) == 0:
        raise ValueError("expert_index must name at least one expert, got only EMPTY slots")
    return requests


def _worth(requests, policy):
    """Return (N,): what keeping the expert of each request is worth until its next use; all different."""
    check_choice(policy, "policy", POLICIES)
    now = np.arange(len(requests))
    if policy == "lru":
        return now
    order = np.argsort(requests, kind="stable")
    same = requests[order][1:] == requests[order][:-1]
    if policy == "lfu":
        first = np.concatenate([[True], ~same])
        rank = now - np.maximum.accumulate(np.where(first, now, 0))
        uses = np.empty_like(now)
        uses[order] = rank
        return uses * len(now) + now
    following = len(now) + now  # never again: later than all others, and different from each other
    following[order[:-1][same]] = order[1:][same]
    return -following
