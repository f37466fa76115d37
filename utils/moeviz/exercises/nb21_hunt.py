"""Notebook 21: the eight mistakes by name, three parts of a routing step to put right, and a budget to hold.

Do not read on if you want to hunt: BUGS says which suspect has which mistake, and where it was found.
The typical mistakes of the exercises are all combinations of the bugs that the part can have, so that an
answer with two of them is told both.
"""

from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from moeviz.arrays import softmax, top_k_mask
from moeviz.exercises.cases import asked, choices, name_bugs, scores, whole
from moeviz.exercises.engine import Exercise
from moeviz.exercises.nb21_suspects import FINGERPRINTS, SUSPECTS, Batch, make_batch
from moeviz.scoreboard import Board

_GITHUB = "https://github.com/"


class Bug(NamedTuple):
    """One mistake that people really made."""

    suspect: str
    fingerprint: str  # a key of FINGERPRINTS
    view: str         # a key of VIEWS
    shows: str        # what one sees
    thread: str       # where it was found or discussed
    note: str         # what the thread says, in our words


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
    letter = suspect.strip().lower() if isinstance(suspect, str) else ""
    if letter not in SUSPECTS or letter == "right":
        return f"there is no suspect {suspect!r}: they are {', '.join(n for n in SUSPECTS if n != 'right')}"
    if guess is None:
        return f"suspect {letter}: not named yet"
    names = {_plain(name): name for name in BUGS}
    if _plain(guess) not in names:
        return f"suspect {letter}: {guess!r} is none of the eight names: {', '.join(BUGS)}"
    if not (batch is None or isinstance(batch, Batch)):
        return f"batch must be what make_batch returns, got {type(batch).__name__}"
    batch = practice_batch() if batch is None else batch
    name = names[_plain(guess)]
    return (_right if BUGS[name].suspect == letter else _wrong)(letter, name, batch)


def _plain(name):
    """Return a name without case, hyphens, articles and American spelling."""
    words = str(name).lower().replace("-", " ").replace("normalized", "normalised").split()
    return " ".join(word for word in words if word not in ("the", "a", "an"))


def _right(suspect, name, batch):
    bug = BUGS[name]
    here, right = (_read(bug, step, batch) for step in (SUSPECTS[suspect], SUSPECTS["right"]))
    found = FINGERPRINTS[bug.fingerprint]
    seen = bug.shows if here > found.cut else f"this batch cannot show it; on another one, {bug.shows}"
    return (f"suspect {suspect}: right, {name}: {seen}\n"
            f"  {found.tells}: {here:.2f}, done right {right:.2f}\n"
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


SHOWS = {
    "double softmax": "the loss hardly moves, however uneven the load is",
    "padding counted": "change the padding and the load changes",
    "layers pooled": "two opposite collapsed layers still look even",
    "P taken after top-k": "experts that were not chosen have score 0",
    "bias in the weight": "with a bias the same experts get other weights",
    "noise at evaluation": "two runs still differ",
    "second choice renormalised twice": "a token that lost one expert still has weights that sum to 1",
    "first choices not first": "an earlier second choice takes the seat of a later first choice",
    "padding takes seats": "change the padding and a real token gets or loses its seat"}


def _shows(*bugs):
    return {bug: SHOWS[bug] for bug in bugs}


def slow_weighed(logits, noise, bias, k, training, bugs=()):
    index, weights = [], []
    for row, drawn in zip(logits, noise, strict=True):
        noisy = training or "noise at evaluation" in bugs
        probs = softmax(row + drawn if noisy else row)
        seen = probs + bias
        best = sorted(range(len(row)), key=lambda expert: (-seen[expert], expert))[:k]
        heard = seen if "bias in the weight" in bugs else probs
        index.append(best)
        weights.append([heard[expert] / sum(heard[best]) for expert in best])
    return np.array(index), np.array(weights)


def draw_weighed(rng):
    num_tokens, num_experts = whole(rng, (1, 5), (2, 6))
    return (scores(rng, num_tokens, num_experts), scores(rng, num_tokens, num_experts),
            rng.uniform(0, 0.3, num_experts), *whole(rng, (1, min(3, num_experts))), rng.random() < 0.5)


_SCORES, _NOISE = np.array([[2.0, 1.0, 0.0, -1.0]]), np.array([[-1.5, 0.5, 1.0, 0.0]])
_BIAS = np.array([0.0, 0.1, 0.0, 0.3])

weighed = Exercise("weighed", 21, slow_weighed, (
    (_SCORES, _NOISE, _BIAS, 2, False), (_SCORES, _NOISE, _BIAS, 2, True)), draw_weighed, {
    "the noise is gone in training too, where it belongs":
        asked(slow_weighed, training=False),
    "the bias was not used in the choice":
        lambda logits, noise, bias, k, training: slow_weighed(logits, noise, 0 * bias, k, training)})
name_bugs(weighed, slow_weighed, _shows("noise at evaluation", "bias in the weight"))


def slow_served(expert_index, weights, mask, seats, num_experts, bugs=()):
    tokens, slots = range(len(weights)), range(weights.shape[1])
    queue = [(token, slot) for slot in slots for token in tokens]
    if "first choices not first" in bugs:
        queue = [(token, slot) for token in tokens for slot in slots]
    free, served = [seats] * num_experts, np.zeros(weights.shape)
    for token, slot in queue:
        expert, asks = expert_index[token, slot], mask[token] or "padding takes seats" in bugs
        if asks and free[expert] > 0:
            free[expert] -= 1
            served[token, slot] = weights[token, slot] * mask[token]
    if "second choice renormalised twice" in bugs:
        total = served.sum(axis=1, keepdims=True)
        return served / np.where(total > 0, total, 1)
    return served


def draw_served(rng):
    num_tokens, num_experts = whole(rng, (1, 10), (2, 4))
    index = choices(rng, num_tokens, num_experts, *whole(rng, (1, min(3, num_experts))))
    weights = -np.sort(-rng.dirichlet(np.ones(index.shape[1]), size=num_tokens), axis=1)
    return index, weights, rng.random(num_tokens) < 0.75, *whole(rng, (1, 4)), num_experts


_ASKED = np.array([[0, 1], [1, 0], [0, 1]]), np.array([[0.75, 0.25], [0.625, 0.375], [0.5, 0.5]])

served = Exercise("served", 21, slow_served, (
    (*_ASKED, np.array([True, True, True]), 1, 2), (*_ASKED, np.array([False, True, True]), 1, 2),
    (*_ASKED, np.array([True, True, True]), 2, 2)), draw_served, {
    "the last token was served first":
        lambda expert_index, weights, mask, seats, num_experts: (
            slow_served(expert_index[::-1], weights[::-1], mask[::-1], seats, num_experts)[::-1]),
    "one seat too many was given":
        asked(slow_served, seats=lambda seats: seats + 1),
    "padding took no seat, but it still speaks: its weights must be 0":
        lambda expert_index, weights, mask, seats, num_experts: (
            np.where(mask[:, None], slow_served(expert_index, weights, mask, seats, num_experts), weights))})
name_bugs(served, slow_served,
          _shows("first choices not first", "second choice renormalised twice", "padding takes seats"))


@served.mistake("each slot had seats of its own; an expert has one set of seats for all of them")
def served_by_slot(expert_index, weights, mask, seats, num_experts):
    return np.hstack([slow_served(expert_index[:, [slot]], weights[:, [slot]], mask, seats, num_experts)
                      for slot in range(weights.shape[1])])


def slow_balanced(logits, mask, k, bugs=()):
    rows = np.ones_like(mask) if "padding counted" in bugs else mask
    layers = [np.concatenate(logits[:, rows])] if "layers pooled" in bugs else logits[:, rows]
    losses = []
    for layer in layers:
        chosen = top_k_mask(layer, k)
        probs = softmax(softmax(layer)) if "double softmax" in bugs else softmax(layer)
        probs = probs * chosen if "P taken after top-k" in bugs else probs
        share = chosen.mean(axis=0) / k
        losses.append(layer.shape[1] * (share * probs.mean(axis=0)).sum())
    return float(np.mean(losses))


def draw_balanced(rng):
    num_layers, num_tokens, num_experts = whole(rng, (1, 3), (2, 10), (3, 6))
    logits = np.stack([scores(rng, num_tokens, num_experts) for _ in range(num_layers)])
    mask = rng.random(num_tokens) < 0.7
    mask[rng.integers(num_tokens)] = True
    return logits + np.linspace(2, 0, num_experts), mask, *whole(rng, (1, 3))


_TWO_LAYERS = np.array([[[2.0, 0.0, 0.0], [1.0, 0.0, -1.0], [0.0, 0.0, 4.0]],
                        [[0.0, 2.0, 0.0], [0.0, 1.0, -1.0], [5.0, 0.0, 0.0]]])

balanced = Exercise("balanced", 21, slow_balanced, (
    (_TWO_LAYERS, np.array([True, True, False]), 1), (_TWO_LAYERS, np.array([True, False, True]), 2)),
    draw_balanced, {
    "f sums to k here; divide by k, so that an even load gives 1":
        lambda logits, mask, k: k * slow_balanced(logits, mask, k),
    "the layers were added; take their mean":
        lambda logits, mask, k: len(logits) * slow_balanced(logits, mask, k),
    "padding was set to 0 and still counted; leave these tokens out":
        lambda logits, mask, k: slow_balanced(logits * mask[:, None], np.ones_like(mask), k)})
name_bugs(balanced, slow_balanced,
          _shows("double softmax", "padding counted", "layers pooled", "P taken after top-k"))


class Budget(NamedTuple):
    """What a design must keep on every board.

    captured: at least, as a share of what plain top-k captures there. max_violation, drop_rate, experts:
    at most. causal: whether it must not look ahead.
    """

    captured: float
    max_violation: float
    drop_rate: float
    causal: bool = True
    experts: float = 2.0


class Item(NamedTuple):
    """One line of the answer: the worst value over all boards beside its limit."""

    name: str
    value: object
    limit: str
    holds: bool


def budget(boards, name, limits):
    """Print which items of a Budget a router holds, with its worst value over the boards; return how many.

    boards: a Board, or several of other texts, each with a row of that name and one of "top-k". A
    router whose row is missing holds nothing. Raises ValueError for no boards or limits that are no Budget.

    >>> from moeviz import routing, scoreboard
    >>> import numpy as np
    >>> board = scoreboard.score({"top-k": routing.top_k, "mine": routing.top_k}, np.eye(4))
    >>> budget(board, "mine", Budget(0.9, 0.25, 0.0))
    mine holds 5 of 6
      holds   captured, of top-k's: 1.000, at least 0.900
      MISSED  MaxVio: 1.000, at most 0.250
      holds   drops: 0.000, at most 0.000
      holds   experts per token: 2.000, at most 2.000
      holds   weights of a token: 1.000, at most 1 and not below the captured score
      holds   looks ahead: no
    5
    """
    items = weigh(boards, name, limits)
    kept = sum(item.holds for item in items)
    print(f"{name} holds {kept} of {len(items)}")
    for item in items:
        value = item.value if isinstance(item.value, str) else f"{item.value:.3f}"
        print(f"  {'holds ' if item.holds else 'MISSED'}  {item.name}: {value}{item.limit}")
    return kept


def weigh(boards, name, limits):
    """Return the Items of a budget, or a single one that says why a router has no row.

    Arguments and errors are those of `budget`.
    """
    boards = [boards] if isinstance(boards, Board) else list(boards)
    if not boards or not all(isinstance(board, Board) for board in boards):
        raise ValueError(f"boards must be a Board or several, got {boards!r}")
    if not isinstance(limits, Budget):
        raise ValueError(f"limits must be a Budget, got {limits!r}")
    missing = [board.remarks.get(name, f"{name} has no row") for board in boards if name not in board.names]
    if missing:
        return [Item("a row on every board", f"no ({missing[0]})", "", False)]
    rows = [board[name] for board in boards]
    captured = min(board[name].captured / board["top-k"].captured for board in boards)
    looks = _looks_ahead(rows)
    return [Item("captured, of top-k's", captured, f", at least {limits.captured:.3f}",
                 captured >= limits.captured - 1e-9),
            _at_most("MaxVio", [row.max_violation for row in rows], limits.max_violation),
            _at_most("drops", [row.drop_rate for row in rows], limits.drop_rate),
            _at_most("experts per token", [row.experts for row in rows], limits.experts),
            _weights([(board.routings[name], board[name].captured) for board in boards]),
            Item("looks ahead", looks, "", looks == "no" or not limits.causal)]


def _at_most(name, values, limit):
    return Item(name, max(values), f", at most {limit:.3f}", max(values) <= limit + 1e-9)


def _weights(routed):
    """Say whether weights are weights: none negative, none above 1 in all, and no expert used for nothing.

    A token's weights lie between the softmax shares of its experts and 1, however a router renormalises.
    """
    kept = [one.combine().sum(axis=1) for one, _ in routed]
    holds = all((one.combine_weight >= 0).all() and one.combine_weight.sum(axis=1).max() <= 1 + 1e-6
                and arrives.mean() >= captured - 1e-6
                for (one, captured), arrives in zip(routed, kept, strict=True))
    worst = max((arrives.mean() for arrives in kept), key=lambda mean: abs(mean - 1))
    return Item("weights of a token", worst, ", at most 1 and not below the captured score", holds)


def _looks_ahead(rows):
    if any(row.causal is None for row in rows):
        return "cannot be told, two calls differ"
    return "no" if all(row.causal for row in rows) else "yes"
