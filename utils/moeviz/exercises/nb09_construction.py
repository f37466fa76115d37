"""Exercises of notebook 09: expert choice, a test for leaks, one sweep of quantile balancing."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from moeviz.exercises.engine import Exercise
from moeviz.routing import expert_choice, quantile_balanced, top_k

BOARD = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7]])
EQUAL = np.array([[0.4, 0.6], [0.4, 0.6], [0.4, 0.6], [0.4, 0.6]])
WIDE = np.random.default_rng(4).dirichlet(np.ones(4), size=8)


def slow_columns(probs, capacity):
    taken = np.zeros(probs.shape, dtype=bool)
    for expert in range(probs.shape[1]):
        for token in sorted(range(len(probs)), key=lambda t: -probs[t, expert])[:capacity]:
            taken[token, expert] = True
    return taken


def columns_by_rows(probs, capacity):
    return slow_columns(probs.T, min(capacity, probs.shape[1])).T


def columns_smallest(probs, capacity):
    return slow_columns(-probs, capacity)


def columns_of_best(probs, capacity):
    return probs == probs.max(axis=1, keepdims=True)


def columns_late(probs, capacity):
    return slow_columns(probs[::-1], capacity)[::-1]


columns = Exercise("columns", slow_columns, ((BOARD, 1), (EQUAL, 2), (WIDE, 2), (WIDE, 3)), {
    "that goes along the rows: each token takes experts; go down the columns": columns_by_rows,
    "these are the smallest probabilities; take the largest": columns_smallest,
    "that is token choice: every token got its best expert": columns_of_best,
    "of equal probabilities the earlier token is taken": columns_late})


@dataclass(frozen=True, repr=False)
class Served:
    """A router as the learner sees it: logits (T, E) -> (T, E) bool, who is served by whom."""

    name: str
    route: Callable

    def __call__(self, logits):
        return self.route(logits).dispatch()

    def __repr__(self):
        return f"the router {self.name!r}"


SCORES = np.array([[1.0, 0.0], [2.0, 0.0], [3.0, 0.0], [0.0, 3.0]])
LONG = np.random.default_rng(3).normal(loc=[2, 1, 0, 0, 0, 0], size=(24, 6))
TOKENS_CHOOSE = Served("top-2", lambda logits: top_k(logits, 2))
EXPERTS_CHOOSE = Served("expert choice", lambda logits: expert_choice(logits, len(logits) * 2 // 6 or 1))
ONE_EACH = Served("balanced top-1", lambda logits: quantile_balanced(logits, 1))  # the number never changes


def slow_overheard(route, logits, cut):
    turned = [row if t < cut else row[::-1] for t, row in enumerate(logits.tolist())]
    before, after = route(logits).tolist(), route(np.array(turned)).tolist()
    return sum(before[t] != after[t] for t in range(cut))


def _both(route, logits, cut, first=None):
    turned = logits.copy()
    turned[cut if first is None else first:] = logits[cut if first is None else first:, ::-1]
    return route(logits), route(turned)


def overheard_by_count(route, logits, cut):
    before, after = _both(route, logits, cut)
    return int((before[:cut].sum(axis=1) != after[:cut].sum(axis=1)).sum())


def overheard_by_load(route, logits, cut):
    before, after = _both(route, logits, cut)
    return int((before[:cut].sum(axis=0) != after[:cut].sum(axis=0)).sum())


def overheard_everywhere(route, logits, cut):
    before, after = _both(route, logits, cut)
    return int((before != after).any(axis=1).sum())


def overheard_later(route, logits, cut):
    before, after = _both(route, logits, cut)
    return int((before[cut:] != after[cut:]).any(axis=1).sum())


def overheard_choices(route, logits, cut):
    before, after = _both(route, logits, cut)
    return int((before[:cut] != after[:cut]).sum())


def overheard_all_turned(route, logits, cut):
    before, after = _both(route, logits, cut, first=0)
    return int((before[:cut] != after[:cut]).any(axis=1).sum())


overheard = Exercise("overheard", slow_overheard, (
    (EXPERTS_CHOOSE, SCORES, 3), (TOKENS_CHOOSE, LONG, 18), (EXPERTS_CHOOSE, LONG, 18),
    (ONE_EACH, LONG, 18)), {
    "a token may keep its number of experts and still get other ones: compare who, not how many":
        overheard_by_count,
    "loads say nothing about one token: two tokens can trade experts": overheard_by_load,
    "turned tokens may change; only those before `cut` must not": overheard_everywhere,
    "these are the turned tokens; the leak shows in the earlier ones": overheard_later,
    "that counts changed choices; count each token once": overheard_choices,
    "the earlier tokens were turned too; only what comes from `cut` on may be": overheard_all_turned})

FOUR = np.array([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3], [0.4, 0.6]])


def slow_sweep(scores, beta, k):
    num_experts = scores.shape[1]
    left = np.empty(scores.shape)
    for token, row in enumerate(scores):
        falling = sorted((row - beta).tolist(), reverse=True)
        left[token] = row - (falling[k - 1] + falling[k]) / 2
    return np.array([np.quantile(left[:, expert], 1 - k / num_experts) for expert in range(num_experts)])


def _sweep(scores, beta, k, alpha):
    return np.quantile(scores - alpha[:, None], 1 - k / scores.shape[1], axis=0)


def sweep_at_the_kth(scores, beta, k):
    return _sweep(scores, beta, k, -np.sort(beta - scores, axis=1)[:, k - 1])


def sweep_without_beta(scores, beta, k):
    return _sweep(scores, beta, k, -np.sort(-scores, axis=1)[:, k - 1:k + 1].mean(axis=1))


def sweep_from_the_rest(scores, beta, k):
    return slow_sweep(scores - beta, np.zeros_like(beta), k)


def sweep_other_quantile(scores, beta, k):
    alpha = -np.sort(beta - scores, axis=1)[:, k - 1:k + 1].mean(axis=1)
    return np.quantile(scores - alpha[:, None], k / scores.shape[1], axis=0)


def sweep_turned(scores, beta, k):
    return -slow_sweep(scores, beta, k)


SWEPT = np.array([0.1, 0.0, -0.05, 0.02])
sweep = Exercise("sweep", slow_sweep, (
    (FOUR, np.zeros(2), 1), (FOUR, np.array([0.25, -0.25]), 1), (WIDE, SWEPT, 1), (WIDE, SWEPT, 2)), {
    "the token's threshold lies halfway between its k-th and (k+1)-th value, not on the k-th":
        sweep_at_the_kth,
    "the tokens' thresholds come from score minus beta, not from the score alone": sweep_without_beta,
    "subtract the tokens' thresholds from the scores, not from the scores minus beta":
        sweep_from_the_rest,
    "a share k/E has to lie above the threshold, so it is the 1 - k/E quantile": sweep_other_quantile,
    "that is the bias; beta has the other sign": sweep_turned})
