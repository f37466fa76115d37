"""Exercises of notebook 12: what printed digits allow, three readings of active, a config.json."""

from moeviz.exercises.engine import Exercise


def slow_tolerance(figure):
    digits = figure[:-1]
    decimals = len(digits.split(".")[1]) if "." in digits else 0
    unit = 1.0
    for _ in range(decimals):
        unit /= 10
    return unit / 2 / float(digits)


def tolerance_of_a_whole_unit(figure):
    return 2 * slow_tolerance(figure)


def tolerance_as_an_amount(figure):
    return slow_tolerance(figure) * float(figure[:-1])


def tolerance_of_half_a_billion(figure):
    return 0.5 / float(figure[:-1])


FIGURES = (("7B",), ("46.7B",), ("6.92B",), ("137.6M",), ("1.571T",))

tolerance = Exercise("tolerance", slow_tolerance, FIGURES, {
    "rounding moves a figure by at most half a unit of its last digit": tolerance_of_a_whole_unit,
    "that is an amount; divide by the figure to get a share": tolerance_as_an_amount,
    "the last printed digit counts, decimals too": tolerance_of_half_a_billion}, tolerance=1e-9)


def slow_readings(active, table, tied):
    without_embedding = active if tied else active - table
    return active, without_embedding, without_embedding - table


def readings_of_a_tied_table_as_embedding(active, table, tied):
    return active, active - table, active - (1 if tied else 2) * table


def readings_with_two_tables(active, table, tied):
    return active, slow_readings(active, table, tied)[1], active - 2 * table


def readings_with_one_table(active, table, tied):
    return active, slow_readings(active, table, tied)[1], active - table


readings = Exercise("readings", slow_readings, (
    (10, 2, False), (10, 2, True), (12_879_925_248, 131_072_000, False)), {
    "a tied table is the head as well, so it stays active in B": readings_of_a_tied_table_as_embedding,
    "a tied table exists once, so C subtracts it once": readings_with_two_tables,
    "an untied model has two tables, and C leaves out both": readings_with_one_table})

TINY = {"hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
        "vocab_size": 10, "num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 6,
        "intermediate_size": 20, "head_dim": 2, "tie_word_embeddings": False}
WIDE_HEADS = TINY | {"hidden_size": 12, "head_dim": 5, "num_key_value_heads": 1}
TIED = TINY | {"num_hidden_layers": 3, "num_experts": 6, "tie_word_embeddings": True}
MIXTRAL = {"hidden_size": 4096, "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8,
           "vocab_size": 32000, "num_experts": 8, "num_experts_per_tok": 2, "moe_intermediate_size": 14336,
           "intermediate_size": 14336, "head_dim": 128, "tie_word_embeddings": False}


def slow_from_config(config):
    d_model, heads, head_dim = config["hidden_size"], config["num_attention_heads"], config["head_dim"]
    attention = 2 * d_model * heads * head_dim + 2 * d_model * config["num_key_value_heads"] * head_dim
    expert = 3 * d_model * config["moe_intermediate_size"]
    always = attention + d_model * config["num_experts"] + 2 * d_model
    tables = (1 if config["tie_word_embeddings"] else 2) * config["vocab_size"] * d_model
    return tuple(config["num_hidden_layers"] * (always + count * expert) + tables + d_model
                 for count in (config["num_experts"], config["num_experts_per_tok"]))


def config_with_square_heads(config):
    return slow_from_config(config | {"head_dim": config["hidden_size"] // config["num_attention_heads"]})


def config_without_groups(config):
    return slow_from_config(config | {"num_key_value_heads": config["num_attention_heads"]})


def config_with_the_dense_width(config):
    return slow_from_config(config | {"moe_intermediate_size": config["intermediate_size"]})


def config_untied(config):
    return slow_from_config(config | {"tie_word_embeddings": False})


from_config = Exercise("from_config", slow_from_config, ((TINY,), (WIDE_HEADS,), (TIED,), (MIXTRAL,)), {
    "the config says how wide a head is; it need not be hidden_size / heads": config_with_square_heads,
    "keys and values have fewer heads than queries: num_key_value_heads": config_without_groups,
    "an expert is moe_intermediate_size wide; intermediate_size is for dense blocks":
        config_with_the_dense_width,
    "the embedding is counted twice: tie_word_embeddings makes the two tables one": config_untied},
    tolerance=1e-9)
