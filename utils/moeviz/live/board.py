"""The board: token choice beside expert choice on one matrix of scores."""

from moeviz import plots
from moeviz.arrays import check_count, check_matrix
from moeviz.live.show import colors, few_labels, page
from moeviz.routing import top_k

MOST_TOKENS = 24


def board(logits, labels, *, k=2):
    """Return a live view of one matrix under two routers: each token picks experts, each expert tokens.

    logits: (T, E) of up to 24 tokens, shown and used to two decimals. labels: T texts. k: choices a token;
    an expert takes as many tokens as gives the same number of choices. An edit of a late token shows who
    looks ahead. Raises ValueError for more tokens, another number of labels or a k outside of 1..E.
    """
    logits = check_matrix(logits, "logits").round(2)
    k = check_count(k, "k", high=logits.shape[1])
    labels = few_labels(labels, len(logits), MOST_TOKENS)
    drawn = plots.plot_assignment(top_k(logits, k), labels=labels)
    state = {"logits": logits.tolist(), "labels": labels, "k": k, **colors(logits.shape[1])}
    return page("board", state, label="Token choice beside expert choice on one matrix", fallback=drawn)
