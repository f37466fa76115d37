"""The exchange itself, as every process runs it: tokens out, experts at work, answers back, all by Alltoallv.

Nothing here imports MPI: `exchange` takes any communicator with the few methods it uses, so the same
lines run in MPI processes and, where MPI is not installed, in threads of this process. A copy between two
arrays of one process is no network; the rows and the bytes are the same.
"""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
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
    answers = _run_experts(rows, row_weights, share.bank)
    returned, combined = _swap_rows(comm, answers, incoming, counts, patience)
    output = np.zeros_like(share.tokens)
    np.add.at(output, token, returned)
    return Exchanged(output, dispatched, combined, labels)


def _run_experts(rows, weights, bank):
    """Return (R, D): for each row the sum over experts of weight * expert(row), zero weights left out.

    rows: (R, D). weights: (R, P), a column for each expert of the bank and zeros in further columns.
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


class LocalComm:
    """One rank of a group of threads, with the few methods of an MPI communicator that `exchange` uses.

    Make all ranks of a group with `LocalComm.group(n)`.
    """

    def __init__(self, rank, meeting, board):
        self._rank, self._meeting, self._board = rank, meeting, board

    @classmethod
    def group(cls, size, *, patience=60.0):
        """Return `size` ranks that see each other; a rank that misses the others raises after patience."""
        meeting, board = threading.Barrier(size, timeout=patience), [None] * size
        return [cls(rank, meeting, board) for rank in range(size)]

    def Get_rank(self):  # noqa: N802  (MPI's name)
        return self._rank

    def Get_size(self):  # noqa: N802
        return len(self._board)

    def Ibarrier(self):  # noqa: N802
        """Wait for all ranks; the request that comes back is done already."""
        self._meeting.wait()
        return _Done()

    def Alltoall(self, send, receive):  # noqa: N802
        """Give item r of `send` to rank r; fill `receive` with one item of each rank."""
        ones = np.ones(self.Get_size(), int)
        self.Alltoallv([send, ones], [receive, ones])

    def Alltoallv(self, send, receive):  # noqa: N802
        """Give send[1][r] numbers of the array send[0] to rank r; fill receive[0] likewise.

        Raises ValueError where another count of numbers comes than receive[1] says.
        """
        values, counts = send
        self._board[self._rank] = np.split(values.ravel(), np.cumsum(counts)[:-1])
        self._meeting.wait()
        came = np.concatenate([parts[self._rank] for parts in self._board])
        self._meeting.wait()  # nobody posts again before all have read
        if len(came) != np.sum(receive[1]):
            raise ValueError(f"receive expects {np.sum(receive[1])} numbers, got {len(came)}")
        receive[0][...] = came.reshape(receive[0].shape)

    def abort(self):
        """Let every rank that waits, now or later, fail at once."""
        self._meeting.abort()


class _Done:
    def Test(self):  # noqa: N802
        return True


def run_threads(shares):
    """Run `exchange` for every share in a thread of its own; return what each Exchanged, in order.

    Raises the error of the first thread that failed by itself.

    >>> from moeviz import cluster, experts, routing
    >>> bank = experts.random_bank(2, 4, 8, rng=np.random.default_rng(0))
    >>> one_each = routing.top_k([[1.0, 0.0], [1.0, 0.0]], 1)
    >>> shares = cluster.split_work(np.ones((2, 4)), one_each, bank, cluster.contiguous(2, 2))
    >>> [done.dispatched.tolist() for done in run_threads(shares)]
    [[32, 0], [32, 0]]
    """
    ranks = LocalComm.group(len(shares))
    with ThreadPoolExecutor(len(shares)) as pool:
        done = [pool.submit(_run, rank, share) for rank, share in zip(ranks, shares, strict=True)]
    errors = [job.exception() for job in done if job.exception()]
    for error in sorted(errors, key=lambda error: isinstance(error, threading.BrokenBarrierError)):
        raise error
    return [job.result() for job in done]


def _run(rank, share):
    try:
        return exchange(rank, share)
    except BaseException:
        rank.abort()
        raise
