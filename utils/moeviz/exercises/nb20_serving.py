"""Exercises of notebook 20: the bytes of a step, an LRU cache, what a placement may know."""

import numpy as np

from moeviz.exercises.cases import asked, choices, whole
from moeviz.exercises.engine import Exercise


def slow_read_bytes(expert_index, expert_weights, shared_weights, bits):
    read = set()
    for chosen in expert_index.tolist():
        read |= set(chosen)
    return (shared_weights + sum(expert_weights for _ in read)) * bits / 8


def draw_read_bytes(rng):
    readers, num_experts = whole(rng, (1, 8), (4, 9))
    index = choices(rng, readers, num_experts, *whole(rng, (1, 3)))
    return index, *whole(rng, (1, 50), (0, 90)), int(rng.choice([4, 8, 16]))


read_bytes = Exercise("read_bytes", 20, slow_read_bytes, (
    (np.array([[0, 3], [3, 1]]), 100, 50, 4), (np.array([[2, 0]]), 10, 0, 16)), draw_read_bytes, {
    "an expert was counted once for each of its tokens; one reading serves them all":
        lambda expert_index, expert_weights, shared_weights, bits: (
            (shared_weights + expert_index.size * expert_weights) * bits / 8),
    "you counted up to the highest expert; those that nobody chose stay where they are":
        lambda expert_index, expert_weights, shared_weights, bits: (
            (shared_weights + (int(expert_index.max()) + 1) * expert_weights) * bits / 8),
    "the shared weights are missing; every token uses them, so a step reads them once":
        asked(slow_read_bytes, shared_weights=0),
    "the shared weights were read once for each token; one reading serves the step":
        lambda expert_index, expert_weights, shared_weights, bits: (
            slow_read_bytes(expert_index, expert_weights, len(expert_index) * shared_weights, bits)),
    "these are bits; eight of them are a byte":
        lambda *case: 8 * slow_read_bytes(*case),
    "only the first reader's experts were read":
        asked(slow_read_bytes, expert_index=lambda expert_index: expert_index[:1]),
    "only the shared weights became bytes; the experts' weights have bits too":
        lambda expert_index, expert_weights, shared_weights, bits: (
            len(np.unique(expert_index)) * expert_weights + shared_weights * bits / 8),
    "that is one expert for each reader; count the different experts of all of them":
        lambda expert_index, expert_weights, shared_weights, bits: (
            (shared_weights + len(expert_index) * expert_weights) * bits / 8),
    "half a byte was cut off; divide by 8 with /":
        lambda *case: slow_read_bytes(*case) // 1})


def _hits(requests, size, leaves, refresh=True, forget=True):
    """Count hits of a shelf whose end is the newest; `leaves` gives the place that is emptied."""
    shelf, hits = [], 0
    for expert in requests.tolist():
        if expert in shelf:
            hits += 1
            if refresh:
                if forget:
                    shelf.remove(expert)
                shelf.append(expert)
            continue
        if len(shelf) >= size:
            shelf.pop(leaves)
        shelf.append(expert)
    return hits


def slow_lru_hits(requests, size):
    return _hits(requests, size, 0)


def draw_lru_hits(rng):
    number, num_experts = whole(rng, (1, 25), (2, 6))
    return rng.integers(0, num_experts, number), *whole(rng, (1, num_experts))


lru_hits = Exercise("lru_hits", 20, slow_lru_hits, (
    (np.array([0, 1, 0, 2, 0, 1]), 2), (np.array([0, 0, 1, 0, 2, 1]), 2)), draw_lru_hits, {
    "the expert used most recently left; the one unused for longest has to":
        lambda requests, size: _hits(requests, size, -1),
    "a hit has to count as a use too; yours lets the expert leave that was loaded first":
        lambda requests, size: _hits(requests, size, 0, refresh=False),
    "after a hit the expert stands in the cache twice: remove it before you append it":
        lambda requests, size: _hits(requests, size, 0, forget=False),
    "nobody ever left; the cache holds only so many experts":
        lambda requests, size: len(requests) - len(set(requests.tolist())),
    "you counted the misses":
        lambda requests, size: len(requests) - slow_lru_hits(requests, size),
    "that is the share of hits; count them":
        lambda requests, size: slow_lru_hits(requests, size) / len(requests),
    "you kept the last requests; an expert that was asked for twice takes one place, not two":
        lambda requests, size: (
            sum(expert in requests[max(0, at - size):at] for at, expert in enumerate(requests)))})


def slow_known_load(loads, window, interval):
    known = []
    for step in range(len(loads)):
        made = step - step % interval
        before = [loads[earlier] for earlier in range(made - window, made) if earlier >= 0]
        known.append(sum(before) / len(before) if before else np.ones(loads.shape[1]))
    return np.array(known)


def draw_known_load(rng):
    steps, num_experts = whole(rng, (1, 9), (2, 4))
    return rng.integers(0, 20, (steps, num_experts)), *whole(rng, (1, 5), (1, 4))


LOADS = np.array([[4, 0], [0, 4], [4, 0]])
LONGER = np.array([[6, 0], [0, 6], [3, 9], [9, 3], [0, 0]])


def _known(loads, window, interval, ahead=0, start=1.0, read=lambda seen: seen.mean(axis=0)):
    """Like the specification, with a window that ends `ahead` steps late, or is read in another way."""
    known = np.full(loads.shape, start)
    for step in range(len(loads)):
        made = step - step % interval + ahead
        if made:
            known[step] = read(loads[max(0, made - window):made])
    return known


known_load = Exercise("known_load", 20, slow_known_load, (
    (LOADS, 2, 1), (LONGER, 1, 2), (LONGER, 9, 2)), draw_known_load, {
    "the window reaches into the step to be served; its load is not known yet":
        lambda loads, window, interval: _known(loads, window, interval, ahead=1),
    "the placement is made at multiples of the interval; in between nothing new enters it":
        lambda loads, window, interval: slow_known_load(loads, window, 1),
    "all steps were averaged; the window keeps the last ones alone":
        lambda loads, window, interval: slow_known_load(loads, len(loads), interval),
    "only the last step was used; the window may be longer":
        lambda loads, window, interval: slow_known_load(loads, 1, interval),
    "before the first step a load of ones is assumed, not of zeros":
        lambda loads, window, interval: _known(loads, window, interval, start=0.0),
    "these are sums over the window; take the mean, so that windows can be compared":
        lambda loads, window, interval: _known(loads, window, interval, read=lambda seen: seen.sum(axis=0)),
    "where fewer steps than the window have run, divide by their number":
        lambda loads, window, interval: (
            _known(loads, window, interval, read=lambda seen: seen.sum(axis=0) / window)),
    "an array of whole numbers cut the means; begin with `np.ones(loads.shape)`":
        lambda *case: slow_known_load(*case).astype(int)})


@known_load.mistake("a slice must not begin before step 0; a negative place counts from the end")
def known_from_the_end(loads, window, interval):
    known = np.ones(loads.shape)
    for step in range(len(loads)):
        made = step - step % interval
        if made:
            seen = loads[made - window:made]
            known[step] = seen.mean(axis=0) if len(seen) else np.nan
    return known


@known_load.mistake("between two placements the load stays the one that the last of them was made from")
def known_when_made_alone(loads, window, interval):
    at = np.arange(len(loads))[:, None]
    return np.where(at % interval == 0, slow_known_load(loads, window, interval), 1.0)
