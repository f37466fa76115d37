"""The catalogue: complete, sourced, and derived sizes against what was published."""

import json
import re
import subprocess
import sys
from importlib import resources

import pytest

from cases import cases
from moeviz.cost import Attention, LatentAttention, StateLayer, count_parameters
from moeviz.models import (
    Published,
    Statement,
    catalogue,
    compare,
    derived_against_published,
    model,
    read_model,
    report,
    summary,
    undisclosed,
)

EXACT = {  # sums over stored weights, as published; the sources stand in the catalogue
    "OLMoE-1B-7B": 6_919_161_856, "gpt-oss-120b": 116_829_156_672, "Mixtral 8x7B": 46_702_792_704,
    "Mixtral 8x22B": 140_620_634_112, "DeepSeek-V3": 671_026_419_200, "Qwen3-235B-A22B": 235_093_634_560,
    "Grok-1": 315_684_820_992, "Kimi K2": 1_026_408_232_448, "MiniMax-M2": 228_689_764_864,
}
ROWS = [row for each in catalogue() for row in derived_against_published(each)]


def rows(name):
    return {row.quantity: row for row in derived_against_published(model(name))}


# --- what is in it --------------------------------------------------------------------------------


def test_the_article_is_covered():
    named = {each.name for each in catalogue()} | {each.name for each in undisclosed()}
    assert named >= {"Switch-Base", "Switch-Large", "Switch-XXL", "Switch-C", "M4", "GShard M4 600B",
                     "Mixtral 8x7B", "MiniMax abab6", "MiniMax-Text-01", "MiniMax-M2", "Gemini 1.5 Pro",
                     "GPT-4"}
    assert len(catalogue()) >= 30
    assert len(named) == len(catalogue()) + len(undisclosed())


def test_models_come_oldest_first():
    years = [each.year for each in catalogue()]
    assert years == sorted(years) and years[0] == 2017 and years[-1] >= 2025


@pytest.mark.parametrize("each", catalogue(), ids=lambda each: each.name)
def test_every_entry_says_where_it_is_from(each):
    words = [each.total.source, each.shape_source, each.router, each.balancing]
    words += [figure.source for figure in (each.active, each.exact_total) if figure]
    assert all(len(text) > 8 or text == "none reported" for text in words)
    assert not any(re.search(r"\(\s*\)|\(;|in ;| ;|\bfrom memory\b", text) for text in words)
    assert bool(each.total.beside) == bool(each.total.why)


@pytest.mark.parametrize("each", catalogue(), ids=lambda each: each.name)
def test_every_spec_is_a_mixture_with_the_router_it_names(each):
    assert each.spec.name == each.name and each.spec.moe
    named = re.findall(r"top-(\d+)", each.router)
    assert not named or str(each.spec.moe[0].top_k) in named or each.active.fit


def test_the_file_holds_nothing_that_is_not_read():
    text = (resources.files("moeviz") / "data" / "models.json").read_text(encoding="utf-8")
    stored = json.loads(text)
    assert set(stored) == {"about", "models", "undisclosed"}
    assert len(stored["models"]) == len(catalogue())


# --- derived against published --------------------------------------------------------------------


@cases(("name", "digits"), EXACT.items())
def test_totals_to_the_digit(name, digits):
    assert count_parameters(model(name).spec).total == digits
    assert rows(name)["exact total"].within and rows(name)["exact total"].error == 0


def test_active_to_the_digit():
    """huggingface.co/mistral-community/Mixtral-8x22B-v0.1, discussion 6, prints this active count."""
    assert count_parameters(model("Mixtral 8x22B").spec).active == 39_152_031_744


def test_every_exact_count_in_the_catalogue_is_met():
    exact = [row for row in ROWS if row.quantity == "exact total"]
    assert len(exact) >= 20
    assert [row for row in exact if not row.within or row.tolerance != 0] == []


@pytest.mark.parametrize("each", catalogue(), ids=lambda each: each.name)
def test_totals_lie_within_the_printed_digits_or_say_why_not(each):
    row = rows(each.name)["total"]
    assert row.within or (each.total.gap and abs(row.error) < (0.07 if each.total.name_only else 0.04))
    assert not (row.within and each.total.gap), "a gap is explained that is none"


@pytest.mark.parametrize("each", [m for m in catalogue() if m.active], ids=lambda each: each.name)
def test_one_reading_of_active_fits_or_the_entry_says_why_not(each):
    found = [row for quantity, row in rows(each.name).items() if quantity.startswith("active")]
    assert [row.quantity for row in found] == ["active A", "active B", "active C"]
    assert any(row.within for row in found) != bool(each.active.gap)
    assert min(abs(row.error) for row in found) < 0.09
    assert found[0].derived >= found[1].derived >= found[2].derived


def test_enough_models_agree_without_a_fitted_field():
    counts = summary()
    assert counts["models"] == len(catalogue())
    assert counts["total within 1%, not fitted"] >= 25
    close = {m.name for m in catalogue() if abs(rows(m.name)["total"].error) <= 0.01}
    chosen = {m.name for m in catalogue() if m.total.fit or m.total.name_only}
    assert counts["total within 1%, not fitted"] == len(close - chosen) < len(close)
    assert counts["exact to the digit"] >= 20
    assert counts["total outside its digits"] == sum(bool(each.total.gap) for each in catalogue())


def test_readings_are_stated_only_where_publishers_state_them():
    stated = {m.name: m.active.convention for m in catalogue() if m.active and m.active.convention}
    assert stated == {"gpt-oss-120b": "B", "gpt-oss-20b": "B", "GLM-4.5": "C", "GLM-4.5-Air": "C"}
    for name, letter in stated.items():
        assert rows(name)[f"active {letter}"].proves
        others = [rows(name)[f"active {other}"].evidence for other in "ABC" if other != letter]
        assert others == ["another reading"] * 2
    assert {rows("Mixtral 8x7B")[f"active {letter}"].evidence for letter in "ABC"} == {"reading not stated"}


def test_fitted_and_named_rows_prove_nothing():
    for each in catalogue():
        total = rows(each.name)["total"]
        expected = "fitted" if each.total.fit else "name only" if each.total.name_only else None
        assert expected is None or (total.evidence == expected and not total.proves)
    chosen = {each.name for each in catalogue() if each.fit}
    assert chosen >= {"Switch-Large", "Switch-XXL", "GLaM 64B/64E", "Jamba-1.5-Large", "LongCat-Flash"}
    assert {each.name for each in catalogue() if each.name_only} == {
        "Qwen2-57B-A14B", "Qwen3-Next-80B-A3B", "Qwen3.5-397B-A17B", "Qwen3.5-35B-A3B", "JetMoE-8B",
        "Muse Spark Open", "Mistral Large 4"}


def test_coarse_digits_prove_little():
    assert rows("Kimi K2")["total"].tolerance == 0.5
    assert rows("Kimi K2")["total"].within and not rows("Kimi K2")["total"].proves


def test_what_a_figure_counts_is_respected():
    glm, tables = model("GLM-4.5"), 2 * 151_552 * 5120
    plain = count_parameters(glm.spec).total
    assert rows("GLM-4.5")["total"].derived == plain - tables + 3_988_069_792
    scout = model("Llama 4 Scout")
    with_vision = count_parameters(scout.spec).total + scout.total.beside
    assert rows("Llama 4 Scout")["total"].derived == with_vision > 108_000_000_000


@cases(("text", "value", "tolerance"), [
    ("46.7B", 46_700_000_000, 50_000_000), ("671B", 671_000_000_000, 500_000_000),
    ("400B", 400_000_000_000, 50_000_000_000), ("230B", 230_000_000_000, 5_000_000_000),
    ("1.2T", 1_200_000_000_000, 50_000_000_000), ("137577.6M", 137_577_600_000, 50_000),
    ("6,919,161,856", 6_919_161_856, 0), ("30.0B", 30_000_000_000, 50_000_000),
])
def test_tolerance_is_half_of_the_last_digit(text, value, tolerance):
    assert (Published(text, "here").value, Published(text, "here").tolerance) == (value, tolerance)


def test_within_turns_at_the_tolerance():
    figure = Published("46.7B", "here")
    edges = [46_650_000_000, 46_750_000_000, 46_649_999_999, 46_750_000_001]
    assert [compare("x", "total", figure, value).within for value in edges] == [True, True, False, False]


# --- shapes that took a formula -------------------------------------------------------------------


def mamba_1(d_model, dt_rank, state=16, kernel=4, expand=2):
    """Return parameters of a Jamba Mamba layer: arXiv 2312.00752, with norms on dt, B and C."""
    inner = expand * d_model
    projections = d_model * 2 * inner + inner * (dt_rank + 2 * state) + dt_rank * inner + inner * d_model
    return projections + inner * kernel + inner + inner + inner * state + inner + dt_rank + 2 * state


def mamba_2(d_model, heads, head_dim, groups, state, kernel=4):
    """Return parameters of a Mamba-2 layer: arXiv 2405.21060."""
    inner, mixed = heads * head_dim, heads * head_dim + 2 * groups * state
    return d_model * (inner + mixed + heads) + mixed * (kernel + 1) + 3 * heads + inner + inner * d_model


def gated_delta_net(d_model, key_heads, value_heads, dim=128, kernel=4):
    """Return parameters of a Gated DeltaNet layer: arXiv 2412.06464, as in Qwen3-Next."""
    keys, values = key_heads * dim, value_heads * dim
    inward = d_model * (2 * keys + 2 * values + 2 * value_heads)
    return inward + (2 * keys + values) * kernel + 2 * value_heads + dim + values * d_model


def delta_attention(d_model, heads, full_gate, dim=128, kernel=4):
    """Return parameters of a layer of Kimi's delta attention: arXiv 2510.26692."""
    width = heads * dim
    low_rank = d_model * dim + dim * width
    gate = d_model * width if full_gate else low_rank
    return 4 * d_model * width + 3 * width * kernel + low_rank + gate + width + heads + d_model * heads + dim


STATE_LAYERS = {
    "Kimi-Linear-48B-A3B": (delta_attention(2304, 32, False), 20, 32 * 128 * 128 + 3 * 3 * 4096),
    "Kimi K3": (delta_attention(7168, 96, True), 69, 96 * 128 * 128 + 3 * 3 * 12288),
    "Qwen3.5-397B-A17B": (gated_delta_net(4096, 16, 64), 45, 64 * 128 * 128 + 3 * (2 * 2048 + 8192)),
    "Qwen3.5-35B-A3B": (gated_delta_net(2048, 16, 32), 30, 32 * 128 * 128 + 3 * (2 * 2048 + 4096)),
    "Jamba v0.1": (mamba_1(4096, 256), 28, 8192 * (16 + 3)),
    "Jamba-1.5-Large": (mamba_1(8192, 512), 63, 16384 * (16 + 3)),
    "Nemotron-3-Nano-30B-A3B": (mamba_2(2688, 64, 64, 8, 128), 23,
                                64 * 64 * 128 + 3 * (64 * 64 + 2 * 8 * 128)),
    "Granite-4.0-H-Small": (mamba_2(4096, 128, 64, 1, 128), 36,
                           128 * 64 * 128 + 3 * (128 * 64 + 2 * 128)),
    "Qwen3-Next-80B-A3B": (gated_delta_net(2048, 16, 32), 36, 32 * 128 * 128 + 3 * (2 * 2048 + 4096)),
    "MiniMax-Text-01": (5 * 6144 * 8192 + 8192, 70, 64 * 128 * 128),
    "LFM2-8B-A1B": (4 * 2048 * 2048 + 3 * 2048, 18, 2 * 2048),
    "MoE-131072-h (LSTM)": (4 * (512 + 512) * 512, 2, 0),
}


@cases(("name", "expected"), STATE_LAYERS.items())
def test_state_layers_hold_what_their_formula_says(name, expected):
    group = next(g for g in model(name).spec.attention if isinstance(g, StateLayer))
    assert (group.parameters, group.layers, group.state) == expected


def test_no_other_model_has_state_layers():
    with_state = {m.name for m in catalogue() for group in m.spec.attention if isinstance(group, StateLayer)}
    assert with_state == set(STATE_LAYERS)


def test_kinds_of_attention_are_all_there():
    groups = [group for each in catalogue() for group in each.spec.attention]
    softmax = [group for group in groups if isinstance(group, Attention)]
    assert any(isinstance(group, LatentAttention) for group in groups)
    assert any(group.window for group in softmax) and any(group.stack == "cross" for group in softmax)
    assert any(group.kv_heads == group.heads for group in softmax)
    assert any(1 < group.kv_heads < group.heads for group in softmax)


# --- what is not disclosed ------------------------------------------------------------------------


def test_rumours_are_marked_and_stay_out_of_the_tables():
    gpt4 = next(each for each in undisclosed() if each.name == "GPT-4")
    rumours = [said for said in gpt4.statements if said.status == "rumour"]
    assert len(rumours) == 2 and all(said.text.startswith("Unconfirmed") for said in rumours)
    assert not any(hasattr(gpt4, field) for field in ("spec", "total", "active"))
    assert not any("GPT" in row.model or "Gemini" in row.model for row in ROWS)
    tables, statements = report().split("Without a published shape")
    assert "GPT-4" not in tables and statements.count("rumour: Unconfirmed") == 2


def test_statements_have_sources():
    for each in undisclosed():
        assert each.statements and all(len(said.source) > 8 for said in each.statements)
    with pytest.raises(ValueError, match="'GPT-4' has no published shape"):
        model("GPT-4")


# --- the report -----------------------------------------------------------------------------------


def test_report_prints_every_model_and_the_summary():
    text = report()
    for each in catalogue():
        assert text.count(f"\n{each.name} ") == 2 + bool(each.exact_total)
    assert f"models: {len(catalogue())}" in text
    assert max(len(line) for line in text.split("Without a published shape")[0].splitlines()) <= 180


def test_words_of_the_catalogue_write_numbers_as_tables_do():
    for name in ("models.json", "hardware.json"):
        data = (resources.files("moeviz") / "data" / name).read_text(encoding="utf-8")
        assert re.findall(r"(?<![\d,])\d,\d{3}(?![\d,])", data) == []  # commas from five places on


def test_one_command_prints_it():
    command = [sys.executable, "-m", "moeviz.models"]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=True)
    assert done.stdout.strip() == report().strip() and done.stderr == ""


# --- bad input ------------------------------------------------------------------------------------

ENTRY = {"name": "X", "year": 2024, "organisation": "Y", "total": {"text": "1B", "source": "here"},
         "router": "top-1", "balancing": "none", "shape_source": "there",
         "spec": {"layers": 1, "d_model": 8, "vocab": 0, "moe": {"experts": 2, "top_k": 1, "hidden": 4},
                  "attention": {"kind": "multi-head", "heads": 1, "head_dim": 8}}}
BAD_ENTRIES = [
    ({"spec": ENTRY["spec"] | {"d_model": 0}}, "model 'X': d_model must be"),
    ({"total": {"text": "lots", "source": "here"}}, "text must be a figure such as '46.7B', got 'lots'"),
    ({"total": {"text": "1B"}}, "model 'X': .*source"),
    ({"total": {"text": "1B", "source": ""}}, "model 'X': source must be text"),
    ({"total": {"text": "1B", "source": "here", "convention": "D"}}, "convention must be one of None, 'A'"),
    ({"total": {"text": "1B", "source": "here", "counts": "some"}}, "counts must be one of 'everything'"),
    ({"total": {"text": "1B", "source": "here", "beside": -1}}, "beside must be a whole number"),
    ({"year": 1066}, "model 'X': year must be a whole number between 1990 and 2100"),
    ({"router": ""}, "model 'X': router must be text"),
    ({"colour": "red"}, "model 'X': .*colour"),
]


def test_a_good_entry_is_read():
    assert read_model(ENTRY).total.value == 10**9


@cases(("changes", "message"), BAD_ENTRIES)
def test_wrong_entries_are_named(changes, message):
    with pytest.raises(ValueError, match=message):
        read_model(ENTRY | changes)


@cases("missing", ["spec", "total", "organisation"])
def test_missing_entries_are_named(missing):
    with pytest.raises(ValueError, match=f"model 'X': .*{missing}"):
        read_model({key: value for key, value in ENTRY.items() if key != missing})


def test_unknown_names_are_answered_with_the_known_ones():
    with pytest.raises(ValueError, match=r"name must be one of 'MoE-131072-h.*8x7B'.* got 'Mixtral'"):
        model("Mixtral")
    with pytest.raises(ValueError, match="status must be one of 'official'"):
        Statement("It is big.", "hearsay", "a friend of a friend")
