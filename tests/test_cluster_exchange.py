"""The exchange in threads: the same layer, the bytes of the simulation, and no one left waiting."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moeviz import cluster, experts
from moeviz.capacity import apply_capacity
from moeviz.routing import top_k


def layer(seed, *, tokens=24, num_experts=6, k=2, capacity=100, gated=False):
    rng = np.random.default_rng(seed)
    routed = apply_capacity(top_k(rng.normal(size=(tokens, num_experts)), k), capacity)
    return rng.normal(size=(tokens, 4)), routed, experts.random_bank(num_experts, 4, 8, rng=rng, gated=gated)


def joined(done):
    return np.concatenate([one.output for one in done])


def sent(done, field):
    return np.array([getattr(one, field) for one in done])


@given(st.integers(0, 1000), st.integers(1, 4), st.integers(0, 2), st.sampled_from(["none", "device"]),
       st.sampled_from([1, 4, 100]))
def test_output_is_the_layer_s_and_bytes_are_the_simulation_s(seed, devices, extra, merge, capacity):
    tokens, routed, bank = layer(seed, capacity=capacity, gated=seed % 2 == 0)
    load = np.random.default_rng(seed).random(6)
    placed = cluster.replicated(load, devices, extra=extra if devices > 1 else 0)
    done = cluster.run_threads(cluster.split_work(tokens, routed, bank, placed, merge=merge))
    assert joined(done) == pytest.approx(experts.forward_grouped(tokens, bank, routed), abs=1e-12)
    moved = cluster.traffic_matrix(routed, placed, merge=merge)
    assert sent(done, "dispatched").tolist() == (moved * 4 * 8).tolist()
    assert sent(done, "combined").tolist() == (moved.T * 4 * 8).tolist()
    assert sent(done, "labels").tolist() == (moved * placed.hosts.sum(axis=1).max() * 8).tolist()


def test_single_precision_stays_single_and_moves_half_the_bytes():
    tokens, routed, bank = layer(0)
    single = experts.ExpertBank(bank.w_in.astype(np.float32), bank.w_out.astype(np.float32))
    placed = cluster.contiguous(6, 3)
    double, half = (cluster.run_threads(cluster.split_work(t, routed, b, placed))
                    for t, b in ((tokens, bank), (tokens.astype(np.float32), single)))
    assert joined(half).dtype == np.float32
    assert joined(half) == pytest.approx(joined(double), abs=1e-5)
    assert (sent(double, "dispatched") == 2 * sent(half, "dispatched")).all()


def test_a_share_holds_its_own_experts_and_tokens_alone():
    tokens, routed, bank = layer(1)
    shares = cluster.split_work(tokens, routed, bank, cluster.contiguous(6, 3))
    assert [share.bank.num_experts for share in shares] == [2, 2, 2]
    assert (shares[1].bank.w_in == bank.w_in[2:4]).all()
    assert (np.concatenate([share.tokens for share in shares]) == tokens).all()


class Counting(cluster.LocalComm):
    """A rank that notes the bytes of every buffer that passes through it."""

    def Alltoallv(self, send, receive):  # noqa: N802
        self.noted = [*getattr(self, "noted", []), send[1] * send[0].itemsize]
        super().Alltoallv(send, receive)


def test_reported_bytes_are_those_of_the_buffers_handed_over():
    tokens, routed, bank = layer(2)
    shares = cluster.split_work(tokens, routed, bank, cluster.contiguous(6, 2))
    ranks = Counting.group(2)
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(cluster.exchange, ranks, shares))
    for rank, one in zip(ranks, done, strict=True):
        _, rows, labels, answers = rank.noted  # the first are the counts
        assert (one.dispatched == rows).all() and (one.combined == answers).all()
        assert (one.labels == labels).all()


def test_one_that_fails_is_reported_and_the_others_stop():
    tokens, routed, bank = layer(3)
    shares = cluster.split_work(tokens, routed, bank, cluster.contiguous(6, 3))
    broken, begin = replace(shares[1], bank=None), time.monotonic()
    with pytest.raises(AttributeError):
        cluster.run_threads([shares[0], broken, shares[2]])
    assert time.monotonic() - begin < 20  # the others would wait for a minute
    assert all("ThreadPool" not in thread.name for thread in threading.enumerate())


class Alone:
    """A communicator whose other ranks never come."""

    def Get_rank(self):  # noqa: N802
        return 0

    def Get_size(self):  # noqa: N802
        return 3

    def Ibarrier(self):  # noqa: N802
        return self

    def Test(self):  # noqa: N802
        return False


def test_a_rank_that_is_left_alone_gives_up():
    tokens, routed, bank = layer(4)
    share = cluster.split_work(tokens, routed, bank, cluster.contiguous(6, 3))[0]
    with pytest.raises(TimeoutError, match=r"did not come within 0\.05 seconds"):
        cluster.exchange(Alone(), share, patience=0.05)


def test_a_share_of_another_rank_or_size_is_refused():
    tokens, routed, bank = layer(5)
    for devices, at in ((3, 1), (2, 0)):
        share = cluster.split_work(tokens, routed, bank, cluster.contiguous(6, devices))[at]
        with pytest.raises(ValueError, match="share is for process"):
            cluster.exchange(Alone(), share)


def test_a_merge_or_a_layer_that_does_not_fit_is_named():
    tokens, routed, bank = layer(6)
    with pytest.raises(ValueError, match="merge must be one of 'none', 'device'"):
        cluster.split_work(tokens, routed, bank, cluster.contiguous(6, 2), merge="node")
    with pytest.raises(ValueError, match="placement must hold 6 experts"):
        cluster.split_work(tokens, routed, bank, cluster.contiguous(4, 2))
    with pytest.raises(ValueError, match="tokens has 3 rows"):
        cluster.split_work(tokens[:3], routed, bank, cluster.contiguous(6, 2))


def test_a_receive_buffer_of_another_size_is_named():
    alone = cluster.LocalComm.group(1)[0]
    with pytest.raises(ValueError, match="receive expects 3 numbers, got 2"):
        alone.Alltoallv([np.ones(2), np.array([2])], [np.ones(3), np.array([3])])
