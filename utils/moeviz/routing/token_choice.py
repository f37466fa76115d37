"""Token choice: each token takes its k best experts, by one score or another."""

import numpy as np

from moeviz.arrays import (
    check_count,
    check_matrix,
    check_number,
    check_rng,
    check_same_shape,
    check_vector,
    softmax,
    softplus,
    top_k_index,
    top_k_mask,
)
from moeviz.record import EMPTY, Routing


def build(logits, probs, index, weight, label):
    """Return the Routing in which every slot that is not EMPTY is kept.

    >>> build(None, np.ones((1, 1)), np.array([[0]]), np.ones((1, 1)), "one").kept.tolist()
    [[True]]
    """
    return Routing(logits, probs, index, weight, index != EMPTY, label)


def build_from_mask(logits, probs, chosen, weights, label):
    """Return the Routing of chosen (T, E) bool with weights (T, E): a free number of experts per token.

    Each row lists its experts by falling weight and is padded with EMPTY; k is the most any token got.

    >>> chosen = np.array([[False, True]])
    >>> build_from_mask(None, np.full((1, 2), 0.5), chosen, np.ones((1, 2)), "one").expert_index.tolist()
    [[1]]
    """
    most = max(1, int(chosen.sum(axis=1).max()))
    index = top_k_index(np.where(chosen, weights, -1), most)
    taken = np.take_along_axis(chosen, index, axis=1)
    weight = np.where(taken, np.take_along_axis(weights, index, axis=1), 0)
    return build(logits, probs, np.where(taken, index, EMPTY), weight, label)


def softmax_top_k(logits, k, renormalize, label):
    """Return the Routing of top-k on checked logits (T, E) with weights from a softmax over all E.

    >>> softmax_top_k(np.zeros((1, 2)), 1, False, "one").combine_weight.tolist()
    [[0.5]]
    """
    probs = softmax(logits)
    index = top_k_index(logits, k)
    weight = np.take_along_axis(probs, index, axis=1)
    if renormalize:
        weight /= weight.sum(axis=1, keepdims=True)
    return build(logits, probs, index, weight, label)


def unit_rows(vectors):
    """Return each row of vectors (N, D) at length 1; a row of zeros stays zero.

    >>> unit_rows(np.array([[3.0, 4.0], [0.0, 0.0]])).tolist()
    [[0.6, 0.8], [0.0, 0.0]]
    """
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


def choose(scores, logits, k):
    """Return the columns of the k largest scores (T, E), best first: (T, k); equal scores by their logits.

    Scores of large logits saturate: two sigmoids round to the same 1 although their logits differ.

    >>> choose(np.array([[1.0, 1.0]]), np.array([[40.0, 50.0]]), 1).tolist()
    [[1]]
    """
    if scores is logits:
        return top_k_index(scores, k)
    return np.lexsort((-logits, -scores), axis=-1)[:, :k]


def open_groups(scores, num_groups, top_groups, best, closed=-np.inf):
    """Return scores (T, E), replaced by `closed` outside the top_groups groups of neighbours.

    A group counts by the sum of its `best` largest scores.

    >>> open_groups(np.array([[3.0, 0.0, 2.0, 2.0]]), 2, 1, best=2).tolist()
    [[-inf, -inf, 2.0, 2.0]]
    """
    if top_groups == num_groups:
        return scores
    grouped = scores.reshape(len(scores), num_groups, -1)
    totals = np.sort(grouped, axis=2)[:, :, -best:].sum(axis=2)
    return np.where(top_k_mask(totals, top_groups)[:, :, None], grouped, closed).reshape(scores.shape)


def soft(logits):
    """Use every expert for every token, weighted by softmax: the dense mixture.

    logits: (T, E). All E experts are chosen, best first, so k = E and nothing is sparse.
    Raises ValueError if logits is not a finite, non-empty matrix.
    Source: Jacobs, Jordan, Nowlan and Hinton 1991, "Adaptive Mixtures of Local Experts".

    >>> soft([[0.0, 0.0]]).combine().tolist()
    [[0.5, 0.5]]
    """
    logits = check_matrix(logits, "logits")
    return softmax_top_k(logits, logits.shape[1], False, "soft")


def top_k(logits, k=2, *, renormalize=True):
    """Send each token to the k experts with the largest logits, weighted by softmax.

    logits: (T, E). Order: softmax over all E experts, top-k, then (if `renormalize`) divide the k
    weights by their sum, which equals a softmax over the k chosen logits. Ties: lowest expert.
    Mixtral (k=2) and gpt-oss (k=4): renormalize=True. Switch (k=1), OLMoE (k=8), V-MoE and
    DeepSeekMoE: renormalize=False. With k=1 and renormalize=True the weight is always 1, so the
    task loss sends the gate no gradient.
    Raises ValueError if logits is not a finite, non-empty matrix or k is not in 1..E.
    Source: Shazeer et al. 2017, arXiv 1701.06538; Fedus et al. 2021 (Switch), arXiv 2101.03961;
    transformers models/mixtral/modeling_mixtral.py and models/gpt_oss/modeling_gpt_oss.py.

    >>> top_k([[0.0, 5.0, 5.0]], k=2).expert_index.tolist()
    [[1, 2]]
    """
    logits = check_matrix(logits, "logits")
    k = check_count(k, "k", high=logits.shape[1])
    return softmax_top_k(logits, k, renormalize, f"top-{k}")


def noisy_top_k(logits, noise_logits, k=2, *, rng, training=True):
    """Add learned Gaussian noise to the logits, keep the k largest, softmax over those.

    logits, noise_logits: (T, E), the clean scores and the raw noise widths; the noise has standard
    deviation softplus(noise_logits). The noisy logits are stored in `Routing.logits`.
    training=False adds no noise and needs no rng. Gradient: `noisy_top_k_backward`.
    Raises ValueError for a bad matrix, unequal shapes, k not in 1..E, or no rng in training.
    Source: Shazeer et al. 2017, arXiv 1701.06538; tensor2tensor/utils/expert_utils.py (which also
    adds a small constant to the width; the paper and this function do not).

    >>> noisy_top_k([[1.0, 0.0]], [[-50.0, -50.0]], 1, rng=np.random.default_rng(0)).expert_index.tolist()
    [[0]]
    """
    logits = check_matrix(logits, "logits")
    noise_logits = check_same_shape(noise_logits, "noise_logits", logits, "logits")
    k = check_count(k, "k", high=logits.shape[1])
    if training:
        draws = check_rng(rng).standard_normal(logits.shape).astype(logits.dtype)
        logits = logits + draws * softplus(noise_logits)
    return softmax_top_k(logits, k, True, f"noisy top-{k}")


def gshard_top_2(logits, *, rng, threshold=None):
    """Always use the best expert, and the second best with a probability that grows with its weight.

    logits: (T, E). Order: softmax over all E, top-2, renormalise the two weights g1 + g2 = 1, then
    keep the second with probability min(1, 2 g2), or min(1, g2 / threshold) if a threshold in
    (0, 1] is given. A second choice not taken leaves an EMPTY slot; g1 is not renormalised again.
    With E = 1 the second slot is always EMPTY. Gradient: `gshard_top_2_backward`.
    Raises ValueError if logits is not a finite, non-empty matrix, or for a bad rng or threshold.
    Source: Lepikhin et al. 2020 (GShard), arXiv 2006.16668, algorithm 1; threshold as in
    mesh_tensorflow/transformer/moe.py (0.2 there). NLLB-MoE uses the paper's rule.

    >>> gshard_top_2([[0.0, 9.0, 9.0]], rng=np.random.default_rng(0)).expert_index.tolist()
    [[1, 2]]
    """
    logits = check_matrix(logits, "logits")
    rng = check_rng(rng)
    cut = 0.5 if threshold is None else check_number(threshold, "threshold", low=1e-6, high=1.0)
    both = softmax_top_k(logits, min(2, logits.shape[1]), True, "GShard top-2")
    index, weight = np.full((len(logits), 2), EMPTY), np.zeros((len(logits), 2), logits.dtype)
    index[:, :both.k], weight[:, :both.k] = both.expert_index, both.combine_weight
    skipped = rng.random(len(logits)) >= weight[:, 1] / cut
    index[skipped, 1], weight[skipped, 1] = EMPTY, 0
    return build(logits, both.probs, index, weight, both.label)


def sigmoid_top_k(logits, k=2, *, bias=None, num_groups=1, top_groups=1, renormalize=True, scale=1.0):
    """Score each expert by its own sigmoid; choose by score + bias, weight by the score alone.

    logits: (T, E); bias: (E,) or None, used for the choice only. With num_groups > 1 the experts form
    groups of E / num_groups neighbours; a group's score is the sum of its two largest score + bias,
    and only the top_groups best groups stay open. Weight = score, divided by the sum of the k chosen
    scores if `renormalize`, times scale. `probs` holds score / (sum over all experts), without bias.
    DeepSeek-V3: k=8, num_groups=8, top_groups=4, scale=2.5, bias. MiniMax-M2: bias, no groups.
    Llama 4: k=1, renormalize=False (its weight multiplies the expert's input, not its output).
    Raises ValueError for bad logits, a bias of the wrong length, groups that do not divide E, or k
    outside 1..E or beyond the open groups.
    Source: DeepSeek-V3 inference/model.py; transformers models/llama4/modeling_llama4.py.

    >>> sigmoid_top_k([[0.0, 0.0, 0.0]], 1, bias=[0.0, 0.0, 0.1], renormalize=False)
    Routing 'sigmoid top-1': 1 tokens, 3 experts, k = 1
      token 0: e2 0.500
    """
    logits = check_matrix(logits, "logits")
    k = _check_groups(logits, k, num_groups, top_groups)
    scale = check_number(scale, "scale", low=1e-12)
    log_score = -softplus(-logits)  # shares of scores are taken in logs: they may all underflow to 0
    index = choose(_choice(logits, bias, num_groups, top_groups), logits, k)
    weight = np.take_along_axis(log_score, index, axis=1)
    weight = softmax(weight) if renormalize else np.exp(weight)
    return build(logits, softmax(log_score), index, weight * scale, f"sigmoid top-{k}")


def softmax_group_limited(logits, k=2, *, num_groups, top_groups, scale=1.0):
    """Open only the top_groups groups with the best single expert, then take the top k inside them.

    logits: (T, E), the experts in num_groups groups of neighbours, one group per device. Order: softmax
    over all E, group score = its largest probability, top-k in the open groups, times scale; the
    weights are not renormalised. DeepSeek-V2: E=160, k=6, num_groups=8, top_groups=3, scaled.
    Raises ValueError for bad logits, groups that do not divide E, or k outside 1..E or beyond the
    open groups.
    Source: DeepSeek-V2, arXiv 2405.04434; transformers models/deepseek_v2/modeling_deepseek_v2.py.

    >>> softmax_group_limited([[3.0, 0.0, 2.0, 2.0]], 2, num_groups=2, top_groups=1).expert_index.tolist()
    [[0, 1]]
    """
    logits = check_matrix(logits, "logits")
    k = _check_groups(logits, k, num_groups, top_groups)
    scale = check_number(scale, "scale", low=1e-12)
    probs = softmax(logits)
    # Logits rank as probabilities do, but do not underflow to ties.
    index = top_k_index(open_groups(logits, num_groups, top_groups, best=1), k)
    weight = np.take_along_axis(probs, index, axis=1) * scale
    return build(logits, probs, index, weight, f"group-limited top-{k}")


def cosine_top_k(tokens, expert_embeddings, k=2, *, temperature, renormalize=True):
    """Score experts by the angle between token and expert embedding, so that lengths do not matter.

    tokens: (T, D), usually projected to a small D first; expert_embeddings: (E, D). Logits are
    cosine / max(temperature, 0.01), stored in `Routing.logits`; then as in `top_k`. A vector of
    zeros has cosine 0 to everything.
    Tutel's version starts at temperature 0.5 and clamps it at 0.01.
    Raises ValueError for bad matrices, unequal D, k not in 1..E, or a temperature <= 0.
    Source: Chi et al. 2022 (X-MoE), arXiv 2204.09179; microsoft/tutel tutel/gates/cosine_top.py.

    >>> cosine_top_k([[5.0, 0.0]], [[0.0, 1.0], [2.0, 0.0]], 1, temperature=0.5).logits.tolist()
    [[0.0, 2.0]]
    """
    tokens = check_matrix(tokens, "tokens", shape="(T, D)")
    experts = check_matrix(expert_embeddings, "expert_embeddings", shape="(E, D)")
    if tokens.shape[1] != experts.shape[1]:
        raise ValueError(f"expert_embeddings must have the width of tokens {tokens.shape[1]}, "
                         f"got {experts.shape[1]}")
    k = check_count(k, "k", high=len(experts))
    temperature = max(check_number(temperature, "temperature", low=1e-6), 0.01)
    logits = unit_rows(tokens) @ unit_rows(experts).T / temperature
    return softmax_top_k(logits, k, renormalize, f"cosine top-{k}")


def _choice(logits, bias, num_groups, top_groups):
    """Return (T, E): what the choice is made by, in float64; the logits where nothing changes it."""
    if bias is None and num_groups == top_groups:
        return logits  # sigmoids of large logits are all 1
    scores = np.exp(-softplus(-logits.astype(float)))
    if bias is not None:
        scores = scores + check_vector(bias, "bias", length=logits.shape[1])
    return open_groups(scores, num_groups, top_groups, best=2)


def _check_groups(logits, k, num_groups, top_groups):
    num_experts = logits.shape[1]
    k = check_count(k, "k", high=num_experts)
    num_groups = check_count(num_groups, "num_groups", high=num_experts)
    if num_experts % num_groups:
        raise ValueError(f"num_groups must divide the {num_experts} experts, got {num_groups}")
    top_groups = check_count(top_groups, "top_groups", high=num_groups)
    room = top_groups * (num_experts // num_groups)
    if k > room:
        raise ValueError(f"k must be at most the {room} experts of the open groups, got {k}")
    return k
