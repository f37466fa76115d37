"""Experts: banks of feed-forward networks, four forward passes that agree, and the hand-derived backward."""

from moeviz.experts.bank import ACTIVATIONS, ExpertBank, random_bank, split_dense
from moeviz.experts.dense import dense_forward, forward_all
from moeviz.experts.forward import forward_grouped, forward_loop, forward_padded
from moeviz.experts.gradients import Gradients, backward, forward_cached

__all__ = [
    "ACTIVATIONS",
    "ExpertBank",
    "Gradients",
    "backward",
    "dense_forward",
    "forward_all",
    "forward_cached",
    "forward_grouped",
    "forward_loop",
    "forward_padded",
    "random_bank",
    "split_dense",
]
