"""What chance alone predicts: nodes that a token reaches, and how far the busiest device stands out."""

import math

from moeviz.arrays import check_count, check_number


def expected_nodes(num_nodes, k, *, num_experts=None):
    """Return the mean number of different nodes that serve a token whose k choices are random.

    num_experts=None: k independent choices of a node, M (1 - (1 - 1/M)^k). With num_experts E the
    k experts are different ones, E / M of them on each node: M (1 - C(E - E/M, k) / C(E, k)).
    Raises ValueError for counts below 1, a k above E, or nodes that do not divide E.

    >>> round(expected_nodes(8, 8), 2)
    5.25
    >>> expected_nodes(2, 3, num_experts=4)
    2.0
    """
    num_nodes, k = check_count(num_nodes, "num_nodes"), check_count(k, "k")
    if num_experts is None:
        return num_nodes * (1 - (1 - 1 / num_nodes) ** k)
    num_experts = check_count(num_experts, "num_experts", low=k)
    if num_experts % num_nodes:
        raise ValueError(f"num_nodes must divide the {num_experts} experts, got {num_nodes}")
    missed = math.comb(num_experts - num_experts // num_nodes, k) / math.comb(num_experts, k)
    return num_nodes * (1 - missed)


def straggler_estimate(num_devices, mean_load):
    """Return about how many times the mean the busiest device gets when every choice is random.

    1 + sqrt(2 ln N / m) for m assignments per device on average: the largest of N nearly normal
    counts, with the variance of a Poisson count. It errs on the upper side.
    Raises ValueError for num_devices below 1 or a mean_load that is not positive.

    >>> round(straggler_estimate(64, 128.0), 2)
    1.25
    """
    num_devices = check_count(num_devices, "num_devices")
    mean_load = check_number(mean_load, "mean_load", low=1e-12)
    return 1 + math.sqrt(2 * math.log(num_devices) / mean_load)
