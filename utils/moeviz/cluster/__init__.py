"""Experts on devices: placement, traffic, the seconds of a step, and the exchange by real processes.

    placed = cluster.contiguous(8, 4)                     # 8 experts on 4 devices
    cluster.traffic_matrix(routed, placed)               # rows from each device to each other one
    shares = cluster.split_work(tokens, routed, bank, placed)
    with cluster.engines(4) as view:                      # MPI processes, by ipyparallel
        view.map_sync(cluster.run_rank, shares)
"""

from moeviz.cluster.exchange import Exchanged, Share, exchange, run_experts, split_work
from moeviz.cluster.expected import expected_nodes, straggler_estimate
from moeviz.cluster.local import LocalComm, run_threads
from moeviz.cluster.placement import (
    Placement,
    check_placement,
    contiguous,
    greedy,
    hierarchical,
    rebalanced,
    replicated,
    round_robin,
)
from moeviz.cluster.processes import engines, find_launcher, missing_extras, run_rank
from moeviz.cluster.step import Phases, Span, device_phases, step_seconds, timeline
from moeviz.cluster.traffic import (
    MERGES,
    Padding,
    between_nodes,
    device_load,
    exchange_bytes,
    homes,
    nodes_per_token,
    padding,
    served_rows,
    serving_device,
    traffic_matrix,
)

__all__ = [
    "MERGES", "Exchanged", "LocalComm", "Padding", "Phases", "Placement", "Share", "Span",
    "between_nodes", "check_placement", "contiguous", "device_load", "device_phases", "engines",
    "exchange", "exchange_bytes", "expected_nodes", "find_launcher", "greedy", "hierarchical", "homes",
    "missing_extras", "nodes_per_token", "padding", "rebalanced", "replicated", "round_robin",
    "run_experts", "run_rank", "run_threads", "served_rows", "serving_device", "split_work",
    "step_seconds", "straggler_estimate", "timeline", "traffic_matrix",
]
