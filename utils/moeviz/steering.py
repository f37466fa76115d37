"""Steering: a trained gate run otherwise, in the one vocabulary that all models of the course share.

L layers, numbered from 1, T tokens, E experts, k choices. The words: k, temperature, bias, off, capacity,
order; `where` says on which tokens. What was trained stays as it is.
"""

from collections.abc import Mapping

import numpy as np

from moeviz import routing
from moeviz.arrays import (
    check_choice,
    check_count,
    check_number,
    check_vector,
    softmax,
    top_k_index,
)
from moeviz.capacity import ORDERS, apply_capacity, expert_capacity
from moeviz.checks import check_kind, check_several
from moeviz.record import Routing


def make_route(layers, num_experts, trained_k, *, k=None, temperature=1.0, bias=None, off=None, capacity=None,
               order="choice", where=None):
    """Return route(logits, layer) -> Routing for a model of so many layers and experts.

    k: choices per token, trained_k if None. temperature: divides the logits. bias: {layer: (E,)}, added to
    the shares for the choice alone. off: {layer: experts} that nobody may choose, so that their tokens go to
    the next best; at most as many are chosen as are on. capacity: a factor; each expert then has
    ceil(k T factor / E) seats, given in this order ("choice", "token" or "score"). where: (T,) bool, the
    tokens that bias and off touch, all if None. Share = softmax(logits / temperature) over the experts that
    are on; choice by share + bias; weight = share, divided by the sum over the chosen.
    Raises ValueError naming what is wrong.

    >>> route = make_route(1, 3, 1, off={1: [2]})
    >>> route(np.array([[0.0, 1.0, 2.0]]), 1).expert_index.tolist()
    [[1]]
    """
    k = check_count(trained_k if k is None else k, "k", high=num_experts)
    temperature = check_number(temperature, "temperature", low=1e-6)
    bias, off = _check_bias(bias, layers, num_experts), _check_off(off, layers, num_experts)
    check_choice(order, "order", [each for each in ORDERS if each != "random"])
    factor = None if capacity is None else check_number(capacity, "capacity", low=0.0)

    def route(logits, layer):
        if temperature == 1.0 and layer not in bias and layer not in off:
            routed = routing.top_k(logits, k)
        else:
            routed = _choose(logits, k, temperature, bias.get(layer), off.get(layer), where)
        if factor is None:
            return routed
        seats = expert_capacity(len(logits), num_experts, routed.k, factor)
        return apply_capacity(routed, seats, order=order)
    return route


def _choose(logits, k, temperature, bias, off, where):
    """Choose by share + bias among the experts that are on; weigh by the share alone."""
    every = np.ones(len(logits), dtype=bool)
    where = every if where is None else check_vector(where, "where", len(logits), kind="b")
    closed = np.zeros(logits.shape, bool) if off is None else where[:, None] & off
    probs = softmax(np.where(closed, -np.inf, logits / logits.dtype.type(temperature)))
    scores = probs if bias is None else probs + where[:, None] * bias.astype(probs.dtype)
    index = top_k_index(np.where(closed, -np.inf, scores), min(k, int((~closed).sum(axis=1).min())))
    weight = np.take_along_axis(probs, index, axis=1)
    weight = weight / np.maximum(weight.sum(axis=1, keepdims=True), np.finfo(weight.dtype).tiny)
    return Routing(logits, probs, index, weight, np.ones(index.shape, dtype=bool), f"top-{k}, steered")


def _check_bias(bias, layers, num_experts):
    return {layer: check_vector(values, f"bias[{layer}]", num_experts)
            for layer, values in _by_layer(bias, layers, "bias").items()}


def _check_off(off, layers, num_experts):
    """Return {layer: (E,) bool} of {layer: experts}; at least one expert of a layer has to stay on."""
    found = {}
    for layer, experts in _by_layer(off, layers, "off").items():
        chosen = np.zeros(num_experts, dtype=bool)
        for expert in check_several(experts, f"off[{layer}]"):
            chosen[check_count(expert, f"off[{layer}]", low=0, high=num_experts - 1)] = True
        if chosen.all():
            raise ValueError(f"off[{layer}] must leave an expert on, got all {num_experts}")
        if chosen.any():
            found[layer] = chosen
    return found


def _by_layer(value, layers, name):
    if value is None:
        return {}
    check_kind(value, name, Mapping)
    return {check_count(layer, f"a layer of {name}", high=layers): each for layer, each in value.items()}
