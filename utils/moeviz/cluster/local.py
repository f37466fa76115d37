"""Threads of this process in place of MPI processes: the same exchange where MPI is not installed.

A copy between two arrays of one process is no network; the rows and the bytes are the same.
"""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from moeviz.cluster.exchange import exchange


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
