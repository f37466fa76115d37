"""Training in the browser against the NumPy loop in float64, step by step, and its controls."""

import json
import re

import numpy as np
import pytest

import live_tools as tools
from moeviz import live
from moeviz.live.training import plan_of
from moeviz.training import clustered_task, loop
from moeviz.training.tasks import Batch

STEPS = 200
OFF = {"coefficient": 0.0, "rate": 0.0, "rule": "sign"}
CASES = {  # what is on in each half of the run
    "no balance": (OFF, OFF),
    "switched on": (OFF, OFF | {"coefficient": 0.1}),
    "switched off": (OFF | {"coefficient": 0.1}, OFF),
    "bias": (OFF | {"rate": 0.01}, OFF | {"rate": 0.03}),
    "proportional": (OFF, OFF | {"rate": 0.01, "rule": "proportional"}),
    "leaky": (OFF | {"rate": 0.01}, OFF | {"rate": 0.01, "rule": "leaky"}),
    "turned": (OFF | {"rate": 0.01}, OFF | {"rate": 0.01, "rule": "turned"}),
}
RUN = """([halves, steps]) => {
    const run = moe.startRun(window.task), rows = [];
    for (let step = 0; step < steps; step++) {
        const { loss, load, bias } = moe.trainStep(run, halves[step < steps / 2 ? 0 : 1]);
        rows.push([loss, ...load, ...bias]);
    }
    const weights = ["gate", "w_in", "w_out"].map(name => Array.from(run.weights[name]));
    return JSON.stringify([rows, weights]);
}"""


@pytest.fixture(scope="module")
def task():
    return clustered_task(rng=np.random.default_rng([0, 0]), samples=1024, held_out=64)


def state_of(view):
    text = re.search(r'<script type="application/json">(.*?)</script>', str(view), re.DOTALL)[1]
    return json.loads(text)


def follow(task, halves, seed=0):
    """Run the library's own loop in float64 under plans that change in mid-run; return (rows, weights)."""
    rng = np.random.default_rng([seed, 1])
    pool = loop._shuffle(task.train, rng)
    plans = [plan_of(half) for half in halves]
    state = loop._start(plans[0], pool, rng)
    weights = {name: array.astype(float) for name, array in state.weights.items()}
    moments = {name: (np.zeros_like(array), np.zeros_like(array)) for name, array in weights.items()}
    state = loop._State(weights, moments, state.bias, 0)
    pool = Batch(pool.tokens.astype(float), pool.targets.astype(float), pool.cluster)
    rows = []
    for step in range(STEPS):
        state, (loss, _, load, bias, _) = loop._step(state, pool, rng, plans[step >= STEPS // 2])
        rows.append([loss, *load, *bias])
    return np.array(rows), state.weights


@pytest.mark.browser
def test_every_step_is_numpys(task):
    with tools.blank(["moe/training.js"], ["readTask", "startRun", "trainStep"]) as page:
        page.evaluate("state => { window.task = moe.readTask(state); }", state_of(live.training(task)))
        for name, halves in CASES.items():
            rows, weights = json.loads(page.evaluate(RUN, [list(halves), STEPS]))
            wanted, final = follow(task, halves)
            np.testing.assert_allclose(rows, wanted, atol=1e-4, err_msg=name)
            for array, kind in zip(weights, ("gate", "w_in", "w_out"), strict=True):
                np.testing.assert_allclose(array, final[kind].ravel(), atol=1e-4, err_msg=f"{name}: {kind}")


def test_each_still_figure_is_of_a_run_with_the_views_own_balance(task):
    stills = [re.search('<div class="still"><img src="([^"]+)"', str(view(task)))[1]
              for view in (live.training, live.thermostat, live.training)]
    assert stills[0] == stills[2] != stills[1]


def test_wrong_tasks_are_named(task):
    with pytest.raises(ValueError, match="task must be a Task"):
        live.training(7)
    with pytest.raises(ValueError, match="at least 128 tokens, got 100"):
        live.thermostat(clustered_task(rng=np.random.default_rng(0), samples=100, held_out=10))


@pytest.fixture(scope="module")
def opened(task, tmp_path_factory):
    folder = tmp_path_factory.mktemp("thermostat")
    with tools.opened(live.training(task), tmp_path_factory.mktemp("training")) as page:
        page.files = {"training": page.url, "thermostat": tools.write(live.thermostat(task), folder).as_uri()}
        yield page


def press(page, name, times=1):
    """Press a button by the mouse, and then again without the mouse's way there."""
    button = page.get_by_role("button", name=name, exact=True)
    button.click()
    if times > 1:
        button.evaluate("(button, more) => { while (more--) button.click(); }", times - 1)


def dead(page):
    return int(page.locator(".figures b").nth(2).inner_text())


@pytest.mark.browser
class TestTraining:
    def test_experts_die_and_come_back_when_the_loss_is_switched_on(self, page):
        press(page, "Ten steps", 18)
        assert dead(page) >= 3
        page.get_by_role("button", name="Switch loss").press("Enter")
        assert page.get_by_role("button", name="Switch loss").get_attribute("aria-pressed") == "true"
        press(page, "Ten steps", 15)
        assert dead(page) == 0
        page.get_by_role("button", name="Start again").tap()
        assert page.locator(".figures b").first.inner_text() == "0"

    def test_it_runs_and_pauses_and_says_so(self, page):
        press(page, "Run")
        page.wait_for_function("Number(document.querySelector('.figures b').textContent) > 6")
        press(page, "Pause")
        step = page.locator(".figures b").first.inner_text()
        page.get_by_role("button", name="One step").press("Space")
        assert int(page.locator(".figures b").first.inner_text()) == int(step) + 1
        heard = "document.querySelector('.heard').textContent"
        page.wait_for_function(f"{heard}.startsWith('Step {int(step) + 1}')")

    def test_the_film_is_painted(self, page):
        picture = "document.querySelector('canvas').toDataURL()"
        before = page.evaluate(picture)
        press(page, "Ten steps", 3)
        assert len(page.evaluate(picture)) > len(before) + 1000

    def test_the_film_is_painted_anew_in_the_colours_of_the_other_theme(self, page):
        page.get_by_role("button", name="Start again").click()
        press(page, "Ten steps", 3)
        colours = """(() => {
            const ink = new OffscreenCanvas(60, 399).getContext('2d', { willReadFrequently: true });
            ink.drawImage(document.querySelector('canvas'), 0, 0);
            const pixels = ink.getImageData(0, 0, 60, 399).data, seen = new Set();
            for (let at = 0; at < pixels.length; at += 4) seen.add([...pixels.slice(at, at + 3)].join());
            return [...seen];
        })()"""
        assert {"0,0,0"} <= set(page.evaluate(colours)) and "236,239,242" not in page.evaluate(colours)
        page.emulate_media(color_scheme="dark")
        page.locator(".moeviz-live[data-theme=dark]").wait_for()
        assert "236,239,242" in page.evaluate(colours)
        page.emulate_media(color_scheme="light")

    def test_a_film_that_nobody_has_run_is_printed_as_the_still_figure(self, page):
        page.get_by_role("button", name="Start again").click()
        parts = [page.locator(name) for name in (".still img", ".filmbox", ".figures", ".chips")]
        seen = [[part.is_visible() for part in parts]]
        page.emulate_media(media="print")
        seen.append([part.is_visible() for part in parts])
        page.emulate_media(media="screen")
        press(page, "One step", 1)
        page.emulate_media(media="print")
        seen.append([part.is_visible() for part in parts])
        page.emulate_media(media="screen")
        screen = [False, True, True, True]
        assert seen == [screen, [True, False, False, False], screen]

    def test_names_of_the_films_lines_can_be_read_on_a_phone(self, page):
        page.set_viewport_size({"width": 400, "height": 900})
        sizes = page.evaluate("""[...document.querySelectorAll('.filmbox span')].filter(name =>
            name.checkVisibility()).map(name => parseFloat(getComputedStyle(name).fontSize))""")
        page.set_viewport_size({"width": 1280, "height": 900})
        assert sizes and min(sizes) >= 12

    @pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 400)])
    @pytest.mark.parametrize("name", ["training", "thermostat"])
    def test_axe_finds_nothing_and_the_page_fits(self, page, name, scheme, width):
        page.goto(page.files[name])
        press(page, "Ten steps", 8)
        tools.assert_accessible(page, scheme, width)


@pytest.mark.browser
def test_the_thermostat_keeps_experts_alive_and_a_wrong_rule_kills_them(page):
    page.goto(page.files["thermostat"])
    press(page, "Ten steps", 16)
    assert dead(page) == 0
    page.get_by_label("rule").select_option("turned")
    page.get_by_label("rate").press("End")
    press(page, "Ten steps", 10)
    assert dead(page) >= 6
