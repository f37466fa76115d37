// What each step of the journey says: its formula, one worked number, and a sentence for everyone.
import { sum } from "../moe/arrays.js";
import { signed } from "./dom.js";

const LONG = 6;  // numbers; a longer vector is not written out

/** Return {general, words} of a step. */
export function stepWords(step, { way, k, label }) {
  const best = way.expertIndex[0], list = way.expertIndex.map(expert => `expert ${expert}`).join(" and ");
  const weights = way.expertIndex.map((expert, slot) =>
    `expert ${expert} with ${way.combineWeight[slot].toFixed(2)}`).join(", ");
  const kept = sum(way.expertIndex.map(expert => way.probs[expert]));
  return {
    "score": { general: "z = x · W", words: `The gate gives “${label}” one score per expert; the largest is `
      + `${signed(way.logits[best], 2, false)}, of expert ${best}.` },
    "softmax": { general: "pₑ = exp(zₑ) / Σ exp(zⱼ)",
      words: "Softmax turns the scores into positive shares that sum to 1; "
      + `expert ${best} gets ${way.probs[best].toFixed(2)}.` },
    "top-k": { general: `S = the ${k} largest p`,
      words: `The ${k} largest shares stay: ${list}. Together they hold ${kept.toFixed(2)}. `
      + tieWords(way) },
    "renormalise": { general: "wₑ = pₑ / Σ p over S",
      words: `Divided by their sum, the shares become weights: ${weights}.` },
    "run": { general: "yₑ = expertₑ(x), for e in S", words: way.answers
      ? `Only ${list} compute${way.expertIndex.length > 1 ? "" : "s"} an answer; `
        + `the other ${way.probs.length - way.expertIndex.length} do nothing.`
      : `Only ${list} would compute; the experts are not part of this example.` },
    "combine": { general: "y = Σ wₑ yₑ", words: `The answers are added up by their weights: ${weights}.`
      + (way.output && way.output.length <= LONG ? ` The result is ${vectorText(way.output)}.` : "") },
  }[step];
}

/** Say where a tie decided, which goes to the lowest expert. */
function tieWords({ probs, expertIndex }) {
  const last = probs[expertIndex[expertIndex.length - 1]];
  const tied = Array.from(probs).some((share, expert) => !expertIndex.includes(expert) && share === last);
  return tied ? "There was a tie; it goes to the lowest number." : "";
}

/** Return the step with the numbers of one expert in it. */
export function workedLine(step, { way, expert, token, column }) {
  const { logits, probs, weights, expertIndex } = way, chosen = expertIndex.includes(expert),
    slot = expertIndex.indexOf(expert), share = probs[expert].toFixed(2);
  if (step === "score") return scoreLine(expert, logits[expert], token, column);
  if (step === "softmax") {
    const total = sum(Array.from(logits, Math.exp));
    return `expert ${expert}: exp(${signed(logits[expert], 2, false)}) / ${total.toFixed(2)} = ${share}`;
  }
  if (step === "top-k") {
    const rank = 1 + Array.from(probs).filter((each, other) => each > probs[expert]
      || (each === probs[expert] && other < expert)).length;
    return `expert ${expert}: ${share} is number ${rank} of ${probs.length}, ${chosen ? "kept" : "left out"}`;
  }
  if (!chosen) return `expert ${expert}: not chosen, weight 0`;
  if (step === "renormalise") {
    const kept = expertIndex.map(each => probs[each].toFixed(2)).join(" + ");
    return `expert ${expert}: ${probs[expert].toFixed(2)} / (${kept}) = ${weights[expert].toFixed(2)}`;
  }
  if (!way.answers) return `expert ${expert}: weight ${weights[expert].toFixed(2)}`;
  if (step === "run") return `expert ${expert}: ${vectorText(way.answers[slot])}`;
  const parts = expertIndex.map((each, at) =>
    `${way.combineWeight[at].toFixed(2)} × ${signed(way.answers[at][0], 2, false)}`);
  return `first number of y: ${parts.join(" + ")} = ${signed(way.output[0], 2, false)}`;
}

function scoreLine(expert, score, token, column) {
  const value = signed(score, 2, false);
  if (!token || !column) return `expert ${expert}: score ${value}`;
  if (token.length > LONG) {
    return `expert ${expert}: the product of ${token.length} pairs of numbers, added up = ${value}`;
  }
  const pairs = Array.from(token, (number, at) => `${signed(number, 1, false)} × ${signed(column[at], 1, false)}`);
  return `expert ${expert}: ${pairs.join(" + ")} = ${value}`;
}

function vectorText(vector) {
  const shown = Array.from(vector).slice(0, LONG).map(value => signed(value, 2, false)).join(", ");
  return vector.length > LONG ? `(${shown}, …), ${vector.length} numbers` : `(${shown})`;
}
