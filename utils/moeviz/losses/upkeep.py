"""What keeps a router healthy without a balancing loss: the z-loss on logits, and the bias rule."""

import numpy as np

from moeviz.arrays import check_matrix, check_number, check_vector, log_sum_exp, softmax


def z_loss(logits):
    """Return the mean of logsumexp(z_t)^2 over tokens, and its gradient on the logits (T, E).

    logits: (T, E). The loss shrinks the common offset too, which softmax ignores: that is its aim,
    since large numbers lose their small differences in low precision. It balances nothing.
    Raises ValueError if logits is not a finite, non-empty matrix.
    Source: Zoph et al. 2022 (ST-MoE), arXiv 2202.08906, equation 5.

    >>> value, dlogits = z_loss([[0.0, 0.0]])
    >>> round(value, 4), dlogits.round(4).tolist()
    (0.4805, [[0.6931, 0.6931]])
    """
    logits = check_matrix(logits, "logits")
    size = log_sum_exp(logits)
    return float((size**2).mean()), 2 * size[:, None] * softmax(logits) / len(logits)


def bias_update(bias, load, rate, *, proportional=False):
    """Return the selection bias after one step: bias + rate sign(mean(load) - load).

    bias: (E,). load: (E,) counts or shares of the last batch. rate: the step, 1e-3 in DeepSeek-V3.
    Experts below the mean gain `rate`, experts above lose it, experts at the mean stay: only the
    sign of the difference counts. No gradient is involved, and the bias serves selection only: it
    must not enter the combine weights. The given bias is left as it is.
    proportional: step by 1 - load / mean(load) in place of the sign, a variant that the paper tries (there
    the difference itself; divided by the mean, counts and shares give the same step).
    Raises ValueError for lengths that differ, negative load or a negative rate.
    Source: Wang et al. 2024, arXiv 2408.15664, algorithm 1; DeepSeek-V3, arXiv 2412.19437.

    >>> bias_update([0.0, 0.0, 0.0], [9, 3, 3], 0.5).tolist()
    [-0.5, 0.5, 0.5]
    """
    bias = check_vector(bias, "bias")
    load = check_vector(load, "load", length=len(bias))
    if len(load) == 0 or load.min() < 0:
        raise ValueError(f"load must hold one number >= 0 per expert, got {load}")
    missing = load.mean() - load
    step = missing / max(load.mean(), np.finfo(float).tiny) if proportional else np.sign(missing)
    return bias + check_number(rate, "rate", low=0.0) * step
