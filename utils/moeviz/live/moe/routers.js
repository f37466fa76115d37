// Routers: from the logits of a gate to {expertIndex, combineWeight, kept, probs}, one row per token.
import { softmax, sum, topKIndex } from "./arrays.js";

/** Return the options that change nothing for E experts. */
export function untouched(numExperts, k) {
  return { k, temperature: 1, bias: new Float64Array(numExperts), off: Array(numExperts).fill(false) };
}

/** Return the shares of one token: softmax of logits / temperature over the experts that are on. */
export function shares(logits, { temperature, off }) {
  return softmax(Array.from(logits, (logit, expert) => off[expert] ? -Infinity : logit / temperature));
}

/** Choose the k largest of share + bias; weigh by the share alone, divided by the sum over the chosen. */
export function chooseTopK(probs, { k, bias, off }) {
  const scores = probs.map((share, expert) => off[expert] ? -Infinity : share + bias[expert]);
  const open = off.filter(isOff => !isOff).length;
  const expertIndex = topKIndex(scores, Math.min(k, open));
  const chosen = expertIndex.map(expert => probs[expert]);
  const total = Math.max(sum(chosen), Number.MIN_VALUE);
  return { expertIndex, combineWeight: chosen.map(share => share / total), kept: chosen.map(() => true) };
}

/** Route tokens by the logits of a gate, an array of T rows; options as in `untouched`. */
export function routeTopK(logits, options) {
  const probs = logits.map(row => shares(row, options));
  const rows = probs.map(row => chooseTopK(row, options));
  return {
    logits, probs, numExperts: options.off.length,
    expertIndex: rows.map(row => row.expertIndex),
    combineWeight: rows.map(row => row.combineWeight),
    kept: rows.map(row => row.kept),
  };
}

/** Count the choices of each expert, those that were dropped apart: {kept, dropped}, each (E,). */
export function countChoices(routed) {
  const kept = Array(routed.numExperts).fill(0), dropped = Array(routed.numExperts).fill(0);
  routed.expertIndex.forEach((row, token) => row.forEach((expert, slot) => {
    (routed.kept[token][slot] ? kept : dropped)[expert] += 1;
  }));
  return { kept, dropped };
}

/** Return for each token the bias above which it chooses this expert, sorted; the others' biases stay. */
export function thresholds(routed, expert, { k, bias, off }) {
  const rows = routed.probs.map(probs => {
    const others = [];
    probs.forEach((share, other) => { if (other !== expert && !off[other]) others.push(share + bias[other]); });
    others.sort((one, other) => other - one);
    return (others.length < k ? -1 : others[k - 1]) - probs[expert];
  });
  return rows.sort((one, other) => one - other);
}

/** Return the bias, as few decimals as do, under which `count` tokens choose an expert. */
export function biasFor(count, limits) {
  const low = count === 0 ? limits[0] - 0.02 : limits[count - 1];
  const high = count === limits.length ? low + 0.02 : limits[count];
  for (let digits = 2; digits <= 6; digits++) {
    const unit = 10 ** digits, candidate = (Math.floor(low * unit) + 1) / unit;
    if (candidate < high) return candidate;
  }
  return (low + high) / 2;
}
