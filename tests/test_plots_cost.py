"""The pictures of what a model costs, read back from their artists; and names that cover nothing."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.colors import to_hex

from cases import cases
from moeviz import plots, style
from moeviz.cost import count_parameters, flops_over
from moeviz.models import catalogue, model
from moeviz.plots import names
from moeviz.plots.cost import PART_COLORS
from moeviz.plots.names import RADIUS, crossings, overlaps, place_names
from moeviz.tables import as_text, as_tick
from plot_contract import assert_draws_on_the_given_axes, words_on

pytestmark = pytest.mark.slow
LEDGERS = {"all": {"experts": 45e9, "attention": 1e9, "router": 0.001e9}, "one token": {"experts": 11e9}}
CONTEXTS = [1000, 10_000, 100_000, 1_000_000]
SHARES = {"experts": [90, 80, 50, 10], "attention scores": [9, 19, 49, 89], "head": [1, 1, 1, 1]}
NAMES, TOTAL, ACTIVE = ["Small", "Large"], np.array([7e9, 700e9]), np.array([1e9, 35e9])

EVERY = {
    "plot_ledger": lambda **kw: plots.plot_ledger(LEDGERS, unit="billion parameters", **kw),
    "plot_shares": lambda **kw: plots.plot_shares(CONTEXTS, SHARES, x_label="context (tokens)", **kw),
    "plot_model_map": lambda **kw: plots.plot_model_map(NAMES, TOTAL, ACTIVE, **kw),
}


@pytest.mark.parametrize("draw", EVERY.values(), ids=EVERY)
def test_a_plot_draws_on_the_given_axes_and_makes_no_figure(draw):
    assert_draws_on_the_given_axes(draw)


@pytest.mark.parametrize("draw", EVERY.values(), ids=EVERY)
def test_a_plot_has_a_title_units_and_a_description_with_numbers(draw):
    current = plt.figure().add_subplot()
    ax = draw(title="by hand")
    assert not current.has_data()
    assert ax.get_title().startswith("By hand: ") and any(map(str.isdigit, ax.get_title()))
    assert "(" in ax.get_xlabel() or "billion" in ax.get_xlabel()
    sentence = style.describe(ax)
    assert "by hand" in sentence and any(letter.isdigit() for letter in sentence)
    assert "\n" not in sentence


# --- plot_ledger ---

def bars(ax):
    """Return (row, left, width, colour) of every piece of every bar."""
    return [(round(bar.get_y() + bar.get_height() / 2), bar.get_x(), bar.get_width(),
             to_hex(bar.get_facecolor())) for bar in ax.patches]


def key(ax):
    legend = ax.get_legend()
    return [text.get_text() for text in legend.get_texts()] if legend else []


def test_pieces_stand_end_to_end_in_their_parts_colour():
    pieces = bars(EVERY["plot_ledger"]())
    assert [piece[0] for piece in pieces] == [0, 0, 0, 1]
    assert [piece[1] for piece in pieces[:3]] == pytest.approx([0, 45, 46])
    assert [piece[2] for piece in pieces] == pytest.approx([45, 1, 0.001, 11])
    assert [piece[3] for piece in pieces] == [PART_COLORS[part].lower()
                                              for part in ("experts", "attention", "router", "experts")]


def test_a_bar_ends_with_its_sum_and_a_part_is_named_on_it_or_in_the_key():
    ax = EVERY["plot_ledger"]()
    words = [text.get_text() for text in ax.texts]
    assert [word for word in words if "\n" not in word] == ["46.0", "11"]
    assert "experts\n45" in words
    assert key(ax) == ["attention"]  # the router is thinner than a pixel


def test_scale_limit_and_mark_are_in_the_units_of_the_axis():
    ax = plots.plot_ledger({"a": {"weights": 2e6}}, unit="MB", scale=1e6, limit=8, mark=4e6)
    assert bars(ax)[0][2] == pytest.approx(2)
    assert ax.get_xlim() == (0, 8)
    assert ax.lines[0].get_xdata()[0] == pytest.approx(4)


def test_the_description_of_a_ledger_lists_its_parts():
    sentence = style.describe(EVERY["plot_ledger"]())
    assert "all 46.0 (experts 45, attention 1, router 0.001)" in sentence and "one token 11" in sentence


@cases(("ledgers", "message"), [
    ({}, "ledgers must be a dictionary"), ([1], "ledgers must be a dictionary"),
    ({"a": 3}, "dictionary of parts"),
    ({"a": {"experts": -1.0}}, "experts"), ({"a": {"magic": 1.0}}, "part must be one of"),
    ({"a": {"experts": float("nan")}}, "experts")])
def test_wrong_ledgers_are_named(ledgers, message):
    with pytest.raises(ValueError, match=message):
        plots.plot_ledger(ledgers, unit="GB")


def test_a_ledger_of_nothing_is_drawn():
    assert [text.get_text() for text in plots.plot_ledger({"a": {"cache": 0}}, unit="GB").texts] == ["0"]


# --- plot_shares ---

def test_areas_stack_to_one_hundred_percent():
    ax = EVERY["plot_shares"]()
    edges = [collection.get_paths()[0].vertices for collection in ax.collections]
    assert max(edge[:, 1].max() for edge in edges) == pytest.approx(100)
    first = edges[0][np.isclose(edges[0][:, 0], 1_000_000)]
    assert sorted({round(y) for y in first[:, 1]}) == [0, 10]
    assert ax.get_xscale() == "log"


def test_an_area_is_named_where_it_is_widest_and_a_narrow_one_in_the_key():
    ax = EVERY["plot_shares"]()
    places = {text.get_text(): text.get_position() for text in ax.texts}
    assert places["experts"][0] < 5000 and places["attention scores"][0] > 200_000
    assert key(ax) == ["head"]


@cases("context", [200_000, 10_000_000])
def test_the_name_of_an_area_lies_within_it_or_stands_in_the_key(context):
    """Of DeepSeek's projections an end is wide enough for letters, and the rest of their name was not."""
    x = np.unique(np.geomspace(1000, context, 60).astype(int))
    shares = flops_over(model("DeepSeek-V3").spec, x.tolist())
    wide = plots.plot_shares(x, shares, x_label="context (tokens)")
    for ax in (wide, wide.moeviz_narrow()):
        ax.figure.draw_without_rendering()
        areas = {name: area.get_paths()[0] for name, area in zip(shares, ax.collections, strict=True)}
        for text in ax.texts:
            corners = text.get_window_extent().corners()
            area = areas[text.get_text()].transformed(ax.transData)
            assert area.contains_points(corners).all(), text.get_text()
        assert {text.get_text() for text in ax.texts} | set(key(ax)) >= {"experts", "attention projections"}


def test_a_sum_stands_after_a_mark_that_would_run_through_it():
    bars = {"a": {"cache": 70.0}, "b": {"cache": 300.0}}
    ax = plots.plot_ledger(bars, unit="GB", scale=1, mark={"card": 80})
    assert [text.xy[0] for text in ax.texts if text.get_text() in ("70", "300")] == [80, 300]


def test_marks_are_lines_with_words_above():
    ax = EVERY["plot_shares"](marks={"here": 50_000})
    assert ax.lines[0].get_xdata()[0] == 50_000
    assert "here" in [text.get_text() for text in ax.texts]


def test_a_mark_does_not_strike_the_name_of_an_area():
    ax = EVERY["plot_shares"](marks={"here": 1_000_000})
    for text in [text for text in ax.texts if text.get_text() in SHARES]:
        ground = text.get_bbox_patch()
        assert to_hex(ground.get_facecolor()) == to_hex(PART_COLORS[text.get_text()])
        assert text.get_zorder() > ax.lines[0].get_zorder() and ground.get_clip_path()


def test_shares_of_a_real_model_say_where_attention_wins():
    spec = model("Mixtral 8x7B").spec
    ax = plots.plot_shares(CONTEXTS, flops_over(spec, CONTEXTS), x_label="context (tokens)")
    sentence = style.describe(ax)
    assert "attention scores from 2.01% to 95.4%" in sentence
    assert "from 1000 to 1M" in sentence


@cases(("x", "parts", "message"), [
    ([5], {"experts": [1]}, "x must"), ([0, 1], {"experts": [1, 1]}, "x must"),
    ([2, 1], {"experts": [1, 1]}, "x must"), ([1, 2], {"experts": [1, 1, 1]}, "experts"),
    ([1, 2], {"experts": [-1, 1]}, "parts must"), ([1, 2], {"experts": [0, 1]}, "parts must"),
    ([1, 2], {}, "parts must"), ([1, 2], {"magic": [1, 1]}, "part must be one of")])
def test_wrong_shares_are_named(x, parts, message):
    with pytest.raises(ValueError, match=message):
        plots.plot_shares(x, parts, x_label="context")


@pytest.mark.parametrize(("number", "name"), [
    (1, "1"), (999, "999"), (1000, "1000"), (4096, "4096"), (16_384, "16k"),
    (131_072, "128k"), (200_000, "200k"), (1_500_000, "1.5M"), (1_048_576, "1.049M")])
def test_contexts_are_written_briefly(number, name):
    assert as_tick(number) == name


def test_amounts_are_written_with_three_digits():
    amounts = [as_text(value, 3) for value in (0, 0.5, 12.88, 999.4, 1571.3)]
    assert amounts == ["0", "0.5", "12.9", "999", "1571"]


# --- plot_model_map ---

def markers(ax):
    """Return the points of the map by (x, y), rounded."""
    drawn = [line for line in ax.lines if line.get_marker() not in ("None", None)]
    return {(round(float(x), 3), round(float(y), 3)) for line in drawn
            for x, y in zip(line.get_xdata(), line.get_ydata(), strict=True)}


def leaders(ax):
    return next(c for c in ax.collections if c.get_label() == "_leaders").get_paths()


def test_each_model_stands_at_its_active_and_total_parameters():
    ax = EVERY["plot_model_map"]()
    assert markers(ax) == {(1.0, 7.0), (35.0, 700.0)}
    assert [(word.text, word.place) for word in words_on(ax, "_names", NAMES)] == [
        (NAMES[0], (1.0, 7.0)), (NAMES[1], (35.0, 700.0))]


def test_lines_of_equal_ratio_are_named_where_they_end():
    ax = EVERY["plot_model_map"](limits=((1, 100), (1, 1000)))
    ends = {text.get_text(): text.get_position() for text in ax.texts}
    assert ends["total =\nactive"] == (100, 100)
    assert ends["4×"] == (100, 400)
    assert ends["16×"] == pytest.approx((1000 / 16, 1000))
    assert ends["64×"] == pytest.approx((1000 / 64, 1000))
    assert "1024×" not in ends
    ax.figure.draw_without_rendering()
    page = ax.figure.get_tightbbox().extents * ax.figure.dpi
    for text in ax.texts:  # outside of the frame, and within what a notebook shows
        box = text.get_window_extent().extents
        assert box[0] > ax.bbox.x1 or box[1] > ax.bbox.y1
        assert (box[:2] >= page[:2]).all() and (box[2:] <= page[2:]).all()


def test_models_that_are_not_shown_keep_their_room():
    limits = ((0.5, 100), (4, 2000))
    both, first, alone = (EVERY["plot_model_map"](limits=limits, groups=[2021, 2024], **chosen)
                          for chosen in ({}, {"shown": np.array([True, False])}, {"shown": [True, True]}))
    assert markers(first) == {(1.0, 7.0)} and markers(alone) == markers(both)
    word, = words_on(first, "_names", NAMES)
    assert word.box.tolist() == words_on(both, "_names", NAMES)[0].box.tolist()
    assert key(first) == key(both)
    assert NAMES[1] in style.describe(both) and NAMES[1] not in style.describe(first)
    assert "1 model, active 1 and total 7 billion" in style.describe(first)


def test_groups_have_a_colour_and_a_marker_and_rings_are_in_the_key():
    ax = EVERY["plot_model_map"](groups=[2024, 2021], hollow=[True, False], hollow_label="fitted")
    assert key(ax) == ["2021", "2024", "fitted"]
    drawn = [line for line in ax.lines if line.get_marker() not in ("None", None) and len(line.get_xdata())]
    ring = next(line for line in drawn if round(line.get_xdata()[0]) == 1)
    full = next(line for line in drawn if round(line.get_xdata()[0]) == 35)
    assert to_hex(ring.get_markerfacecolor()) == "#ffffff" != to_hex(full.get_markerfacecolor())
    assert ring.get_marker() != full.get_marker()
    assert to_hex(ring.get_markeredgecolor()) != to_hex(full.get_markeredgecolor())


def test_no_name_of_the_catalogue_covers_another_or_a_marker():
    style.use()
    counts = [count_parameters(each.spec) for each in catalogue()]
    ax = plots.plot_model_map([each.name for each in catalogue()], [c.total for c in counts],
                              [c.active for c in counts], groups=[each.year for each in catalogue()])
    ax.figure.draw_without_rendering()
    words = words_on(ax, "_names", [each.name for each in catalogue()])
    assert [word.text for word in words] == [each.name for each in catalogue()] and len(words) >= 50
    boxes = np.array([word.box for word in words])
    assert overlaps(boxes, boxes).sum() == len(boxes)
    points = ax.transData.transform([(c.active / 1e9, c.total / 1e9) for c in counts])
    assert not overlaps(boxes, np.hstack([points - 5, points + 5])).any()
    frame = ax.get_window_extent().extents
    assert (boxes[:, :2] >= frame[:2] - 1).all() and (boxes[:, 2:] <= frame[2:] + 1).all()
    assert not overlaps(boxes, ax.get_legend().get_window_extent().extents[None]).any()


def test_a_name_keeps_off_the_key():
    ax = plots.plot_model_map(["next to key", "other"], [4.8e9, 100e9], [4.6e9, 1e9], groups=[1, 2],
                              limits=((0.5, 6.5), (4, 200)))
    ax.figure.draw_without_rendering()
    boxes = np.array([word.box for word in words_on(ax, "_names", ["next to key", "other"])])
    assert not overlaps(boxes, ax.get_legend().get_window_extent().extents[None]).any()


def test_a_name_keeps_off_markers_without_a_name_and_the_key_off_groups_without_one():
    ax = plots.plot_model_map(["named", "grey"], [40e9, 40e9], [10e9, 14e9], named=["named"], groups=[1, 2],
                              limits=((1, 100), (4, 400)))
    ax.figure.draw_without_rendering()
    box, = np.array([word.box for word in words_on(ax, "_names", ["named"])])
    middle = ax.transData.transform((14, 40))
    assert not overlaps(box[None], np.hstack([middle - 5, middle + 5])[None]).any()
    assert key(ax) == ["1"]


def test_a_name_far_from_its_point_is_joined_to_it():
    near = EVERY["plot_model_map"]()
    assert len(leaders(near)) == 0
    names = [f"a long name {i}" for i in range(12)]
    crowd = plots.plot_model_map(names, np.full(12, 10e9), np.geomspace(1e9, 1.05e9, 12))
    drawn, = [c for c in crowd.collections if c.get_label() == "_leaders"]
    assert len(drawn.get_paths()) >= 4
    by_place = {word.place: word.box for word in words_on(crowd, "_names", names)}
    for path, place in zip(drawn.get_paths(), drawn.get_offsets(), strict=True):
        at_marker, at_name = drawn.get_transform().transform(path.vertices)
        middle = by_place[tuple(place)].reshape(2, 2).mean(axis=0) - crowd.transData.transform(place)
        assert at_marker @ at_name == pytest.approx(np.hypot(*at_marker) * np.hypot(*at_name))  # one way
        assert np.hypot(*at_marker) < RADIUS * crowd.figure.dpi / 72
        assert np.hypot(*at_marker) < np.hypot(*at_name) < np.hypot(*middle)


@cases(("changes", "message"), [
    ({"total": [1e9]}, "names"), ({"active": [1e9]}, "active"), ({"active": [8e9, 1e9]}, "active"),
    ({"active": [0.0, 1e9]}, "active"), ({"groups": [1]}, "groups"), ({"hollow": [1, 0]}, "hollow"),
    ({"shown": [True]}, "shown"), ({"shown": [False, False]}, "shown"),
    ({"names": [], "total": [], "active": []}, "active")])
def test_wrong_models_are_named(changes, message):
    wanted = {"names": NAMES, "total": TOTAL, "active": ACTIVE} | changes
    with pytest.raises(ValueError, match=message):
        plots.plot_model_map(wanted.pop("names"), wanted.pop("total"), wanted.pop("active"), **wanted)


def test_more_groups_than_markers_are_refused():
    count = 9
    with pytest.raises(ValueError, match="groups must be at most 8"):
        plots.plot_model_map(list("abcdefghi"), np.full(count, 2e9), np.full(count, 1e9), groups=range(count))


# --- placing ---

def slow_crossing(start, end, box):
    """Say whether any of many points on a line lies strictly inside a box."""
    along = start + np.linspace(0, 1, 4001)[:, None] * (end - start)
    return bool(((along > box[:2]) & (along < box[2:])).all(axis=1).any())


@given(st.lists(st.integers(0, 20), min_size=8, max_size=8))
def test_crossings_are_those_of_a_slow_walk_along_the_line(numbers):
    start, end = np.array(numbers[:2], float), np.array(numbers[2:4], float)
    box = np.array([*numbers[4:6], numbers[4] + numbers[6] + 1, numbers[5] + numbers[7] + 1], float) + 0.003
    assert crossings(start[None], end[None], box[None])[0, 0] == slow_crossing(start, end, box)


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 40)), min_size=1, max_size=18, unique=True))
def test_names_with_room_cover_neither_points_nor_each_other(places):
    points = 9.0 * np.array(places)
    sizes = np.full(points.shape, (40.0, 10.0))
    corners = place_names(points, sizes, (-300, -300, 900, 700), radius=4.0)
    boxes = np.hstack([corners, corners + sizes])
    assert overlaps(boxes, boxes).sum() == len(boxes)
    assert not overlaps(boxes, np.hstack([points - 4, points + 4])).any()


def test_taken_boxes_and_bounds_are_kept_free():
    taken = [[50, 0, 200, 100]]
    corners = place_names([[40, 50]], [[30, 10]], (0, 0, 200, 100), taken=taken)
    assert not overlaps(np.hstack([corners, corners + np.array([30, 10])]), np.array(taken)).any()
    edge = place_names([[190, 50]], [[30, 10]], (0, 0, 200, 100))[0]
    assert edge[0] + 30 <= 200


def crowd(seed, count=24):
    """Return points and sizes of names with little room, and their bounds."""
    rng = np.random.default_rng(seed)
    sizes = np.column_stack([rng.uniform(20, 90, count), np.full(count, 14)])
    return rng.uniform(10, 290, (count, 2)), sizes, (0, 0, 420, 300)


@pytest.mark.parametrize("seed", range(4))
def test_candidates_are_the_cheapest_of_all_near_and_far(seed):
    points, sizes, bounds = crowd(seed)
    for at in range(len(points)):
        far, corners = names._candidates(points[at], sizes[at], 6.0)
        cost = np.sort(names._costs(at, far, corners, points, sizes, bounds, 6.0, np.zeros((0, 4))))
        best, _ = names._choices(at, points, sizes, bounds, 6.0, np.zeros((0, 4)))
        assert best == pytest.approx(cost[:names.KEPT])


@pytest.mark.parametrize("seed", range(4))
def test_what_is_out_of_reach_changes_no_name(seed, monkeypatch):
    points, sizes, bounds = crowd(seed)
    quick = place_names(points, sizes, bounds)
    monkeypatch.setattr(names, "_reach", lambda *each: np.array([-1e9, -1e9, 1e9, 1e9]))
    assert place_names(points, sizes, bounds).tolist() == quick.tolist()
