"""The time line of one step on several devices: who sends, who computes, who waits for whom."""

import numpy as np

from moeviz.figure_data import set_table
from moeviz.style import DROPPED, DROPPED_LINES, HATCH, INK, axes_or_new, set_description

# blue, orange and plum differ in lightness too, for readers and printers without colour
KINDS = {"dispatch": ("#0072B2", "send tokens"), "compute": ("#E69F00", "compute"),
         "combine": ("#6b1f5e", "send answers"), "wait": (DROPPED, "wait")}
UNITS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"))


def plot_timeline(spans, *, title="", end=None, ax=None):
    """Draw the spans of a step as bars over time, a row per device; waiting is grey and hatched.

    spans: of `cluster.timeline`. With more than one chunk each device has two lanes, the network above
    the processor, since both work at once; only waits of the processor's own phase are then drawn.
    end: seconds at the right border, to compare pictures; None takes the end of the step.
    Returns the Axes. Raises ValueError for no spans or spans of an unknown kind.

    >>> from moeviz.cluster import Phases, timeline
    >>> plot_timeline(timeline(Phases([1.0], [2.0], [1.0]))).get_xlabel()
    'time (s)'
    """
    spans = _check_spans(spans)
    devices, chunks = (1 + max(getattr(span, field) for span in spans) for field in ("device", "chunk"))
    last = max(span.stop for span in spans)
    end = last if end is None else end
    scale, unit = next((size, name) for size, name in UNITS if end >= size or size == 1e-6)
    ax = axes_or_new(ax, (11, 0.62 * devices * (1.5 if chunks > 1 else 1) + 2.0))
    for kind in KINDS:
        _draw_kind(ax, kind, spans, scale, lanes=2 if chunks > 1 else 1)
    ax.axvline(last / scale, color=INK, linewidth=1.8)
    ax.annotate(f"{last / scale:.3g} {unit}", (last / scale, -0.62), xytext=(-6, 0),
                textcoords="offset points", ha="right", va="bottom", fontweight="bold")
    ax.set(xlim=(0, 1.01 * end / scale or 1), ylim=(devices - 0.4, -1.0), title=title,
           xlabel=f"time ({unit})", ylabel="device")
    ax.set_yticks(range(devices))
    ax.tick_params(axis="y", length=0)
    below = -0.62 * ax.figure.dpi / ax.get_window_extent().height  # inches
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, below), ncols=4, frameon=False)
    _tabulate(ax, spans, devices, scale, unit)
    return set_description(ax, _describe(spans, devices, chunks, last, scale, unit, title))


def _draw_kind(ax, kind, spans, scale, lanes):
    mine = [span for span in spans if span.kind == kind and not (lanes == 2 and kind == "wait")]
    if not mine:
        return
    height = 0.72 / lanes
    shift = 0 if lanes == 1 else (height / 2 if kind == "compute" else -height / 2)
    color, label = KINDS[kind]
    hatched = {"hatch": HATCH, "edgecolor": DROPPED_LINES, "linewidth": 0} if kind == "wait" else {
        "edgecolor": "white", "linewidth": 1}
    device, start, stop = (np.array([getattr(span, part) for span in mine])
                           for part in ("device", "start", "stop"))
    ax.barh(device + shift, (stop - start) / scale, left=start / scale, height=height, color=color,
            label=label, **hatched)


def _check_spans(spans):
    spans = tuple(spans)
    if not spans:
        raise ValueError("spans must hold at least one span, got none")
    for span in spans:
        if getattr(span, "kind", None) not in KINDS:
            raise ValueError(f"spans must be of the kinds {', '.join(KINDS)}, got {span!r}")
    return spans


def _tabulate(ax, spans, devices, scale, unit):
    """Attach a row per device: how long it does what, over all chunks."""
    times = np.zeros((devices, len(KINDS)))
    for span in spans:
        times[span.device, list(KINDS).index(span.kind)] += (span.stop - span.start) / scale
    set_table(ax, ["device", *(f"{words} ({unit})" for _, words in KINDS.values())],
              zip(range(devices), *times.T, strict=True))


def _describe(spans, devices, chunks, last, scale, unit, title):
    waits = np.zeros(devices)
    for span in spans:
        waits[span.device] += (span.stop - span.start) * (span.kind == "wait")
    return (f"Time line, {title or 'one step'}: {devices} devices, {chunks} parts, "
            f"{last / scale:.3g} {unit} in all; device {waits.argmax()} waits longest for others "
            f"({waits.max() / scale:.3g} {unit}), device {waits.argmin()} shortest "
            f"({waits.min() / scale:.3g} {unit}).")
