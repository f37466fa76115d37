"""Eight suspects, the print that each leaves, the checks that name them, and the budget of the capstone."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from cases import cases
from moeviz import plots, routing, scoreboard, text, tinylm, widgets
from moeviz.arrays import softmax, top_k_index
from moeviz.exercises import check
from moeviz.exercises import nb21_hunt as bug_hunt
from moeviz.exercises import nb21_suspects as evidence
from moeviz.exercises.nb21_hunt import BUGS, Budget, judge, practice_batch, weigh
from moeviz.exercises.nb21_suspects import SUSPECTS, Step, balance, make_batch, right
from moeviz.plots import Evidence
from moeviz.style import describe
from moeviz.widgets import real

LETTERS = "abcdefgh"
CHANGED = {"a": {"load", "loss"}, "b": {"scores", "loss"}, "c": {"kept", "weights"}, "d": {"scores", "loss"},
           "e": {"weights"}, "f": {"loss"}, "h": {"weights"}}


def random_batch(seed, layers=2):
    rng = np.random.default_rng(seed)
    logits = 1.5 * rng.normal(size=(layers, 120, 8)) + rng.normal(size=(layers, 1, 8))
    mask = rng.random(120) < 0.7
    logits[:, ~mask] = rng.normal(size=8)
    return make_batch(logits, mask, bias=rng.uniform(0, 0.3, size=(layers, 8)))


def slow_step(batch):
    """The right step in loops, layer by layer, with the specifications of the exercises."""
    weights, kept, loads = [], [], []
    for logits, bias in zip(batch.logits, batch.bias, strict=True):
        index, shares = bug_hunt.slow_weighed(logits, 0 * logits, bias, 2, False)
        real = np.flatnonzero(batch.mask)
        served = bug_hunt.slow_served(index, shares, batch.mask, batch.seats, logits.shape[1])
        weights.append(served)
        kept.append(served > 0)
        loads.append(np.bincount(index[real].ravel(), minlength=logits.shape[1]) / (2 * len(real)))
    shares = [softmax(logits[batch.mask]).mean(axis=0) for logits in batch.logits]
    loss = np.mean([len(f) * sum(a * b for a, b in zip(f, p, strict=True))
                    for f, p in zip(loads, shares, strict=True)])
    return np.array(weights), np.array(kept), np.array(loads), loss


@pytest.mark.parametrize("seed", range(3))
def test_the_right_step_agrees_with_loops(seed):
    batch = random_batch(seed)
    step = right(batch, None)
    weights, kept, load, loss = slow_step(batch)
    np.testing.assert_allclose(step.weights, weights, atol=1e-12)
    assert (step.kept == kept).all() and not step.kept.all()
    np.testing.assert_allclose(step.load, load, atol=1e-12)
    assert step.loss == pytest.approx(loss, rel=1e-12)


@pytest.mark.parametrize("make", [practice_batch, *(lambda s=s: random_batch(s) for s in range(3))])
def test_every_print_fires_on_its_own_suspect_alone(make):
    readings = evidence.read_all(SUSPECTS, make())
    fires = readings > [print_.cut for print_ in evidence.FINGERPRINTS.values()]
    expected = [[bug.suspect == letter for bug in (next(b for b in BUGS.values() if b.fingerprint == name)
                                                   for name in evidence.FINGERPRINTS)] for letter in SUSPECTS]
    assert (fires == expected).all()
    assert (readings >= 0).all() and (readings <= 1).all()


@pytest.mark.parametrize("letter", CHANGED)
def test_a_suspect_differs_from_the_right_step_in_its_own_part_alone(letter):
    batch = practice_batch()
    step, good = evidence.run(SUSPECTS[letter], batch), evidence.run(right, batch)
    assert {name for name in Step._fields
            if not np.array_equal(getattr(step, name), getattr(good, name))} == CHANGED[letter]


def test_without_noise_bias_padding_and_drops_and_with_one_layer_four_suspects_are_innocent():
    batch = make_batch(np.random.default_rng(3).normal(size=(1, 40, 8)), seats=40)
    good = right(batch, None)
    for letter in "acefh":
        step = evidence.run(SUSPECTS[letter], batch)
        assert all(np.allclose(one, other) for one, other in zip(step, good, strict=True))


def test_a_second_softmax_cannot_exceed_e_over_e_plus_others():
    batch = make_batch(50 * np.eye(8)[None], seats=8)
    scores = evidence.run(SUSPECTS["d"], batch).scores
    assert scores.max() == pytest.approx(np.e / (np.e + 7), rel=1e-9)


def test_two_collapsed_layers_read_as_even_when_pooled():
    shares = np.array([[[0.9, 0.1]] * 4, [[0.1, 0.9]] * 4])
    first = np.array([[[0]] * 4, [[1]] * 4])
    everyone = np.ones(4, bool)
    assert balance(shares, first, everyone)[1] == pytest.approx(1.8)
    pooled = balance(shares.reshape(1, 8, 2), first.reshape(1, 8, 1), np.ones(8, bool))[1]
    assert pooled == pytest.approx(1.0)


def test_padding_takes_no_seat_and_a_bias_per_layer_is_kept():
    batch = random_batch(5)
    assert not right(batch, None).kept[:, ~batch.mask].any()
    assert make_batch(batch.logits, bias=[1.0] * 8).bias.shape == (2, 8)
    assert (batch.bias[0] != batch.bias[1]).all()


@cases(("change", "name"), [
    ({"logits": np.zeros((3, 4))}, "logits"), ({"logits": np.full((1, 3, 4), np.nan)}, "logits"),
    ({"logits": np.zeros((1, 3, 1))}, "logits"), ({"logits": [[["a", "b"]]]}, "logits"),
    ({"mask": np.zeros(3, bool)}, "mask"),
    ({"bias": np.zeros(5)}, "bias"), ({"bias": np.zeros((3, 4))}, "bias"), ({"seats": 0}, "seats")])
def test_a_bad_batch_is_named(change, name):
    fields = {"logits": np.zeros((2, 3, 4)), "mask": None, "bias": None, "seats": None} | change
    with pytest.raises(ValueError, match=f"^{name} must"):
        make_batch(fields.pop("logits"), fields.pop("mask"), **fields)


def test_names_and_docstrings_give_nothing_away():
    assert list(SUSPECTS) == ["right", *LETTERS]
    assert sorted(bug.suspect for bug in BUGS.values()) == list(LETTERS)
    assert len({SUSPECTS[letter].__doc__ for letter in LETTERS}) == 1
    assert [SUSPECTS[letter].__name__ for letter in LETTERS] == [f"suspect_{letter}" for letter in LETTERS]


def test_every_bug_has_a_print_a_view_and_a_public_thread():
    assert {bug.fingerprint for bug in BUGS.values()} == set(evidence.FINGERPRINTS)
    assert {bug.view for bug in BUGS.values()} == set(evidence.VIEWS)
    threads = [bug.thread for bug in BUGS.values()]
    assert len(set(threads)) == 8 and all(t.startswith("https://github.com/") for t in threads)


@pytest.mark.parametrize("name", BUGS)
def test_a_right_name_is_told_with_its_thread_and_numbers(name):
    message = judge(BUGS[name].suspect, f"  {name.upper()} ")
    assert f"right, {name}: " in message and BUGS[name].thread in message
    assert "done right 0.0" in message


@pytest.mark.parametrize("name", BUGS)
def test_a_wrong_name_is_told_what_it_would_show_and_what_does_show(name):
    bug = BUGS[name]
    for letter in set(LETTERS) - {bug.suspect}:
        own = next(b for b in BUGS.values() if b.suspect == letter)
        message = judge(letter, name)
        assert f"not {name}; that would show: {bug.shows}" in message
        assert f"look at the view {own.view!r}" in message and own.thread not in message
        assert next(n for n, b in BUGS.items() if b is own) not in message


def test_no_name_a_strange_name_and_a_strange_suspect(capsys):
    check.name_bug("a", None)
    check.name_bug("a", "too slow")
    check.name_bug("right", "padding counted")
    check.name_bug(["a"], "padding counted")
    check.name_bug("a", "padding counted", batch="mine")
    check.name_bug(" A ", "The padding counted")
    check.name_bug("h", "second choice renormalized twice")
    check.name_bug("b", "P taken after top k")
    check.name_bug("e", "bias in the weight", make_batch(np.eye(8)[None]))
    printed = capsys.readouterr().out
    first, second, third, fourth, fifth = printed.splitlines()[:5]
    assert first == "suspect a: not named yet"
    assert "none of the eight names" in second and all(name in second for name in BUGS)
    assert third == "there is no suspect 'right': they are a, b, c, d, e, f, g, h"
    assert fourth.startswith("there is no suspect ['a']")
    assert fifth == "batch must be what make_batch returns, got str"
    for letter in "ahb":
        name = next(name for name, bug in BUGS.items() if bug.suspect == letter)
        assert f"suspect {letter}: right, {name}: " in printed
    assert "suspect e: right, bias in the weight: this batch cannot show it; on another one, " in printed


def test_two_mistakes_at_once_are_both_named():
    wrong = {sentence: mistake for sentence, mistake in check.balanced.mistakes.items()
             if "padding counted" in sentence and "layers pooled" in sentence and sentence.count(";") == 1}
    (sentence, mistake), = wrong.items()
    assert sentence in check.balanced.grade(mistake).message
    assert len(check.balanced.mistakes) == 15 + 3


def next_best(logits, factor=1.25):
    """The design that the notebook's fold describes: nobody is dropped, and no seat is given twice."""
    free, chosen = np.full(logits.shape[1], int(np.ceil(factor * 2 * len(logits) / logits.shape[1]))), []
    for row in logits:
        chosen.append(top_k_index(np.where(free > 0, row, -np.inf)[None], 2)[0])
        free[chosen[-1]] -= 1
    weights = np.take_along_axis(softmax(logits), np.array(chosen), axis=1)
    return np.array(chosen), weights / weights.sum(axis=1, keepdims=True)


@pytest.mark.slow
def test_the_shipped_design_holds_the_first_budget_and_the_fold_the_hard_one():
    corpus, model = text.load_corpus(bytes_per_domain=100_000), tinylm.load()
    held = text.held_out_mask(corpus)

    def logits(start, size):
        kinds = [np.flatnonzero(held & (corpus.domain == d))[start:start + size] for d in range(4)]
        return model.trace(corpus.text[np.concatenate(kinds)])[0].logits.astype(float)

    fitted = routing.quantile_bias(softmax(logits(0, 500)), 2)
    shipped = scoreboard.with_seats({"shipped": lambda z: (top_k_index(softmax(z) + fitted, 2),
                                                           np.full((len(z), 2), 0.5))}, 1.25, order="token")
    boards = [scoreboard.score({"top-k": routing.top_k, "fold": next_best, **shipped}, logits(start, 128))
              for start in (2000, 3000, 4000)]
    easy, hard = Budget(0.9, 0.4, 0.08), Budget(0.9, 0.3, 0.01)
    assert [item.holds for item in weigh(boards, "shipped", easy)] == [True] * 6
    assert [item.holds for item in weigh(boards, "shipped", hard)] == [True, False, False, True, True, True]
    assert [item.holds for item in weigh(boards, "fold", hard)] == [True] * 6


CROWD = np.array([[3.0, 2.0, 0.0, 0.0]] * 8)
EVEN = np.array([np.roll([3.0, 2.0, 0.0, 0.0], turn) for turn in range(8)])


def test_the_worst_board_counts_and_a_leak_is_told():
    routers = {"top-k": routing.top_k, "quantile": routing.quantile_balanced,
               "same two": lambda z: (np.tile([0, 1], (len(z), 1)), np.full((len(z), 2), 0.5))}
    boards, strict = [scoreboard.score(routers, logits) for logits in (EVEN, CROWD)], Budget(0.9, 0.5, 0.0)
    assert [board["top-k"].max_violation for board in boards] == [0, 1]
    for order in (boards, boards[::-1]):
        items = {item.name: item for item in weigh(order, "top-k", strict)}
        assert items["MaxVio"].value == 1 and not items["MaxVio"].holds and items["looks ahead"].holds
        assert items["captured, of top-k's"].value == 1
        poor = weigh(order, "same two", strict)[0]
        assert poor.value == pytest.approx(boards[0]["same two"].captured / boards[0]["top-k"].captured)
        assert not poor.holds
    leaky = weigh(boards, "quantile", strict)[-1]
    assert leaky.value == "yes" and not leaky.holds
    assert weigh(boards, "quantile", strict._replace(causal=False))[-1].holds


@pytest.mark.parametrize("weights", [[0.0, 0.0], [60.0, 40.0], [0.001, 0.001]])
def test_weights_that_are_none_break_the_budget(weights):
    board = scoreboard.score({"top-k": routing.top_k, "odd": lambda z: (
        top_k_index(z, 2), np.tile(weights, (len(z), 1)))}, EVEN)
    missed = [item.name for item in weigh(board, "odd", Budget(0, 9, 1)) if not item.holds]
    assert missed == ["weights of a token"]


def test_a_router_without_a_row_holds_nothing_and_is_told_why(capsys):
    board = scoreboard.score({"top-k": routing.top_k, "mine": lambda z: None}, CROWD)
    assert check.budget(board, "mine", Budget(0.9, 1.0, 1.0)) == 0
    assert "it returned None" in capsys.readouterr().out


@cases(("boards", "limits"), [
    ([], Budget(0.9, 1, 1)), (["board"], Budget(0.9, 1, 1)),
    ([scoreboard.score({"top-k": routing.top_k}, CROWD)], {"captured": 0.9})])
def test_bad_boards_and_limits_are_named(boards, limits):
    with pytest.raises(ValueError, match=r"^(boards|limits) must be"):
        weigh(boards, "top-k", limits)


def test_a_view_must_be_one_of_the_seven():
    with pytest.raises(ValueError, match=r"^view must be one of 'scores', 'load', 'loss', 'bias', 'runs', "):
        evidence.find(right, practice_batch(), "smell")
    with pytest.raises(ValueError, match=r"^batch must be a Batch, got ndarray"):
        evidence.find(right, np.zeros((1, 8, 4)), "load")


@pytest.mark.parametrize("name", BUGS)
def test_its_view_shows_a_bug_and_shows_the_right_step_clean(name):
    batch, bug = practice_batch(), BUGS[name]
    good, bad = (evidence.find(step, batch, bug.view) for step in (right, SUSPECTS[bug.suspect]))
    if bug.view == "queue":
        assert not (good.x * good.y).any() and (bad.x * bad.y).any()
    else:
        assert np.allclose(good.x, good.y) and not np.allclose(bad.x, bad.y)


def test_dots_off_the_diagonal_are_diamonds_of_another_colour():
    dots = Evidence(np.array([0.1, 0.2, 0.3]), np.array([0.1, 0.2, 0.9]), ("before", "after"))
    ax, = plots.plot_evidence({"suspect": dots})
    on, off = ax.collections
    assert len(on.get_offsets()) == 2 and off.get_offsets().tolist() == [[0.3, 0.9]]
    assert (on.get_facecolor()[0] != off.get_facecolor()[0]).any()
    assert (ax.get_xlabel(), ax.get_ylabel(), ax.get_title()) == ("before", "after", "Suspect: 1 of 3 off")
    assert "1 of them off the diagonal, largest distance 0.6" in describe(ax)


def test_pairs_of_bars_share_a_scale_and_the_largest_difference_is_described():
    found = {name: Evidence(np.array([1.0, 2.0]), np.array([1.0, high]), ("one", "other"), ("0", "1"),
                            ("expert", "load")) for name, high in (("right", 2.0), ("suspect", 4.0))}
    axes = plots.plot_evidence(found)
    assert [bar.get_height() for bar in axes[1].patches] == [1, 2, 1, 4]
    assert axes[0].get_ylim() == axes[1].get_ylim() and axes[0].get_ylim()[1] > 4
    assert [t.get_text() for t in axes[0].get_legend().get_texts()] == ["one", "other"]
    assert "they differ most at 1, 2 and 4" in describe(axes[1])
    assert [ax.get_title() for ax in axes] == ["Right: 2 of 2 level", "Suspect: 2 and 4 at\nexpert 1"]


def test_pairs_of_which_one_bar_belongs_at_0_are_counted_and_the_key_stays_in_its_panel():
    bars = Evidence(np.array([0, 3.0, 1]), np.array([2, 0, 4.0]), ("first choices dropped", "second choices"),
                    ("0", "1", "2"), ("expert", "choices"), apart=True)
    axes = plots.plot_evidence({"right": bars, "suspect": bars, "other": bars})
    assert axes[1].get_title() == "Suspect: both bars at\n1 of 3"
    assert "the smaller one is largest at 2, 1 and 4" in describe(axes[1])
    axes[0].figure.draw_without_rendering()
    assert axes[0].get_legend().get_window_extent().x1 < axes[1].get_window_extent().x0


def test_nothing_to_draw_is_said():
    ax, = plots.plot_evidence({"right": Evidence(np.zeros(0), np.zeros(0), ("before", "after"))})
    assert ax.texts[0].get_text() == "nothing to see" and "0 dots" in describe(ax)


@cases("found", [
    {}, {"a": 1}, {"a": Evidence([0.1], [0.1, 0.2], ("x", "y"))},
    {"a": Evidence([np.nan], [0.1], ("x", "y"))},
    {"a": Evidence([0.1], [0.1], ("x", "y")), "b": Evidence([1], [1], ("x", "y"), ("n",))}])
def test_wrong_evidence_is_named(found):
    with pytest.raises(ValueError, match=r"^found"):
        plots.plot_evidence(found)


@pytest.mark.slow
def test_the_explorer_sets_every_suspect_beside_the_right_step():
    batch, seen = practice_batch(), []

    def found(name, view):
        seen.append((name, view))
        return evidence.find(SUSPECTS[name], batch, view)

    box = widgets.explore_evidence(found, list(LETTERS), list(evidence.VIEWS))
    suspect, view = box.children[1].children
    assert seen == [("right", "scores"), ("a", "scores")]
    suspect.value = "f"
    view.value = "loss"
    assert seen[-2:] == [("right", "loss"), ("f", "loss")]
    assert tuple(suspect.options) == tuple(LETTERS) and tuple(view.options) == tuple(evidence.VIEWS)
    axes = real.draw_evidence(found, suspect="f", view="loss")
    assert [ax.get_title().partition(":")[0] for ax in axes] == ["Right", "Suspect f"]
    plt.close("all")
