"""The exchange itself, as every process runs it: tokens out, experts at work, answers back, all by Alltoallv.

Nothing here imports MPI: `exchange` takes any communicator with the few methods it uses, so the same
lines run in MPI processes and in the threads of `moeviz.cluster.local`.
"""

import time
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from moeviz.arrays import check_choice, check_number
from moeviz.cluster.traffic import homes, serving_device
from moeviz.experts import ExpertBank, check_layer, run_network
from moeviz.record import EMPTY

NAP = 0.0005  # seconds


@dataclass(frozen=True, eq=False)
class Share:
    """What one of N processes gets: its own tokens with their choices, and its own experts.

    tokens: (t, D). weight: (t, k). device: (t, k) the process that serves each choice, EMPTY (-1) for
    one that was dropped. place: (t, k) which of that process's experts is meant. bank: the experts of
    this process. places: the most experts that any process holds. merge: "none" or "device". The share
    is meant for process `rank` of `size`.
    """

    rank: int
    size: int
    tokens: np.ndarray
    weight: np.ndarray
    device: np.ndarray
    place: np.ndarray
    bank: ExpertBank
    places: int
    merge: str


class Exchanged(NamedTuple):
    """What one process ends with: outputs for its tokens, and the bytes it sent to each of the N, (N,)."""

    output: np.ndarray      # (t, D)
    dispatched: np.ndarray  # token vectors, to the experts
    combined: np.ndarray    # answers, back to where the tokens live
    labels: np.ndarray      # weights that say which expert a row is for, and how much it counts


def split_work(tokens, routed, bank, placement, *, merge="none"):
    """Cut a layer into N Shares: stretches of tokens as in `homes`, experts as in the placement.

    tokens: (T, D). merge: "none" sends one row per choice, "device" one row for all choices of a token
    on one device. Raises ValueError for another merge, or where the inputs do not fit together.

    >>> from moeviz import experts
    >>> from moeviz.cluster import contiguous
    >>> from moeviz.routing import top_k
    >>> bank = experts.random_bank(2, 4, 8, rng=np.random.default_rng(0))
    >>> len(split_work(np.ones((3, 4)), top_k(np.ones((3, 2)), 1), bank, contiguous(2, 2)))
    2
    """
    tokens, bank = check_layer(tokens, bank, routed)
    check_choice(merge, "merge", ("none", "device"))
    device, hosts = serving_device(routed, placement), placement.hosts
    place = (np.cumsum(hosts, axis=1) - 1)[device, routed.expert_index]
    weight = routed.combine_weight.astype(tokens.dtype)
    home, places = homes(len(tokens), placement.num_devices), int(hosts.sum(axis=1).max())
    return [Share(rank, len(hosts), *(array[home == rank] for array in (tokens, weight, device, place)),
                  _part(bank, held), places, merge) for rank, held in enumerate(hosts)]


def exchange(comm, share, *, patience=60.0):
    """Run one process's part of the layer and return what it Exchanged; all processes call it together.

    comm: a communicator of mpi4py, or a `LocalComm`. patience: seconds to wait for the others before
    TimeoutError, so that one that fails does not leave the rest waiting for ever.
    Raises ValueError where the share was cut for another process than this one.
    """
    if (share.rank, share.size) != (comm.Get_rank(), comm.Get_size()):
        raise ValueError(f"share is for process {share.rank} of {share.size}, "
                         f"but comm is process {comm.Get_rank()} of {comm.Get_size()}")
    patience = check_number(patience, "patience", low=0.0)
    token, counts, weights = _rows(share)
    incoming = _swap_counts(comm, counts, patience)
    rows, dispatched = _swap_rows(comm, share.tokens[token], counts, incoming, patience)
    row_weights, labels = _swap_rows(comm, weights, counts, incoming, patience)
    answers = run_experts(rows, row_weights, share.bank)
    returned, combined = _swap_rows(comm, answers, incoming, counts, patience)
    output = np.zeros_like(share.tokens)
    np.add.at(output, token, returned)
    return Exchanged(output, dispatched, combined, labels)


def run_experts(rows, weights, bank):
    """Return (R, D): for each row the sum over experts of weight * expert(row), zero weights left out.

    rows: (R, D). weights: (R, P), a column for each expert of the bank and zeros in further columns.

    >>> bank = ExpertBank(np.ones((1, 2, 3)), np.ones((1, 3, 2)))
    >>> run_experts(np.ones((2, 2)), np.array([[0.5], [0.0]]), bank).tolist()
    [[3.0, 3.0], [0.0, 0.0]]
    """
    answers = np.zeros_like(rows)
    for place in range(bank.num_experts):
        mine = np.flatnonzero(weights[:, place])
        said, _ = run_network(rows[mine], bank.expert(place), bank.activation)
        answers[mine] += weights[mine, place, None] * said
    return answers


def _rows(share):
    """Return token (R,), counts per process (N,) and weights (R, P) of the rows to send, by process."""
    token, slot = np.nonzero(share.device != EMPTY)
    device = share.device[token, slot]
    key = token if share.merge == "device" else token * share.device.shape[1] + slot
    span = share.device.size + 1
    rows, row = np.unique(device * span + key, return_inverse=True)  # sorted by process, then token
    weights = np.zeros((len(rows), share.places), share.tokens.dtype)
    weights[row, share.place[token, slot]] = share.weight[token, slot]
    owner = rows % span if share.merge == "device" else rows % span // share.device.shape[1]
    return owner, np.bincount(rows // span, minlength=share.size), weights


def _swap_counts(comm, counts, patience):
    """Tell every process how many rows to expect from here; return how many come from each, (N,)."""
    _meet(comm, patience)
    incoming = np.empty_like(counts)
    comm.Alltoall(counts, incoming)
    return incoming


def _swap_rows(comm, rows, counts, incoming, patience):
    """Send counts[n] rows (R, W) to process n, in order; return the rows that came and the bytes sent."""
    _meet(comm, patience)
    width = rows.shape[1]
    came = np.empty((int(incoming.sum()), width), rows.dtype)
    comm.Alltoallv([np.ascontiguousarray(rows), counts * width], [came, incoming * width])
    return came, counts * width * rows.itemsize


def _meet(comm, patience):
    """Wait for all processes, asleep: a blocking MPI call would spin and keep late ones off the cores."""
    everybody, until = comm.Ibarrier(), time.monotonic() + patience
    while not everybody.Test():
        if time.monotonic() > until:
            raise TimeoutError(f"another process did not come within {patience:g} seconds")
        time.sleep(NAP)


def _part(bank, held):
    w_gate = None if bank.w_gate is None else bank.w_gate[held]
    return ExpertBank(bank.w_in[held], bank.w_out[held], w_gate, bank.activation)
