// The course's Transformer: the forward pass of moeviz.transformer.blocks, which keeps what an edit leaves alone.
import { multiply, softmax, sum } from "./arrays.js";
import { addExperts, asTrained, rmsNorm, sameWay, seat, wayOf } from "./model.js";
import { routeTopK } from "./routers.js";

const BASE = 10_000;
const BY_TOKEN = ["logits", "probs", "expertIndex", "combineWeight", "kept"];

/** Return {layers, predictions, first, run} of a text; options are null for the untouched model. */
export function answerTransformer(model, bytes, options) {
  const which = options ? "steered" : "trained";
  model.runs ||= {};
  model.runs[which] ||= emptyRun(model);
  return continueRun(model, model.runs[which], bytes, options || asTrained(model));
}

/** Return a run that has seen nothing: one row per byte, and one for the newline in front, stands in each block. */
export function emptyRun(model) {
  return { text: [], blocks: Array.from({ length: model.layers }, () => []), chances: [] };
}

/** Bring a run to another text or other options; only what these change is computed again. */
export function continueRun(model, run, bytes, options) {
  const text = [model.pad, ...bytes], { embedding } = model.weights, { width } = model;
  let streams = text.map((byte, at) => byte === run.text[at] ? null
    : Float64Array.from(embedding.subarray(byte * width, (byte + 1) * width)));  // null: as it was
  run.text = text;
  const layers = run.blocks.map((rows, at) => {
    enterRows(model, at + 1, rows, streams);
    attendRows(model, at + 1, rows);
    const routed = routeRows(model, rows, options, at);
    streams = leaveRows(model, at + 1, rows, routed);
    return { ...routed, ...Object.fromEntries(BY_TOKEN.map(name => [name, routed[name].slice(1)])) };
  });
  run.chances.length = text.length;
  streams.forEach((stream, at) => { if (stream) run.chances[at] = readChances(model, stream); });
  return { layers, predictions: run.chances.slice(1), first: run.chances[0], run };
}

/** Put new streams into the rows of a block: query, key and value of each are made, and it is marked as new. */
function enterRows(model, number, rows, streams) {
  rows.length = streams.length;
  streams.forEach((stream, at) => {
    if (!stream) return;
    const tokens = rmsNorm(stream, model.weights[`norm_attention_${number}`], model.epsilon);
    const [query, key, value] = ["query", "key", "value"].map(part =>
      multiply(tokens, model.weights[`w_${part}_${number}`], model.width));
    rows[at] = { stream, query: rotate(model, query, at), key: rotate(model, key, at), value, fresh: true };
  });
}

/** Turn each pair of neighbouring numbers of every head by position / 10,000^(2 i / n). */
export function rotate(model, vector, position) {
  const size = model.width / model.heads;
  for (let at = 0; at < vector.length; at += 2) {
    const angle = position * BASE ** (-(at % size) / size), cos = Math.cos(angle), sin = Math.sin(angle);
    const one = vector[at], two = vector[at + 1];
    vector[at] = one * cos - two * sin;
    vector[at + 1] = one * sin + two * cos;
  }
  return vector;
}

/** Let every row from the first new one on look back, and stand at the door of the experts. */
function attendRows(model, number, rows) {
  const first = rows.findIndex(row => row.fresh), scale = model.weights[`norm_experts_${number}`];
  for (let at = first < 0 ? rows.length : first; at < rows.length; at++) {
    const row = rows[at], seen = rows.slice(Math.max(0, at - model.context + 1), at + 1);
    row.looks = looksOf(model, row.query, seen);
    const heard = multiply(gather(model, row.looks, seen), model.weights[`w_merge_${number}`], model.width);
    row.between = row.stream.map((value, place) => value + heard[place]);
    row.tokens = rmsNorm(row.between, scale, model.epsilon);
    row.logits = multiply(row.tokens, model.weights[`gate_${number}`], model.num_experts);
    Object.assign(row, { answers: [], way: undefined, fresh: false });
  }
}

/** Return for each head the shares with which a query looks at the rows that it may see. */
function looksOf(model, query, seen) {
  const size = model.width / model.heads;
  return Array.from({ length: model.heads }, (_, head) => {
    const scores = new Float64Array(seen.length), from = head * size;
    for (let at = 0; at < scores.length; at++) scores[at] = dot(query, seen[at].key, from, size) / Math.sqrt(size);
    return softmax(scores);
  });
}

/** Return what the heads find, side by side: the values of the rows seen, by the shares of each head. */
function gather(model, looks, seen) {
  const size = model.width / model.heads, found = new Float64Array(model.width);
  looks.forEach((shares, head) => {
    for (let at = 0; at < shares.length; at++) addPart(found, seen[at].value, shares[at], head * size, size);
  });
  return found;
}

function dot(one, other, start, size) {
  let total = 0;
  for (let at = start; at < start + size; at++) total += one[at] * other[at];
  return total;
}

function addPart(total, vector, factor, start, size) {
  for (let at = start; at < start + size; at++) total[at] += factor * vector[at];
}

/** Route all rows; the newline in front takes no seat, and seats are counted within each stretch of the context. */
function routeRows(model, rows, options, at) {
  const logits = rows.map(row => row.logits), parts = [routeTopK(logits.slice(0, 1), options.layers[at])];
  for (let start = 1; start < rows.length; start += model.context) {
    parts.push(seat(routeTopK(logits.slice(start, start + model.context), options.layers[at]), options));
  }
  const joined = BY_TOKEN.map(name => [name, parts.flatMap(part => part[name])]);
  return { ...Object.fromEntries(joined), numExperts: model.num_experts, capacity: parts[1]?.capacity };
}

/** Send rows through their experts; return the stream of each that has a new one, null for the others. */
function leaveRows(model, number, rows, routed) {
  return rows.map((row, at) => {
    const way = wayOf(routed, at);
    if (sameWay(row.way, way)) return null;
    row.way = way;
    const door = { stream: row.between, tokens: row.tokens, answers: row.answers };
    return addExperts(model, number, door, routed, at);
  });
}

function readChances(model, stream) {
  const tokens = rmsNorm(stream, model.weights.norm_read, model.epsilon);
  return softmax(multiply(tokens, model.weights.w_read, 256));
}

/** Return how much byte `at` of a run takes from each byte up to it in a block, the mean of the heads: T numbers. */
export function looksFrom(model, { run }, number, at) {
  const { looks } = run.blocks[number - 1][at + 1], start = at + 2 - looks[0].length;
  return Array.from({ length: run.text.length - 1 }, (_, byte) => {
    const place = byte + 1 - start;
    return place < 0 || byte > at ? 0 : sum(looks.map(head => head[place])) / looks.length;
  });
}
