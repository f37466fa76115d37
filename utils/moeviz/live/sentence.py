"""The sentence: the course's byte model under the reader's hands."""

from moeviz import plots, text
from moeviz.arrays import check_choice
from moeviz.checks import check_kind
from moeviz.live.show import colors, pack, page
from moeviz.tinylm import TinyLM
from moeviz.tinylm.parts import EPSILON, PAD

MAX_BYTES = 200
EXAMPLES = {
    "Prose": "Experts learned to share the work in 1991, and the router decides who reads what.",
    "Code": "for expert in range(8):\n    print(expert, load[expert] / total)",
    "Digits": "2026-11-30 17 + 25 = 42; 8 * 12 = 96; 0.125 0.250 0.500",
    "Scripts": "Zürich, 東京, Москва, Αθήνα, القاهرة, दिल्ली, 서울, ירושלים.",
    "Names": "Portugal, Norwegian, Swiss franc, Español, Kiswahili, Việt Nam",
}


def sentence(model, start=EXAMPLES["Prose"], *, size="full"):
    """Return the byte model as a live view: type, point, drag the load of an expert, switch experts off.

    model: a TinyLM. start: the text that stands there first, cut at 200 bytes. size: "full", or "small" for
    the front page of a site: the sentence, the ways of its bytes and the next byte, without the controls.
    Everything is computed where it is read, from the model's own weights, without kernel or network.
    Raises ValueError for what is no TinyLM, an empty text or another size.
    """
    check_kind(model, "model", TinyLM)
    start = clip(start)
    check_choice(size, "size", ("full", "small"))
    drawn = plots.plot_text_layers(model.route(start), text.byte_labels(start), text_bytes=start.encode())
    state = {"text": start, "size": size, "most": MAX_BYTES, "examples": EXAMPLES, **model_state(model)}
    return page("sentence", state, label="The router of a byte model, live", fallback=drawn)


def model_state(model):
    """Return what JavaScript needs of a TinyLM: sizes, constants, weights and colours."""
    sizes = ("context", "embedding", "width", "num_experts", "hidden", "top_k", "layers")
    return {"config": {name: getattr(model.config, name) for name in sizes}, "pad": PAD, "epsilon": EPSILON,
            **pack(model.weights), **colors(model.config.num_experts)}


def clip(start):
    """Return the longest beginning of a text that has at most 200 bytes; no character is cut.

    >>> len(clip("é" * 150).encode())
    200
    """
    raw = text.encode(start, "start").tobytes()
    return raw[:MAX_BYTES].decode("utf-8", "ignore")
