"""JavaScript against NumPy: the same experts, weights, probabilities and losses, option by option."""

import json

import numpy as np
import pytest

import live_tools as live
from moeviz import transformer
from moeviz.live.sentence import model_state

pytestmark = pytest.mark.browser
MODULES = ("moe/model.js", "moe/transformer.js", "moe/text.js")
NAMES = ("readModel", "asTrained", "answerBytes", "answerTransformer", "looksFrom", "losses", "encode")
SENTENCES, OPTIONS, BATCH = 320, 320, 80
ALPHABETS = ("abcdefghijklmnopqrstuvwxyz ETAOIN.,", "0123456789 +-*/=.,:", "(){}[]=:_ \n\tdefforinxyz'\"\\",
             "éüßñçøåÉ αβγδ кириллица", "日本語東京한국서울 ", "שלוםمرحباनमस्ते 🎉👩‍🚀")
RUN = """cases => JSON.stringify(JSON.parse(cases).map(([text, options]) => {
    const model = window.model, bytes = moe.encode(text), trained = moe.asTrained(model);
    const { k, temperature, bias, off } = options || {};
    const change = (layer, at) => ({ ...layer, k, temperature, bias: bias[at], off: off[at] });
    const all = options && { ...options, layers: trained.layers.map(change) };
    const done = (model.heads ? moe.answerTransformer : moe.answerBytes)(model, bytes, all);
    return { loss: moe.losses(done.first, done.predictions, bytes), last: done.predictions.at(-1)[32],
             layers: done.layers.map(layer => ({ index: layer.expertIndex, weight: layer.combineWeight,
                 kept: layer.kept })) };
}))"""


@pytest.fixture(scope="module", params=["bytes", "transformer"])
def model(request, stored):
    return stored if request.param == "bytes" else transformer.load()


@pytest.fixture(scope="module")
def page(model):
    with live.blank(MODULES, NAMES) as opened:
        opened.evaluate("state => { window.model = moe.readModel(state); }", model_state(model))
        yield opened


@pytest.fixture(scope="module")
def exact(model):
    return live.in_double(model)


def draw_sentences(rng, count):
    """Draw short texts of several scripts, and now and then one that is longer than the Transformer sees."""
    drawn = []
    for number in range(count):
        long = number % 80 == 9
        alphabet = list(ALPHABETS[0 if long else rng.integers(len(ALPHABETS))])
        drawn.append("".join(rng.choice(alphabet, size=rng.integers(*((129, 200) if long else (1, 26))))))
    return drawn


def draw_options(rng, model):
    layers, experts = model.config.layers, model.config.num_experts
    off = rng.random((layers, experts)) < rng.choice([0.0, 0.3])
    off[:, rng.integers(experts)] = False
    return {"k": int(rng.integers(1, experts + 1)), "temperature": float(rng.choice([0.5, 1.0, 1.7, 4.0])),
            "bias": np.round(rng.normal(size=(layers, experts)) * rng.choice([0.0, 0.2]), 3), "off": off,
            "capacity": rng.choice([None, 0.25, 0.5, 1.0, 1.1, 2.0]),
            "order": str(rng.choice(["choice", "token", "score"]))}


def steering_of(options):
    """Return options as Python takes them."""
    off = {layer: np.flatnonzero(each) for layer, each in enumerate(options["off"], start=1)}
    return options | {"bias": dict(enumerate(options["bias"], start=1)), "off": off}


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
    np.testing.assert_allclose(got["loss"], wanted.loss, atol=1e-8)


def test_sentences_as_trained(page, exact, model):
    sentences = draw_sentences(np.random.default_rng(0), SENTENCES)
    done = ran(page, [(each, None) for each in sentences])
    for sentence, got in zip(sentences, done, strict=True):
        assert_equal(got, live.run(exact, sentence))
    for sentence, got in zip(sentences[::5], done[::5], strict=True):  # Python computes in single precision
        assert got["last"] == pytest.approx(model.predict(sentence)[-1, 32], abs=1e-5)
        assert np.mean(got["loss"]) == pytest.approx(model.loss(sentence), abs=1e-5)
        for layer, routed in zip(got["layers"], model.route(sentence), strict=True):
            clear = (np.diff(np.sort(routed.logits, axis=1), axis=1) > 1e-6).all(axis=1)
            assert np.array_equal(np.array(layer["index"])[clear], routed.expert_index[clear])


@pytest.mark.parametrize("model", ["transformer"], indirect=True)
def test_what_a_byte_looks_at(page, model):
    sentence = "The sum of 17 and 25 is 42."
    wanted = [block.looks[:, 24].mean(axis=0) for block in model.trace(sentence)]
    got = page.evaluate("""text => {
        const done = moe.answerTransformer(window.model, moe.encode(text), null);
        return [1, 2, 3].map(number => moe.looksFrom(window.model, done, number, 24));
    }""", sentence)
    np.testing.assert_allclose(got, wanted, atol=1e-5)


@pytest.mark.parametrize("model", ["transformer"], indirect=True)
def test_edits_and_options_leave_no_trace(page, exact):
    """What a run keeps from the text before must be what a fresh run would compute."""
    rng, text = np.random.default_rng(4), "one two three four five six seven"
    cases = []
    for _ in range(30):
        at = rng.integers(len(text))
        text = text[:at] + str(rng.choice(list("abc 12"))) + text[at + rng.integers(0, 3):]
        cases.append((text, draw_options(rng, exact) | {"k": 2, "temperature": 1.0}))
    for (sentence, options), got in zip(cases, ran(page, cases), strict=True):
        assert_equal(got, live.run(exact, sentence, **steering_of(options)))


def test_options_drawn_at_random(page, exact):
    rng = np.random.default_rng(1)
    cases = [(sentence, draw_options(rng, exact)) for sentence in draw_sentences(rng, OPTIONS)]
    for (sentence, options), got in zip(cases, ran(page, cases), strict=True):
        assert_equal(got, live.run(exact, sentence, **steering_of(options)))
