"""Every record of the package holds plain Python numbers, whatever kind of number it was given."""

import dataclasses
import importlib
import pkgutil

import numpy as np
import pytest

import moeviz
from moeviz import cost, models
from moeviz.cluster import Placement
from moeviz.routing import top_k
from moeviz.routing.published import Router, Seats
from moeviz.tinylm import Config as ByteConfig
from moeviz.training import Plan
from moeviz.transformer import Config as TransformerConfig

MADE = [
    cost.Attention(layers=2, heads=4, head_dim=8, kv_heads=2, v_head_dim=8, window=16),
    cost.LatentAttention(layers=2, heads=4, kv_rank=8, nope_dim=8, rope_dim=8, v_dim=8, q_rank=8),
    cost.CompressedAttention(layers=2, parameters=9, heads=2, head_dim=8, window=4, ratio=4),
    cost.StateLayer(layers=2, parameters=9, state=3), cost.DenseFFN(layers=2, hidden=8),
    cost.MoEFFN(layers=2, experts=4, top_k=2, hidden=8, shared_experts=1, shared_hidden=8),
    models.model("Mixtral 8x7B").spec, cost.hardware(), models.Published("46.7B", "a paper", beside=3),
    models.model("Mixtral 8x7B"), Placement(np.eye(4, dtype=bool), devices_per_node=2), ByteConfig(),
    TransformerConfig(), Plan(lambda logits, context: top_k(logits, 1)), Router("r", k=2, num_experts=4),
    Seats(3),
]
# Results that only the package itself makes, from numbers that it computed.
RESULTS = {"Comparison", "Tally", "ParameterCount", "Finding", "Inspection", "Place", "_Shape", "Routing",
           "Trace", "Counts", "Share", "Undisclosed", "Statement", "ByteModel", "TinyLM", "Transformer",
           "ExpertBank", "History", "Board", "Corpus"}


def records():
    """Return every frozen dataclass of the package that has fields of numbers."""
    found = set()
    for info in pkgutil.walk_packages(moeviz.__path__, "moeviz."):
        if "__main__" in info.name or ".exercises" in info.name or ".widgets" in info.name:
            continue
        for value in vars(importlib.import_module(info.name)).values():
            if dataclasses.is_dataclass(value) and isinstance(value, type) and value.__module__ == info.name:
                found.add(value)
    return found


def plain_fields(record):
    return {field.name: getattr(record, field.name) for field in dataclasses.fields(record)
            if type(getattr(record, field.name)) in (int, float)}


def test_no_record_is_forgotten():
    known = {type(record) for record in MADE}
    assert {record.__name__ for record in records() - known} <= RESULTS


@pytest.mark.parametrize("record", MADE, ids=lambda record: type(record).__name__)
def test_numbers_are_stored_as_plain_ones(record):
    for name, value in plain_fields(record).items():
        for kind in ((np.int32, np.int64) if type(value) is int else (np.float32, np.float64, np.int64)):
            if type(value) is int and value >= 2**31:
                continue
            given = kind(value) if type(value) is int or kind is not np.int64 else kind(1)
            try:
                made = dataclasses.replace(record, **{name: given})
            except ValueError:
                continue  # 1 may be out of the bounds of a share
            stored = getattr(made, name)
            assert type(stored) is type(value), (name, kind)
            assert stored == pytest.approx(float(given))


@pytest.mark.parametrize("record", MADE, ids=lambda record: type(record).__name__)
def test_flags_are_no_numbers_and_fractions_no_counts(record):
    for name, value in plain_fields(record).items():
        with pytest.raises(ValueError, match=name.replace("_", ".")):
            dataclasses.replace(record, **{name: True})
        if type(value) is int:
            with pytest.raises(ValueError, match=name.replace("_", ".")):
                dataclasses.replace(record, **{name: np.float32(value)})


def test_counts_from_small_integers_are_right():
    spec = models.model("Mixtral 8x7B").spec.with_moe(experts=np.int32(8))
    assert cost.count_parameters(spec).total == 46_702_792_704
    small = {"layers": np.int32(61), "d_model": np.int32(7168), "vocab": np.int32(129280),
             "attention": {"kind": "multi-head", "heads": np.int32(128), "head_dim": np.int32(128)},
             "moe": {"experts": np.int32(256), "top_k": np.int32(8), "hidden": np.int32(2048)}}
    plain = {name: int(size) if isinstance(size, np.integer) else size if isinstance(size, str) else
             {key: value if isinstance(value, str) else int(value) for key, value in size.items()}
             for name, size in small.items()}
    made = [cost.count_parameters(cost.ModelSpec.from_dict(fields)).total for fields in (small, plain)]
    assert made[0] == made[1] > 7e11
