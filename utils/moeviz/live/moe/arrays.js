// Vectors as typed arrays. T tokens, E experts, k choices, D width.

/** Turn scores into positive shares that sum to 1; a score of -Infinity gets 0. */
export function softmax(scores) {
  let top = -Infinity, total = 0;
  for (const score of scores) if (score > top) top = score;
  const powers = new Float64Array(scores.length);
  for (let at = 0; at < powers.length; at++) {
    powers[at] = Math.exp(scores[at] - top);
    total += powers[at];
  }
  for (let at = 0; at < powers.length; at++) powers[at] /= total;
  return powers;
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
  const product = new Float64Array(columns), rows = [];
  for (let row = 0; row < vector.length; row++) if (vector[row] !== 0) rows.push(row);
  let at = 0;
  for (; at + 3 < rows.length; at += 4) addFourRows(product, vector, matrix, start, rows, at);
  for (; at < rows.length; at++) {
    const factor = vector[rows[at]], from = start + rows[at] * columns;
    for (let column = 0; column < columns; column++) product[column] += factor * matrix[from + column];
  }
  return product;
}

/** Add four rows at once, which writes the product a quarter as often. */
function addFourRows(product, vector, matrix, start, rows, at) {
  const columns = product.length, [r0, r1, r2, r3] = [rows[at], rows[at + 1], rows[at + 2], rows[at + 3]];
  const [f0, f1, f2, f3] = [vector[r0], vector[r1], vector[r2], vector[r3]];
  const a = start + r0 * columns, b = start + r1 * columns, c = start + r2 * columns, d = start + r3 * columns;
  for (let column = 0; column < columns; column++) {
    product[column] += f0 * matrix[a + column] + f1 * matrix[b + column]
      + f2 * matrix[c + column] + f3 * matrix[d + column];
  }
}

/** Return the places sorted by rising value; equal values keep their order. */
export function argsort(values) {
  return Array.from(values, (_, place) => place).sort((one, other) => values[one] - values[other] || one - other);
}
