"""Routers: functions from the logits of a gate (T, E) to a Routing, and their gradients."""

from moeviz.routing.backward import weights_backward
from moeviz.routing.token_choice import soft, top_k

__all__ = ["soft", "top_k", "weights_backward"]
