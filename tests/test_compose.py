"""Any router composes with any capacity policy, metric, expert forward and plot: the whole product runs."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from moeviz import capacity, experts, metrics, plots, routing, style
from moeviz.record import EMPTY

T, E, K = 24, 8, 2
LOGITS = np.random.default_rng(0).normal(size=(T, E)) + np.linspace(0, 1.5, E)
TOKENS = np.random.default_rng(1).normal(size=(T, 6))
BANK = experts.random_bank(E, 6, 5, rng=np.random.default_rng(2))

ROUTERS = {
    "soft": lambda: routing.soft(LOGITS),
    "top_k": lambda: routing.top_k(LOGITS, K),
    "top_1": lambda: routing.top_k(LOGITS, 1, renormalize=False),
    "noisy_top_k": lambda: routing.noisy_top_k(LOGITS, np.zeros((T, E)), K, rng=np.random.default_rng(0)),
    "gshard_top_2": lambda: routing.gshard_top_2(LOGITS, rng=np.random.default_rng(0)),
    "sigmoid_top_k": lambda: routing.sigmoid_top_k(LOGITS, K, bias=np.linspace(1, 0, E)),
    "sigmoid_groups": lambda: routing.sigmoid_top_k(LOGITS, K, num_groups=4, top_groups=2, scale=2.5),
    "softmax_group_limited": lambda: routing.softmax_group_limited(LOGITS, K, num_groups=4, top_groups=2),
    "cosine_top_k": lambda: routing.cosine_top_k(TOKENS, BANK.w_in[:, :, 0], K, temperature=0.3),
    "expert_choice": lambda: routing.expert_choice(LOGITS, 5),
    "top_p": lambda: routing.top_p(LOGITS, 0.6),
    "threshold": lambda: routing.threshold(LOGITS, 0.3),
    "sinkhorn": lambda: routing.sinkhorn(LOGITS, K, iterations=20),
    "quantile_balanced": lambda: routing.quantile_balanced(LOGITS, K, sweeps=20),
    "hash_route": lambda: routing.hash_route(np.arange(T) % 7, E, K),
    "random_route": lambda: routing.random_route(T, E, K, rng=np.random.default_rng(0)),
    "null_experts": lambda: routing.null_experts(LOGITS, K, num_null=2),
    "relu_route": lambda: routing.relu_route(LOGITS),
}
POLICIES = ("dropless", "choice", "token", "score", "random")
NUMBERS = (metrics.cv, metrics.max_violation, metrics.gini, metrics.load_entropy, metrics.effective_experts,
           metrics.router_entropy, metrics.drop_rate, metrics.fully_dropped, metrics.captured_score)
VECTORS = (metrics.counts, metrics.load, metrics.importance)
PLOTS = (plots.plot_load, plots.plot_assignment, plots.plot_flow,
         lambda r: plots.plot_text(r, ["x"] * T), lambda r: plots.plot_seats(r, 5))

every_routing = pytest.mark.parametrize("policy", POLICIES)
every_router = pytest.mark.parametrize("name", ROUTERS)


def make(name, policy):
    made = ROUTERS[name]()
    if policy == "dropless":
        return made
    return capacity.apply_capacity(made, 5, order=policy, groups=2, rng=np.random.default_rng(3))


def test_every_router_of_the_package_takes_part():
    public = {name for name in routing.__all__ if callable(getattr(routing, name))}
    helpers = {"SoftMixing", "soft_moe", "sinkhorn_plan", "quantile_bias", "quantile_cut",
               "gshard_top_2_backward", "noisy_top_k_backward", "weights_backward"}
    assert public - helpers <= set(ROUTERS)


@every_router
@every_routing
def test_metrics_are_finite_and_loads_sum_to_one(name, policy):
    made = make(name, policy)
    assert all(np.isfinite(number(made)) for number in NUMBERS)
    assert all(vector(made).shape == (E,) for vector in VECTORS)
    assert metrics.load(made).sum() == pytest.approx(1)
    assert metrics.co_activation(made).shape == (E, E)


@every_router
@every_routing
def test_all_forwards_agree_with_the_masked_dense_sum(name, policy):
    made = make(name, policy)
    expected = experts.forward_all(TOKENS, BANK, made.combine())
    for forward in (experts.forward_loop, experts.forward_padded, experts.forward_grouped):
        np.testing.assert_allclose(forward(TOKENS, BANK, made), expected, atol=1e-10)


@every_router
@every_routing
def test_kept_and_dropped_are_what_was_chosen(name, policy):
    before, after = ROUTERS[name](), make(name, policy)
    assert np.array_equal(before.expert_index, after.expert_index)
    assert not (after.kept & ~before.kept).any()
    assert len(after.pairs().token) == after.kept.sum() <= (after.expert_index != EMPTY).sum()


@pytest.mark.slow
@every_router
def test_every_plot_draws_every_router_with_drops(name):
    for plot in PLOTS:
        assert style.describe(plot(make(name, "choice")))
        plt.close("all")
