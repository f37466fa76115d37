"""Why success breeds choice: two experts, one number D, and the strength a at which they part.

D is the difference of their two logits, so the first expert gets the share sigmoid(D) of the tokens.
Every use makes an expert better by a; everything learned decays at the rate lambda. On average
dD/dt = a tanh(D / 2) - lambda D: for a <= 2 lambda both experts live on, above it one takes over.
"""

import numpy as np

from moeviz.arrays import check_count, check_matrix, check_number, check_rng, sigmoid


def resting_share(a, decay=1.0):
    """Return the share of the busier expert where the drift is zero and stable: 0.5 up to a = 2 decay.

    Solved by bisection between 0 and a / decay, which D cannot pass. Raises ValueError for a negative a
    or a decay that is not positive.

    >>> [round(resting_share(a), 3) for a in (1.0, 2.0, 2.1, 4.0)]
    [0.5, 0.5, 0.685, 0.979]
    """
    a, decay = check_number(a, "a", low=0.0), check_number(decay, "decay", low=1e-9)
    if a <= 2 * decay:
        return 0.5
    low, high = 0.0, a / decay
    for _ in range(100):
        middle = (low + high) / 2
        rising = middle == 0 or a * np.tanh(middle / 2) > decay * middle
        low, high = (middle, high) if rising else (low, middle)
    return float(sigmoid(low))


def reinforce(a, *, rng, decay=1.0, rate=0.02, steps=3000, runs=20):
    """Return D (steps + 1, runs): the same rule, but with each token sent to an expert at random.

    A token goes to the first expert with probability sigmoid(D), and the expert that it meets gains
    rate * a; then D loses rate * decay * D. Its mean step is rate * dD/dt, and the chance around it
    is what blurs the threshold. All runs start at D = 0.
    Raises ValueError for numbers that are not finite, a negative rate, a count below 1 or a bad rng.

    >>> reinforce(4.0, rng=np.random.default_rng(0), steps=10, runs=3).shape
    (11, 3)
    """
    rng, rate = check_rng(rng), check_number(rate, "rate", low=0.0)
    a, decay = check_number(a, "a"), check_number(decay, "decay")
    path = [np.zeros(check_count(runs, "runs"))]
    for _ in range(check_count(steps, "steps")):
        first = rng.random(path[-1].shape) < sigmoid(path[-1])
        path.append(path[-1] + rate * (np.where(first, a, -a) - decay * path[-1]))
    return np.array(path)


def busier_share(differences):
    """Return the share of the busier expert in each run, averaged over the second half of its steps.

    differences: (steps, runs) of D, as from `reinforce`. Chance alone makes it larger than one half.
    Raises ValueError unless it is a finite matrix.

    >>> busier_share(np.zeros((10, 3))).tolist()
    [0.5, 0.5, 0.5]
    """
    differences = check_matrix(differences, "differences", "(steps, runs)")
    share = sigmoid(differences[len(differences) // 2:]).mean(axis=0)
    return np.maximum(share, 1 - share)
