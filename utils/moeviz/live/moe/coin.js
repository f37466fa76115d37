// Two experts and a coin: who is used gets better, and everything learned decays.

/** Return the share of tokens of the first expert at a difference of the two scores. */
export function shareOf(difference) {
  const shrunk = Math.exp(-Math.abs(difference));
  return difference >= 0 ? 1 / (1 + shrunk) : shrunk / (1 + shrunk);
}

/** Return the differences (R,) of R runs after one more token each; draws: (R,) uniform numbers. */
export function coinStep(differences, draws, { a, rate, decay }) {
  return differences.map((difference, run) => {
    const gain = draws[run] < shareOf(difference) ? a : -a;
    return difference + rate * (gain - decay * difference);
  });
}
