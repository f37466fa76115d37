"""Interventions: what an expert is needed for, asked by running a trained model otherwise.

Who uses an expert is a correlation; whose loss rises without it is an effect. Both are asked of the same
held-out rows. R rows of T judged positions, L layers, E experts, C classes of bytes. Losses are in nats per
byte, a damage is the loss of the changed run less that of the untouched one, and an error is the standard
error over rows, since neighbouring bytes are not independent.
"""

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from moeviz import metrics
from moeviz.arrays import check_count, check_number, check_rng
from moeviz.text import BYTE_CLASS_NAMES, byte_classes
from moeviz.transformer.descent import SKIPPED

PATHS = {"off there": "off at these bytes alone", "off elsewhere": "off at all other bytes",
         "attention blocked": "off, kept from all attention"}
CLASSES = BYTE_CLASS_NAMES[:6]  # those of ASCII
RARE, USUAL = 0.03, 0.4  # share of a class of bytes that uses an expert: at most, at least
WAYS = ("random choices off", "an expert off", "off, later choices kept", "an expert silent",
        "another in its place", "noise of size 1", "choices shuffled")


class Means(NamedTuple):
    """A mean per change and group of bytes, with its standard error over rows; nan for an empty group."""

    mean: np.ndarray   # (E, G), or of other changes than E experts
    error: np.ndarray  # (E, G)


class Study(NamedTuple):
    """What becomes of held-out rows when each expert of one layer is switched off."""

    layer: int
    untouched: np.ndarray  # (R, T) the losses of the run as trained
    damage: np.ndarray     # (E, R, T) what each byte loses without each expert
    used: np.ndarray       # (E, R, T) bool, whether the position that predicts the byte chose the expert
    classes: np.ndarray    # (R, T) the class of the byte at that position, an index into BYTE_CLASS_NAMES


def study(model, rows, *, layer):
    """Switch off each expert of a layer in turn and return the Study; its tokens go to the next best.

    model: a Transformer or a TinyLM. rows: (R, T + 1) bytes, each judged after the first 32. A byte belongs
    to the position before it, which chose the experts that predict it. Raises ValueError for another layer.

    >>> from moeviz import text, transformer
    >>> corpus = text.load_corpus(bytes_per_domain=6000, fallback=True)
    >>> rows = transformer.held_out_rows(corpus, length=64).text[:2]
    >>> config = transformer.Config(width=8, heads=2, hidden=4, layers=1)
    >>> study(transformer.init(np.random.default_rng(0), config), rows, layer=1).damage.shape
    (8, 2, 32)
    """
    experts = range(model.config.num_experts)
    layer = check_count(layer, "layer", high=model.config.layers)
    known = model.run_rows(rows).layers
    untouched = judged(model.row_losses(rows, known=known))
    used = known[layer - 1].routed.dispatch().T.reshape(len(experts), len(rows), -1)[:, :, SKIPPED:]
    routes = [without(model, {layer: [expert]}) for expert in experts]
    damage = np.stack([judged(model.row_losses(rows, route=route, known=known[:layer])) - untouched
                       for route in routes])
    return Study(layer, untouched, damage, used, classes_of(rows[:, SKIPPED:-1]))


def changes(model, rows, *, layer, rng):
    """Run one layer otherwise in seven ways and return {way: damage (R, T)}, as `study` has it for one way.

    What is done to an expert is done to each in turn, and the mean is taken. The first way is the null of the
    second: as many choices are forbidden, but of no expert in particular.
    Raises ValueError for another layer.
    """
    layer = check_count(layer, "layer", high=model.config.layers)
    count, plain, done = model.config.num_experts, model.steered(), model.run_rows(rows)
    untouched = judged(model.row_losses(rows, known=done.layers))
    later = range(layer + 1, model.config.layers + 1)
    kept = frozen(model, done, later)

    def off(expert):
        return without(model, {layer: [expert]})

    def damage(route, changed=model):
        return judged(changed.row_losses(rows, route=route, known=done.layers[:layer])) - untouched

    def mean(damage_of):
        return np.mean([damage_of(expert) for expert in range(count)], axis=0)

    return dict(zip(WAYS, (
        damage(random_pairs_off(model, layer, 1 / count, rng=rng)),
        mean(lambda e: damage(off(e))),
        mean(lambda e: damage(lambda logits, at: (kept if at in later else off(e))(logits, at))),
        mean(lambda e: damage(silent(model, layer, e))),
        mean(lambda e: damage(plain, placed(model, layer, e, (e + 1) % count))),
        damage(noisy(model, layer, 1.0, rng=rng)),
        damage(shuffled(model, layer, rng=rng))), strict=True))


def judged(losses):
    """Return losses (R, T) without the first 32 positions, which have little before them."""
    return losses[:, SKIPPED:]


def classes_of(rows):
    """Return the class of each byte of rows (R, T), an index into BYTE_CLASS_NAMES."""
    return byte_classes(np.ascontiguousarray(rows).ravel()).reshape(rows.shape)


def positions_of(rows, kind):
    """Return which positions (R, T) of rows (R, T + 1) hold a byte of one class, an index into CLASSES."""
    return classes_of(rows[:, :-1]) == check_count(kind, "kind", low=0)


# --- other ways to run ---------------------------------------------------------------------------


def without(model, off, *, where=None):
    """Return the route in which {layer: experts} are off, on positions `where` (R, T) or all of them."""
    return model.steered(off=off, where=None if where is None else np.asarray(where).ravel())


def changed_at(model, layers, change):
    """Return the route as trained, but for some layers, in which change(logits, routed, layer) -> Routing."""
    plain = model.steered()

    def route(logits, at):
        routed = plain(logits, at)
        return change(logits, routed, at) if at in layers else routed
    return route


def silent(model, layer, expert):
    """Return the route in which one expert is chosen as ever and then says nothing."""
    return changed_at(model, [layer], lambda logits, routed, at: replace(
        routed, kept=routed.kept & (routed.expert_index != expert)))


def noisy(model, layer, size, *, rng):
    """Return the route whose logits carry Gaussian noise of that standard deviation in one layer."""
    plain, size, rng = model.steered(), check_number(size, "size", low=0.0), check_rng(rng)
    return changed_at(model, [layer], lambda logits, routed, at: plain(
        logits + (size * rng.standard_normal(logits.shape)).astype(logits.dtype), at))


def shuffled(model, layer, *, rng):
    """Return the route in which the tokens of one layer exchange their choices at random: loads are kept."""
    rng = check_rng(rng)
    return changed_at(model, [layer],
                      lambda logits, routed, at: _taken(routed, rng.permutation(len(logits))))


def frozen(model, done, layers):
    """Return the route that repeats, in some layers, the choices of another run of the same rows.

    done: the Pass of that run. What an expert's absence does through later routers is then left out.
    """
    return changed_at(model, layers, lambda logits, routed, at: done.layers[at - 1].routed)


def random_pairs_off(model, layer, share, *, rng):
    """Return the null of switching off: each choice of a layer is forbidden with the same probability.

    As many pairs of token and expert are off as an expert of that share has, but no expert is meant.
    """
    plain, rng = model.steered(), check_rng(rng)

    def without_some(logits, routed, at):
        closed = routed.chosen() & (rng.random(logits.shape) < share)
        return plain(np.where(closed, logits.min() - 100, logits).astype(logits.dtype), at)
    return changed_at(model, [layer], without_some)


def placed(model, layer, expert, by):
    """Return the model with the weights of expert `by` in the place of another expert of its layer."""
    high = model.config.num_experts - 1
    expert, by = check_count(expert, "expert", low=0, high=high), check_count(by, "by", low=0, high=high)
    weights = dict(model.weights)
    for name in (f"w_in_{layer}", f"w_out_{layer}"):
        weights[name] = weights[name].copy()
        weights[name][expert] = weights[name][by]
    return replace(model, weights=weights)


# --- tables with errors and nulls ----------------------------------------------------------------


def mean_error(values, mask=None):
    """Return (mean, standard error over rows) of values (R, T), of those where mask is True.

    The mean is over bytes; rows that hold more of them count more.

    >>> mean_error(np.array([[1.0, 3.0], [1.0, 3.0]]))
    (2.0, 0.0)
    """
    mask = np.ones(values.shape, bool) if mask is None else mask
    count = mask.sum()
    if not count:
        return float("nan"), float("nan")
    mean = float(values[mask].sum() / count)
    off = (np.where(mask, values - mean, 0)).sum(axis=1)
    rows = len(values)
    return mean, float(np.sqrt((off**2).sum() * rows / max(rows - 1, 1)) / count)


def by_class(values, classes):
    """Return the Means of values (E, R, T) for each ASCII class of byte (R, T)."""
    return by_group(values, classes, len(CLASSES))


def use_and_harm(study, *, rows=slice(None)):
    """Return (use, harm) of a Study, Means (E, C), from some of its rows or all."""
    return tuple(by_class(each[:, rows], study.classes[rows]) for each in (study.used, study.damage))


def by_group(values, group, count):
    """Return the Means of values (E, R, T) for each group of bytes, 0..count - 1; group spreads to (R, T).

    >>> by_group(np.array([[[1.0, 3.0], [1.0, 5.0]]]), np.array([0, 1]), 2).mean.tolist()
    [[1.0, 4.0]]
    """
    pairs = [[mean_error(np.asarray(each, float), np.broadcast_to(group, np.shape(each)) == g)
              for g in range(count)] for each in values]
    return Means(*(np.array([[pair[at] for pair in row] for row in pairs]) for at in (0, 1)))


def effects(ways, group, count):
    """Return {way: (mean (G,), error (G,))} of {way: damage (R, T)} for groups of bytes, as `by_group`.

    >>> effects({"off": np.array([[1.0, 3.0], [1.0, 5.0]])}, np.array([0, 1]), 2)["off"][0].tolist()
    [1.0, 4.0]
    """
    means = by_group(ways.values(), group, count)
    return dict(zip(ways, zip(*means, strict=True), strict=True))


def drift(damage):
    """Return (difference, error) of the mean damage (R, T) in the last third of a row less that in the first.

    >>> drift(np.array([[1.0, 1.0, 3.0], [1.0, 1.0, 3.0]]))
    (2.0, 0.0)
    """
    third = damage.shape[1] // 3
    return mean_error((damage[:, -third:].mean(axis=1) - damage[:, :third].mean(axis=1))[:, None])


def beyond_its_users(study):
    """Return (share, largest) of what a Study's experts do to bytes that did not choose them.

    share: of the whole damage, summed over all experts and bytes. largest: the absolute damage of one byte.
    Behind the last layer nothing passes it on, and both are 0 but for rounding.
    """
    others = study.damage[~study.used]
    return float(others.sum() / study.damage.sum()), float(np.abs(others).max(initial=0.0))


def correlation(use, damage):
    """Return the correlation of two tables (E, C) over their cells; empty classes (nan) are left out.

    >>> round(correlation(np.array([[1.0, 0.0]]), np.array([[3.0, 1.0]])), 6)
    1.0
    """
    full = ~np.isnan(use)
    return float(np.corrcoef(use[full], damage[full])[0, 1])


def commonest_is_worst(use, damage):
    """Return (C,) bool: whether the expert that a class uses most is the one whose absence costs it most.

    >>> commonest_is_worst(np.array([[0.9, 0.6], [0.1, 0.4]]), np.array([[0.2, 0.1], [0.0, 0.3]])).tolist()
    [True, False]
    """
    return np.argmax(use, axis=0) == np.argmax(damage, axis=0)


class Pair(NamedTuple):
    """An expert and a class of bytes that a table of use would misjudge."""

    layer: int
    expert: int
    kind: int      # index into CLASSES
    share: float   # of the bytes of the class, how many use the expert
    damage: float  # what the class loses without it
    error: float


def unused_but_vital(use, harm):
    """Return the Pair with the largest damage among experts that at most 3 % of a class use.

    use, harm: Means of (E, C), one per layer. The last layer is left out, for there a byte that does not use
    an expert cannot miss it. Raises ValueError where no class leaves an expert that much alone.
    """
    return _best_pair(use[:-1], harm[:-1], [np.where(each.mean <= RARE, lost.mean, np.nan)
                                            for each, lost in zip(use[:-1], harm[:-1], strict=True)])


def used_but_redundant(use, harm):
    """Return the Pair with the damage nearest to 0 among experts that at least 40 % of a class use.

    Arguments and ValueError as for `unused_but_vital`, but for the last layer, which counts too.
    """
    return _best_pair(use, harm, [np.where(each.mean >= USUAL, -np.abs(lost.mean), np.nan)
                                  for each, lost in zip(use, harm, strict=True)])


def _best_pair(use, harm, scores):
    scores = np.array(scores)
    if not np.isfinite(scores).any():
        raise ValueError("use has no pair of expert and class within the limit")
    layer, expert, kind = map(int, np.unravel_index(np.nanargmax(scores), scores.shape))
    return pair_of(use, harm, layer + 1, expert, kind)


def pair_of(use, harm, layer, expert, kind):
    """Return the Pair of an expert and a class with what these tables say of it."""
    tables = use[layer - 1].mean, harm[layer - 1].mean, harm[layer - 1].error
    return Pair(layer, expert, kind, *(float(each[expert, kind]) for each in tables))


def class_information(damage, classes):
    """Return in bits how much the class of a byte tells which expert's absence harms it.

    The mutual information of the table of summed damage (E, C); damage below 0 counts as none. 0 where
    every expert harms the same classes in the same proportions.

    >>> round(class_information(np.eye(2)[:, None], np.array([[0, 1]])), 6)
    1.0
    """
    table = [[np.where(classes == c, each, 0).sum() for c in range(len(CLASSES))] for each in damage]
    return metrics.information_of_table(np.maximum(table, 0) + 1e-12)


def class_information_null(damage, classes, *, rng, repeats=20):
    """Return `class_information` (repeats,) after the classes of each row were shuffled within it."""
    rng = check_rng(rng)
    repeats = range(check_count(repeats, "repeats"))
    return np.array([class_information(damage, rng.permuted(classes, axis=1)) for _ in repeats])


# --- the path of an effect -----------------------------------------------------------------------


def path_through_attention(model, rows, *, layer, expert, at):
    """Return {way: (damage, error)} at some positions when an expert is off: directly, or through others?

    at: (R, T) bool, the positions whose bytes are judged. "off": everywhere. "off there": at those
    positions alone, which can harm them without attention. "off elsewhere": at all others, which can reach
    them through attention alone. "attention blocked": off everywhere, but all later layers look at the keys
    and values of the untouched run, so that nothing comes through attention. "looking at 2": only the
    attention of layer 2 does so, and likewise for each later layer.
    """
    off, at = {layer: [expert]}, np.asarray(at, dtype=bool)
    done = model.run_rows(rows)
    seen = {number: (each.attention.key, each.attention.value)
            for number, each in enumerate(done.layers, start=1)}
    later = range(layer + 1, model.config.layers + 1)
    ways = {"off": (None, None), "off there": (at, None), "off elsewhere": (~at, None),
            "attention blocked": (None, {number: seen[number] for number in later})}
    ways |= {f"looking at {number}": (None, {number: seen[number]}) for number in later}
    untouched, found = judged(model.row_losses(rows, known=done.layers)), {}
    for name, (where, look_at) in ways.items():
        route = without(model, off, where=where)
        losses = judged(model.row_losses(rows, route=route, look_at=look_at, known=done.layers[:layer]))
        found[name] = mean_error(losses - untouched, judged(at))
    return found


def in_words(way):
    """Return what a way of `path_through_attention` does, in words for a picture; any other name as it is.

    >>> in_words("off there"), in_words("looking at 3"), in_words("as trained")
    ('off at these bytes alone', "off, kept from layer 3's attention", 'as trained')
    """
    layer = way.removeprefix("looking at ")
    return f"off, kept from layer {layer}'s attention" if layer != way else PATHS.get(way, way)


# --- byte or context -----------------------------------------------------------------------------


class Told(NamedTuple):
    """What tells the first choice of one layer, as shares of its entropy; a null is subtracted from each."""

    entropy: float   # of the first choice, in bits
    byte: float      # the byte itself
    previous: float  # the byte before it, where the byte is known
    place: float     # how far into its word it stands, where the byte is known


def what_tells(model, rows, *, rng):
    """Return one Told per layer: does the byte decide who is first choice, or what stands before it?

    Information that many labels carry by chance is measured on shuffled labels, and subtracted.
    """
    rng = check_rng(rng)
    text = rows[:, SKIPPED:-1]
    byte, previous, place = text.ravel(), rows[:, SKIPPED - 1:-2].ravel(), _place_in_word(rows)
    found = []
    for layer in model.run_rows(rows).layers:
        first = layer.routed.expert_index[:, 0].reshape(len(rows), -1)[:, SKIPPED:].ravel()
        entropy = metrics.label_entropy(first)
        alone = metrics.mutual_information(first, byte)
        alone -= metrics.mutual_information_null(first, byte, rng=rng, repeats=3)
        more = [metrics.conditional_information(first, labels, byte)
                - metrics.conditional_information_null(first, labels, byte, rng=rng, repeats=3)
                for labels in (previous, place)]
        found.append(Told(entropy, *(max(0.0, each) / entropy for each in (alone, *more))))
    return found


def _place_in_word(rows):
    """Return how many letters or digits stand before each judged byte without a break, up to 8, flat."""
    inside = np.isin(classes_of(rows), (2, 3, 4))
    place = np.zeros(rows.shape, dtype=int)
    for at in range(1, rows.shape[1]):
        place[:, at] = np.where(inside[:, at - 1], np.minimum(place[:, at - 1] + 1, 8), 0)
    return place[:, SKIPPED:-1].ravel()


def _taken(routed, order):
    """Return the Routing in which token t has the choices of token order[t]."""
    index, weight, kept = routed.expert_index, routed.combine_weight, routed.kept
    return replace(routed, expert_index=index[order], combine_weight=weight[order], kept=kept[order])
