"""The pictures of domains, flow between layers and a cache, read back from their artists."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.collections import PathCollection
from matplotlib.colors import to_hex
from matplotlib.patches import Rectangle

from cases import cases
from moeviz import metrics, plots, routing, style, widgets
from moeviz.plots.devices import held_after
from moeviz.widgets import real
from plot_contract import assert_draws_on_the_given_axes

SHARES = np.array([[1.5, 0.5, 1.0, 1.0], [0.25, 1.75, 0.5, 1.5]])
EVEN = np.ones((2, 4))
PAIRS = np.array([[4, 0, 2], [1, 6, 0], [0, 3, 4]])
RUN = metrics.cache_run([0, 1, 0, 2, 1], 2)
DRAW = {
    "domains": lambda **kw: plots.plot_domain_experts(SHARES, EVEN, domain_names=["a", "b"], **kw),
    "flow": lambda **kw: plots.plot_pair_flow(PAIRS, **kw),
    "cache": lambda **kw: plots.plot_cache(RUN, 3, **kw),
}


@pytest.mark.parametrize("name", ["flow", "cache"])
def test_a_plot_keeps_to_the_given_axes(name):
    assert_draws_on_the_given_axes(DRAW[name])


def test_the_domain_plot_draws_on_the_given_axes_and_adds_its_colour_bar():
    ax = plt.figure().add_subplot()
    assert DRAW["domains"](ax=ax) is ax
    assert len(plt.get_fignums()) == 1 and len(ax.figure.axes) == 2


@pytest.mark.parametrize("name", DRAW)
def test_every_plot_describes_itself(name):
    assert len(style.describe(DRAW[name]())) > 60


def test_domains_stand_above_their_null_on_one_scale():
    ax = plots.plot_domain_experts(SHARES, EVEN, domain_names=["a", "b"], title="toy")
    measured, null = ax.collections[:2]
    assert np.array_equal(np.reshape(measured.get_array(), SHARES.shape), SHARES)
    assert np.array_equal(np.reshape(null.get_array(), EVEN.shape), EVEN)
    assert measured.get_clim() == null.get_clim() == (0, 3.0)
    assert measured.get_datalim(ax.transData).y1 < null.get_datalim(ax.transData).y0
    assert [label.get_text() for label in ax.get_yticklabels()] == ["a", "b", "a, shuffled", "b, shuffled"]
    assert [text.get_text() for text in ax.texts[:4]] == ["1.5", "0.5", "1.0", "1.0"]
    assert "most 1.75, b at expert 1, least 0.25; " in style.describe(ax)
    assert "with shuffled domains from 1.00 to 1.00" in style.describe(ax)


def test_many_experts_are_not_numbered_and_stand_beside_others_of_their_domain():
    shares = np.random.default_rng(0).uniform(0, 2, (2, 64))
    ax = plots.plot_domain_experts(shares, np.ones((2, 64)), domain_names=["a", "b"])
    assert len(ax.texts) == len(ax.get_xticks()) == 0
    drawn = ax.collections[0].get_array().reshape(2, 64)
    assert sorted(drawn[0]) == sorted(shares[0])
    most = drawn.argmax(axis=0).tolist()
    assert most == sorted(most) and drawn[0, 0] == max(drawn[0])


def test_ribbons_are_as_wide_as_the_counts_and_blocks_as_high_as_their_sums():
    ax = plots.plot_pair_flow(PAIRS, left="layer 1", right="layer 2")
    ribbons = next(item for item in ax.collections if isinstance(item, PathCollection))
    widths = [np.ptp(path.vertices[[0, 7], 1]) for path in ribbons.get_paths()]
    assert np.allclose(widths, PAIRS[PAIRS > 0] / 20)
    rows = np.nonzero(PAIRS)[0]
    colors = [to_hex(color) for color in ribbons.get_facecolor()]
    assert colors == [style.expert_colors(3)[row].lower() for row in rows]
    blocks = [patch.get_height() for patch in ax.patches if isinstance(patch, Rectangle)]
    assert np.allclose(blocks, np.r_[PAIRS.sum(axis=1), PAIRS.sum(axis=0)] / 20)
    assert {"layer 1", "layer 2"} <= {text.get_text() for text in ax.texts}


def test_each_ribbon_begins_and_ends_within_its_blocks():
    ax = plots.plot_pair_flow(PAIRS)
    blocks = [(patch.get_y(), patch.get_y() + patch.get_height()) for patch in ax.patches]
    for path, row, column in zip(ax.collections[0].get_paths(), *np.nonzero(PAIRS), strict=True):
        for (top, bottom), at in ((blocks[row], [0, 7]), (blocks[3 + column], [3, 4])):
            low, high = sorted(path.vertices[at, 1])
            assert top - 1e-9 <= low <= high <= bottom + 1e-9


def test_only_the_strongest_ribbons_are_drawn():
    pairs = np.ones((9, 9)) + np.diag(np.arange(9))
    ax = plots.plot_pair_flow(pairs)
    assert len(ax.collections[0].get_paths()) == 64
    assert "64 ribbons with 85% of the choices" in style.describe(ax)
    assert "from expert 8 to expert 8, 7.7%" in style.describe(ax)


def test_the_cache_shows_what_it_holds_and_marks_hits_and_misses():
    ax = plots.plot_cache(RUN, 3, labels=list("abcde"), title="lru")
    held, asked = held_after(RUN, 3), np.zeros((5, 3), bool)
    asked[np.arange(5), RUN.expert] = True
    cells, *marks = ax.collections
    drawn = {tuple(path.vertices.min(axis=0).astype(int)): to_hex(color)
             for path, color in zip(cells.get_paths(), cells.get_facecolor(), strict=True)}
    colors = [color.lower() for color in style.expert_colors(3)]
    assert drawn == {(at, expert): colors[expert] if asked[at, expert] else style.tint(colors[expert], 0.3)
                     for at, expert in np.argwhere(held)}
    hits, misses = (part.get_offsets()[:, 0] - 0.5 for part in marks)
    assert hits.tolist() == np.flatnonzero(RUN.hit).tolist()
    assert misses.tolist() == np.flatnonzero(~RUN.hit).tolist()
    assert ax.get_title() == "Lru: 1 of 5 requests hit"
    assert [label.get_text() for label in ax.get_xticklabels()] == list("abcde")


def test_held_after_is_what_a_loop_holds():
    run, held = metrics.cache_run(np.random.default_rng(0).integers(0, 6, 50), 3), set()
    for expert, gone, row in zip(run.expert, run.evicted, held_after(run, 6), strict=True):
        held = held - {gone} | {expert}
        assert set(np.flatnonzero(row)) == held


@cases(("call", "message"), [
    (lambda: plots.plot_domain_experts(SHARES, EVEN[:1], domain_names=["a", "b"]), "null must have the"),
    (lambda: plots.plot_domain_experts(SHARES, EVEN, domain_names=["a"]), "domain_names must have one entry"),
    (lambda: plots.plot_pair_flow(SHARES), "pairs must be square"),
    (lambda: plots.plot_pair_flow(-PAIRS), "pairs must be square counts"),
    (lambda: plots.plot_cache([0, 1], 2), "run must be a CacheRun"),
    (lambda: plots.plot_cache(metrics.cache_run([0] * 121, 1), 2), "1 to 120 requests"),
    (lambda: plots.plot_cache(RUN, 2), "num_experts must be"),
    (lambda: plots.plot_cache(RUN, 3, labels=["a"]), "labels must have one entry"),
    (lambda: draw_cache(start=30), "start must be"),
    (lambda: draw_cache(start=20, shown=20), "shown must be"),
    (lambda: draw_cache(size=0, shown=5), "size must be"),
    (lambda: widgets.explore_cache([1]), "routed must be a Routing"),
])
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError) as error:
        call()
    assert message in str(error.value)


ROUTED = routing.top_k(np.random.default_rng(1).normal(size=(30, 4)), k=2)


def draw_cache(**values):
    return real.draw_cache(ROUTED, **{"size": 3, "policy": "lru", "start": 0, "shown": 20} | values)


def test_the_explorer_draws_the_policy_and_stretch_that_was_chosen():
    ax = draw_cache(size=2, policy="belady", start=5, shown=10, labels=["x"] * 30)
    run = metrics.cache_run(ROUTED.expert_index[5:15], 2, policy="belady")
    said = ax.get_title().replace("\n", " ")
    assert said == f"Belady, 2 experts, tokens 5 to 14: {run.hit.sum()} of 20 requests hit"
    assert [label.get_text() for label in ax.get_xticklabels()][:3] == ["x", "", "x"]


def test_the_explorer_has_three_controls():
    shown = widgets.explore_cache(ROUTED)
    assert [control.description for control in shown.children[1].children] == [
        "experts in the cache", "who leaves", "first token"]
