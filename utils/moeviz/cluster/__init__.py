"""Experts on devices: placement, traffic, the seconds of a step, and the exchange by real processes.

    placed = cluster.contiguous(8, 4)                     # 8 experts on 4 devices
    cluster.traffic_matrix(routed, placed)               # rows from each device to each other one
    shares = cluster.split_work(tokens, routed, bank, placed)
    with cluster.engines(4) as view:                      # MPI processes, by ipyparallel
        view.map_sync(cluster.run_rank, shares)
"""

from moeviz.cluster.exchange import Exchanged, LocalComm, Share, exchange, run_threads, split_work
from moeviz.cluster.placement import (
    Followed,
    Placement,
    contiguous,
    drifting_loads,
    greedy,
    hierarchical,
    rebalanced,
    replicated,
    round_robin,
)
from moeviz.cluster.processes import engines, missing_extras, run_rank
from moeviz.cluster.traffic import (
    MERGES,
    Phases,
    Span,
    between_nodes,
    device_load,
    device_phases,
    exchange_bytes,
    expected_nodes,
    homes,
    nodes_per_token,
    served_rows,
    serving_device,
    straggler_estimate,
    timeline,
    traffic_matrix,
)

__all__ = [
    "MERGES", "Exchanged", "Followed", "LocalComm", "Phases", "Placement", "Share", "Span",
    "between_nodes", "contiguous", "device_load", "device_phases", "drifting_loads", "engines", "exchange",
    "exchange_bytes", "expected_nodes", "greedy", "hierarchical", "homes", "missing_extras",
    "nodes_per_token", "rebalanced", "replicated", "round_robin", "run_rank", "run_threads",
    "served_rows", "serving_device", "split_work", "straggler_estimate", "timeline", "traffic_matrix",
]
