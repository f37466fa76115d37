// The coin: several runs of two experts that began equal, while the strength of reinforcement moves.
import { sum } from "../moe/arrays.js";
import { coinStep, shareOf } from "../moe/coin.js";
import { announcer, button, make, put, say, slider } from "./dom.js";
import { frame } from "./frame.js";

const COIN_HEIGHT = 240, PER_TICK = 4;

/** Build the view in its root. */
export function open(root) {
  frame(root, buildCoin);
}

function buildCoin(state, body) {
  const raw = Uint8Array.from(atob(state.draws), sign => sign.charCodeAt(0));
  const view = { state, draws: new Float64Array(raw.buffer), a: state.a, running: false };
  const canvas = make("canvas", { class: "film", width: 2 * state.steps, height: 2 * COIN_HEIGHT, role: "img" });
  view.ink = canvas.getContext("2d");
  view.ink.scale(2, 2);
  const wait = make("span", { class: "wait" }, "Press Run: a line for each run grows from here.");
  const axis = (words, place) => make("span", { class: "axis", style: place }, words);
  const box = make("div", { class: "filmbox" }, canvas, wait, axis("the first expert gets all", "top: 0"),
    axis("half", "bottom: 50%"), axis("nothing", "bottom: 0"));
  view.parts = { controls: coinControls(view), figures: make("p", { class: "figures" }), canvas, wait,
    heard: announcer() };
  view.style = getComputedStyle(body.closest(".moeviz-live"));
  body.closest(".moeviz-live").addEventListener("moeviz-theme", () => drawCoin(view));
  body.append(view.parts.controls.node, view.parts.figures, box, make("p", { class: "tale" },
    "Each line is a run: the share of its tokens that the first expert gets. "
      + "Run it with a weak reinforcement, then move it past the threshold."),
  view.parts.heard.node);
  tossAgain(view);
}

function coinControls(view) {
  const go = button("Run", () => {
    view.running = !view.running;
    if (view.running) requestAnimationFrame(() => tossOn(view));
    paintCoin(view);
  }, { class: "go" });
  const ten = button("Ten tokens", () => { view.running = false; toss(view, 10); });
  const again = button("Start again", () => tossAgain(view));
  const strength = slider({ label: "a, strength of reinforcement", min: 0, max: 6, step: 0.1, value: view.a,
    format: value => value.toFixed(1),
    change: value => { view.a = value; paintCoin(view); } });
  return { node: make("div", { class: "controls" }, go, ten, again, strength.node), go };
}

function tossAgain(view) {
  Object.assign(view, { running: false, step: 0, differences: Array(view.state.runs).fill(0), drawn: [] });
  drawCoin(view);
  paintCoin(view);
}

/** Draw the frame and all that was tossed, in the colours of this theme. */
function drawCoin(view) {
  const { ink, state, parts } = view;
  view.thick = Math.max(1, state.steps / (parts.canvas.clientWidth || state.steps));
  ink.clearRect(0, 0, state.steps, COIN_HEIGHT);
  ink.strokeStyle = view.style.getPropertyValue("--edge").trim();
  ink.lineWidth = view.thick;
  ink.strokeRect(view.thick / 2, view.thick / 2, state.steps - view.thick, COIN_HEIGHT - view.thick);
  ink.beginPath();
  ink.moveTo(0, COIN_HEIGHT / 2);
  ink.lineTo(state.steps, COIN_HEIGHT / 2);
  ink.stroke();
  view.drawn.forEach((pair, step) => drawToss(view, step, ...pair));
}

function drawToss({ ink, style, thick }, step, before, after) {
  const place = difference => COIN_HEIGHT * (1 - shareOf(difference));
  ink.strokeStyle = style.getPropertyValue("--accent").trim();
  ink.lineWidth = 1.5 * thick;
  ink.beginPath();
  after.forEach((now, run) => {
    ink.moveTo(step, place(before[run]));
    ink.lineTo(step + 1, place(now));
  });
  ink.stroke();
}

function tossOn(view) {
  if (!view.running || !view.parts.canvas.isConnected) return;
  toss(view, PER_TICK);
  requestAnimationFrame(() => tossOn(view));
}

function toss(view, count) {
  const { state } = view;
  for (let token = 0; token < count && view.step < state.steps; token++) {
    const draws = view.draws.subarray(view.step * state.runs, (view.step + 1) * state.runs), before = view.differences;
    view.differences = coinStep(before, draws, { a: view.a, rate: state.rate, decay: state.decay });
    view.drawn.push([before, view.differences]);
    drawToss(view, view.step, before, view.differences);
    view.step += 1;
  }
  if (view.step >= state.steps) view.running = false;
  paintCoin(view);
}

function paintCoin(view) {
  const { parts, state, step } = view, shares = view.differences.map(shareOf);
  const busier = sum(shares.map(share => Math.max(share, 1 - share))) / shares.length,
    split = shares.filter(share => share > 0.9 || share < 0.1).length;
  say(parts.controls.go, view.running ? "Pause" : step >= state.steps ? "Done" : "Run");
  parts.figures.replaceChildren(make("span", {}, "tokens ", make("b", {}, String(step))),
    make("span", {}, "busier expert's share, mean ", make("b", {}, busier.toFixed(2))),
    make("span", {}, make("b", {}, String(split)), ` of ${shares.length} runs with one expert above 0.9`));
  const words = `After ${step} tokens, at a = ${view.a.toFixed(1)}: `
    + `the busier expert's share is ${busier.toFixed(2)} on average; `
    + `in ${split} of ${shares.length} runs one expert has more than 0.9.`;
  parts.wait.hidden = step > 0;
  put(parts.canvas, "aria-label", words);
  if (!view.running) parts.heard.say(words);
}
