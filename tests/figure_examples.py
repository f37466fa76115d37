"""A small example of every plot of the package, with the table of its numbers, worked out by hand."""

import numpy as np

from moeviz import cluster, cost, learning, metrics, plots, scoreboard, training
from moeviz.record import EMPTY, Routing
from moeviz.routing import top_k

# three tokens, two experts, k = 2; the second choice of token b was dropped, token c has one choice
TINY = Routing(None, [[0.7, 0.3], [0.4, 0.6], [0.9, 0.1]], [[0, 1], [1, 0], [0, EMPTY]],
               [[0.7, 0.3], [0.6, 0.4], [1.0, 0.0]], [[True, True], [True, False], [True, False]], "tiny")
WEIGHTS = ("token | expert 0 | expert 1", "a | 0.7 | 0.3", "b | 0.4 dropped | 0.6", "c | 1.0 | ")
WHO = "expert | most often, first choice | first choices | of them dropped"
TEXT = (WHO, "0 | a ×2 | 2 | 0", "1 | b ×1 | 1 | 0")
HISTORY = training.History([1.0, 1.0], [0.0, 0.0], [[0.25, 0.75], [0.5, 0.5]], [[0.0, 0.0], [0.2, 0.6]],
                           [1.0, 1.0])
DOTS = plots.Evidence([0.1, 0.2, 0.3], [0.1, 0.5, 0.4], ("before", "after"))
PAIRS = plots.Evidence([3.0, 1.0], [2.0, 2.0], ("kept", "lost"), ("0", "1"), ("expert", "tokens"))
BOARD = scoreboard.score({"one": lambda logits, rng=None: TINY}, np.log(TINY.probs))
CHIP = cost.Hardware("chip", "fp8", 8e12, 2e12, "by hand")
BANDS = {"a": ([1, 2], [2, 3], [3, 4]), "b": [5, 6]}  # low, middle, high; a single line
CURVE = learning.Curve(4, 64, np.array([10, 20]), np.array([1.0, 2.0]), np.array([1.0, 2.0]),
                       np.array([[3.0, 2.5], [2.0, 1.5]]))
SPANS = (*cluster.timeline(cluster.Phases([1.0, 1.0], [2.0, 4.0], [0.5, 0.5])),
         cluster.Span(0, "compute", 1, 5.5, 6.0))

OTHERS = {  # whose tables are held beside them
    "plot_attended_text": lambda: plots.plot_attended_text([TINY], [[0.2, 0.8, 0.0]], "abc", at=1),
    "plot_damage": lambda: plots.plot_damage([[0.9], [0.1]], [[0.1], [0.1]], ["digit"]),
    "plot_effects": lambda: plots.plot_effects({"off": (0.8, 0.03), "off there": (0.1, 0.02)}),
    "plot_push": lambda: plots.plot_push(TINY, [[0.1, -0.1]] * 3),
    "plot_told": lambda: plots.plot_told([[0.9, 0.05, 0.0], [0.5, 0.2, 0.1]]),
    "plot_transformer_block": lambda: plots.plot_transformer_block(
        {"attention": 400, "gate": 20, "expert": 100}, active=(2, 4)),
    "plot_written": lambda: plots.plot_written(TINY, "abc", window=1),
}
TABLES = {  # name: how it is drawn, and its headings and rows
    "plot_against_null": (
        lambda: plots.plot_against_null([[3, 1]], [[2, 2]], row_label="domain", row_names=["a"]),
        "domain | expert 0 | expert 1", "a | 75 | 25"),
    "plot_assignment": (lambda: plots.plot_assignment(TINY, labels="abc"), *WEIGHTS),
    "plot_block": (
        lambda: plots.plot_block(2, 1, d_model=4, d_hidden=6),
        "weights of | dense block | mixture of experts", "attention | 64 | 64", "router |  | 8",
        "FFN | 48 | 48", "one expert |  | 24", "FFN, at work for one token | 48 | 24"),
    "plot_cache": (
        lambda: plots.plot_cache(metrics.cache_run([0, 1, 0, 0], 1), 2),
        "expert | requests | hits | misses | share of the time in the cache (%)",
        "0 | 3 | 1 | 2 | 75", "1 | 1 | 0 | 1 | 25"),
    "plot_curves": (
        lambda: plots.plot_curves([0, 1], BANDS, x_label="x", y_label="y"),
        "x | a | b", "0 | 2 (1 to 3) | 5", "1 | 3 (2 to 4) | 6"),
    "plot_dense_blocks": (
        lambda: plots.plot_dense_blocks([[1.0, -3.0, 0.0, 2.0]], 2),
        "expert | hidden units | mean absolute weight, w_in  (D, H)", "0 | 0 to 1 | 2", "1 | 2 to 3 | 1"),
    "plot_device_load": (
        lambda: plots.plot_device_load([[3, 0], [1, 4]]),
        "device | in all | of these for", "0 | 3 | expert 0: 3", "1 | 5 | expert 0: 1, expert 1: 4"),
    "plot_device_loads": (
        lambda: plots.plot_device_loads({"a": [[3, 0], [1, 4]]}),
        "device | in all | of these for", "0 | 3 | expert 0: 3", "1 | 5 | expert 0: 1, expert 1: 4"),
    "plot_domain_experts": (
        lambda: plots.plot_domain_experts([[1.5, 0.5]], [[1.1, 0.9]], domain_names=["code"]),
        "times the fair share | expert 0 | expert 1", "code | 1.5 | 0.5", "code, shuffled | 1.1 | 0.9"),
    "plot_entropy_map": (
        lambda: plots.plot_entropy_map({"a": (0.2, 0.9)}, paths={"b": [(0, 1), (0.5, 0.25)]}),
        "router | router entropy | load entropy", "a | 0.2 | 0.90", "b | 0.0 | 1.00", "b | 0.5 | 0.25"),
    "plot_evidence": (
        lambda: plots.plot_evidence({"dots": DOTS}),
        "dot | before | after", "1 | 0.2 | 0.5", "2 | 0.3 | 0.4", "0 | 0.1 | 0.1"),
    "plot_evidence, pairs": (
        lambda: plots.plot_evidence({"bars": PAIRS}), "expert | kept | lost", "0 | 3 | 2", "1 | 1 | 2"),
    "plot_exchange": (
        lambda: plots.plot_exchange(top_k([[2.0, 1.0]] * 2, 1), cluster.contiguous(2, 2), moves=3),
        "from | to | crosses", "token 0 on device 0 | expert 0 on device 0 | no",
        "token 1 on device 1 | expert 0 on device 0 | yes",
        "expert 0 on device 0 | token 0 on device 0 | no"),
    "plot_flow": (lambda: plots.plot_flow(TINY, labels="abc"), *WEIGHTS),
    "plot_gate_steps": (
        lambda: plots.plot_gate_steps([("score", [2.0, -1.0]), ("top-1", [1.0, 0.0])], [True, False]),
        "expert | score | top-1 | chosen", "0 | 2 | 1 | yes", "1 | -1 | 0 | no"),
    "plot_learning": (
        lambda: plots.plot_learning({"moe": CURVE}, of="steps"),
        "training steps | moe", "10 | 2.5", "20 | 2.0"),
    "plot_ledger": (
        lambda: plots.plot_ledger({"all": {"experts": 6, "router": 1}, "": {"experts": 2}}, unit="", scale=1),
        "part | all | amount", "experts | 6 | 2", "router | 1 | ", "sum | 7 | 2"),
    "plot_load": (
        lambda: plots.plot_load(TINY),
        "expert | assignments | share (%) | dropped", "0 | 3 | 60 | 1", "1 | 2 | 40 | 0"),
    "plot_load_film": (
        lambda: plots.plot_load_film([[0.25, 0.75], [0.5, 0.5]]),
        "step | expert 0 | expert 1", "0 | 25 | 75", "1 | 50 | 50"),
    "plot_masks": (
        lambda: plots.plot_masks(3, window=2, latent=0.5),
        "kind | pairs | tokens' worth kept", "full | 6 | 3"),
    "plot_matrix": (
        lambda: plots.plot_matrix([[0.25, 0.75]], row_label="token", column_label="slot"),
        "token | slot 0 | slot 1", "0 | 0.25 | 0.75"),
    "plot_meters": (
        lambda: plots.plot_meters({"even": [2, 2], "hot": [3, 1]}, {"MaxVio": [0.0, 0.5]}),
        "load | MaxVio | shares of the experts, in order (%)", "even | 0.0 | 50, 50", "hot | 0.5 | 75, 25"),
    "plot_model_map": (
        lambda: plots.plot_model_map(["Mix"], [48e9], [12e9], groups=[2024]),
        "model | total (billion) | active (billion) | total / active | group", "Mix | 48 | 12 | 4 | 2024"),
    "plot_network": (
        lambda: plots.plot_network([[1.0, -2.0]], [[0.5], [0.0]], 2),
        "hidden unit | expert | weights in | weights out", "0 | 0 | 1 | 0.5", "1 | 1 | -2 | 0"),
    "plot_noisy_threshold": (
        lambda: plots.plot_noisy_threshold([1.0, 0.0], [1.0, 2.0], [0.0, 1.0], [0.8, 0.3]),
        "expert | clean logit | noise | threshold | chance", "0 | 1 | 1 | 0 | 0.8", "1 | 0 | 2 | 1 | 0.3"),
    "plot_nulls": (
        lambda: plots.plot_nulls({"l 1": [0.4, 0.5], "l 2": 0.3}, {"1 / E": [0.125, None]}, x_label="part"),
        "row | measured | 1 / E", "l 1 | 0.400 to 0.500 | 0.125", "l 2 | 0.300 | "),
    "plot_pair_flow": (
        lambda: plots.plot_pair_flow([[3, 1], [0, 4]], left="layer 1", right="layer 2"),
        "rank | expert, layer 1 | expert, layer 2 | share of the choices (%) | times chance",
        "1 | 1 | 1 | 50.0 | 1.6", "2 | 0 | 0 | 37.5 | 2.0", "3 | 0 | 1 | 12.5 | 0.4"),
    "plot_products": (
        lambda: plots.plot_products([2.0, 1.0], [[1.0, 0.0], [0.0, -1.0]]),
        "expert | dimension 0 | dimension 1 | score", "0 | 1 | 0 | 2", "1 | 0 | -1 | -1"),
    "plot_profile": (
        lambda: plots.plot_profile([3, 1], [5, 5], ["digit", "lower"]),
        "class | this expert (%) | all bytes (%)", "digit | 75 | 50", "lower | 25 | 50"),
    "plot_ratios": (
        lambda: plots.plot_ratios({"steps": 0.25, "seconds": 4.0}, x_label="times E = 1"),
        "what | times E = 1", "steps | 0.25", "seconds | 4.00"),
    "plot_region_change": (
        lambda: plots.plot_region_change({"gate": [[1.0, -1.0], [0.0, 0.0]]}, tokens=[[1, 0]], labels=["a"]),
        "expert | gate, dimension 0 | gate, dimension 1 | bias | share of the plane (%) | tokens",
        "0 | 1 | 0 | 0 | 50 | 1", "1 | -1 | 0 | 0 | 50 | 0"),
    "plot_regions": (
        lambda: plots.plot_regions([[1.0, -1.0], [0.0, 0.0]], tokens=[[1, 0], [2, 1], [-1, 0]]),
        "expert | gate, dimension 0 | gate, dimension 1 | bias | share of the plane (%) | tokens",
        "0 | 1 | 0 | 0 | 50 | 2", "1 | -1 | 0 | 0 | 50 | 1"),
    "plot_roofline": (
        lambda: plots.plot_roofline([CHIP], {"layer": ([2.0], [5e11])}),
        "series | FLOP per byte | speed", "ridge of chip | 4 | 8 TFLOP/s", "layer | 2 | 500 GFLOP/s"),
    "plot_saturation": (
        lambda: plots.plot_saturation(0.0, num_experts=2),
        "value | score 0", "sigmoid | 0.5", "softmax | 0.5"),
    "plot_scoreboard": (
        lambda: plots.plot_scoreboard(BOARD),
        "router | MaxVio (lower is better) | captured (higher is better) | drops (lower is better)"
        " | leak (lower is better)", "one | 0.00 | 0.833 | 20.0% | 0.0%"),
    "plot_seats": (
        lambda: plots.plot_seats(TINY, 1, labels="abc"),
        "expert | seated | who sits | dropped | who is dropped", "0 | 1 | a | 2 | c b", "1 | 1 | b | 1 | a"),
    "plot_settings": (
        lambda: plots.plot_settings({"T = 1": [0.7, 0.3], "T = 2": [0.6, 0.4]}),
        "setting | expert 0 | expert 1", "T = 1 | 0.7 | 0.3", "T = 2 | 0.6 | 0.4"),
    "plot_settings, cut": (
        lambda: plots.plot_settings({"a": [0.5, 0.3, 0.2], "b": [0.1, 0.8, 0.1]}, limit=0.75),
        "setting | expert 0 | expert 1 | expert 2", "a | 0.5 | 0.3 | 0.2", "b | 0.1 | 0.8 | 0.1"),
    "plot_shares": (
        lambda: plots.plot_shares([1024, 4096], {"experts": [3, 1], "router": [1, 1]}, x_label="context"),
        "context | experts | router", "1024 | 75 | 25", "4096 | 50 | 50"),
    "plot_text": (lambda: plots.plot_text(TINY, "aba"), *TEXT),
    "plot_text_layers": (lambda: plots.plot_text_layers([TINY], "aba"), *TEXT),
    "plot_text_orders": (
        lambda: plots.plot_text_orders({"by token": TINY}, "aba"),
        f"{WHO} | second choices | of them dropped", "0 | a ×2 | 2 | 0 | 1 | 1", "1 | b ×1 | 1 | 0 | 1 | 0"),
    "plot_text_rows": (lambda: plots.plot_text_rows(TINY, "aba", ["English"]), *TEXT),
    "plot_thermostat": (
        lambda: plots.plot_thermostat(HISTORY), "step | expert 0 | expert 1", "0 | 25 | 75", "1 | 50 | 50"),
    "plot_timeline": (
        lambda: plots.plot_timeline(SPANS),
        "device | send tokens (s) | compute (s) | send answers (s) | wait (s)",
        "0 | 1 | 2.5 | 0.5 | 2", "1 | 1 | 4.0 | 0.5 | 0"),
    "plot_timing": (lambda: plots.plot_timing(["loop"], [0.02]), "name | time (ms)", "loop | 20"),
    "plot_tradeoff": (
        lambda: plots.plot_tradeoff(BOARD),
        "router | captured (higher is better) | MaxVio (lower is better) | kind | beaten by none",
        "one | 0.833 | 0 | causal | yes"),
    "plot_two_choices": (
        lambda: plots.plot_two_choices([[2.0, 1.0], [3.0, 0.0]], 1, 1),
        "token | expert 0 | expert 1", "0 | 2 | ", "1 | 3 | "),
    "plot_years": (
        lambda: plots.plot_years([2023.5, 2023.9, 2024.2], [4.0, 6.0, 8.0], list("abc"), y_label="ratio",
                                 named=["a"]),
        "year | median, ratio", "2023 | 5", "2024 | 8"),
    "plot_traffic": (
        lambda: plots.plot_traffic([[5, 1], [2, 6]]),
        "from device | to device 0 | to device 1", "0 | 5 | 1", "1 | 2 | 6"),
    "plot_attended_text": (
        lambda: plots.plot_attended_text([TINY], [[0.2, 0.8, 0.0]], "aba", at=1),
        "byte | block 1", "a | e0, 20%", "b | e1, 80%", "a | e0, 0%"),
    "plot_damage": (
        lambda: plots.plot_damage([[0.9], [0.1]], [[0.1], [0.3]], ["digit"]),
        "expert | digit", "0 | 90% use, +0.10 nats", "1 | 10% use, +0.30 nats"),
    "plot_effects": (
        lambda: plots.plot_effects({"off": (0.8, 0.03)}),
        "run | change of loss | standard error", "off | 0.800 | 0.030"),
    "plot_told": (
        lambda: plots.plot_told([[0.9, 0.05, 0.0]]),
        "layer | the byte itself | the byte before it | its place in the word", "1 | 0.90 | 0.05 | 0.00"),
    "plot_transformer_block": (
        lambda: plots.plot_transformer_block({"attention": 400, "expert": 100}, active=(2, 4)),
        "part | weights | used per byte", "attention | 400 | 1", "each expert | 100 | 2"),
    "plot_use_and_harm": (
        lambda: plots.plot_use_and_harm([[[[0.0, 1.0]], [[1.0, 0.0]]]], [[[[0.1, 0.5]], [[0.2, 0.0]]]],
                                        [[1.0, 0.9]], seeds=["seed 0"]),
        "seed | correlation in layer 1 | correlation in layer 2", "seed 0 | 1.00 | 0.90"),
    "plot_written": (
        lambda: plots.plot_written(TINY, "aba", window=1),
        "after byte | expert 0 | expert 1", "0 | 0.5 | 0.5", "1 | 0.0 | 1.0", "2 | 1.0 | 0.0"),
}
