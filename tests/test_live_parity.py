"""JavaScript against NumPy: the same experts, weights, probabilities and losses, option by option."""

import json

import numpy as np
import pytest

import live_tools as live
from moeviz.live.sentence import model_state

pytestmark = pytest.mark.browser
MODULES = ("moe/model.js", "moe/text.js")
NAMES = ("readModel", "asTrained", "windowsOf", "forward", "losses", "predictFirst", "runTrained", "encode",
         "byteLabels", "expertCapacity")
SENTENCES, OPTIONS, BATCH = 320, 320, 40
ALPHABETS = ("abcdefghijklmnopqrstuvwxyz ETAOIN.,", "0123456789 +-*/=.,:", "(){}[]=:_ \n\tdefforinxyz'\"\\",
             "éüßñçøåÉ αβγδ кириллица", "日本語東京한국서울 ", "שלוםمرحباनमस्ते 🎉👩‍🚀")
RUN = """cases => JSON.stringify(JSON.parse(cases).map(([text, options]) => {
    const bytes = moe.encode(text), windows = moe.windowsOf(window.model, bytes);
    const trained = moe.asTrained(window.model);
    const { k, temperature, bias, off } = options || {};
    const change = (layer, at) => ({ ...layer, k, temperature, bias: bias[at], off: off[at] });
    const all = options === null ? trained : { ...options, layers: trained.layers.map(change) };
    const done = moe.forward(window.model, windows, all);
    const loss = moe.losses(moe.predictFirst(window.model, all), done.predictions, bytes);
    const rows = moe.runTrained(window.model, windows);
    const again = rows.map(each => each.layers.map(layer => layer.expertIndex));
    return { layers: done.layers.map(layer => ({ index: layer.expertIndex, weight: layer.combineWeight,
                 kept: layer.kept })), loss, trained: options === null ? again : null,
             predictions: done.predictions.map((row, at) => [row[at % 256], row[32], row[101]]) };
}))"""


@pytest.fixture(scope="module")
def page(stored):
    with live.blank(MODULES, NAMES) as opened:
        opened.evaluate("state => { window.model = moe.readModel(state); }", model_state(stored))
        yield opened


@pytest.fixture(scope="module")
def exact(stored):
    return live.in_double(stored)


def draw_sentence(rng):
    alphabet = list(ALPHABETS[rng.integers(len(ALPHABETS))])
    return "".join(rng.choice(alphabet, size=rng.integers(1, 36)))


def draw_options(rng, model):
    layers, experts = model.config.layers, model.config.num_experts
    off = rng.random((layers, experts)) < rng.choice([0.0, 0.3])
    off[:, rng.integers(experts)] = False
    return {"k": int(rng.integers(1, experts + 1)), "temperature": float(rng.choice([0.5, 1.0, 1.7, 4.0])),
            "bias": np.round(rng.normal(size=(layers, experts)) * rng.choice([0.0, 0.2]), 3), "off": off,
            "capacity": rng.choice([None, 0.25, 0.5, 1.0, 1.1, 2.0]),
            "order": str(rng.choice(["choice", "token", "score"]))}


def ran(page, cases):
    done = []
    for start in range(0, len(cases), BATCH):
        part = [[sentence, options and {name: getattr(value, "tolist", lambda value=value: value)()
                                        for name, value in options.items()}]
                for sentence, options in cases[start:start + BATCH]]
        done += json.loads(page.evaluate(RUN, json.dumps(part)))
    return done


def assert_equal(got, wanted):
    """Hold JavaScript's answer to NumPy's; both compute in double, so close calls are the same too."""
    for layer, routed in zip(got["layers"], wanted.layers, strict=True):
        assert np.array_equal(layer["index"], routed.expert_index)
        assert np.array_equal(layer["kept"], routed.kept)
        np.testing.assert_allclose(layer["weight"], routed.combine_weight, atol=1e-9)
    chances = [(row[at % 256], row[32], row[101]) for at, row in enumerate(wanted.predictions)]
    np.testing.assert_allclose(got["predictions"], chances, atol=1e-9)
    np.testing.assert_allclose(got["loss"], wanted.loss, atol=1e-9)


def test_sentences_as_trained(page, exact, stored):
    rng = np.random.default_rng(0)
    sentences = [draw_sentence(rng) for _ in range(SENTENCES)]
    for sentence, got in zip(sentences, ran(page, [(each, None) for each in sentences]), strict=True):
        assert_equal(got, live.run(exact, sentence))
        assert np.mean(got["loss"]) == pytest.approx(stored.loss(sentence), abs=1e-5)
        layers = np.array(got["trained"]).transpose(1, 0, 2)
        for index, routed in zip(layers, stored.route(sentence), strict=True):
            near = np.sort(routed.logits, axis=1)
            clear = (np.diff(near, axis=1) > 1e-5).all(axis=1)
            assert np.array_equal(index[clear], routed.expert_index[clear])


def test_options_drawn_at_random(page, exact):
    rng = np.random.default_rng(1)
    cases = [(draw_sentence(rng), draw_options(rng, exact)) for _ in range(OPTIONS)]
    for (sentence, options), got in zip(cases, ran(page, cases), strict=True):
        bias = dict(enumerate(options["bias"], start=1))
        off = {layer: np.flatnonzero(each) for layer, each in enumerate(options["off"], start=1)}
        steering = options | {"bias": bias, "off": off}
        assert_equal(got, live.run(exact, sentence, **steering))
