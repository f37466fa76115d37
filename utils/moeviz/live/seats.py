"""The seats: choices that arrive, sit down or leave."""

import numpy as np

from moeviz import plots
from moeviz.capacity import expert_capacity
from moeviz.live.show import colors, few_labels, page
from moeviz.record import EMPTY, check_routing

MOST_TOKENS = 200


def seats(routed, labels):
    """Return a live view of capacity: move factor, order and groups, mark padding, watch who arrives.

    routed: a Routing of up to 200 tokens. labels: T texts. Choices dropped before, and EMPTY slots, stay out.
    Raises ValueError for more tokens or another number of labels.
    """
    num_tokens = check_routing(routed, "routed").num_tokens
    labels = few_labels(labels, num_tokens, MOST_TOKENS)
    index = np.where(routed.expert_index == EMPTY, 0, routed.expert_index)
    drawn = np.random.default_rng(0).permutation(num_tokens)
    state = {"expertIndex": index.tolist(), "probs": routed.probs.tolist(), "kept": routed.kept.tolist(),
             "labels": labels, "drawn": drawn.tolist(), **colors(routed.num_experts)}
    places = expert_capacity(num_tokens, routed.num_experts, routed.k, 1.0)
    return page("seats", state, label="Seats of the experts, taken one after the other",
                fallback=plots.plot_seats(routed, places, labels=labels))
