"""The sentence: one of the course's trained models under the reader's hands."""

import numpy as np

from moeviz import plots, text
from moeviz.checks import check_kind
from moeviz.live.show import colors, pack, page
from moeviz.tinylm import TinyLM
from moeviz.tinylm.parts import EPSILON, PAD
from moeviz.transformer import Transformer

MAX_BYTES = 200
EXAMPLES = {
    "Prose": "Experts learned to share the work in 1991, and the router decides who reads what.",
    "Code": "for expert in range(8):\n    print(expert, load[expert] / total)",
    "Digits": "2026-11-30 17 + 25 = 42; 8 * 12 = 96; 0.125 0.250 0.500",
    "Scripts": "Zürich, 東京, Москва, Αθήνα, القاهرة, दिल्ली, 서울, ירושלים.",
    "Names": "Portugal, Norwegian, Swiss franc, Español, Kiswahili, Việt Nam",
}


def sentence(model, start=EXAMPLES["Prose"]):
    """Return a trained model as a live view: type, point, drag the load of an expert, switch experts off.

    model: a TinyLM, or a Transformer, whose tiles show too where the byte under the pointer looks. start: the
    text that stands there first, cut at 200 bytes. Everything is computed where it is read, from the model's
    own weights, without kernel or network. Raises ValueError for another model or an empty text.
    """
    if not isinstance(model, Transformer):
        check_kind(model, "model", TinyLM)
    start = clip(start)
    drawn = plots.plot_text_layers(model.route(start), text.byte_labels(start), text_bytes=start.encode())
    state = {"text": start, "most": MAX_BYTES, "examples": EXAMPLES, **model_state(model)}
    of = "a byte model" if isinstance(model, TinyLM) else "a Transformer"
    return page("sentence", state, label=f"The router of {of}, live", fallback=drawn)


def model_state(model):
    """Return what JavaScript needs of a TinyLM or a Transformer: sizes, constants, weights and colours."""
    config = vars(model.config)
    sizes = {name: config[name] for name in ("context", "width", "num_experts", "hidden", "layers", "k")}
    sizes |= {name: config[name] for name in ("embedding", "heads") if name in config}
    half = all(np.array_equal(array, array.astype(np.float16)) for array in model.weights.values())
    return {"config": sizes, "pad": PAD, "epsilon": EPSILON, **pack(model.weights, half=half),
            **colors(model.config.num_experts)}


def clip(start):
    """Return the longest beginning of a text that has at most 200 bytes; no character is cut.

    >>> len(clip("é" * 150).encode())
    200
    """
    raw = text.encode(start, "start").tobytes()
    return raw[:MAX_BYTES].decode("utf-8", "ignore")
