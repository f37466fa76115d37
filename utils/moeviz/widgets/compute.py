"""Explorers of Part III, sparse compute: a model by its shape, the years, batches, savings, long contexts."""

import ipywidgets
import numpy as np

from moeviz import plots
from moeviz.arrays import check_choice, check_count
from moeviz.cost import (
    break_even_batch,
    count_parameters,
    experts_touched,
    flops_over,
    flops_per_token,
    serving_bytes,
    step_work,
    time_against_dense,
    training_bytes,
)
from moeviz.learning import cheapest, load_curves, opponents_of, saving
from moeviz.plots.draw import merge_minor_ticks, plain_ticks
from moeviz.style import INK, PHONE, fixed_axes
from moeviz.tables import as_text, as_tick
from moeviz.widgets.core import explore

EXPERTS, PARTS, SHARED, MAX_K = (8, 16, 64, 256), (1, 2, 4, 8), (0, 1, 2, 4), 16
CACHED = 32_768  # tokens that the cache and the attention scores of a model are counted for
STEPS = (15, 25, 40, 60, 100, 160, 250)  # right ends of an axis, times a power of ten
MODEL_MARGINS = {"left": 0.85, "right": 0.45, "bottom": 2.4, "top": 1.35, "gap": (1.6, 0)}  # inches


def explore_model(spec):
    """Change E, k, the parts of each expert and the shared ones; watch parameters, FLOPs and memory.

    A cut keeps the FLOPs: E and k grow with the parts, and a shared expert takes the place of a chosen one.
    spec: a ModelSpec with one group of MoE layers, where the controls start and the dashed lines stay.
    """
    start = spec.moe[0]
    return explore(
        lambda **values: draw_model(spec, **values),
        caption="Cut the experts: do the FLOPs move? Then change E: what moves with the memory?",
        film="parts",
        experts=_choose("E, experts before the cut", sorted({*EXPERTS, start.experts}), start.experts),
        k=ipywidgets.IntSlider(start.top_k, 1, max(MAX_K, start.top_k), description="k, active of them"),
        parts=_choose("parts of an expert", PARTS, 1),
        shared=_choose("shared experts", sorted({*SHARED, start.shared_experts}), start.shared_experts))


def _choose(description, options, value):
    return ipywidgets.SelectionSlider(options=options, value=value, description=description)


def draw_model(spec, *, experts, k, parts, shared):
    """Draw the ledgers of a model with its MoE layers changed: parameters, FLOPs, memory; return Axes (3,).

    parts: into how many each expert is cut; shared: how many of the pieces every token uses in place of
    chosen ones. Dashed lines stay where `spec` itself has its total parameters, its FLOPs per token and its
    bytes to serve. Raises ValueError, in the words of the controls, for numbers that make no layer.
    """
    start, parts = spec.moe[0], check_count(parts, "parts")
    active = (k + start.shared_experts) * parts
    if k > experts:
        raise ValueError(f"k, active of them, must be at most E = {experts}, got {k}")
    if shared >= active:
        raise ValueError(f"shared experts must be fewer than the parts that a token uses, {active}, "
                         f"got {shared}")
    built = spec.with_moe(experts=(experts + start.shared_experts) * parts - shared, top_k=active - shared,
                          hidden=start.hidden // parts, shared_experts=shared)
    axes = fixed_axes((13, 5.8), columns=3, **MODEL_MARGINS)
    titles = _titles(built)
    for ax, unit, title, now, start in zip(axes, ("billion parameters", "GFLOP", "GB"), titles,
                                           _bills(built), _bills(spec), strict=True):
        longest = max(sum(parts.values()) for parts in now.values())
        mark = sum(next(iter(start.values())).values())
        limit = right_end(max(longest, mark) / 1e9)
        plots.plot_ledger(now, unit=unit, title=title, mark=mark, limit=limit, key_columns=1, ax=ax)
    return axes


def right_end(longest):
    """Return a round right end with room for a number, so that small moves leave the axis as it is.

    >>> right_end(46.7), right_end(93.4)
    (60.0, 160.0)
    """
    power = 10.0 ** np.floor(np.log10(longest) - 1)
    return float(next(step * power for step in STEPS if step * power >= 1.15 * longest))


def _bills(spec):
    """Return the three ledgers of a model, in each the row first that gets a mark."""
    count, memory = count_parameters(spec), serving_bytes(spec, CACHED)
    sparse, dense = (flops_per_token(each, CACHED) for each in (spec, _all_on(spec)))
    return ({"total": count.by_part, "active": count.active_by_part},
            {"this model": sparse.by_part, "all experts on": dense.by_part},
            {"to serve": memory.by_part, "to train": training_bytes(spec).by_part})


def _titles(spec):
    count, moe = count_parameters(spec), spec.moe[0]
    saved = flops_per_token(_all_on(spec), CACHED).total / flops_per_token(spec, CACHED).total
    return (f"{moe.top_k} of {moe.experts} experts, {as_text(moe.hidden)} wide, {moe.shared_experts} shared: "
            f"total is {count.total / count.active:.1f} times active",
            f"FLOPs at {as_tick(CACHED)}: {saved:.1f} times as many with all experts on",
            "memory")


def _all_on(spec):
    return spec.with_moe(top_k=spec.moe[0].experts)


READINGS = {"A": "both token tables", "B": "no embedding", "C": "no token table"}

# fixed: a layout to be found twice, before and after the names, would be half of a redraw
YEARS_NAMES = 9  # more would run into each other
YEARS_MARGINS = {"left": 0.95, "right": 0.75, "top": 0.9}


def explore_years(models):
    """Move the year and the reading of "active"; watch the published models of each year appear on the map.

    models: Models of `moeviz.models`, of at most 8 different years.
    """
    years = sorted({each.year for each in models})
    readings = [(f"{letter}: {words}", letter) for letter, words in READINGS.items()]
    return explore(
        lambda **values: draw_years(models, **values),
        caption="Where do the models move from year to year?",
        year=ipywidgets.SelectionSlider(options=years, value=years[-1], description="up to the year"),
        reading=ipywidgets.Dropdown(options=readings, description="active counts"))


def draw_years(models, *, year, reading):
    """Draw the models up to a year on the map of total against active parameters; return the Axes.

    Of the models of the year up to nine, from the smallest to the largest, have their names; those of
    earlier years are grey.
    reading: "A" counts both token tables as active, "B" leaves out the embedding, "C" both.
    Raises ValueError for a year before the first model, or another reading.
    """
    check_count(year, "year", low=min(each.year for each in models))
    check_choice(reading, "reading", tuple(READINGS))
    total, active = np.array([_sizes(each.spec, reading) for each in models]).T
    shown = np.array([each.year <= year for each in models])
    now = np.array([each.year == year for each in models])
    middle = np.median((total / active)[shown])
    ax = fixed_axes((PHONE, 6.3), **YEARS_MARGINS)
    plots.plot_model_map(
        [each.name for each in models], total, active, groups=[each.year for each in models], shown=shown,
        hollow=[each.fit or each.name_only for each in models], hollow_label="fitted",
        named=_spread(models, total, now), grey=~now, ax=ax,
        title=f"up to {year}: {shown.sum()} model{'s' * bool(shown.sum() > 1)}, in the median "
              f"total is {middle:.1f} times active")
    merge_minor_ticks(ax)
    return ax


def _spread(models, total, now):
    """Return names of models of a year, from the smallest to the largest, as many as a map has room for."""
    mine = sorted(np.flatnonzero(now), key=lambda at: total[at])
    picked = np.linspace(0, len(mine) - 1, min(len(mine), YEARS_NAMES)).round().astype(int)
    return [models[mine[at]].name for at in picked]


def _sizes(spec, reading):
    count = count_parameters(spec)
    readings = {"A": count.active, "B": count.active_without_embedding, "C": count.active_without_tables}
    return count.total, readings[reading]


BATCHES = tuple(2 ** power for power in range(15))
BATCH_EXPERTS = (8, 16, 32, 64, 128, 256)


def explore_batch(chips):
    """Change batch, experts, k and chip; watch the hump of an MoE layer against dense of equal active size.

    chips: Hardware records, of which the first is shown at the start.
    """
    by_name = {chip.name: chip for chip in chips}
    return explore(
        lambda chip, **values: draw_batch(by_name[chip], **values),
        caption="Which batches pay for experts that they hardly use? Where does the hump end?",
        batch=ipywidgets.SelectionSlider(options=BATCHES, value=64, description="batch (tokens)"),
        num_experts=ipywidgets.SelectionSlider(options=BATCH_EXPERTS, value=8, description="experts"),
        k=ipywidgets.IntSlider(2, 1, 8, description="k"),
        chip=ipywidgets.Dropdown(options=list(by_name), description="chip"))


def draw_batch(chip, *, batch, num_experts, k):
    """Draw time against a dense layer of equal active size over the batch, one batch marked; return Axes.

    chip: a Hardware. batch: tokens in a step. Raises ValueError as `time_against_dense` does.
    """
    check_count(batch, "batch")
    sizes = {"ridge": chip.ridge, "bytes_per_weight": 2}
    ratio = time_against_dense(num_experts, k, batch, **sizes)
    touched = experts_touched(num_experts, k, batch)
    over = np.geomspace(1, BATCHES[-1], 200)
    ax = plots.plot_curves(
        over, {"dense": np.ones(len(over)), "MoE": time_against_dense(num_experts, k, over, **sizes)},
        x_label="batch (tokens in a step)", y_label="time (1 = dense of equal active size)", x_scale="log",
        ax=fixed_axes((PHONE, 5.5), left=0.8, right=0.3, bottom=1.16, top=0.8),
        title=f"{chip.name}: {as_text(batch)} token{'s' * (batch > 1)} read {touched:.1f} of {num_experts} "
              f"experts: {ratio:.2f} times as long")
    ax.plot([batch], [ratio], "o", color="black", markersize=11, clip_on=False)
    ax.set_ylim(top=1.25 * ax.get_ylim()[1])  # where the break-even is named
    plain_ticks(ax.xaxis)
    if k < num_experts:  # with all experts active there is nothing to make up for
        _mark_break_even(ax, break_even_batch(num_experts, k, **sizes), over[-1])
    merge_minor_ticks(ax)
    return ax


def _mark_break_even(ax, bound, end):
    if not 1 <= bound <= end:
        return
    ax.axvline(bound, color=INK, linestyle=(0, (4, 3)), linewidth=1.8)
    side = "right" if bound > end / 8 else "left"
    ax.annotate(f"break-even\n{as_text(round(bound))} tokens", (bound, ax.get_ylim()[1]), va="top", ha=side,
                fontsize=14, xytext=(-8 if side == "right" else 8, -6), textcoords="offset points")


READERS, BITS, GB_PER_TOKEN = tuple(2 ** power for power in range(13)), (16, 8, 4), (5e-4, 200)


def explore_readers(specs):
    """Change model, readers and bits per weight; watch the bytes that a step reads for each of its tokens.

    specs: {name: ModelSpec} with MoE layers, of which the first is shown at the start.
    """
    return explore(
        lambda name, **values: draw_readers(specs[name], **values),
        film="readers",
        caption="How many readers halve the bytes per token? How many halve them once more?",
        name=ipywidgets.Dropdown(options=list(specs), description="model"),
        readers=ipywidgets.SelectionSlider(options=READERS, value=16, description="readers in a step"),
        bits=ipywidgets.Dropdown(options=BITS, description="bits per weight"))


def draw_readers(spec, *, readers, bits):
    """Draw the GB of weights per token over the readers of a step, beside dense of equal active size.

    spec: a ModelSpec with MoE layers. readers: tokens in the step that is marked. Both axes stay still
    between models. Returns the Axes. Raises ValueError as `step_work` does, and for no MoE layer.
    """
    check_count(readers, "readers")
    if not spec.moe:
        raise ValueError(f"spec must have MoE layers, {spec.name!r} has none")
    over, moe = np.array(READERS), spec.moe[0]
    gb = step_work(spec, over, bits=bits)[1] / over / 1e9
    here = step_work(spec, readers, bits=bits)[1] / readers / 1e9
    touched = experts_touched(moe.experts, moe.top_k, readers)
    ax = fixed_axes((PHONE, 5), left=0.95, right=1.05, top=0.8)
    ax.set(yscale="log", ylim=GB_PER_TOKEN)
    plots.plot_curves(
        over, {"mixture": gb, "dense": gb[0] / over}, x_scale="log", y_scale="log", ax=ax,
        x_label="readers in a step, a token each", y_label="weights read per token (GB)",
        title=f"{spec.name}, {as_text(readers)} reader{'s' * (readers > 1)}: "
              f"{as_text(touched, 3)} of {moe.experts} experts, {as_text(here, 2)} GB per token")
    ax.plot([readers], [here], "o", color=INK, markersize=11, clip_on=False)
    merge_minor_ticks(ax)
    return ax


COUNTS = {"flops": "FLOPs", "steps": "steps", "seconds": "seconds"}
KINDS = ("the same net, longer", "the best dense width", "equal total size")
LOWEST, HIGHEST = 1.3, 2.15


def explore_saving():
    """Choose the mixture, its opponent, the loss to reach and the count; nothing is trained meanwhile."""
    curves = load_curves()
    return explore(
        lambda **values: draw_saving(curves, **values),
        caption="Which opponent makes the mixture look best? Does it save the same in steps and in seconds?",
        film="opponent",
        experts=ipywidgets.Dropdown(options=[(f"E = {e}", e) for e in (4, 16, 64)], value=64,
                                    description="mixture"),
        opponent=ipywidgets.Dropdown(options=KINDS, description="against"),
        target=ipywidgets.FloatSlider(1.6, min=1.46, max=1.9, step=0.02, description="loss to reach",
                                      readout_format=".2f", continuous_update=False),
        of=ipywidgets.Dropdown(options=[(words, name) for name, words in COUNTS.items()],
                               description="count"))


def draw_saving(curves, *, experts, opponent, target, of):
    """Draw a mixture against one kind of opponent, with what each needs for the target; return the Axes.

    curves: {name: Curve}. Raises ValueError for a mixture, opponent or count that there is not.
    """
    kinds = opponents_of(curves, experts)
    check_choice(opponent, "opponent", kinds)
    own = f"E = {experts}"
    shown = {own: curves[own]} | kinds[opponent]
    marks = [cheapest({own: curves[own]}, target, of=of), cheapest(kinds[opponent], target, of=of)]
    marks = [(need, f"{need / marks[0][1]:.1f}×") for name, need in marks if name and marks[0][0]]
    factor = saving(curves[own], kinds[opponent], target=target, of=of)
    words = (f"{own} needs as many {COUNTS[of]}, 1.0 times" if f"{factor:.1f}" == "1.0" else
             f"{own} needs 1/{factor:.1f} of the {COUNTS[of]}" if factor >= 1 else
             f"{own} needs {1 / factor:.1f} times the {COUNTS[of]}" if factor == factor else
             _why_not(shown, target))
    ax = plots.plot_learning(shown, of=of, target=target, marks=marks, title=words, limits=(LOWEST, HIGHEST),
                             ax=fixed_axes((PHONE, 6.0), left=0.8, right=1.15, bottom=1.72))
    merge_minor_ticks(ax)
    return ax


def _why_not(shown, target):
    """Say why the curves {name: Curve} cannot be compared at a loss."""
    early = [name for name, curve in shown.items() if curve.mean[0] < target]
    return (f"{early[0]} starts below a loss of {target:.2f}" if early else
            f"not both of them reach a loss of {target:.2f}")


CONTEXTS = (4096, 32_768, 131_072, 200_000, 1_000_000, 10_000_000)
PHASES = {"decode": "one token of the answer", "prefill": "a mean token of the prompt"}
CONTEXT_MARGINS = {"left": 0.85, "right": 0.25, "bottom": 1.75, "top": 0.95, "gap": (0.8, 0)}  # inches


def explore_context(specs):
    """Change model, context and phase; watch attention's share grow, and the cache beside the weights.

    specs: {name: ModelSpec}.
    """
    return explore(
        lambda name, **values: draw_context(specs[name], **values),
        caption="When does attention cost more than the experts? When does the cache outgrow the weights?",
        film="context",
        name=ipywidgets.Dropdown(options=list(specs), description="shape"),
        context=ipywidgets.SelectionSlider(options=[(as_tick(n), n) for n in CONTEXTS], value=1_000_000,
                                           description="context"),
        phase=ipywidgets.Dropdown(options=[(words, name) for name, words in PHASES.items()],
                                  description="count"))


def draw_context(spec, *, context, phase):
    """Draw the shares of the FLOPs over the context, and weights and cache in bytes below; return Axes (2,).

    context: tokens that are marked, and kept in the cache of one sequence in bfloat16.
    Raises ValueError as `flops_per_token` does.
    """
    memory = serving_bytes(spec, context).by_part
    contexts = np.unique(np.geomspace(1000, 1e7, 60).astype(int))
    shares = flops_over(spec, contexts.tolist(), phase=phase)
    axes = fixed_axes((11.6, 5.9), columns=2, **CONTEXT_MARGINS)
    plots.plot_shares(contexts, shares, x_label="context (tokens)", key_columns=2, ax=axes[0],
                      marks={as_tick(context): context}, title=f"{spec.name}: {PHASES[phase]}")
    ratio = as_text(memory["cache"] / memory["weights"], 3)
    plots.plot_ledger({"": memory}, unit="GB, one sequence", key_columns=2, ax=axes[1],
                      limit=right_end(sum(memory.values()) / 1e9),
                      title=f"at {as_tick(context)} the cache is {ratio} times the weights")
    merge_minor_ticks(axes[0])
    return axes
