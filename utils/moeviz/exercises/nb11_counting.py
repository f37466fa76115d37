"""Exercises of notebook 11: the parameters of an MoE layer and of a model, and the FLOPs of one token."""

from moeviz.exercises.engine import Exercise


def slow_moe_layer(d_model, hidden, num_experts, k):
    expert = 0
    for rows, columns in ((d_model, hidden), (d_model, hidden), (hidden, d_model)):  # gate, up, down
        expert += rows * columns
    router = d_model * num_experts
    return num_experts * expert + router, k * expert + router


def moe_layer_of_two_matrices(d_model, hidden, num_experts, k):
    expert, router = 2 * d_model * hidden, d_model * num_experts
    return num_experts * expert + router, k * expert + router


def moe_layer_without_router(d_model, hidden, num_experts, k):
    expert = 3 * d_model * hidden
    return num_experts * expert, k * expert


def moe_layer_with_a_part_of_the_router(d_model, hidden, num_experts, k):
    expert = 3 * d_model * hidden
    return num_experts * (expert + d_model), k * (expert + d_model)


def moe_layer_all_active(d_model, hidden, num_experts, k):
    total = slow_moe_layer(d_model, hidden, num_experts, k)[0]
    return total, total


moe_layer = Exercise("moe_layer", slow_moe_layer, ((2, 5, 4, 1), (8, 16, 6, 3), (4096, 14336, 8, 2)), {
    "a gated expert has three matrices; you counted two": moe_layer_of_two_matrices,
    "the router is missing: a d x E matrix": moe_layer_without_router,
    "a token reads the whole router, not only the columns of the chosen experts":
        moe_layer_with_a_part_of_the_router,
    "only k experts are active": moe_layer_all_active})


def slow_whole_model(layers, d_model, vocab, attention, expert, num_experts, k, tied):
    total = active = (1 if tied else 2) * vocab * d_model
    for _ in range(layers):
        always = attention + 2 * d_model + d_model * num_experts  # two norms, and the router
        total += always + num_experts * expert
        active += always + k * expert
    return total + d_model, active + d_model  # the last norm


def model_copied_whole(layers, d_model, vocab, attention, expert, num_experts, k, tied):
    one = slow_whole_model(layers, d_model, vocab, attention, expert, 1, 1, tied)[0] - layers * d_model
    return num_experts * one, k * one


def model_with_two_tables(layers, d_model, vocab, attention, expert, num_experts, k, tied):
    return slow_whole_model(layers, d_model, vocab, attention, expert, num_experts, k, False)


def model_with_one_table(layers, d_model, vocab, attention, expert, num_experts, k, tied):
    return slow_whole_model(layers, d_model, vocab, attention, expert, num_experts, k, True)


def model_without_routers(layers, d_model, vocab, attention, expert, num_experts, k, tied):
    counts = slow_whole_model(layers, d_model, vocab, attention, expert, num_experts, k, tied)
    return tuple(count - layers * d_model * num_experts for count in counts)


def model_without_norms(layers, d_model, vocab, attention, expert, num_experts, k, tied):
    counts = slow_whole_model(layers, d_model, vocab, attention, expert, num_experts, k, tied)
    return tuple(count - (2 * layers + 1) * d_model for count in counts)


whole_model = Exercise("whole_model", slow_whole_model, (
    (1, 2, 5, 16, 30, 4, 1, False), (3, 4, 10, 64, 96, 8, 2, True),
    (32, 4096, 32000, 41_943_040, 176_160_768, 8, 2, False)), {
    "8 x 7: attention, norms and token tables exist once, not once for each expert": model_copied_whole,
    "the embedding is counted twice: a tied table serves as head too": model_with_two_tables,
    "an untied model has two tables, embedding and head": model_with_one_table,
    "the routers are missing: a d x E matrix in every layer": model_without_routers,
    "the norms are missing: two in every layer and one at the end, d numbers each": model_without_norms})


def slow_token_flops(layers, heads, head_dim, attention, expert, k, table, context):
    multiply_adds = table  # the head
    for _ in range(layers):
        multiply_adds += attention + k * expert
        for _ in range(heads):
            multiply_adds += 2 * head_dim * context  # scores against keys, then the sum over values
    return 2 * multiply_adds


def flops_as_multiply_adds(layers, heads, head_dim, attention, expert, k, table, context):
    return slow_token_flops(layers, heads, head_dim, attention, expert, k, table, context) // 2


def flops_without_scores(layers, heads, head_dim, attention, expert, k, table, context):
    return slow_token_flops(layers, 0, head_dim, attention, expert, k, table, context)


def flops_without_values(layers, heads, head_dim, attention, expert, k, table, context):
    return slow_token_flops(layers, heads, head_dim / 2, attention, expert, k, table, context)


def flops_with_embedding(layers, heads, head_dim, attention, expert, k, table, context):
    return slow_token_flops(layers, heads, head_dim, attention, expert, k, 2 * table, context)


def flops_without_head(layers, heads, head_dim, attention, expert, k, table, context):
    return slow_token_flops(layers, heads, head_dim, attention, expert, k, 0, context)


token_flops = Exercise("token_flops", slow_token_flops, (
    (1, 2, 3, 20, 30, 2, 7, 1), (4, 2, 8, 256, 96, 3, 160, 50),
    (32, 32, 128, 41_943_040, 176_160_768, 2, 131_072_000, 4096)), {
    "these are multiply-adds; each is 2 FLOPs": flops_as_multiply_adds,
    "the scores are missing: every head compares the token with the whole context": flops_without_scores,
    "only half of the scores' work: after q k comes the weighted sum of the values": flops_without_values,
    "the embedding costs no FLOPs: it is a look-up of one row": flops_with_embedding,
    "the head is missing: a product with the whole token table": flops_without_head})
