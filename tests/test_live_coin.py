"""The coin in Chromium: its runs are NumPy's, and the threshold shows."""

import json

import numpy as np
import pytest

import live_tools as tools
from cases import cases
from moeviz import live
from moeviz.live.training import COIN
from moeviz.training import pitchfork
from test_live_training import press, state_of

RUN = """state => {
    const draws = new Float64Array(Uint8Array.from(atob(state.draws), sign => sign.charCodeAt(0)).buffer);
    let now = Array(state.runs).fill(0);
    const path = [now];
    for (let step = 0; step < state.steps; step++) {
        now = moe.coinStep(now, draws.subarray(step * state.runs, (step + 1) * state.runs), state);
        path.push(now);
    }
    return JSON.stringify(path);
}"""


@pytest.mark.browser
def test_every_run_is_numpys():
    with tools.blank(["moe/coin.js"], ["coinStep"]) as page:
        for a in (1.0, 4.0):
            path = json.loads(page.evaluate(RUN, state_of(live.coin(a=a, seed=3))))
            wanted = pitchfork.reinforce(a, rng=np.random.default_rng(3), **COIN)
            np.testing.assert_allclose(path, wanted, atol=1e-12)


@cases(("changes", "message"), [
    ({"a": 7}, "a must be a number"), ({"seed": -1}, "seed must")])
def test_wrong_values_are_named(changes, message):
    with pytest.raises(ValueError, match=message):
        live.coin(**changes)


@pytest.mark.browser
def test_one_expert_takes_over_past_the_threshold(tmp_path):
    with tools.opened(live.coin(), tmp_path) as page:
        press(page, "Ten tokens", 25)
        assert page.locator(".figures b").nth(2).inner_text() == "0"
        page.get_by_label("a, strength of reinforcement").press("End")
        press(page, "Run")
        page.get_by_role("button", name="Done").wait_for(timeout=60_000)
        assert int(page.locator(".figures b").nth(2).inner_text()) >= 6
        tools.assert_accessible(page, "dark", 400)
        page.get_by_role("button", name="Start again").tap()
        assert page.locator(".figures b").first.inner_text() == "0"
        assert page.said == []
