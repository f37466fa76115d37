"""Explorers of Part II, load balancing: seats, measured loads, cures, every router on one board."""

import math
from dataclasses import replace
from functools import lru_cache, partial

import ipywidgets
import numpy as np

from moeviz import capacity, losses, metrics, plots, routing, training
from moeviz.arrays import check_choice, check_count, check_matrix, check_number
from moeviz.plots.dispatch import arrivals
from moeviz.record import EMPTY, check_routing
from moeviz.scoreboard import COLUMNS, find_column, score, with_seats
from moeviz.style import fixed_axes
from moeviz.training import balance, clustered_task, mistakes, routers
from moeviz.widgets.core import explore, fix_scale, slider, two_panels


def explore_entropy(logits, *, temperature=1.0, push=0.0, expert=0, k=2):
    """Heat the scores, push one expert; watch the router move over the map of the two entropies.

    logits: (T, E) of real tokens. push: added to one expert's score for every token.
    """
    logits = check_matrix(logits, "logits")
    return explore(
        lambda **values: draw_entropy(logits, **values),
        caption="One control moves the point sideways only. Which, and why can it not move it up or down?",
        temperature=ipywidgets.FloatLogSlider(temperature, min=-1.5, max=1.5, step=0.1,
                                              description="temperature"),
        push=slider("push (added to the score)", push, 0.0, 8.0, 0.25),
        expert=ipywidgets.Dropdown(options=range(logits.shape[1]), value=expert, description="expert"),
        k=ipywidgets.IntSlider(k, 1, logits.shape[1], description="k"))


def draw_entropy(logits, *, temperature=1.0, push=0.0, expert=0, k=2):
    """Draw where top-k of (logits + push) / temperature lies on the map, beside its load; return Axes (2,).

    logits: (T, E). push: added to the scores of `expert` before the temperature divides them.
    """
    expert = check_count(expert, "expert", low=0, high=logits.shape[1] - 1)
    heat, shift = check_number(temperature, "temperature", low=1e-6), check_number(push, "push")
    routed = routing.top_k((logits + shift * (np.arange(logits.shape[1]) == expert)) / heat, k=k)
    here = metrics.router_entropy(routed), metrics.load_entropy(routed)
    axes = two_panels((13, 6), (1.5, 1))
    plots.plot_entropy_map({"router": here}, ax=axes[0])
    axes[0].set_title(f"router entropy {here[0]:.2f}, load entropy {here[1]:.2f}", fontsize=14)
    plots.plot_load(routed, ax=axes[1], compact=True)
    axes[1].set_title(f"MaxVio {metrics.max_violation(routed):.2f}", fontsize=14)
    fix_scale(axes[1], routed)
    return axes


ORDERS = ("choice", "token", "score")


def explore_capacity(routed, *, labels=None, factor=1.0, order="choice", step=None):
    """Change the capacity factor and the order; watch the seats fill, choice by choice, and who is dropped.

    routed: a Routing without drops. labels: T texts. step: how many choices have arrived; None for all.
    """
    total = int((check_routing(routed).expert_index >= 0).sum())
    seats = capacity.expert_capacity(routed.num_tokens, routed.num_experts, routed.k, factor)
    options = _whole_seats(routed)
    return explore(
        lambda **values: draw_capacity(routed, labels=labels, **values),
        caption="Fewer seats drop more choices. Does the order change how many are dropped, or only who?",
        film=["factor", "step"],
        factor=ipywidgets.SelectionSlider(options=options, value=options[min(seats, len(options)) - 1][1],
                                          description="seats per expert"),
        order=ipywidgets.Dropdown(options=ORDERS, value=order, description="who goes first"),
        step=ipywidgets.IntSlider(total if step is None else step, 0, total, description="choices arrived"))


def _whole_seats(routed):
    """Return (text, factor) for each number of seats up to three times the fair one."""
    fair = routed.k * routed.num_tokens / routed.num_experts
    factors = [math.floor(1e6 * seats / fair) / 1e6 for seats in range(1, math.ceil(3 * fair) + 1)]
    return [(f"{seats} (factor {factor:.2f})", factor) for seats, factor in enumerate(factors, start=1)]


def draw_capacity(routed, *, labels=None, factor=1.0, order="choice", step=None):
    """Draw the seats at a capacity factor and an order, beside the load with its drops; return Axes (2,)."""
    seats = capacity.expert_capacity(routed.num_tokens, routed.num_experts, routed.k, factor)
    limited = capacity.apply_capacity(routed, seats, order=order)
    places = capacity.seat_positions(routed, order=order)
    axes = two_panels((13.5, 5), (3, 1))
    plots.plot_seats(routed.relabel(limited.label), seats, seats=places, step=step, labels=labels, ax=axes[0])
    axes[0].set_title(limited.label)
    come = _arrived(routed, seats, places, step)
    plots.plot_load(come, ax=axes[1], compact=True)
    axes[1].set_title(f"{100 * metrics.drop_rate(come):.0f}% of choices dropped", fontsize=14)
    fix_scale(axes[1], routed)
    return axes


def _arrived(routed, seats, places, step):
    """Return the Routing of the first `step` choices to arrive, all if None; those without a seat dropped."""
    token, expert, _ = arrivals(routed, places)
    token, expert = token[:step], expert[:step]
    here = np.zeros(routed.expert_index.shape, dtype=bool)
    here[token, (routed.expert_index[token] == expert[:, None]).argmax(axis=1)] = True
    return replace(routed, expert_index=np.where(here, routed.expert_index, EMPTY),
                   combine_weight=np.where(here, routed.combine_weight, 0), kept=here & (places < seats))


MOST_GROUPS = 8


def explore_drops(routed, labels, *, factor=1.0, order="choice", groups=1):
    """Change the factor, the order and the groups; watch in the text itself who is dropped.

    routed: a Routing without drops. labels: T texts. groups: divisors of T, up to 8.
    """
    total = check_routing(routed).num_tokens
    sizes = [(f"{at} of {total // at} tokens", at) for at in range(1, MOST_GROUPS + 1) if total % at == 0]
    return explore(
        lambda **values: draw_drops(routed, labels, **values),
        caption="The factor stays, the groups shrink: why does the same text lose more?",
        film=["groups", "factor"],
        factor=slider("capacity factor", factor, 0.25, 3.0, 0.05),
        order=ipywidgets.Dropdown(options=ORDERS, value=order, description="who goes first"),
        groups=ipywidgets.Dropdown(options=sizes, value=groups, description="groups"))


def draw_drops(routed, labels, *, factor=1.0, order="choice", groups=1):
    """Draw the text with both choices, dropped ones hatched, beside the load; return Axes (2,).

    Each of the `groups` stretches of text has its own seats, so many that the factor is the same.
    """
    size = check_routing(routed).num_tokens // groups
    seats = capacity.expert_capacity(size, routed.num_experts, routed.k, factor)
    limited = capacity.apply_capacity(routed, seats, order=order, groups=groups)
    axes = two_panels((14, 5), (3.2, 1))
    plots.plot_text(limited, labels, ax=axes[0], show_second=True)
    axes[0].set_title(f"{seats} seats per expert and group, by {order}")
    plots.plot_load(limited, ax=axes[1], compact=True)
    axes[1].set_title(f"{100 * metrics.drop_rate(limited):.0f}% of choices dropped", fontsize=14)
    fix_scale(axes[1], routed)
    return axes


COEFFICIENTS = (0.0, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)


def explore_balance(*, coefficient=0.1, mean=3.0, seed=0, steps=500):
    """Choose the Switch loss's coefficient, the inputs' common part and a seed; each choice trains a layer.

    The picture is the load of eight experts over training; its title tells the error and who is dead.
    """
    return explore(
        partial(draw_balance, steps=steps),
        caption="Each new choice trains a layer. How small may the coefficient be, how large should it be?",
        coefficient=ipywidgets.SelectionSlider(options=COEFFICIENTS, value=coefficient,
                                               description="coefficient", continuous_update=False),
        mean=ipywidgets.FloatSlider(mean, min=0, max=4, step=1, description="common part of the inputs",
                                    continuous_update=False),
        seed=ipywidgets.Dropdown(options=range(5), value=seed, description="seed"))


def draw_balance(*, coefficient=0.1, mean=3.0, seed=0, steps=500):
    """Train one layer on the clustered task and draw the film of its load; return the Axes.

    coefficient: of the Switch loss, at least 0. mean: of the inputs. Raises ValueError for a bad value.
    """
    weight = check_number(coefficient, "coefficient", low=0.0)
    load, error = _train_with_loss(weight, check_number(mean, "mean"), check_count(seed, "seed", low=0),
                         check_count(steps, "steps", low=10))
    return plots.plot_load_film(load, smooth=10, title=f"unexplained {error:.2f}",
                                ax=fixed_axes((10, 4.6), left=0.85))


@lru_cache(maxsize=64)
def _train_with_loss(weight, mean, seed, steps):
    """Return the load over training and the error at its end, on the data and the plan of notebook 07."""
    make_task = partial(clustered_task, mean=mean)
    pairs = [(weight, balance.switch)] if weight else []
    plan = {"router": routers.top_k(1), "balance": pairs, "steps": steps}
    run, = training.train_seeds(make_task, seeds=[seed], progress=False, tokens=256, **plan)
    return run.history.load, training.evaluate(run).fvu


RATES = (0.0, 0.0001, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3)
RULES = {"sign": (routers.biased_top_k(1), losses.bias_update),
         "proportional": (routers.biased_top_k(1), partial(losses.bias_update, proportional=True)),
         "bias in the weight (wrong)": (mistakes.leaky_top_k(1), losses.bias_update),
         "sign turned (wrong)": (routers.biased_top_k(1), mistakes.turned_update)}


def explore_bias(*, rate=0.01, rule="sign", seed=0, steps=400):
    """Choose the bias's rate, its rule and a seed; each new choice trains a layer, old ones are remembered.

    The picture is the load of eight experts and their biases; its title tells the error and who is dead.
    """
    return explore(
        partial(draw_bias, steps=steps),
        caption="Each new choice trains a layer. Which rates are too slow, and from where on does it swing?",
        rate=ipywidgets.SelectionSlider(options=RATES, value=rate, description="rate",
                                        continuous_update=False),
        rule=ipywidgets.Dropdown(options=tuple(RULES), value=rule, description="rule"),
        seed=ipywidgets.Dropdown(options=range(5), value=seed, description="seed"))


def draw_bias(*, rate=0.01, rule="sign", seed=0, steps=400):
    """Train one layer on the clustered task and draw its thermostat; return Axes (3, 1).

    rate: of the bias, at least 0. rule: a key of RULES. Raises ValueError for a bad value.
    """
    check_choice(rule, "rule", RULES)
    rate, seed = check_number(rate, "rate", low=0.0), check_count(seed, "seed", low=0)
    run, judged = _train_with_bias(rate, rule, seed, check_count(steps, "steps", low=10))
    title = f"unexplained {judged.fvu:.2f}, MaxVio {judged.max_violation:.1f}, dead: {judged.dead} of 8"
    return plots.plot_thermostat({title: run.history})


@lru_cache(maxsize=64)
def _train_with_bias(rate, rule, seed, steps):
    router, update = RULES[rule]
    make_task = partial(clustered_task, samples=8192, held_out=2048)
    run, = training.train_seeds(make_task, seeds=[seed], progress=False, steps=steps, tokens=256,
                                router=router, bias_rule=partial(update, rate=rate))
    return run, training.evaluate(run)


FACTORS = (("0.5", 0.5), ("0.75", 0.75), ("1", 1.0), ("1.25", 1.25), ("1.5", 1.5), ("2", 2.0),
           ("no limit", math.inf))
def explore_scoreboard(routers, logits, *, own=(), column="max_violation", factor=math.inf, order="token",
                       k=2):
    """Sort the scoreboard by any column and limit the seats; each new limit runs every router once.

    routers: {name: router}; logits: (T, E); own: the learner's names. k: choices a token that seats are for.
    """
    boards = lru_cache(partial(_score, routers, logits, own=own, k=k))
    return explore(
        lambda column, **seats: _draw(boards(**seats), column, **seats),
        caption="With fewer seats every load gets even. Who pays with drops, and who stops being causal?",
        film=["factor"],
        column=ipywidgets.Dropdown(options=[(c.heading, c.name) for c in COLUMNS], value=column,
                                   description="sort by"),
        factor=ipywidgets.SelectionSlider(options=FACTORS, value=factor, description="capacity factor",
                                          continuous_update=False),
        order=ipywidgets.Dropdown(options=ORDERS, value=order, description="who goes first"))


def draw_scoreboard(routers, logits, *, own=(), column="max_violation", factor=math.inf, order="token", k=2):
    """Draw the board of all routers, sorted by a column, with `factor` times the fair seats; return the Axes.

    factor: math.inf for no limit. Raises ValueError for an unknown column or order, or a negative factor.
    """
    find_column(column)  # before every router runs
    board = _score(routers, logits, own=own, k=k, factor=factor, order=order)
    return _draw(board, column, factor, order)


def _score(routers, logits, *, own, k, factor, order):
    limited = routers if factor == math.inf else with_seats(routers, factor, k=k, order=order)
    return score(limited, logits, own=own)


def _draw(board, column, factor, order):
    seats = "no limit of seats" if factor == math.inf else f"capacity factor {factor:g} by {order}"
    return plots.plot_scoreboard(board.sorted_by(column),
                                 title=f"sorted by {find_column(column).heading}, {seats}")
