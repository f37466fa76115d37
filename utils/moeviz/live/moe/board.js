// One matrix of scores, two ways to choose: each row its experts, or each column its tokens.
import { softmax, topKIndex } from "./arrays.js";

/** Return (T, E) of booleans: the k best experts of each token. */
export function tokenChoice(logits, k) {
  return logits.map(row => mark(row.length, topKIndex(row, k)));
}

/** Return (T, E) of booleans: the tokens with the largest shares of each expert; ties go to the lowest token. */
export function expertChoice(logits, capacity) {
  const probs = logits.map(row => softmax(row)), chosen = logits.map(row => Array(row.length).fill(false));
  logits[0].forEach((_, expert) => {
    for (const token of topKIndex(probs.map(row => row[expert]), capacity)) chosen[token][expert] = true;
  });
  return chosen;
}

/** Return the tokens before `at` whose experts differ between two choices. */
export function changedBefore(before, after, at) {
  return before.flatMap((row, token) => token < at && row.some((chosen, expert) => chosen !== after[token][expert])
    ? [token] : []);
}

function mark(size, places) {
  const row = Array(size).fill(false);
  for (const place of places) row[place] = true;
  return row;
}
