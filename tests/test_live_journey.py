"""The journey in Chromium: every number of every step against NumPy, and what a listener hears."""

import numpy as np
import pytest

import live_tools as tools
from cases import cases
from moeviz import live, routing
from moeviz.arrays import softmax
from moeviz.experts import ExpertBank, random_bank

WORDS = ["the", "cat", "sat", "on", "42", "."]
TOKENS = np.array([[2, 0.5], [1, 1], [-1, 2], [1, -2], [-2, -1], [0.5, 0.5]])
GATE = np.array([[1.0, 0.0, -1.0, 0.0], [0.0, 1.0, 0.0, -1.0]])
EXPERTS = np.random.default_rng(0).normal(size=(4, 2, 2))
ROUTED = routing.top_k(TOKENS @ GATE, k=2)
OPTIONS = {"labels": WORDS, "tokens": TOKENS, "gate": GATE, "experts": EXPERTS}


@cases(("change", "message"), [
    ({"labels": ["a"]}, "labels must have one entry per token"),
    ({"gate": None}, "tokens and gate must come together"), ({"tokens": TOKENS + 1}, "must be the logits"),
    ({"at": 6}, "at must be a whole number between 0 and 5"),
    ({"experts": EXPERTS[0]}, "experts must have shape"),
    ({"tokens": None, "gate": None}, "experts need tokens"),
    ({"source": routing.sigmoid_top_k(TOKENS @ GATE, 2)}, "must come from routing.top_k"),
    ({"source": routing.top_k(TOKENS @ GATE, 2, renormalize=False)}, "must come from routing.top_k"),
    ({"source": 7}, "source must be a Routing")])
def test_wrong_arguments_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        live.journey(**({"source": ROUTED, **OPTIONS} | change))


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    view = live.journey(ROUTED, **OPTIONS, at=3)
    with tools.opened(view, tmp_path_factory.mktemp("journey")) as page:
        yield page


def values(page):
    texts = page.locator(".value").all_inner_texts()
    return [0.0 if text == "–" else float(text.replace("−", "-")) for text in texts]


def steps_of(t):
    """Return what stands above the bars in each of the six steps."""
    shares = softmax(TOKENS @ GATE)[t]
    chosen = np.isin(range(4), ROUTED.expert_index[t])
    weights = shares * chosen / shares[chosen].sum()
    return [(TOKENS @ GATE)[t], shares, shares * chosen, weights, weights, weights]


@pytest.mark.browser
class TestJourney:
    @pytest.mark.parametrize("t", [3, 1, 5])
    def test_every_step_shows_numpys_numbers(self, page, t):
        page.get_by_role("button", name=WORDS[t], exact=True).click()
        for at, wanted in enumerate(steps_of(t)):
            if at:
                page.get_by_role("button", name="Next step").click()
            assert values(page) == [pytest.approx(value, abs=0.0051) for value in wanted]
        output = sum(weight * (TOKENS[t] @ EXPERTS[expert]) for weight, expert in
                     zip(ROUTED.combine_weight[t], ROUTED.expert_index[t], strict=True))
        last = page.locator(".vectorrow:visible .numbers").last.inner_text().replace("−", "-")
        assert [float(number) for number in last.strip("()").split(",")] == [
            pytest.approx(value, abs=0.0051) for value in output]

    def test_back_and_on_by_keys_and_touch(self, page):
        page.get_by_role("button", name="Next step").focus()
        page.keyboard.press("Enter")
        page.keyboard.press("ArrowRight")
        assert page.get_by_role("button", name="3 top-k").get_attribute("aria-current") == "step"
        page.keyboard.press("ArrowLeft")
        page.get_by_role("button", name="Back").tap()
        assert page.get_by_role("button", name="1 score").get_attribute("aria-current") == "step"
        page.get_by_role("button", name="6 combine").tap()
        page.get_by_role("button", name="cat", exact=True).tap()
        assert page.get_by_role("button", name="cat", exact=True).get_attribute("aria-pressed") == "true"
        assert "Step 6 of 6" in page.locator(".told").inner_text()

    def test_an_expert_pointed_at_is_worked_out(self, page):
        page.get_by_role("button", name="Expert 1: score −2.00").hover()
        assert page.locator(".worked").inner_text() == "expert 1: 1.0 × 0.0 + −2.0 × 1.0 = −2.00"
        page.get_by_role("button", name="Next step").click()
        page.get_by_role("button", name="Expert 3: share 0.70").tap()
        assert page.locator(".worked").inner_text() == "expert 3: exp(2.00) / 10.61 = 0.70"
        page.wait_for_function("document.querySelector('.heard').textContent.includes('exp(2.00) / 10.61')")
        page.get_by_role("button", name="Next step").click()
        assert page.get_by_role("button", name="Expert 1: left out").is_visible()

    def test_tokens_change_by_keys(self, page):
        page.get_by_role("button", name="on", exact=True).press("ArrowLeft")
        assert page.get_by_role("button", name="sat", exact=True).get_attribute("aria-pressed") == "true"
        assert values(page) == [-1, 2, 1, -2]

    def test_a_listener_hears_every_step_with_its_numbers(self, page):
        page.get_by_role("button", name="cat", exact=True).click()
        heard = [page.locator(".told").inner_text()]
        for _ in range(5):
            page.get_by_role("button", name="Next step").click()
            heard.append(page.locator(".told").inner_text())
        assert heard[:4] == [
            "Step 1 of 6, score. The gate gives “cat” one score per expert; "
            "the largest is 1.00, of expert 0.",
            "Step 2 of 6, softmax. Softmax turns the scores into positive shares that sum to 1; "
            "expert 0 gets 0.44.",
            "Step 3 of 6, top-k. The 2 largest shares stay: expert 0 and expert 1. "
            "Together they hold 0.88.",
            "Step 4 of 6, renormalise. Divided by their sum, the shares become weights: "
            "expert 0 with 0.50, expert 1 with 0.50."]
        assert heard[4] == ("Step 5 of 6, run. Only expert 0 and expert 1 compute an answer; "
                            "the other 2 do nothing.")
        assert heard[5].startswith("Step 6 of 6, combine. The answers are added up by their weights")

    @pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 400)])
    def test_axe_finds_nothing_and_the_page_fits(self, page, scheme, width):
        page.emulate_media(color_scheme=scheme)
        page.set_viewport_size({"width": width, "height": 900})
        page.wait_for_selector(f".moeviz-live[data-theme='{scheme}']")
        for name in ("1 score", "3 top-k", "6 combine"):
            page.get_by_role("button", name=name).click()
            assert tools.violations(page) == {}
        assert page.evaluate("document.documentElement.scrollWidth") <= width

    def test_an_emptied_sentence_leaves_no_journey_until_the_next_one(self, page, stored, tmp_path):
        page.goto(tools.write(live.journey(stored), tmp_path).as_uri())
        field, parts = page.get_by_label("Your sentence"), page.locator(".strip, .stepbar, .stage, .vectors")
        field.fill("")
        assert [part for part in parts.all() if part.is_visible()] == []
        assert page.get_by_text("Type something").is_visible()
        page.get_by_role("button", name="Layer 2").click()
        field.fill("ab")
        assert all(part.is_visible() for part in parts.all())
        assert page.get_by_text("Type something").count() == 0
        assert page.locator(".token:visible").all_inner_texts() == ["a", "b"]

    def test_a_model_runs_for_any_text_and_layer(self, page, stored, tmp_path):
        page.goto(tools.write(live.journey(stored), tmp_path).as_uri())
        page.get_by_label("Your sentence").fill("for x in 42:")
        page.get_by_role("button", name="Layer 2").click()
        trace = stored.trace("for x in 42:")[1]
        page.get_by_role("button", name="6 combine").click()
        assert values(page) == [pytest.approx(weight, abs=0.006) for weight in trace.routed.combine()[-1]]
        bank, at = stored.bank(2), trace.routed.expert_index[-1]
        answers = [np.maximum(trace.tokens[-1] @ bank.w_in[e], 0) @ bank.w_out[e] for e in at]
        worked = page.locator(".worked").inner_text().replace("−", "-")
        assert float(worked.split("=")[1]) == pytest.approx(
            trace.routed.combine_weight[-1] @ np.array(answers)[:, 0], abs=0.006)
        page.go_back()

    def test_experts_may_be_a_bank_and_may_be_missing(self, page, tmp_path):
        bank = random_bank(4, 2, 3, rng=np.random.default_rng(1))
        assert isinstance(bank, ExpertBank)
        page.goto(tools.write(live.journey(ROUTED, **OPTIONS | {"experts": bank}), tmp_path).as_uri())
        page.get_by_role("button", name="5 run").click()
        said = (np.maximum(TOKENS[0] @ bank.w_in[0], 0) @ bank.w_out[0]).round(2)
        worked = page.locator(".worked").inner_text().replace("−", "-")
        assert worked == f"expert 0: ({said[0]:.2f}, {said[1]:.2f})"
        page.goto(tools.write(live.journey(routing.top_k([[1.0, 1.0, 1.0]], k=1)), tmp_path).as_uri())
        page.get_by_role("button", name="3 top-k").click()
        told = page.locator(".told").inner_text()
        assert told.endswith("There was a tie; it goes to the lowest number.")
        page.get_by_role("button", name="5 run").click()
        assert "not part of this example" in page.locator(".told").inner_text()
        page.go_back()
        page.go_back()
