"""Exercises of notebook 09: expert choice, a test for leaks, one sweep of quantile balancing."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from moeviz.arrays import one_hot, softmax, top_k_mask
from moeviz.exercises.cases import scores as draw_scores
from moeviz.exercises.cases import whole
from moeviz.exercises.engine import Exercise

BOARD = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7]])
EQUAL = np.array([[0.4, 0.6], [0.4, 0.6], [0.4, 0.6], [0.4, 0.6]])


def slow_columns(probs, capacity):
    taken = np.zeros(probs.shape, dtype=bool)
    for expert in range(probs.shape[1]):
        for token in sorted(range(len(probs)), key=lambda t: -probs[t, expert])[:capacity]:
            taken[token, expert] = True
    return taken


def draw_columns(rng):
    num_tokens, num_experts = whole(rng, (1, 8), (2, 5))
    probs = rng.dirichlet(np.ones(num_experts), size=num_tokens)
    if rng.random() < 0.4:  # equal probabilities
        probs = probs[rng.integers(0, max(1, num_tokens // 2), num_tokens)]
    return probs, *whole(rng, (1, num_tokens))


columns = Exercise("columns", 9, slow_columns, ((BOARD, 1), (EQUAL, 2)), draw_columns, {
    "that goes along the rows: each token takes experts; go down the columns":
        lambda probs, capacity: slow_columns(probs.T, min(capacity, probs.shape[1])).T,
    "these are the smallest probabilities; take the largest":
        lambda probs, capacity: slow_columns(-probs, capacity),
    "that is token choice: every token got its best expert":
        lambda probs, capacity: probs == probs.max(axis=1, keepdims=True),
    "of equal probabilities the later token was taken; take the earlier one":
        lambda probs, capacity: slow_columns(probs[::-1], capacity)[::-1]})


@dataclass(frozen=True, repr=False)
class Router:
    """A router as the learner sees it: logits (T, E) -> (T, E) bool, who is served by whom."""

    name: str
    served: Callable

    def __call__(self, logits):
        return self.served(logits)

    def __repr__(self):
        return f"the router {self.name!r}"


def _expert_choice(logits):
    return slow_columns(softmax(logits), len(logits) // logits.shape[1] or 1)


def _dealt_out(logits):
    """Rank the tokens by their score for expert 0 and deal them out: one expert each, and it looks ahead."""
    rank = np.argsort(np.argsort(-logits[:, 0], kind="stable"))
    return one_hot(rank % logits.shape[1], logits.shape[1])


EXPERTS_CHOOSE = Router("expert choice", _expert_choice)
TOKENS_CHOOSE = Router("top-2", lambda logits: top_k_mask(logits, 2))
ONE_EACH = Router("ranked and dealt out", _dealt_out)
SCORES = np.array([[1.0, 0.0], [2.0, 0.0], [3.0, 0.0], [0.0, 3.0]])


def slow_overheard(route, logits, cut):
    turned = [row if t < cut else row[::-1] for t, row in enumerate(logits.tolist())]
    before, after = route(logits).tolist(), route(np.array(turned)).tolist()
    return sum(before[t] != after[t] for t in range(cut))


def draw_overheard(rng):
    num_tokens, num_experts = whole(rng, (4, 16), (3, 6))
    route = (EXPERTS_CHOOSE, ONE_EACH, TOKENS_CHOOSE)[int(rng.choice(3, p=[0.7, 0.15, 0.15]))]
    logits = draw_scores(rng, num_tokens, num_experts) + np.linspace(2, 0, num_experts)
    return route, logits, *whole(rng, (1, num_tokens - 1))


overheard = Exercise("overheard", 9, slow_overheard, ((EXPERTS_CHOOSE, SCORES, 3),), draw_overheard, {
    "the later tokens were cut off, not turned: their number must stay":
        lambda route, logits, cut: int((route(logits)[:cut] != route(logits[:cut])).any(axis=1).sum())})


def _compared(measure, first=None):
    """Return the mistake of who turns the tokens from `first` on, by default `cut`, and measures otherwise.

    measure: function of what is served before and after, both (T, E), and the cut.
    """
    def answer(route, logits, cut):
        start, turned = cut if first is None else first, logits.copy()
        turned[start:] = logits[start:, ::-1]
        return int(measure(route(logits), route(turned), cut))
    return answer


overheard = Exercise("overheard", 9, slow_overheard, ((EXPERTS_CHOOSE, SCORES, 3),), draw_overheard, {
    "the number of a token's experts was compared; it may stay while the experts change":
        _compared(lambda before, after, cut: (before[:cut].sum(axis=1) != after[:cut].sum(axis=1)).sum()),
    "loads were compared; two tokens can trade experts and leave the loads as they are":
        _compared(lambda before, after, cut: (before[:cut].sum(axis=0) != after[:cut].sum(axis=0)).sum()),
    "these are the experts whose earlier tokens changed; count the tokens: any(axis=1)":
        _compared(lambda before, after, cut: (before[:cut] != after[:cut]).any(axis=0).sum()),
    "the turned tokens were counted as well; they may change":
        _compared(lambda before, after, cut: (before != after).any(axis=1).sum()),
    "these are the turned tokens; the leak shows in the earlier ones":
        _compared(lambda before, after, cut: (before[cut:] != after[cut:]).any(axis=1).sum()),
    "that counts changed choices; count each token once":
        _compared(lambda before, after, cut: (before[:cut] != after[:cut]).sum()),
    "the earlier tokens were turned too; turn only what comes from `cut` on":
        _compared(lambda before, after, cut: (before[:cut] != after[:cut]).any(axis=1).sum(), first=0),
    "the later tokens were cut off, not turned: their number must stay":
        lambda route, logits, cut: int((route(logits)[:cut] != route(logits[:cut])).any(axis=1).sum())})


@overheard.mistake("the later tokens changed places; each keeps its place and turns its experts: [:, ::-1]")
def overheard_by_order(route, logits, cut):
    turned = logits.copy()
    turned[cut:] = logits[cut:][::-1]
    return int((route(logits)[:cut] != route(turned)[:cut]).any(axis=1).sum())


FOUR = np.array([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3], [0.4, 0.6]])


def slow_sweep(scores, beta, k):
    num_experts = scores.shape[1]
    left = np.empty(scores.shape)
    for token, row in enumerate(scores):
        falling = sorted((row - beta).tolist(), reverse=True)
        left[token] = row - (falling[k - 1] + falling[k]) / 2
    return np.array([np.quantile(left[:, expert], 1 - k / num_experts) for expert in range(num_experts)])


def draw_sweep(rng):
    num_tokens, num_experts = whole(rng, (1, 8), (2, 5))
    return (rng.dirichlet(np.ones(num_experts), size=num_tokens), rng.uniform(-0.2, 0.2, num_experts),
            *whole(rng, (1, num_experts - 1)))


def _sweep(scores, beta, k, alpha):
    return np.quantile(scores - alpha[:, None], 1 - k / scores.shape[1], axis=0)


sweep = Exercise("sweep", 9, slow_sweep, (
    (FOUR, np.zeros(2), 1), (FOUR, np.array([0.25, -0.25]), 1)), draw_sweep, {
    "the token's threshold lies halfway between its k-th and (k+1)-th value, not on the k-th":
        lambda scores, beta, k: _sweep(scores, beta, k, -np.sort(beta - scores, axis=1)[:, k - 1]),
    "the tokens' thresholds come from score minus beta, not from the score alone":
        lambda scores, beta, k: (
            _sweep(scores, beta, k, -np.sort(-scores, axis=1)[:, k - 1:k + 1].mean(axis=1))),
    "subtract the tokens' thresholds from the scores, not from the scores minus beta":
        lambda scores, beta, k: slow_sweep(scores - beta, np.zeros_like(beta), k),
    "that is the bias; beta has the other sign":
        lambda *case: -slow_sweep(*case)})


@sweep.mistake("that is the k/E quantile; a share k/E has to lie above it, so take the 1 - k/E quantile")
def sweep_other_quantile(scores, beta, k):
    alpha = -np.sort(beta - scores, axis=1)[:, k - 1:k + 1].mean(axis=1)
    return np.quantile(scores - alpha[:, None], k / scores.shape[1], axis=0)
