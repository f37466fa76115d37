// The sentence: type, point, drag; a trained model answers at once.
import { sum } from "../moe/arrays.js";
import { answerBytes, asTrained, drawSign, losses, readModel, wayOf } from "../moe/model.js";
import { biasFor, countChoices, thresholds } from "../moe/routers.js";
import { byteLabels, clip, encode } from "../moe/text.js";
import { answerTransformer, looksFrom } from "../moe/transformer.js";
import { chancesPanel } from "./chances.js";
import { announcer, atOnce, beforePaint, button, list, make, put, say, signed, slider } from "./dom.js";
import { frame, paints } from "./frame.js";
import { layerPanel } from "./layer.js";
import { callOf } from "./python.js";
import { tileStrip, tileWords } from "./tiles.js";

const ORDERS = { choice: "first choices first", token: "token by token", score: "surest first" };
const PACE = 100, WARMTH = 0.7;  // of writing on: milliseconds from byte to byte, and the temperature of the draws
const NO_LIMIT = 2.25;  // the right end of the capacity's slider

/** Build the view in its root. */
export function open(root) {
  frame(root, buildSentence);
}

function buildSentence(state, body) {
  const model = readModel(state), answer = model.heads ? answerTransformer : answerBytes;
  const view = { model, answer, most: state.most, text: state.text, options: asTrained(model), pinned: null,
    pointed: null };
  view.repaint = beforePaint(() => paint(view, false));
  view.refresh = atOnce(() => { compute(view); paint(view, true); });
  view.parts = buildParts(view, state);
  const { writing, controls, tiles, reading, layers, chances, code, heard } = view.parts;
  body.append(writing.node, controls.node, tiles.node, reading.node,
    make("div", { class: layers.length % 2 ? "flow odd" : "flow" }, ...layers.map(layer => layer.node), chances.node),
      code.node, heard.node);
  compute(view);
  paint(view, true);
}

function buildParts(view, state) {
  const point = tile => aim(view, tile === null ? null : { tile });
  const pin = tile => { view.pinned = view.pinned?.tile === tile ? null : { tile }; view.repaint(); };
  return {
    writing: writingField(view, state), controls: controlRow(view),
    tiles: tileStrip({
      layers: view.model.layers, looking: barWords(view.model), colors: paints(state), point, pin }),
    reading: readingLine(),
    layers: view.options.layers.map((_, at) => layerPanel({
      number: at + 1, numExperts: view.model.num_experts, hooks: layerHooks(view, at) })),
    chances: chancesPanel(), code: codeLine(), heard: announcer(),
  };
}

function barWords({ heads, context }) {
  return heads ? "Bars: how much of each byte attention brings to the framed one, beside the most in its layer. "
    + `It sees itself and the ${context - 1} bytes before it.` : "";
}

function aim(view, target) {
  const before = view.pointed, same = ["tile", "layer", "expert"].every(name => before?.[name] === target?.[name]);
  view.pointed = target;
  if (!same) view.repaint();
}

/** Return the field for the text, with examples to pick. */
function writingField(view, { examples, most }) {
  const field = make("textarea", { rows: 2, spellcheck: "false", "aria-label": "Your sentence" });
  const count = make("span", { class: "room" });
  const write = text => {
    view.text = clip(text, most);
    view.pinned = null;
    view.cut = view.text !== text;
    view.refresh();
  };
  field.value = view.text;
  const writer = writerButton(view, sign => { field.value = view.text + sign; write(field.value); });
  field.addEventListener("input", () => { writer.stop(); write(field.value); });
  const picks = Object.entries(examples).map(([name, text]) =>
    button(name, () => { field.value = text; write(text); }));
  return { node: make("div", { class: "writing" }, field,
    make("div", { class: "picks", role: "group", "aria-label": "Examples" }, ...picks, writer.node, count)), count,
      field };
}

/** Return {node, stop}: a button that lets the model write on, its routers as they stand, until it is pressed again. */
function writerButton(view, add) {
  let timer = null;
  const stop = () => {
    clearInterval(timer);
    timer = null;
    put(node, "aria-pressed", "false");
  };
  const step = () => {
    if (view.bytes.length >= view.most) return stop();
    if (view.answered !== view.text) return;
    add(drawSign(view.done.predictions.at(-1) ?? view.done.first, WARMTH, Math.random));
  };
  const node = button("Write on", () => {
    if (timer !== null) return stop();
    put(node, "aria-pressed", "true");
    timer = setInterval(step, PACE);
  }, { class: "go", "aria-pressed": "false" });
  return { node, stop };
}

/** Return sliders for k, temperature and capacity, the order of seating, and the way back. */
function controlRow(view) {
  const { options, model } = view, every = set => { options.layers.forEach(set); view.refresh(); };
  const k = slider({ label: "k", min: 1, max: model.num_experts, step: 1, value: model.k,
    format: String, change: value => every(layer => { layer.k = value; }) });
  const temperature = slider({ label: "temperature", min: -1, max: 1, step: 0.05, value: 0,
    format: value => warmth(value).toFixed(2),
      change: value => every(layer => { layer.temperature = warmth(value); }) });
  const capacity = slider({ label: "capacity factor", min: 0.25, max: NO_LIMIT, step: 0.05, value: NO_LIMIT,
    format: value => value >= NO_LIMIT ? "no limit" : value.toFixed(2),
    change: value => { options.capacity = value >= NO_LIMIT ? null : Number(value.toFixed(2)); view.refresh(); } });
  const order = list({ label: "seats by", options: ORDERS, value: "choice",
    change: value => { options.order = value; view.refresh(); } });
  const back = button("As trained", () => { Object.assign(options, asTrained(model)); view.refresh(); },
    { class: "back" });
  const node = make("div", { class: "controls" }, k.node, temperature.node, capacity.node, order.node, back);
  return { node, back, show: () => {
    k.set(options.layers[0].k);
    temperature.set(Math.round(20 * Math.log10(options.layers[0].temperature)) / 20);
    capacity.set(options.capacity ?? NO_LIMIT);
    order.set(options.order);
    order.input.disabled = options.capacity === null;
  } };
}

/** Return the temperature at a place of its slider, which moves the power of ten. */
function warmth(place) {
  return Number((10 ** place).toFixed(2));
}

/** Return what can be done with one layer. */
function layerHooks(view, at) {
  const choice = () => view.options.layers[at];
  return {
    light: expert => aim(view, expert === null ? null : { layer: at, expert }),
    hold: expert => {
      const held = view.pinned?.layer === at && view.pinned.expert === expert;
      view.pinned = held ? null : { layer: at, expert };
      view.repaint();
    },
    turn: expert => {
      const { off } = choice();
      if (off[expert] || off.filter(isOff => !isOff).length > 1) off[expert] = !off[expert];
      view.refresh();
    },
    steer: (expert, count) => {
      if (choice().off[expert] || !view.bytes.length) return;
      const limits = thresholds(view.done.layers[at], expert, choice());
      choice().bias[expert] = Math.max(-1, Math.min(1, biasFor(Math.min(count, limits.length), limits)));
      view.refresh();
    },
    nudge: (expert, step) => {
      const { bias } = choice(), next = step === null ? 0 : Math.round((bias[expert] + step) * 1e4) / 1e4;
      bias[expert] = Math.max(-1, Math.min(1, next));
      view.refresh();
    },
  };
}

function readingLine() {
  const parts = ["loss", "was", "change", "dropped"].map(name => make("b", { class: name }));
  const [loss, was, change, dropped] = parts, way = make("p", { class: "tale" });
  const last = make("span", {}, dropped);
  const node = make("div", { class: "reading" }, make("p", { class: "figures" },
    make("span", {}, "loss ", loss, " nats per byte"), make("span", {}, "as trained ", was),
    make("span", {}, "change ", change), last), way);
  return { node, loss, was, change, dropped, last, way };
}

function codeLine() {
  const code = make("code");
  const copy = button("Copy as Python", async () => {
    try {
      await navigator.clipboard.writeText(code.textContent);
      say(copy, "Copied");
    } catch {  // a page from a file may not: then the line is marked, for the reader's own keys
      getSelection().selectAllChildren(code);
      say(copy, "Marked: press Ctrl+C");
    }
    setTimeout(() => say(copy, "Copy as Python"), 2000);
  });
  return { node: make("div", { class: "code" }, copy, code), code };
}

/** Run the model on the text: as trained, and with the options where they differ. */
function compute(view) {
  const { model, text, options } = view, bytes = encode(text);
  const trained = view.answer(model, bytes, null), plain = isPlain(view);
  const done = plain ? trained : view.answer(model, bytes, options);
  const loads = done.layers.map((layer, at) => loadOf(layer, trained.layers[at], options.layers[at].k));
  Object.assign(view, { answered: text, bytes, loads, labels: byteLabels(text), done, trained, plain,
    loss: losses(done.first, done.predictions, bytes),
      trainedLoss: losses(trained.first, trained.predictions, bytes) });
}

function isPlain({ model, options }) {
  return options.capacity === null && options.layers.every(({ k, temperature, bias, off }) =>
    k === model.k && temperature === 1 && bias.every(value => value === 0) && !off.includes(true));
}

/** Paint what the pointer moves and, where text or options brought a fresh answer, all the rest. */
function paint(view, fresh) {
  const { parts, labels, done } = view, empty = labels.length === 0;
  const target = view.pointed ?? view.pinned;
  const lit = target?.layer === undefined ? null : target;
  const wanted = target?.tile ?? view.pinned?.tile ?? labels.length - 1;
  const tile = Math.min(wanted, labels.length - 1);
  view.looks = empty || !view.model.heads ? null
    : done.layers.map((_, layer) => looksFrom(view.model, done, layer + 1, tile));
  parts.tiles.paint({ labels, routed: done.layers, tile, lit, looks: lit ? null : view.looks, fresh });
  if (fresh) paintAnswer(view);
  paintTale(view, tile, lit);
  parts.layers.forEach((layer, at) => layer.paint({ ...layerShown(view, at, tile, lit), fresh }));
  parts.chances.paint(empty ? { prediction: done.first, was: view.trained.first, next: null, label: null }
    : { prediction: done.predictions[tile], was: view.trained.predictions[tile], next: view.bytes[tile + 1] ?? null,
      label: labels[tile] });
}

/** Paint what no pointer changes: the controls, the losses, the line for Python, the room that is left. */
function paintAnswer(view) {
  const { parts, bytes, most } = view;
  parts.controls.show();
  paintFigures(view);
  parts.code.node.hidden = !bytes.length;  // no line does the same: Python refuses an empty text
  say(parts.code.code, callOf(view.text, view.options, view.model));
  say(parts.writing.count, view.cut ? `cut at ${most} bytes` : `${bytes.length} of ${most} bytes`);
}

/** Return what a layer's panel shows of one byte; of none, idle experts. */
function layerShown(view, at, tile, lit) {
  const routed = view.done.layers[at], choice = view.options.layers[at];
  const idle = { label: "", probs: Array(routed.numExperts).fill(0), logits: null, index: [], weights: [], kept: [] };
  const way = tile < 0 ? idle : { label: view.labels[tile], probs: routed.probs[tile], logits: routed.logits[tile],
    index: routed.expertIndex[tile], weights: routed.combineWeight[tile], kept: routed.kept[tile] };
  return { ...way, ...view.loads[at], bias: choice.bias, off: choice.off,
    lit: lit?.layer === at ? lit.expert : null,
    held: view.pinned?.layer === at ? view.pinned.expert : null };
}

/** Return the load of a layer: {counts, was, fair, scale}, was as trained, scale what the whole bar stands for. */
function loadOf(routed, trained, k) {
  const numTokens = routed.expertIndex.length, fair = numTokens * k / routed.numExperts;
  const counts = countChoices(routed), was = countChoices(trained).kept;
  const scale = Math.max(4, Math.ceil(3 * fair), ...was,
    ...counts.kept.map((kept, expert) => kept + counts.dropped[expert]));
  return { counts, was, fair, scale: Math.min(scale, Math.max(4, numTokens)) };
}

function mean(values) {
  return sum(values) / values.length;
}

function paintFigures(view) {
  const { loss, was, change, dropped, last } = view.parts.reading;
  const [now, before] = [mean(view.loss), mean(view.trainedLoss)], moved = now - before;
  last.hidden = view.options.capacity === null || !view.bytes.length;
  if (!view.bytes.length) {
    put(change, "class", "change");
    return [loss, was, change].forEach(each => say(each, "–"));
  }
  say(loss, now.toFixed(3));
  say(was, before.toFixed(3));
  say(change, signed(moved, 3));
  put(change, "class", moved > 5e-4 ? "change worse" : moved < -5e-4 ? "change better" : "change");
  const lost = sum(view.loads.map(({ counts }) => sum(counts.dropped)));
  say(dropped, `${lost} choices dropped, ${view.done.layers[0].capacity} seats each`);
}

/** Say what is pointed at, and to listeners what an edit has changed too. */
function paintTale(view, tile, lit) {
  const { way, loss, change } = view.parts.reading;
  const empty = tile < 0;
  const tale = empty ? "Type something: the model reads it byte by byte." : lit ? litWords(view, lit)
    : byteWords(view, tile);
  say(way, tale);
  view.parts.heard.say(view.plain || empty ? tale : `${tale} Loss ${loss.textContent}, change ${change.textContent}.`);
}

function byteWords(view, tile) {
  const ways = view.done.layers.map(layer => wayOf(layer, tile)), words = tileWords(tile, view.labels[tile], ways);
  return `${words[0].toUpperCase()}${words.slice(1)}. ${view.looks ? lookWords(view) : readWords(view, tile)}`;
}

function readWords({ labels, model }, tile) {
  return `It reads “${labels.slice(Math.max(0, tile - model.context + 1), tile + 1).join("")}”.`;
}

/** Return in words which byte attention takes most from, layer by layer. */
function lookWords({ looks, labels }) {
  const most = looks.map((row, layer) => {
    const at = row.indexOf(Math.max(...row));
    return `${labels[at]} at ${at + 1} (${row[at].toFixed(2)}) in layer ${layer + 1}`;
  });
  return `It looks most at ${most.join(", ")}.`;
}

function litWords(view, { layer, expert }) {
  const rows = view.done.layers[layer].expertIndex;
  const first = rows.filter(row => row[0] === expert).length,
    later = rows.filter(row => row.indexOf(expert) > 0).length;
  return `Expert ${expert} of layer ${layer + 1} works on ${first + later} of ${rows.length} bytes: `
    + `${first} as first choice (filled), ${later} as a later one (framed).`;
}
