"""An expert cache at work: what it holds, who is asked for, hits and misses."""

import numpy as np
from matplotlib.collections import PolyCollection

from moeviz.arrays import check_count
from moeviz.figure_data import set_table
from moeviz.metrics import CacheRun
from moeviz.plots.glyphs import readable
from moeviz.plots.inputs import check_labels
from moeviz.record import EMPTY
from moeviz.style import axes_or_new, expert_colors, ink_on, set_description, tint

MAX_REQUESTS = 120


def plot_cache(run, num_experts, *, labels=None, title="", ax=None):
    """Draw the cache after each request, a column each: pale cells are held, the full one was asked for.

    A dot marks a hit, a cross a miss. run: a CacheRun of up to 120 requests; cut a longer one before.
    labels: one text per request, such as the byte that asked. Returns the Axes.
    Raises ValueError for no CacheRun, too many requests or an expert out of range.

    >>> from moeviz.metrics import cache_run
    >>> plot_cache(cache_run([0, 1, 0], 2), 2).get_title()
    '1 of 3 requests hit'
    """
    if not isinstance(run, CacheRun) or not 0 < len(run.expert) <= MAX_REQUESTS:
        raise ValueError(f"run must be a CacheRun of 1 to {MAX_REQUESTS} requests")
    check_count(num_experts, "num_experts", low=int(run.expert.max()) + 1)
    count = len(run.expert)
    names = readable(check_labels(labels, count))
    ax = axes_or_new(ax, (13, 0.42 * num_experts + 1.9), left=0.62)
    held = held_after(run, num_experts)
    _draw_cells(ax, run, held, expert_colors(num_experts))
    every = 1 if labels is not None and count <= 60 else max(1, count // 15)
    family = {"family": "DejaVu Sans Mono"} if labels is not None else {}
    ax.set_xticks(np.arange(0, count, every) + 0.5, names[::every], parse_math=False, **family)
    ax.set_yticks(np.arange(num_experts) + 0.5, range(num_experts))
    said = f"{run.hit.sum()} of {count} requests hit"
    ax.set(xlim=(0, count), ylim=(num_experts, 0), xlabel="request, in reading order", ylabel="expert",
           title=f"{title}: {said}" if title else said)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    _tabulate(ax, run, held)
    largest = held.sum(axis=1).max()
    return set_description(ax, f"Cache over time, {title or 'expert cache'}: {count} requests for "
                               f"{num_experts} experts, at most {largest} held at a time; {said}.")


def held_after(run, num_experts):
    """Return (N, E) bool: which experts the cache holds after each request.

    >>> from moeviz.metrics import cache_run
    >>> held_after(cache_run([0, 1, 0], 1), 2).astype(int).tolist()
    [[1, 0], [0, 1], [1, 0]]
    """
    change = np.zeros((len(run.expert), num_experts), dtype=int)
    loads = np.flatnonzero(~run.hit)
    leaves = np.flatnonzero(run.evicted != EMPTY)
    change[loads, run.expert[loads]] += 1
    change[leaves, run.evicted[leaves]] -= 1
    return np.cumsum(change, axis=0) > 0


def _tabulate(ax, run, held):
    asked = [np.bincount(run.expert[which], minlength=held.shape[1]) for which in (run.hit, ~run.hit)]
    set_table(ax, ["expert", "requests", "hits", "misses", "share of the time in the cache (%)"],
              zip(range(held.shape[1]), sum(asked), *asked, 100 * held.mean(axis=0), strict=True))


def _draw_cells(ax, run, held, colors):
    at, expert = np.nonzero(held)  # of the experts held after a request one is the one asked for
    corners = np.stack([at, expert], axis=1)[:, None] + [[0, 0.08], [1, 0.08], [1, 0.92], [0, 0.92]]
    shades = np.array([[tint(color, 0.3), color.lower()] for color in colors])
    full = (run.expert[at] == expert).astype(int)
    ax.add_collection(PolyCollection(corners, facecolors=shades[expert, full]), autolim=False)
    for hit, marker in ((True, "o"), (False, "x")):
        at = np.flatnonzero(run.hit == hit)
        ink = [ink_on(colors[expert]) for expert in run.expert[at]]
        if len(at):
            ax.scatter(at + 0.5, run.expert[at] + 0.5, marker=marker, s=22, c=ink, linewidths=1.6, zorder=3)
