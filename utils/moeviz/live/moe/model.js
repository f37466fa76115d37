// The course's models: weights that Python hands over, and the forward pass of moeviz.tinylm.
import { multiply, softmax, sum } from "./arrays.js";
import { applyCapacity, expertCapacity } from "./capacity.js";
import { routeTopK, untouched } from "./routers.js";

const MOST_REMEMBERED = 4000;

/** Read {config, pad, epsilon, shapes, weights, half}: weights are one base64 text of float32, or float16 if half. */
export function readModel(state) {
  const values = readNumbers(state.weights, state.half), weights = {};
  let start = 0;
  for (const [name, shape] of Object.entries(state.shapes)) {
    const size = shape.reduce((one, other) => one * other, 1);
    weights[name] = values.subarray(start, start + size);
    start += size;
  }
  return { ...state.config, pad: state.pad, epsilon: state.epsilon, weights, remembered: new Map() };
}

function readNumbers(text, half) {
  const signs = atob(text), raw = new Uint8Array(signs.length);
  for (let at = 0; at < raw.length; at++) raw[at] = signs.charCodeAt(at);
  return half ? widen(new Uint16Array(raw.buffer)) : new Float32Array(raw.buffer);
}

/** Return float16 numbers, given by their bits, as float32. */
function widen(bits) {
  const units = Array.from({ length: 32 }, (_, exponent) => 2 ** (Math.max(exponent, 1) - 25));
  return Float32Array.from(bits, each => {
    const exponent = each >> 10 & 31, size = (each & 1023) + (exponent ? 1024 : 0);
    return (each & 0x8000 ? -1 : 1) * size * units[exponent];
  });
}

/** Return the options under which the model was trained, one set per layer and no capacity. */
export function asTrained(model) {
  const layers = Array.from({ length: model.layers }, () => untouched(model.num_experts, model.k));
  return { layers, capacity: null, order: "choice" };
}

/** Return T windows: the `context` bytes up to and including each byte; before the first stands padding. */
export function windowsOf(model, bytes) {
  const padded = [...Array(model.context - 1).fill(model.pad), ...bytes];
  return Array.from(bytes, (_, at) => padded.slice(at, at + model.context));
}

/** Return the vector (D,) that enters the first layer. */
export function mix(model, window) {
  const { embedding, w_mix, b_mix } = model.weights, width = model.embedding;
  const joined = new Float64Array(window.length * width);
  window.forEach((byte, at) => joined.set(embedding.subarray(byte * width, (byte + 1) * width), at * width));
  return multiply(joined, w_mix, model.width).map((value, at) => Math.max(value + b_mix[at], 0));
}

/** Return a vector (D,) at root mean square 1, times scale (D,). */
export function rmsNorm(stream, scale, epsilon) {
  let squares = 0;
  for (const value of stream) squares += value * value;
  const size = Math.sqrt(squares / stream.length + epsilon);
  return stream.map((value, at) => value / size * scale[at]);
}

/** Return {stream, tokens, logits} of one token at the door of a layer, counted from 1. */
export function enter(model, number, stream) {
  const tokens = rmsNorm(stream, model.weights[`norm_${number}`], model.epsilon);
  return { stream, tokens, logits: multiply(tokens, model.weights[`gate_${number}`], model.num_experts) };
}

/** Return what one expert answers (D,) to a token. */
export function runExpert(model, number, expert, tokens) {
  const { width, hidden } = model, start = expert * width * hidden;
  const inner = multiply(tokens, model.weights[`w_in_${number}`], hidden, start).map(value => Math.max(value, 0));
  return multiply(inner, model.weights[`w_out_${number}`], width, start);
}

/** Return the probability (256,) of each next byte. */
export function readOut(model, stream) {
  const { w_read, b_read } = model.weights, logits = multiply(stream, w_read, b_read.length);
  for (let at = 0; at < logits.length; at++) logits[at] += b_read[at];
  return softmax(logits);
}

/** Run windows through the model: {layers: one routing each, predictions: T rows (256,)}. */
export function forward(model, windows, options) {
  let doors = windows.map(window => firstDoor(model, window));
  const layers = [];
  options.layers.forEach((choice, at) => {
    const routed = seat(routeTopK(doors.map(door => door.logits), choice), options);
    layers.push({ ...routed, tokens: doors.map(door => door.tokens) });
    doors = doors.map((door, token) => behind(model, at + 1, door, routed, token));
  });
  return { layers, predictions: doors.map(door => door.prediction) };
}

/** Return what is behind a door for one choice: the next door or the prediction; the last choice is remembered. */
function behind(model, number, door, routed, token) {
  const way = wayOf(routed, token);
  if (!sameWay(door.behind?.way, way)) {
    const stream = addExperts(model, number, door, routed, token);
    const next = number < model.layers ? { ...enter(model, number + 1, stream), answers: [] }
      : { prediction: readOut(model, stream) };
    door.behind = { way, next };
  }
  return door.behind.next;
}

/** Return the way of one token through a layer: its experts, who of them has a seat for it, and their weights. */
export function wayOf({ expertIndex, kept, combineWeight }, token) {
  return { experts: expertIndex[token], kept: kept[token], weights: combineWeight[token] };
}

/** Tell whether two ways are the same; there may be no first one. */
export function sameWay(one, other) {
  return one !== undefined && one.experts.length === other.experts.length
    && one.experts.every((expert, slot) => expert === other.experts[slot] && one.kept[slot] === other.kept[slot]
      && one.weights[slot] === other.weights[slot]);
}

/** Seat the choices of a routing; capacity is a factor, or null for no limit. */
export function seat(routed, { capacity, order }) {
  if (capacity === null) return routed;
  const k = routed.expertIndex[0].length;
  const seats = expertCapacity(routed.expertIndex.length, routed.numExperts, k, capacity);
  return { ...applyCapacity(routed, seats, { order }), capacity: seats };
}

/** Return the stream (D,) of one token after a layer: what came in, plus its experts' answers by weight. */
export function addExperts(model, number, door, routed, token) {
  const stream = Float64Array.from(door.stream);
  routed.expertIndex[token].forEach((expert, slot) => {
    if (!routed.kept[token][slot]) return;
    const weight = routed.combineWeight[token][slot];
    const answer = answerOf(model, number, expert, door);
    for (let at = 0; at < stream.length; at++) stream[at] += weight * answer[at];
  });
  return stream;
}

/** Return what an expert answers at a door, which remembers it. */
function answerOf(model, number, expert, door) {
  door.answers[expert] ||= runExpert(model, number, expert, door.tokens);
  return door.answers[expert];
}

/** Return the door of the first layer: it depends on the window alone and is computed once. */
function firstDoor(model, window) {
  const key = window.join();
  let door = model.remembered.get(key);
  if (!door) {
    door = { ...enter(model, 1, mix(model, window)), answers: [] };
    model.remembered.set(key, door);
  }
  return door;
}

/** Return the untouched run {layers: rows, prediction} of each window; each is computed once. */
export function runTrained(model, windows) {
  if (model.remembered.size >= MOST_REMEMBERED) model.remembered.clear();
  const fresh = windows.filter(window => !firstDoor(model, window).trained);
  if (fresh.length) {
    const done = forward(model, fresh, asTrained(model));
    fresh.forEach((window, token) => {
      firstDoor(model, window).trained = {
        layers: done.layers.map(layer => ({
          expertIndex: layer.expertIndex[token], combineWeight: layer.combineWeight[token], kept: layer.kept[token],
          probs: layer.probs[token], logits: layer.logits[token], tokens: layer.tokens[token] })),
        prediction: done.predictions[token] };
    });
  }
  return windows.map(window => firstDoor(model, window).trained);
}

/** Return untouched runs of single windows as one run of all of them. */
export function stackTrained(model, windows) {
  const rows = runTrained(model, windows),
    names = ["expertIndex", "combineWeight", "kept", "probs", "logits", "tokens"];
  const layers = Array.from({ length: model.layers }, (_, at) => ({ numExperts: model.num_experts,
    ...Object.fromEntries(names.map(name => [name, rows.map(row => row.layers[at][name])])) }));
  return { layers, predictions: rows.map(row => row.prediction) };
}

/** Return {layers, predictions, first} of a text; options are null for the untouched model. */
export function answerBytes(model, bytes, options) {
  const windows = windowsOf(model, bytes);
  model.first ||= predictFirst(model, asTrained(model));
  if (!options) return { ...stackTrained(model, windows), first: model.first };
  const ran = bytes.length ? forward(model, windows, options) : stackTrained(model, windows);
  return { ...ran, first: predictFirst(model, options) };
}

/** Draw the next byte among those of ASCII that can be shown, by chances sharpened as a temperature does; as text. */
export function drawSign(chances, temperature, random) {
  const weights = Array.from(chances.subarray(0, 127), (chance, byte) =>
    byte >= 32 || byte === 10 ? chance ** (1 / temperature) : 0);
  let left = random() * sum(weights);
  const byte = weights.findIndex(weight => (left -= weight) < 0);
  return String.fromCharCode(byte < 0 ? 32 : byte);
}

/** Return the loss (T,) of each byte in nats: the first after padding alone, each other after the byte before it. */
export function losses(first, predictions, bytes) {
  const rows = [first, ...predictions.slice(0, -1)];
  return rows.map((row, at) => -Math.log(Math.max(row[bytes[at]], 1e-38)));
}

/** Return the prediction of the first byte of a text, from a window of padding, which takes no seat. */
export function predictFirst(model, options) {
  const padding = Array(model.context).fill(model.pad);
  return forward(model, [padding], { ...options, capacity: null }).predictions[0];
}
