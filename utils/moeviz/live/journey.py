"""The journey: one token through one layer, step by step, on typed numbers or on the byte model."""

import numpy as np

from moeviz import plots, text
from moeviz.arrays import as_array, check_count, check_matrix, softmax, top_k_index
from moeviz.checks import check_kind
from moeviz.experts import ExpertBank
from moeviz.live.sentence import MAX_BYTES, clip, model_state
from moeviz.live.show import colors, page
from moeviz.plots.draw import check_labels
from moeviz.record import Routing, check_logits
from moeviz.tinylm import TinyLM

LABEL = "The way of one token through a layer, step by step"


def journey(source, *, labels=None, tokens=None, gate=None, experts=None, at=0):
    """Return a live view of six steps: score, softmax, top-k, renormalise, run, combine.

    source: a TinyLM, whose layers, bytes and text are then the reader's choice, or a Routing of
    `routing.top_k`. For a Routing: labels, T texts; tokens (T, D) and gate (D, E), to show where the scores
    come from; experts: matrices (E, D, D') or an ExpertBank, to run. For a TinyLM: labels is its text.
    at: the token that is shown first. Raises ValueError for another router's record or what does not fit.
    """
    if isinstance(source, TinyLM):
        start = clip(labels or "Experts share the work.")
        routed = source.route(start)[0]
        state = {"text": start, "most": MAX_BYTES, "at": at, **model_state(source)}
        labels = text.byte_labels(start)
    else:
        routed = check_kind(source, "source", Routing)
        state = {"at": at, **_typed_state(routed, labels, tokens, gate, experts)}
    at = check_count(at, "at", low=0, high=routed.num_tokens - 1)
    drawn = plots.plot_gate_steps(_stages(routed, at), routed.chosen()[at])
    return page("journey", state, label=LABEL, fallback=drawn)


def _typed_state(routed, labels, tokens, gate, experts):
    """Return the state of typed numbers, after a look whether they belong together."""
    logits = check_logits(routed)
    _check_router(routed, logits)
    labels = [f"token {t}" for t in range(routed.num_tokens)] if labels is None else check_labels(
        labels, routed.num_tokens)
    if (tokens is None) != (gate is None):
        raise ValueError("tokens and gate must come together: a score is their product")
    if tokens is not None:
        tokens, gate = check_matrix(tokens, "tokens", "(T, D)"), check_matrix(gate, "gate", "(D, E)")
        if tokens.shape[1] != len(gate) or not np.allclose(tokens @ gate, logits, atol=1e-6):
            raise ValueError("tokens @ gate must be the logits of source")
    if experts is not None and tokens is None:
        raise ValueError("experts need tokens and gate: they work on the tokens")
    arrays = {name: None if array is None else array.tolist()
              for name, array in (("logits", logits), ("tokens", tokens), ("gate", gate))}
    return {"labels": labels, "k": routed.k, **arrays, "experts": _experts(experts),
            **colors(routed.num_experts)}


def _check_router(routed, logits):
    """Raise unless the record is top-k of its logits with weights that were divided by their sum."""
    weight = np.take_along_axis(routed.probs, routed.expert_index, axis=1)
    same = (np.allclose(routed.probs, softmax(logits), atol=1e-6)
            and np.array_equal(routed.expert_index, top_k_index(logits, routed.k))
            and np.allclose(routed.combine_weight, weight / weight.sum(axis=1, keepdims=True), atol=1e-6))
    if not same:
        raise ValueError("source must come from routing.top_k with renormalised weights, "
                         f"got {routed.label!r}")


def _experts(experts):
    if experts is None:
        return None
    if isinstance(experts, ExpertBank):
        return {"w_in": experts.w_in.tolist(), "w_out": experts.w_out.tolist()}
    matrices = as_array(experts, "experts")
    if matrices.ndim != 3:
        raise ValueError("experts must have shape (E, D, D') or be an ExpertBank, "
                         f"got shape {matrices.shape}")
    return {"matrix": matrices.tolist()}


def _stages(routed, at):
    logits, probs, chosen = routed.logits[at], routed.probs[at], routed.chosen()[at]
    return [("score", logits), ("softmax", probs), (f"top-{routed.k}", probs * chosen),
            ("renormalise", probs * chosen / probs[chosen].sum())]
