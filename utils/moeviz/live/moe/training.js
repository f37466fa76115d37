// One layer of experts, one choice per token, trained by Adam: moeviz.training step by step, in doubles.
import { multiply, softmax, sum, topKIndex } from "./arrays.js";

export const RULES = ["sign", "proportional", "leaky", "turned"];
const BETA1 = 0.9, BETA2 = 0.99, EPSILON = 1e-8;

/** Unpack {sizes, plan, shapes, weights, starts}: the pool of tokens and targets, and the first weights. */
export function readTask(state) {
  const raw = Uint8Array.from(atob(state.weights), sign => sign.charCodeAt(0));
  const values = new Float32Array(raw.buffer), arrays = {};
  let start = 0;
  for (const [name, shape] of Object.entries(state.shapes)) {
    const size = shape.reduce((one, other) => one * other, 1);
    arrays[name] = Float64Array.from(values.subarray(start, start + size));
    start += size;
  }
  return { ...state.sizes, plan: state.plan, starts: state.starts, arrays };
}

/** Return a layer before its first step. */
export function startRun(task) {
  const weights = {}, moments = {};
  for (const name of ["gate", "w_in", "w_out"]) {
    weights[name] = Float64Array.from(task.arrays[name]);
    moments[name] = [new Float64Array(weights[name].length), new Float64Array(weights[name].length)];
  }
  return { task, weights, moments, bias: new Float64Array(task.num_experts), step: 0 };
}

/** Take one step; options: {coefficient of Switch's loss, rate of the bias, rule}. Returns {loss, load, bias}. */
export function trainStep(run, { coefficient = 0, rate = 0, rule = "sign" }) {
  const { task } = run, batch = routeBatch(run, rule);
  const gradients = backward(run, batch, coefficient);
  descend(run, gradients);
  const load = batch.counts.map(count => count / task.tokens), seen = Float64Array.from(run.bias);
  if (rate) run.bias = nextBias(run.bias, load, rate, rule);
  run.step += 1;
  return { loss: batch.loss, load, bias: seen };
}

/** Run the batch of this step forward and keep what the way back needs. */
function routeBatch(run, rule) {
  const { task, weights, bias } = run, { width, hidden, num_experts: experts, tokens } = task;
  const from = task.starts[run.step % task.starts.length], rows = [], counts = Array(experts).fill(0);
  let loss = 0;
  for (let at = from; at < from + tokens; at++) {
    const x = task.arrays.tokens.subarray(at * width, (at + 1) * width);
    const probs = softmax(multiply(x, weights.gate, experts));
    const [expert] = topKIndex(probs.map((share, other) => share + bias[other]), 1);
    const weight = rule === "leaky" ? Math.max(probs[expert] + bias[expert], 0) : probs[expert];
    const inner = multiply(x, weights.w_in, hidden, expert * width * hidden).map(value => Math.max(value, 0));
    const answer = multiply(inner, weights.w_out, width, expert * width * hidden);
    const error = answer.map((value, place) => weight * value - task.arrays.targets[at * width + place]);
    counts[expert] += 1;
    loss += sum(error.map(value => value * value)) / (tokens * width);
    rows.push({ x, probs, expert, weight, inner, answer, error });
  }
  return { rows, counts, loss };
}

/** Return the gradients of the mean squared error plus the coefficient times Switch's loss. */
function backward({ task, weights }, { rows, counts }, coefficient) {
  const { width, hidden, num_experts: experts, tokens } = task;
  const gradients = Object.fromEntries(Object.entries(weights).map(([name, array]) =>
    [name, new Float64Array(array.length)]));
  const push = counts.map(count => coefficient * experts * count / tokens / tokens);
  for (const row of rows) {
    const dout = row.error.map(value => value * 2 / (tokens * width)), start = row.expert * width * hidden;
    const dweight = row.weight > 0 ? sum(dout.map((value, place) => value * row.answer[place])) : 0;
    const dprobs = row.probs.map((_, expert) => push[expert] + (expert === row.expert ? dweight : 0));
    addOuter(gradients.gate, row.x, throughSoftmax(row.probs, dprobs), 0);
    const danswer = dout.map(value => value * row.weight);
    addOuter(gradients.w_out, row.inner, danswer, start);
    const dinner = row.inner.map((value, unit) => {
      if (value <= 0) return 0;
      let total = 0;
      for (let place = 0; place < width; place++) total += weights.w_out[start + unit * width + place] * danswer[place];
      return total;
    });
    addOuter(gradients.w_in, row.x, dinner, start);
  }
  return gradients;
}

function throughSoftmax(probs, dprobs) {
  const mean = sum(probs.map((share, at) => share * dprobs[at]));
  return probs.map((share, at) => share * (dprobs[at] - mean));
}

/** Add the product of a column and a row to a matrix that begins at `start`. */
function addOuter(matrix, column, row, start) {
  for (let at = 0; at < column.length; at++) {
    const factor = column[at], from = start + at * row.length;
    if (factor === 0) continue;
    for (let place = 0; place < row.length; place++) matrix[from + place] += factor * row[place];
  }
}

/** Take one step of Adam for every weight. */
function descend({ task, weights, moments, step }, gradients) {
  const rate = task.plan.learning_rate * Math.min(1, (step + 1) / Math.max(task.plan.warm_up, 1));
  const [one, two] = [1 - BETA1 ** (step + 1), 1 - BETA2 ** (step + 1)];
  for (const [name, gradient] of Object.entries(gradients)) {
    const [first, second] = moments[name], weight = weights[name];
    for (let at = 0; at < weight.length; at++) {
      first[at] = BETA1 * first[at] + (1 - BETA1) * gradient[at];
      second[at] = BETA2 * second[at] + (1 - BETA2) * gradient[at] * gradient[at];
      weight[at] -= rate / one * first[at] / (Math.sqrt(second[at] / two) + EPSILON);
    }
  }
}

/** Return the bias after a step: who gets less than the mean gains; a wrong rule turns the sign. */
function nextBias(bias, load, rate, rule) {
  const mean = sum(load) / load.length;
  return bias.map((value, expert) => {
    const missing = mean - load[expert];
    const move = rule === "proportional" ? missing / mean : Math.sign(missing);
    return value + rate * (rule === "turned" ? -move : move);
  });
}
