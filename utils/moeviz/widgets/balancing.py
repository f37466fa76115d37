"""Explorers of Part II, load balancing: seats, measured loads, cures, every router on one board."""

import math
from dataclasses import replace
from functools import lru_cache, partial

import ipywidgets
import numpy as np

from moeviz import capacity, metrics, plots, routing
from moeviz.arrays import check_count, check_matrix, check_number
from moeviz.plots.dispatch import arrivals
from moeviz.record import EMPTY, check_routing
from moeviz.scoreboard import COLUMNS, find_column, score, with_seats
from moeviz.widgets.core import explore, fix_scale, slider, two_panels


def explore_entropy(logits):
    """Heat the scores, push one expert; watch the router move over the map of the two entropies.

    logits: (T, E) of real tokens.
    """
    logits = check_matrix(logits, "logits")
    return explore(
        lambda **values: draw_entropy(logits, **values),
        caption="One control moves the point sideways only. Which, and why can it not move it up or down?",
        temperature=ipywidgets.FloatLogSlider(1.0, min=-1.5, max=1.5, step=0.1, description="temperature"),
        push=slider("push (added to the score)", 0.0, 0.0, 8.0, 0.25),
        expert=ipywidgets.Dropdown(options=range(logits.shape[1]), description="expert"),
        k=ipywidgets.IntSlider(2, 1, logits.shape[1], description="k"))


def draw_entropy(logits, *, temperature, push, expert, k):
    """Draw where top-k of (logits + push) / temperature lies on the map, beside its load; return Axes (2,).

    logits: (T, E). push: added to the scores of `expert` before the temperature divides them.
    """
    expert = check_count(expert, "expert", low=0, high=logits.shape[1] - 1)
    heat, shift = check_number(temperature, "temperature", low=1e-6), check_number(push, "push")
    routed = routing.top_k((logits + shift * (np.arange(logits.shape[1]) == expert)) / heat, k=k)
    here = metrics.router_entropy(routed), metrics.load_entropy(routed)
    axes = two_panels((11, 6), (1.25, 1), apart=0.32)
    plots.plot_entropy_map({"router": here}, ax=axes[0])
    axes[0].set_title(f"Router entropy {here[0]:.2f}, load entropy {here[1]:.2f}", fontsize=14)
    plots.plot_load(routed, ax=axes[1], compact=True)
    axes[1].set_title(f"MaxVio {metrics.max_violation(routed):.2f}", fontsize=14)
    fix_scale(axes[1], routed)
    return axes


ORDERS = ("choice", "token", "score")


def explore_capacity(routed, *, labels=None):
    """Change the capacity factor and the order; watch the seats fill, choice by choice, and who is dropped.

    routed: a Routing without drops. labels: T texts.
    """
    total = int((check_routing(routed).expert_index >= 0).sum())
    seats = capacity.expert_capacity(routed.num_tokens, routed.num_experts, routed.k, 1.0)
    options = _whole_seats(routed)
    return explore(
        lambda **values: draw_capacity(routed, labels=labels, **values),
        caption="Fewer seats drop more choices. Does the order change how many are dropped, or only who?",
        factor=ipywidgets.SelectionSlider(options=options, value=options[min(seats, len(options)) - 1][1],
                                          description="seats per expert"),
        order=ipywidgets.Dropdown(options=ORDERS, description="who goes first"),
        step=ipywidgets.IntSlider(total, 0, total, description="choices arrived"))


def _whole_seats(routed):
    """Return (text, factor) for each number of seats up to three times the fair one."""
    fair = routed.k * routed.num_tokens / routed.num_experts
    factors = [math.floor(1e6 * seats / fair) / 1e6 for seats in range(1, math.ceil(3 * fair) + 1)]
    return [(f"{seats} (factor {factor:.2f})", factor) for seats, factor in enumerate(factors, start=1)]


def draw_capacity(routed, *, factor, order, step, labels=None):
    """Draw the seats at a capacity factor and an order, beside the load with its drops; return Axes (2,).

    step: how many choices have arrived; None for all. labels: T texts.
    """
    seats = capacity.expert_capacity(routed.num_tokens, routed.num_experts, routed.k, factor)
    limited = capacity.apply_capacity(routed, seats, order=order)
    places = capacity.seat_positions(routed, order=order)
    axes = two_panels((10.4, 5), (1.6, 1), top=0.8, apart=0.38)
    plots.plot_seats(routed.relabel(limited.label), seats, seats=places, step=step, labels=labels, ax=axes[0])
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


FACTORS = (("0.5", 0.5), ("0.75", 0.75), ("1", 1.0), ("1.25", 1.25), ("1.5", 1.5), ("2", 2.0),
           ("no limit", math.inf))


def explore_scoreboard(routers, logits, *, own=()):
    """Sort the scoreboard by any column and limit the seats; each new limit runs every router once.

    routers: {name: router}; logits: (T, E); own: the learner's names.
    """
    boards = lru_cache(partial(limited_board, routers, logits, own=own))
    return explore(
        lambda column, **seats: draw_scoreboard(boards(**seats), column, **seats),
        caption="With fewer seats every load gets even. Who pays with drops, and who stops being causal?",
        film="factor",
        column=ipywidgets.Dropdown(options=[(c.heading, c.name) for c in COLUMNS], value="max_violation",
                                   description="sort by"),
        factor=ipywidgets.SelectionSlider(options=FACTORS, value=math.inf, description="capacity factor",
                                          continuous_update=False),
        order=ipywidgets.Dropdown(options=ORDERS, value="token", description="who goes first"))


def limited_board(routers, logits, *, own, factor, order):
    """Return the Board of all routers with `factor` times the fair seats of 2 choices a token, or no limit.

    factor: math.inf for no limit. Raises ValueError for an unknown order, or a negative factor.
    """
    limited = routers if factor == math.inf else with_seats(routers, factor, order=order)
    return score(limited, logits, own=own)


def draw_scoreboard(board, column, *, factor, order):
    """Draw a Board, sorted by a column, with its limit of seats in the title; return the Axes.

    Raises ValueError for an unknown column.
    """
    by = f"sorted by {find_column(column).heading}, no limit of seats"  # two lines have room
    return plots.plot_scoreboard(board.sorted_by(column),
                                 title=by if factor == math.inf else f"factor {factor:g} by {order}")
