"""Exercises of notebook 12: what printed digits allow, three readings of active, a config.json."""

from moeviz.exercises.cases import whole
from moeviz.exercises.engine import Exercise


def slow_tolerance(figure):
    digits = figure[:-1]
    decimals = len(digits.split(".")[1]) if "." in digits else 0
    unit = 1.0
    for _ in range(decimals):
        unit /= 10
    return unit / 2 / float(digits)


def draw_tolerance(rng):
    decimals, tenth = whole(rng, (0, 3), (0, 3))
    number = round(float(rng.uniform(1, 700)), decimals - 1 if tenth == 0 and decimals else decimals)
    return (f"{number:.{decimals}f}{rng.choice(['M', 'B', 'T'])}",)


tolerance = Exercise("tolerance", 12, slow_tolerance, (
    ("7B",), ("46.7B",), ("7.0B",), ("6.92B",), ("137.6M",), ("1.571T",), ("20B",)), draw_tolerance, {
    "that is a whole unit of the last digit; rounding moves a figure by at most half of one":
        lambda figure: 2 * slow_tolerance(figure),
    "that is an amount; divide by the figure to get a share":
        lambda figure: slow_tolerance(figure) * float(figure[:-1]),
    "the decimals were not counted; the last printed digit decides":
        lambda figure: 0.5 / float(figure[:-1]),
    "a printed zero was dropped; 7.0B says more than 7B":
        lambda figure: slow_tolerance(f"{float(figure[:-1]):g}{figure[-1]}"),
    "the question asks for a share, not for percent":
        lambda figure: 100 * slow_tolerance(figure)})


def slow_readings(active, table, tied):
    without_embedding = active if tied else active - table
    return active, without_embedding, without_embedding - table


def draw_readings(rng):
    table, = whole(rng, (1, 500))
    return table * 2 + int(rng.integers(1, 5000)), table, rng.random() < 0.5


readings = Exercise("readings", 12, slow_readings, (
    (10, 2, False), (10, 2, True), (12_879_925_248, 131_072_000, False)), draw_readings, {
    "B lost a tied table; that is the head as well and stays active":
        lambda active, table, tied: (active, active - table, active - (1 if tied else 2) * table),
    "a tied model was read like an untied one; its only table is the head and stays in B":
        lambda active, table, tied: (active, active - table, active - 2 * table),
    "C lost a tied table twice; it exists once":
        lambda active, table, tied: (active, slow_readings(active, table, tied)[1], active - 2 * table),
    "C lost one table; an untied model has two, and C leaves out both":
        lambda active, table, tied: (active, slow_readings(active, table, tied)[1], active - table)})

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


def draw_from_config(rng):
    layers, kv_heads, groups, head_dim, vocab, experts, width, dense = whole(
        rng, (1, 4), (1, 3), (1, 3), (1, 6), (2, 40), (1, 8), (1, 12), (1, 30))
    return ({"hidden_size": int(rng.integers(1, 8)) * kv_heads * groups, "num_hidden_layers": layers,
             "num_attention_heads": kv_heads * groups, "num_key_value_heads": kv_heads, "vocab_size": vocab,
             "num_experts": experts, "num_experts_per_tok": int(rng.integers(1, experts + 1)),
             "moe_intermediate_size": width, "intermediate_size": dense, "head_dim": head_dim,
             "tie_word_embeddings": bool(rng.random() < 0.5)},)


from_config = Exercise("from_config", 12, slow_from_config, ((TINY,), (WIDE_HEADS,), (TIED,), (MIXTRAL,)),
                       draw_from_config, {
    "a head was taken to be hidden_size / heads wide; the config says head_dim":
        lambda config: (
            slow_from_config(config | {"head_dim": config["hidden_size"] // config["num_attention_heads"]})),
    "keys and values were given all heads; they have num_key_value_heads":
        lambda config: slow_from_config(config | {"num_key_value_heads": config["num_attention_heads"]}),
    "experts were made intermediate_size wide; they are moe_intermediate_size wide":
        lambda config: slow_from_config(config | {"moe_intermediate_size": config["intermediate_size"]}),
    "the embedding is counted twice: tie_word_embeddings makes the two tables one":
        lambda config: slow_from_config(config | {"tie_word_embeddings": False})})


@from_config.mistake("the routers are missing: hidden_size x num_experts in every layer")
def config_without_routers(config):
    routers = config["num_hidden_layers"] * config["hidden_size"] * config["num_experts"]
    return tuple(count - routers for count in slow_from_config(config))


@from_config.mistake("the norms are missing: two in every layer and one at the end, hidden_size numbers each")
def config_without_norms(config):
    norms = (2 * config["num_hidden_layers"] + 1) * config["hidden_size"]
    return tuple(count - norms for count in slow_from_config(config))
