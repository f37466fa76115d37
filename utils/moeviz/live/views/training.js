// Training under one's hands: a layer learns while its balance is switched on and off.
import { sum } from "../moe/arrays.js";
import { readTask, startRun, trainStep } from "../moe/training.js";
import { announcer, button, list, make, percent, put, say, slider } from "./dom.js";
import { loadFilm } from "./film.js";
import { frame } from "./frame.js";

const PER_FRAME = 2, WINDOW = 20;
const WORDS = { sign: "sign of the difference", proportional: "in proportion to it",
  leaky: "bias in the weight (wrong)", turned: "sign turned (wrong)" };

/** Build the view in its root. */
export function open(root) {
  frame(root, buildTraining);
}

function buildTraining(state, body) {
  const view = { state, task: readTask(state), options: { coefficient: 0, rate: 0, rule: "sign" },
    on: state.kind === "bias",
    setting: state.settings[state.start], running: false };
  const film = loadFilm(state, body.closest(".moeviz-live")), heard = announcer();
  view.parts = { controls: trainingControls(view), film, figures: make("p", { class: "figures" }),
    rows: aliveRow(state), heard };
  const { controls, figures, rows } = view.parts;
  body.append(controls.node, figures, film.node, rows.node, make("p", { class: "tale" }, state.words), heard.node);
  restart(view);
}

function restart(view) {
  view.running = false;
  view.run = startRun(view.task);
  view.history = [];
  view.marks = [];
  view.parts.film.clear();
  paintTraining(view);
}

/** Return run, step and start again, and what may change in mid-run. */
function trainingControls(view) {
  const { state } = view, { settings, kind } = state;
  const go = button("Run", () => {
    view.running = !view.running;
    if (view.running) requestAnimationFrame(() => tick(view));
    paintTraining(view);
  }, { class: "go" });
  const one = button("One step", () => { view.running = false; advance(view, 1); });
  const ten = button("Ten steps", () => { view.running = false; advance(view, 10); });
  const again = button("Start again", () => restart(view));
  const set = change => { change(); view.marks.push(view.history.length); paintTraining(view); };
  const power = button(state.switch, () => set(() => { view.on = !view.on; }), { class: "power" });
  const strength = slider({ label: state.strength, min: 0, max: settings.length - 1, step: 1, value: state.start,
    format: at => String(settings[at]), change: at => set(() => { view.setting = settings[at]; }) });
  const rule = kind === "bias" && list({ label: "rule", options: WORDS, value: "sign",
    change: value => set(() => { view.options.rule = value; }) });
  const node = make("div", { class: "controls" }, go, one, ten, again, power, strength.node,
    ...(rule ? [rule.node] : []));
  return { node, go, power };
}

function tick(view) {
  if (!view.running || !view.parts.film.node.isConnected) return;
  advance(view, PER_FRAME);
  requestAnimationFrame(() => tick(view));
}

function advance(view, count) {
  const options = { ...view.options,
    [view.state.kind === "bias" ? "rate" : "coefficient"]: view.on ? view.setting : 0 };
  for (let step = 0; step < count && view.history.length < view.state.most; step++) {
    view.history.push(trainStep(view.run, options));
    view.parts.film.add(view.history, view.marks);
  }
  if (view.history.length >= view.state.most) view.running = false;
  paintTraining(view);
}

/** Return one chip per expert that says whether it lives. */
function aliveRow({ colors }) {
  const chips = colors.map((_, expert) => {
    const chip = { share: make("span") };
    chip.node = make("span", { class: "chip", style: `--lit: var(--e${expert}); --litink: var(--i${expert})` },
      make("span", { class: "badge" }, String(expert)), chip.share);
    return chip;
  });
  return { node: make("div", { class: "chips", role: "img" }, ...chips.map(chip => chip.node)), chips };
}

/** Return the mean load and loss of the last steps, and who is dead: below a tenth of a fair share. */
export function recent(history, numExperts) {
  const last = history.slice(-WINDOW), mean = pick => sum(last.map(pick)) / Math.max(last.length, 1);
  const load = Array.from({ length: numExperts }, (_, expert) => mean(row => row.load[expert]));
  return { load, loss: mean(row => row.loss),
    dead: load.flatMap((share, expert) => share < 0.1 / numExperts ? [expert] : []) };
}

function paintTraining(view) {
  const { parts, history, state } = view, now = recent(history, state.colors.length), began = history.length > 0;
  say(parts.controls.go, view.running ? "Pause" : history.length >= state.most ? "Done" : "Run");
  put(parts.controls.power, "aria-pressed", view.on);
  const dead = began ? now.dead.length : 0;
  parts.figures.replaceChildren(make("span", {}, "step ", make("b", {}, String(history.length))),
    make("span", {}, "error ", make("b", {}, began ? now.loss.toFixed(3) : "–")),
    make("span", {}, make("b", {}, String(dead)), ` of ${state.colors.length} experts dead`),
    make("span", {}, "busiest over fair share ",
      make("b", {}, began ? (Math.max(...now.load) * state.colors.length).toFixed(1) : "–")));
  parts.rows.chips.forEach((chip, expert) => {
    const gone = began && now.dead.includes(expert);
    say(chip.share, !began ? "" : gone ? "dead" : percent(now.load[expert]));
    put(chip.node, "class", gone ? "chip gone" : "chip");
  });
  const words = began ? `Step ${history.length}: error ${now.loss.toFixed(3)}; `
    + (dead ? `dead: ${now.dead.map(expert => `expert ${expert}`).join(", ")}.` : "every expert works.")
      : "Not trained yet.";
  put(parts.rows.node, "aria-label", words);
  put(parts.film.canvas, "aria-label", `Load of ${state.colors.length} experts over the steps. ${words}`);
  if (!view.running) parts.heard.say(words);
}
