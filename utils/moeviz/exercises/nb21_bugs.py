"""Notebook 21: the eight mistakes by name, each with its public thread, and the check that names a suspect.

Who wants to hunt does not read on: the table says which suspect has which mistake.
"""

from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from moeviz.exercises.nb21_evidence import FINGERPRINTS
from moeviz.exercises.nb21_suspects import SUSPECTS, Batch, make_batch


class Bug(NamedTuple):
    """One mistake that people really made."""

    suspect: str
    fingerprint: str  # a key of FINGERPRINTS
    view: str         # a key of VIEWS
    shows: str        # what one sees
    thread: str       # where it was found or discussed
    note: str         # what the thread says, in our words


_GITHUB = "https://github.com/"

BUGS = MappingProxyType({
    "double softmax": Bug(
        "d", "flat scores", "scores",
        "no score leaves a low band, so the loss is near its even value whatever the load is",
        _GITHUB + "huggingface/transformers/issues/45120",
        "routers returned shares where the loss expected logits, and the loss took a softmax again"),
    "padding counted": Bug(
        "a", "padding moves load", "load",
        "the load follows the filler, though no filler reaches the output",
        _GITHUB + "huggingface/transformers/issues/28505",
        "the balancing loss had no mask, so padding took part in it"),
    "layers pooled": Bug(
        "f", "layers cancel", "loss",
        "two collapsed layers look even as soon as their favourites differ",
        _GITHUB + "huggingface/transformers/issues/28255",
        "the logits of all layers were joined before the shares were taken"),
    "bias in the weight": Bug(
        "e", "bias moves weights", "bias",
        "the same experts speak with other weights once there is a bias",
        _GITHUB + "vllm-project/vllm/pull/12002",
        "the weights were read from the scores that already held the selection bias"),
    "second choice renormalised twice": Bug(
        "h", "survivors at 1", "survivors",
        "who lost one of two experts hears the other at full weight; without drops it shows nowhere",
        _GITHUB + "deepspeedai/DeepSpeed/pull/809",
        "a reader asks where the division in top-2 gating comes from; there it follows the drops, in "
        "GShard it comes before them"),
    "noise at evaluation": Bug(
        "g", "two runs differ", "runs",
        "the same text is routed differently each time",
        _GITHUB + "hpcaitech/ColossalAI/pull/419",
        "the noise of training stayed on in evaluation and had to be removed there"),
    "P taken after top-k": Bug(
        "b", "zero scores", "scores",
        "an expert that was not chosen has score 0, so the loss cannot call it back",
        _GITHUB + "paiml/aprender/pull/2162",
        "P was summed over the chosen experts only, in place of the whole softmax"),
    "first choices not first": Bug(
        "c", "queue jumped", "queue",
        "an expert turns first choices away and seats second ones",
        _GITHUB + "AI-Hypercomputer/maxtext/pull/841",
        "seats are counted token by token; GShard seats all first choices before any second")})


def practice_batch():
    """Return a small Batch on which every mistake shows: 2 layers, 96 tokens of which 32 are padding.

    >>> practice_batch().mask.sum().item()
    64
    """
    rng = np.random.default_rng(18)
    logits = 2 * rng.normal(size=(2, 96, 8))
    mask = np.arange(96) % 12 < 8
    logits[:, ~mask] = np.linspace(3, -3, 8)
    return make_batch(logits, mask, bias=np.linspace(0, 0.3, 8))


def name_bug(suspect, guess, batch=None):
    """Print whether a suspect has the mistake that you name, and what its fingerprint reads.

    suspect: "a" to "h". guess: a key of BUGS, or None where you do not know yet. batch: what to read it on;
    a small one of its own if None. Never raises, so that Run All survives.

    >>> name_bug("a", None)
    suspect a: not named yet
    >>> name_bug("a", "too slow")  # doctest: +ELLIPSIS
    suspect a: 'too slow' is none of the eight names: double softmax, padding counted, ...
    """
    print(judge(suspect, guess, batch))


def judge(suspect, guess, batch=None):
    """Return what `name_bug` prints."""
    if not isinstance(suspect, str) or suspect not in SUSPECTS or suspect == "right":
        return f"there is no suspect {suspect!r}: they are {', '.join(n for n in SUSPECTS if n != 'right')}"
    if guess is None:
        return f"suspect {suspect}: not named yet"
    names = {name.lower(): name for name in BUGS}
    key = " ".join(str(guess).lower().split())
    if key not in names:
        return f"suspect {suspect}: {guess!r} is none of the eight names: {', '.join(BUGS)}"
    if not (batch is None or isinstance(batch, Batch)):
        return f"batch must be what make_batch returns, got {type(batch).__name__}"
    batch = practice_batch() if batch is None else batch
    found = names[key] if BUGS[names[key]].suspect == suspect else None
    return _right(suspect, found, batch) if found else _wrong(suspect, names[key], batch)


def _right(suspect, name, batch):
    bug = BUGS[name]
    here, right = (_read(bug, step, batch) for step in (SUSPECTS[suspect], SUSPECTS["right"]))
    return (f"suspect {suspect}: right, {name}: {bug.shows}\n"
            f"  {FINGERPRINTS[bug.fingerprint].tells}: {here:.2f}, done right {right:.2f}\n"
            f"  in public: {bug.note}\n  {bug.thread}")


def _wrong(suspect, name, batch):
    """Say what the guess would have shown, and which fingerprint does show."""
    bug = BUGS[name]
    here, there = (_read(bug, SUSPECTS[letter], batch) for letter in (suspect, bug.suspect))
    clue = next(b for b in BUGS.values() if b.suspect == suspect)
    strange = _read(clue, SUSPECTS[suspect], batch)
    return (f"suspect {suspect}: not {name}; that would show: {bug.shows}\n"
            f"  {FINGERPRINTS[bug.fingerprint].tells}: {here:.2f} here, {there:.2f} with that bug\n"
            f"  what does show here, {FINGERPRINTS[clue.fingerprint].tells}: {strange:.2f}; "
            f"look at the view {clue.view!r}")


def _read(bug, step, batch):
    return FINGERPRINTS[bug.fingerprint].measure(step, batch)
