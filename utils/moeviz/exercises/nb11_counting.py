"""Exercises of notebook 11: how many experts fit, the parameters of a model, and the FLOPs of one token."""

from moeviz.exercises.cases import asked, whole
from moeviz.exercises.engine import Exercise


def slow_fitting(d_model, hidden, bytes_per_weight, budget):
    experts, used = 0, 0
    while True:
        for rows, columns in ((d_model, hidden), (d_model, hidden), (hidden, d_model)):  # gate, up, down
            used += rows * columns * bytes_per_weight
        used += d_model * bytes_per_weight  # its column of the router
        if used > budget:
            return experts
        experts += 1


def draw_fitting(rng):
    d_model, hidden = whole(rng, (1, 12), (1, 12))
    bytes_per_weight = int(rng.choice([1, 2, 4]))
    one = bytes_per_weight * (3 * d_model * hidden + d_model)
    spare = int(rng.integers(0, one)) if rng.random() < 0.7 else int(rng.choice([0, one - 1]))
    return d_model, hidden, bytes_per_weight, one * int(rng.integers(0, 40)) + spare


fitting = Exercise("fitting", 11, slow_fitting, (
    (2, 5, 1, 100), (2, 5, 2, 128), (2, 5, 2, 63), (64, 256, 2, 10**6)), draw_fitting, {
    "a gated expert has three matrices; you counted two":
        lambda d_model, hidden, bytes_per_weight, budget: (
            budget // (bytes_per_weight * (2 * d_model * hidden + d_model))),
    "the router is missing: each expert adds a column of d_model weights to it":
        lambda d_model, hidden, bytes_per_weight, budget: budget // (bytes_per_weight * 3 * d_model * hidden),
    "the budget is in bytes, and a weight has bytes_per_weight of them":
        lambda d_model, hidden, bytes_per_weight, budget: budget // (3 * d_model * hidden + d_model),
    "that is a fraction of an expert; round down":
        lambda d_model, hidden, bytes_per_weight, budget: (
            budget / (bytes_per_weight * (3 * d_model * hidden + d_model))),
    "rounded up: that many experts need more than the budget":
        lambda d_model, hidden, bytes_per_weight, budget: (
            -(-budget // (bytes_per_weight * (3 * d_model * hidden + d_model)))),
    "experts that need exactly the budget were left out; they fit":
        lambda d_model, hidden, bytes_per_weight, budget: (
            (budget - 1) // (bytes_per_weight * (3 * d_model * hidden + d_model)))})


def slow_whole_model(layers, d_model, vocab, attention, expert, num_experts, k, tied):
    total = active = (1 if tied else 2) * vocab * d_model
    for _ in range(layers):
        always = attention + 2 * d_model + d_model * num_experts  # two norms, and the router
        total += always + num_experts * expert
        active += always + k * expert
    return total + d_model, active + d_model  # the last norm


def draw_whole_model(rng):
    layers, d_model, vocab, attention, expert, num_experts = whole(
        rng, (1, 5), (1, 12), (1, 60), (1, 200), (1, 200), (1, 12))
    k, = whole(rng, (1, num_experts))
    return layers, d_model, vocab, attention, expert, num_experts, k, rng.random() < 0.5


def _counted_less(lost):
    """Return the mistake of who leaves out `lost` parameters, of all and of the active ones."""
    def answer(layers, d_model, vocab, attention, expert, num_experts, k, tied):
        total, active = slow_whole_model(layers, d_model, vocab, attention, expert, num_experts, k, tied)
        total_lost, active_lost = lost(layers, d_model, num_experts, k)
        return total - total_lost, active - active_lost
    return answer


whole_model = Exercise("whole_model", 11, slow_whole_model, (
    (1, 2, 5, 16, 30, 4, 1, False), (3, 4, 10, 64, 96, 8, 2, True),
    (32, 4096, 32000, 41_943_040, 176_160_768, 8, 2, False)), draw_whole_model, {
    "the embedding is counted twice: a tied table serves as head too":
        asked(slow_whole_model, tied=False),
    "one table was counted; an untied model has two, embedding and head":
        asked(slow_whole_model, tied=True),
    "the routers are missing: a d x E matrix in every layer":
        _counted_less(lambda layers, d_model, num_experts, k: (layers * d_model * num_experts,) * 2),
    "only the router's columns of the chosen experts were counted; a token reads all of it":
        _counted_less(lambda layers, d_model, num_experts, k: (0, layers * d_model * (num_experts - k))),
    "the norms are missing: two in every layer and one at the end, d numbers each":
        _counted_less(lambda layers, d_model, num_experts, k: ((2 * layers + 1) * d_model,) * 2),
    "one norm was counted in every layer; it has two":
        _counted_less(lambda layers, d_model, num_experts, k: (layers * d_model,) * 2),
    "the last norm is missing: d numbers, once":
        _counted_less(lambda layers, d_model, num_experts, k: (d_model,) * 2)})


@whole_model.mistake("8 x 7 multiplies everything by the experts; attention, norms and tables exist once")
def model_copied_whole(layers, d_model, vocab, attention, expert, num_experts, k, tied):
    one = slow_whole_model(layers, d_model, vocab, attention, expert, 1, 1, tied)[0] - layers * d_model
    return num_experts * one, k * one


def slow_token_flops(layers, heads, head_dim, attention, expert, k, table, context):
    multiply_adds = table  # the head
    for _ in range(layers):
        multiply_adds += attention + k * expert
        for _ in range(heads):
            multiply_adds += 2 * head_dim * context  # scores against keys, then the sum over values
    return 2 * multiply_adds


def draw_token_flops(rng):
    return whole(rng, (1, 5), (1, 6), (1, 9), (1, 200), (1, 200), (1, 6), (1, 300), (1, 80))


token_flops = Exercise("token_flops", 11, slow_token_flops, (
    (1, 2, 3, 20, 30, 2, 7, 1), (4, 2, 8, 256, 96, 3, 160, 50),
    (32, 32, 128, 41_943_040, 176_160_768, 2, 131_072_000, 4096)), draw_token_flops, {
    "these are multiply-adds; each is 2 FLOPs":
        lambda *case: slow_token_flops(*case) // 2,
    "one expert was counted; every token uses k of them":
        asked(slow_token_flops, k=1),
    "the scores are missing: every head compares the token with the whole context":
        asked(slow_token_flops, heads=0),
    "only half of the scores' work: after q k comes the weighted sum of the values":
        asked(slow_token_flops, head_dim=lambda head_dim: head_dim / 2),
    "the embedding was counted; it is a look-up of one row and costs no FLOPs":
        asked(slow_token_flops, table=lambda table: 2 * table),
    "the head is missing: a product with the whole token table":
        asked(slow_token_flops, table=0)})
