"""The byte models that are compared: their shape, how many weights they have, what training them costs."""

from math import prod

from moeviz.arrays import check_count
from moeviz.cost import DenseFFN, ModelSpec, MoEFFN, StateLayer, flops_per_token
from moeviz.tinylm import Config, weight_shapes

TOP_K = 2
WIDTH = 64  # active hidden units of the networks that are compared at equal active size


def byte_model(experts=1, *, width=WIDTH, batch=512):
    """Return the Config of a byte model with one expert layer whose active hidden width is `width`.

    experts: E. One expert is a dense layer of that width; with more, every byte uses two experts of half
    the width each, so all of them have the same active size. batch: windows per step.
    Raises ValueError for counts below 1, or an odd width where two experts share it.

    >>> byte_model(16).hidden, byte_model(16).top_k, byte_model(1).hidden
    (32, 2, 64)
    """
    experts, width = check_count(experts, "experts"), check_count(width, "width")
    k = min(TOP_K, experts)
    if width % k:
        raise ValueError(f"width must be even, for two experts to share it, got {width}")
    return Config(width=64, layers=1, num_experts=experts, top_k=k, hidden=width // k, aux_weight=0.1,
                  batch=batch, learning_rate=0.01)


def shape_of(config):
    """Return the ModelSpec of a byte model, for `moeviz.cost` to count.

    The matrix that mixes the last bytes into one vector stands in for attention. The table of 256
    embeddings is looked up, not multiplied, and costs no FLOPs.

    >>> shape_of(byte_model(4))
    ModelSpec 'E = 4': d = 64, 1 mixer layers, 1 FFN layers (1 MoE: 2 of 4 experts)
    """
    mixer = StateLayer(layers=1, parameters=config.context * config.embedding * config.width)
    layers = {"layers": config.layers, "hidden": config.hidden, "gated": False}
    ffn = (DenseFFN(**layers) if config.num_experts == 1 else
           MoEFFN(**layers, experts=config.num_experts, top_k=config.top_k))
    return ModelSpec(f"E = {config.num_experts}", config.width, 256, (mixer,), (ffn,))


def training_flops(config, steps):
    """Return the FLOPs of training for S steps: forward and backward of every window of every batch.

    The backward pass has two products for each one of the forward pass, so a step costs three times it.
    A multiply-add is 2 FLOPs. Adam, norms and softmax are left out.
    Source: arXiv 2001.08361, section 2.1.

    >>> training_flops(byte_model(1), 1) == 3 * 512 * 2 * (128 * 64 + 2 * 64 * 64 + 64 * 256)
    True
    """
    steps = check_count(steps, "steps")
    return 3 * flops_per_token(shape_of(config), 1).total * config.batch * steps


def num_weights(config):
    """Return (total, active): all weights of a byte model, and those that one byte passes through.

    >>> num_weights(byte_model(1))[0] - num_weights(byte_model(1))[1]
    0
    """
    sizes = {name: prod(shape) for name, shape in weight_shapes(config).items()}
    inside = sum(size for name, size in sizes.items() if name.startswith(("w_in", "w_out")))
    total = sum(sizes.values())
    return total, total - inside + inside * config.top_k // config.num_experts
