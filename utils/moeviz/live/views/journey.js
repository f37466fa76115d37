// The journey: one token through one layer in six steps, forward and back.
import { STEPS, followToken, modelSource, typedSource } from "../moe/journey.js";
import { readModel } from "../moe/model.js";
import { clip } from "../moe/text.js";
import { announcer, button, make, put, say, signed } from "./dom.js";
import { frame } from "./frame.js";
import { stepWords, workedLine } from "./steps.js";
import { vectorRow } from "./vectors.js";

/** Build the view in its root. */
export function open(root) {
  frame(root, buildJourney);
}

function buildJourney(state, body) {
  const model = state.weights ? readModel(state) : null;
  const view = { state, model, text: state.text, layer: 1, at: state.at, step: 0, expert: null };
  view.source = model ? modelSource(model, view.text, 1) : typedSource(state);
  view.parts = journeyParts(view);
  const { choice, strip, bar, formula, chart, vectors, told, heard } = view.parts;
  view.way = [strip.node, bar.node,
    make("div", { class: "stage" }, chart.node, make("div", { class: "side" }, formula.node, told)), vectors.node];
  body.append(...(choice ? [choice] : []), ...view.way, heard.node);
  body.addEventListener("keydown", event => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step || !event.target.closest(".stepbar")) return;
    event.preventDefault();
    go(view, view.step + step);
  });
  paintJourney(view);
}

function journeyParts(view) {
  return { choice: view.model && choiceRow(view), strip: tokenStrip(view), bar: stepBar(view), formula: formulaBox(),
    chart: expertChart(view), vectors: vectorRows(view), told: make("p", { class: "told", role: "status" }),
    heard: announcer() };
}

function go(view, step) {
  view.step = Math.max(0, Math.min(STEPS.length - 1, step));
  view.expert = null;
  paintJourney(view);
}

/** Return the field for a text and the choice of a layer, where a model is there to run. */
function choiceRow(view) {
  const field = make("input", { type: "text", class: "line", spellcheck: "false", "aria-label": "Your sentence" });
  const invitation = make("p", { class: "tale", role: "status" });
  field.value = view.text;
  const layers = Array.from({ length: view.model.layers }, (_, at) => button(`Layer ${at + 1}`, () => {
    view.layer = at + 1;
    renew();
  }, { "aria-pressed": at === 0 ? "true" : "false" }));
  const renew = () => {
    layers.forEach((each, at) => put(each, "aria-pressed", at + 1 === view.layer));
    view.source = modelSource(view.model, view.text, view.layer);
    view.at = Math.min(view.at, view.source.labels.length - 1);
    paintJourney(view);
  };
  field.addEventListener("input", () => {
    const empty = field.value === "";
    view.way.forEach(node => { node.hidden = empty; });
    say(invitation, empty ? "Type something: the journey follows one of its bytes." : "");
    if (empty) return;
    view.text = clip(field.value, view.state.most);
    view.at = Infinity;
    renew();
  });
  return make("div", {}, make("div", { class: "choice" }, field,
    make("div", { class: "picks", role: "group", "aria-label": "Layer" }, ...layers)), invitation);
}

/** Return the tokens to choose from, as buttons; arrow keys move among them. */
function tokenStrip(view) {
  const node = make("div", { class: "strip", role: "group", "aria-label": "Tokens; arrow keys move" }), pool = [];
  const choose = at => { view.at = at; view.expert = null; paintJourney(view); };
  node.addEventListener("keydown", event => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const next = Math.max(0, Math.min(view.source.labels.length - 1, view.at + step));
    if (!step) return;
    event.preventDefault();
    choose(next);
    pool[next].focus();
  });
  return { node, paint: () => {
    while (pool.length < view.source.labels.length) {
      const at = pool.length;
      pool.push(button("", () => choose(at), { class: "token" }));
      node.append(pool[at]);
    }
    pool.forEach((each, at) => {
      each.hidden = at >= view.source.labels.length;
      say(each, view.source.labels[at] ?? "");
      put(each, "aria-pressed", at === view.at);
      put(each, "tabindex", at === view.at ? 0 : -1);
    });
  } };
}

/** Return the six steps with a way back and a way on. */
function stepBar(view) {
  const back = button("Back", () => go(view, view.step - 1)),
    next = button("Next step", () => go(view, view.step + 1), { class: "next" });
  const steps = STEPS.map((name, at) => button(`${at + 1} ${name}`, () => go(view, at), { class: "step" }));
  const node = make("div", { class: "stepbar", role: "group", "aria-label": "Steps of the journey" }, back, ...steps,
    next);
  return { node, paint: () => {
    steps.forEach((each, at) => {
      put(each, "aria-current", at === view.step ? "step" : null);
      put(each, "class", at < view.step ? "step done" : "step");
    });
    put(back, "aria-disabled", view.step === 0 ? "true" : null);
    put(next, "aria-disabled", view.step === STEPS.length - 1 ? "true" : null);
  } };
}

function formulaBox() {
  const general = make("p", { class: "formula" }), worked = make("p", { class: "worked" });
  return { node: make("div", {}, general, worked), general, worked };
}

/** Return one column per expert: its bar changes meaning from step to step, its place stays. */
function expertChart(view) {
  const columns = view.state.colors.map((_, expert) => {
    const column = { value: make("span", { class: "value" }), bar: make("i"), ghost: make("i", { class: "ghost" }) };
    column.node = button("", () => { view.expert = expert; paintJourney(view); }, { class: "column",
      style: `--lit: var(--e${expert}); --litink: var(--i${expert})` });
    column.node.append(make("span", { class: "plot" }, column.ghost, column.bar, column.value),
      make("span", { class: "foot" }, String(expert)));
    const point = () => { view.expert = expert; paintJourney(view); };
    column.node.addEventListener("pointerenter", event => event.pointerType !== "touch" && point());
    column.node.addEventListener("focus", () => column.node.matches(":focus-visible") && point());
    return column;
  });
  const node = make("div", { class: "chart", role: "group", "aria-label": "Experts" },
    ...columns.map(column => column.node));
  return { node, paint: shown => columns.forEach((column, expert) => paintColumn(column, expert, shown)) };
}

/** Place a bar between -1 and 1 of its half of the plot; scores go both ways, shares only up. */
function paintColumn(column, expert, { values, name, low, high, before, kept, tell, active }) {
  const share = value => 100 * (value - low) / (high - low), zero = share(0);
  const place = (bar, value) => {
    bar.style.bottom = `${Math.min(zero, share(value))}%`;
    bar.style.height = `${Math.abs(share(value) - zero)}%`;
  };
  place(column.bar, values[expert]);
  place(column.ghost, before ? before[expert] : 0);
  column.ghost.hidden = !before?.[expert];
  column.value.style.bottom = `${Math.max(share(values[expert]), zero)}%`;
  const left = kept && !kept.includes(expert);
  say(column.value, left ? "–" : tell(values[expert]));
  put(column.node, "class", `column${left ? " left" : ""}${active === expert ? " active" : ""}`);
  put(column.node, "aria-label", `Expert ${expert}: ${left ? "left out" : `${name} ${tell(values[expert])}`}`);
}

function vectorRows(view) {
  const input = vectorRow(), answers = Array.from({ length: view.state.colors.length }, vectorRow),
    output = vectorRow();
  const node = make("div", { class: "vectors" }, input.node, ...answers.map(row => row.node), output.node);
  return { node, paint: way => paintVectors(view, way, { input, answers, output }) };
}

function paintVectors(view, way, { input, answers, output }) {
  const token = view.source.token(view.at), largest = values => Math.max(...Array.from(values, Math.abs)) || 1;
  const combining = view.step === 5, said = view.step >= 4 && way.answers;
  input.paint({ words: ["token x"], values: token && (view.step === 0 || view.step === 4) ? token : null,
    color: "var(--ink)",
    scale: token ? largest(token) : 1 });
  const scale = said ? largest(way.answers.flatMap(row => Array.from(row))) : 1;
  answers.forEach((row, slot) => {
    const expert = way.expertIndex[slot], weight = way.combineWeight[slot];
    const values = said && slot < way.expertIndex.length ? way.answers[slot] : null;
    row.paint({ words: [make("span", { class: "badge", style: `--lit: var(--e${expert}); --litink: var(--i${expert})` },
      String(expert)),
      combining && values ? ` × ${weight.toFixed(2)}` : " says"],
      values: values && combining ? values.map(value => value * weight) : values, color: `var(--e${expert})`, scale });
  });
  output.paint({ words: ["sum y"], values: combining && said ? way.output : null, color: "var(--ink)", scale });
}

/** Return what the bars of a step show: their values, their range and the bars of the step before. */
function chartOf(view, way) {
  const limit = Math.max(1, ...Array.from(way.logits, Math.abs)) * 1.25, top = 1.16;
  const two = value => value.toFixed(2), step = STEPS[view.step], active = view.expert;
  if (step === "score") {
    return { name: "score", values: way.logits, low: -limit, high: limit, tell: value => signed(value, 2, false),
      active };
  }
  const shares = { name: "share", values: way.probs, low: 0, high: top, tell: two, active };
  if (step === "softmax") return shares;
  const chosen = { ...shares, values: way.chosen, before: way.probs, kept: way.expertIndex };
  return step === "top-k" ? chosen : { ...chosen, name: "weight", values: way.weights, before: way.chosen };
}

function paintJourney(view) {
  const { strip, bar, formula, chart, vectors, told, heard } = view.parts, { source } = view;
  view.at = Math.min(view.at, source.labels.length - 1);
  const way = followToken(source.logits(view.at), source.k,
    source.answer && (expert => source.answer(view.at, expert)));
  const expert = view.expert ?? way.expertIndex[0];
  strip.paint();
  bar.paint();
  chart.paint(chartOf(view, way));
  vectors.paint(way);
  const facts = { way, k: source.k, expert, token: source.token(view.at), column: source.column(expert),
    label: source.labels[view.at] };
  const { general, words } = stepWords(STEPS[view.step], facts);
  say(formula.general, general);
  const worked = workedLine(STEPS[view.step], facts);
  say(formula.worked, worked);
  heard.say(view.expert === null ? "" : worked);
  say(told, `Step ${view.step + 1} of ${STEPS.length}, ${STEPS[view.step]}. ${words}`);
}
