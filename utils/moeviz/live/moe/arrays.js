// Vectors as typed arrays. T tokens, E experts, k choices, D width.

/** Turn scores into positive shares that sum to 1; a score of -Infinity gets 0. */
export function softmax(scores) {
  let top = -Infinity;
  for (const score of scores) if (score > top) top = score;
  const powers = Float64Array.from(scores, score => Math.exp(score - top));
  const total = sum(powers);
  return powers.map(power => power / total);
}

/** Return the places of the k largest scores, best first; ties go to the lowest place. */
export function topKIndex(scores, k) {
  const places = Array.from(scores, (_, place) => place);
  places.sort((one, other) => scores[other] - scores[one] || one - other);
  return places.slice(0, k);
}

/** Add up numbers. */
export function sum(values) {
  let total = 0;
  for (const value of values) total += value;
  return total;
}

/** Return vector (D,) @ matrix (D, columns), the matrix row by row from `start` on. */
export function multiply(vector, matrix, columns, start = 0) {
  const product = new Float64Array(columns);
  for (let row = 0; row < vector.length; row++) {
    const factor = vector[row];
    if (factor === 0) continue;
    const from = start + row * columns;
    for (let column = 0; column < columns; column++) product[column] += factor * matrix[from + column];
  }
  return product;
}

/** Return the places sorted by rising value; equal values keep their order. */
export function argsort(values) {
  return Array.from(values, (_, place) => place).sort((one, other) => values[one] - values[other] || one - other);
}
