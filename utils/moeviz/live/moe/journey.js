// The way of one token through a layer, step by step.
import { multiply, sum } from "./arrays.js";
import { runExpert, stackTrained, windowsOf } from "./model.js";
import { chooseTopK, shares, untouched } from "./routers.js";
import { byteLabels, encode } from "./text.js";

export const STEPS = ["score", "softmax", "top-k", "renormalise", "run", "combine"];

/** Return every number of one token's way; `answer(expert)` is what an expert says (D,), null where none is known. */
export function followToken(logits, k, answer) {
  const probs = shares(logits, untouched(logits.length, k));
  const { expertIndex, combineWeight } = chooseTopK(probs, untouched(logits.length, k));
  const chosen = probs.map((_, expert) => expertIndex.includes(expert) ? probs[expert] : 0);
  const weights = new Float64Array(probs.length);
  expertIndex.forEach((expert, slot) => { weights[expert] = combineWeight[slot]; });
  const answers = answer ? expertIndex.map(expert => answer(expert)) : null;
  const output = answers && answers[0].map((_, at) => sum(answers.map((row, slot) => combineWeight[slot] * row[at])));
  return { logits, probs, chosen, weights, expertIndex, combineWeight, answers, output };
}

/** Return {labels, k, token(at), logits(at), column(expert), answer(at, expert)} of tokens that were typed. */
export function typedSource({ labels, k, tokens, gate, logits, experts }) {
  return {
    labels, k, token: at => tokens && tokens[at], logits: at => logits[at],
    column: expert => gate && gate.map(row => row[expert]),
    answer: experts && ((at, expert) => answerTyped(experts, tokens[at], expert)),
  };
}

/** Return an expert's answer: token @ matrix, or relu(token @ w_in) @ w_out. */
function answerTyped(experts, token, expert) {
  const through = (vector, matrix) => multiply(vector, matrix.flat(), matrix[0].length);
  if (experts.matrix) return through(token, experts.matrix[expert]);
  return through(through(token, experts.w_in[expert]).map(value => Math.max(value, 0)), experts.w_out[expert]);
}

/** Return the same of the bytes of a text in one layer of the model, counted from 1. */
export function modelSource(model, text, number) {
  const layer = stackTrained(model, windowsOf(model, encode(text))).layers[number - 1];
  const gate = model.weights[`gate_${number}`];
  return {
    labels: byteLabels(text), k: model.k, token: at => layer.tokens[at], logits: at => layer.logits[at],
    column: expert => Array.from({ length: model.width }, (_, row) => gate[row * model.num_experts + expert]),
    answer: (at, expert) => runExpert(model, number, expert, layer.tokens[at]),
  };
}
