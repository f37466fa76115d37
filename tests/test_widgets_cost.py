"""The explorers of notebooks 11, 12 and 15 without a front end: what they draw, and what they refuse."""

from functools import partial

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_hex

from cases import cases
from moeviz import style, widgets
from moeviz.models import catalogue, model
from moeviz.plots.cost import PART_COLORS
from moeviz.plots.names import overlaps
from moeviz.widgets import compute
from moeviz.widgets.compute import right_end
from plot_contract import words_on

pytestmark = pytest.mark.slow
SPEC = model("Mixtral 8x7B").spec
draw_model = partial(compute.draw_model, SPEC, experts=8, k=2, parts=1, shared=0)
NAMES = ("Switch-Base", "Mixtral 8x7B", "OLMoE-1B-7B", "gpt-oss-20b")
SOME = [model(name) for name in NAMES]
EXPLORERS = {
    "model": lambda: widgets.explore_model(SPEC),
    "years": lambda: widgets.explore_years(SOME),
    "context": lambda: widgets.explore_context({"Mixtral": SPEC, "MiniMax": model("MiniMax-Text-01").spec}),
}


def title(ax):
    return "".join(ax.get_title(loc=side) for side in ("left", "center")).replace("\n", " ")


def controls(box):
    return {control.description: control for control in box.children[1].children}


@pytest.mark.parametrize("explore", EXPLORERS.values(), ids=EXPLORERS)
def test_an_explorer_shows_one_picture_and_one_more_for_each_control(explore, shown):
    box = explore()
    assert len(shown) == 1 and "alt=" in shown[0].data
    assert 1 <= len(controls(box)) <= 4
    for count, control in enumerate(controls(box).values(), start=2):
        control.value = other_value(control)
        assert len(shown) == count
    assert plt.get_fignums() == []


def other_value(control):
    if not hasattr(control, "options"):
        return control.value + 1
    values = [option[1] if isinstance(option, tuple) else option for option in control.options]
    return next(value for value in reversed(values) if value != control.value)


def test_more_active_than_there_are_becomes_a_line_of_text(shown, capsys):
    box = widgets.explore_model(SPEC)
    controls(box)["k, active of them"].value = 9
    assert len(shown) == 1
    assert "k, active of them, must be at most E = 8, got 9" in capsys.readouterr().out


def sums(ax):
    """Return the bold numbers at the ends of the bars."""
    return [text.get_text() for text in ax.texts if text.get_fontweight() == "bold"]


def test_the_start_is_the_published_model():
    axes = draw_model()
    assert [sums(ax) for ax in axes] == [["46.7", "12.9"], ["42.7", "110"], ["97.7", "747"]]
    assert "3.6 times" in title(axes[0])
    assert "at 32k: 2.6 times" in title(axes[1])
    assert axes[0].lines[0].get_xdata()[0] == pytest.approx(46.7, rel=1e-3)


def test_finer_experts_keep_parameters_and_flops_and_the_line_stays():
    axes = draw_model(parts=4)
    assert [sums(ax)[0] for ax in axes] == ["46.7", "42.7", "97.7"]  # but for larger routers
    assert axes[1].lines[0].get_xdata()[0] == pytest.approx(42.7, rel=1e-3)


def test_more_experts_move_parameters_and_memory_and_not_the_flops():
    few, many = (draw_model(experts=experts) for experts in (8, 64))
    assert sums(few[1])[0] == sums(many[1])[0]
    assert [ax.lines[0].get_xdata()[0] for ax in many] == [ax.lines[0].get_xdata()[0] for ax in few]
    assert float(sums(many[2])[0].replace(",", "")) > 7 * float(sums(few[2])[0])


def test_a_shared_expert_takes_the_place_of_a_chosen_one_and_the_flops_stay():
    axes = draw_model(parts=4, shared=1)
    colors = [to_hex(bar.get_facecolor()) for bar in axes[0].patches]
    assert PART_COLORS["shared experts"].lower() in colors
    assert "7 of 31 experts, 3584 wide, 1 shared" in title(axes[0])
    assert [sums(ax)[0] for ax in axes] == ["46.7", "42.7", "97.7"]


@pytest.mark.parametrize("longest", [0.05, 1.0, 13.05, 46.7, 99.9, 347.9, 12_345.0])
def test_the_right_end_leaves_room_and_wastes_less_than_half(longest):
    assert 1.15 * longest <= right_end(longest) <= 2.2 * longest


def test_years_add_models_and_leave_the_map_still():
    first, last = (compute.draw_years(SOME, year=year, reading="A") for year in (2023, 2025))
    assert "2 models" in title(first) and "4 models" in title(last)
    assert first.get_xlim() == last.get_xlim() and first.get_ylim() == last.get_ylim()
    early, late = ({word.text for word in words_on(ax, "_names", NAMES)} for ax in (first, last))
    assert early and late and not early & late  # only the models of the year have names


def test_the_reading_moves_the_models_left():
    by_reading = [compute.draw_years(SOME, year=2025, reading=letter) for letter in "ABC"]
    places = [next(word.place[0] for word in words_on(ax, "_names", NAMES) if word.text == "gpt-oss-20b")
              for ax in by_reading]
    assert places == pytest.approx([4.187, 3.608, 3.028], rel=1e-3)


def test_the_whole_catalogue_fits_its_groups():
    recent = [each for each in catalogue() if each.year >= 2020]
    assert f"{len(recent)} models" in title(compute.draw_years(recent, year=2026, reading="A"))


@pytest.mark.parametrize("year", [2024, 2025, 2026])
def test_few_names_of_a_year_are_written_and_none_runs_into_another(year):
    recent = [each for each in catalogue() if each.year >= 2020]
    ax = compute.draw_years(recent, year=year, reading="A")
    boxes = np.array([word.box for word in words_on(ax, "_names", [each.name for each in recent])])
    assert 5 <= len(boxes) <= 9
    assert np.array_equal(overlaps(boxes, boxes), np.eye(len(boxes), dtype=bool))


def test_the_context_is_marked_and_its_cache_stands_beside_the_weights():
    axes = compute.draw_context(SPEC, context=1_000_000, phase="decode")
    assert axes[0].lines[0].get_xdata()[0] == 1_000_000
    assert [bar.get_width() for bar in axes[1].patches] == pytest.approx([93.4, 131.07], rel=1e-3)
    assert "At 1M the cache is 1.40 times" in title(axes[1])
    assert "attention scores from 2.01% to 99.5%" in style.describe(axes)


def test_the_prompt_has_half_the_scores():
    answer, prompt = (compute.draw_context(SPEC, context=32_768, phase=phase)
                      for phase in ("decode", "prefill"))
    assert "attention scores from 1.02% to 99%" in style.describe(prompt)
    assert style.describe(answer) != style.describe(prompt)


@cases("call", [
    lambda: compute.draw_years(SOME, year=1999, reading="A"),
    lambda: compute.draw_years(SOME, year=2024, reading="D"),
    lambda: compute.draw_context(SPEC, context=0, phase="decode"),
    lambda: compute.draw_context(SPEC, context=9, phase="both"),
    lambda: draw_model(parts=0),
    lambda: draw_model(experts=4, k=8),
    lambda: draw_model(shared=2)])
def test_wrong_values_are_refused(call):
    with pytest.raises(ValueError, match=r"year|reading|context|phase|parts|k, active|shared experts"):
        call()
    assert np.size(plt.get_fignums()) == 0
