"""Adam and its learning rate: what every training run of the course descends with."""

import numpy as np


def learning_rate(step, steps, *, peak=3e-3, warm_up=50, decay_share=0.3):
    """Return the rate of a step, counted from 0: linear warm-up, constant, linear decay towards 0.

    steps: S in all. warm_up: steps until the full rate `peak`. decay_share: the last share of the steps.

    >>> [learning_rate(s, 10, peak=1.0, warm_up=2, decay_share=0.4) for s in (0, 1, 5, 8)]
    [0.5, 1.0, 1.0, 0.5]
    """
    rising = (step + 1) / max(warm_up, 1)
    falling = (steps - step) / max(decay_share * steps, 1)
    return peak * min(1.0, rising, falling)


def scheduled_rate(plan, step, steps):
    """Return the `learning_rate` of a step as a Plan or a Config describes it."""
    return learning_rate(step, steps, peak=plan.learning_rate, warm_up=plan.warm_up,
                         decay_share=plan.decay_share)


def adam(weight, gradient, moments, rate, step, *, beta1=0.9, beta2=0.99, epsilon=1e-8):
    """Take one step of Adam, counted from 0; return the new weight and the new moments.

    moments: the running means of gradient and gradient^2, two arrays of the weight's shape; zeros at
    first. The arrays that come in are left as they are.
    Source: Kingma and Ba 2015, arXiv 1412.6980, algorithm 1.

    >>> weight, moments = adam(np.array([1.0]), np.array([5.0]), (np.zeros(1), np.zeros(1)), 0.1, 0)
    >>> weight.round(6).tolist()
    [0.9]
    """
    first = beta1 * moments[0] + (1 - beta1) * gradient
    second = beta2 * moments[1] + (1 - beta2) * gradient * gradient
    size = np.sqrt(second / (1 - beta2 ** (step + 1))) + epsilon
    return weight - rate / (1 - beta1 ** (step + 1)) * first / size, (first, second)


def no_moments(weights):
    """Return {name: moments} of Adam before its first step: zeros in the shape of each weight.

    >>> no_moments({"a": np.ones(2)})["a"][0].tolist()
    [0.0, 0.0]
    """
    return {name: (np.zeros_like(weight), np.zeros_like(weight)) for name, weight in weights.items()}


def adam_w(weights, moments, gradients, rate, step, *, decay=0.0, beta2=0.99):
    """Take one step of AdamW with all weights: matrices shrink by rate x decay, then every weight moves.

    weights, moments: by name; what they hold for the names of the gradients is replaced.
    Source: Loshchilov and Hutter 2019, arXiv 1711.05101.

    >>> weights = {"a": np.array([1.0])}
    >>> adam_w(weights, no_moments(weights), {"a": np.array([5.0])}, 0.1, 0)
    >>> weights["a"].round(6).tolist()
    [0.9]
    """
    for name, gradient in gradients.items():
        weight = weights[name]
        if decay and gradient.ndim > 1:
            weight = weight * np.float32(1 - rate * decay)
        weights[name], moments[name] = adam(weight, gradient, moments[name], rate, step, beta2=beta2)


def progress_bar(each, steps, shown=True):
    """Return what goes through so many training steps again, under a tqdm bar where one is to be shown."""
    if not shown:
        return each
    from tqdm import tqdm
    return tqdm(each, total=steps, desc="training", unit="step", mininterval=0.5)


def clipped(gradients, longest):
    """Return {name: gradient} shortened to `longest` together where they are longer, and their length.

    >>> clipped({"a": np.array([3.0]), "b": np.array([4.0])}, 1.0)[0]["b"].round(2).tolist()
    [0.8]
    """
    length = float(np.sqrt(sum(float((each * each).sum()) for each in gradients.values())))
    share = min(1.0, longest / max(length, 1e-12))
    return {name: each * each.dtype.type(share) for name, each in gradients.items()}, length
