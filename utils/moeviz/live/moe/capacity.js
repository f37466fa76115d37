// Capacity: a fixed number of seats per expert; choices that find none are dropped.
import { argsort } from "./arrays.js";

/** Return the seats per expert, max(1, ceil(k T factor / E)), the factor read as the decimal that was typed. */
export function expertCapacity(numTokens, numExperts, k, factor) {
  const [whole, decimals = ""] = String(factor).split(".");
  const unit = 10 ** decimals.length;
  return Math.max(1, Math.ceil(Number(whole + decimals) * k * numTokens / (unit * numExperts)));
}

/** Return the choices as {token, slot} in the order in which they are seated; padding is not among them. */
export function servingOrder(routed, order, mask) {
  const choices = [];
  routed.expertIndex.forEach((row, token) => row.forEach((_, slot) => {
    if (routed.kept[token][slot] && (!mask || mask[token])) choices.push({ token, slot });
  }));
  if (order === "token") return choices;
  const rank = ranks(routed, order);
  return choices.sort((one, other) => one.slot - other.slot || rank[one.token] - rank[other.token]);
}

/** Return the turn of each token within one round of choices; a random one was drawn by Python. */
function ranks(routed, order) {
  if (order === "random") return routed.drawn;
  const rank = routed.expertIndex.map((_, token) => token);
  if (order === "score") {
    const first = routed.expertIndex.map((row, token) => -routed.probs[token][row[0]]);
    argsort(first).forEach((token, turn) => { rank[token] = turn; });
  }
  return rank;
}

/** Return rows of places: how many choices stand before this one in its expert's queue, -1 for none. */
export function seatPositions(routed, { order = "choice", groups = 1, mask = null } = {}) {
  const place = routed.expertIndex.map(row => row.map(() => -1));
  const perGroup = routed.expertIndex.length / groups;
  const queue = new Map();
  for (const { token, slot } of servingOrder(routed, order, mask)) {
    const key = Math.floor(token / perGroup) * routed.numExperts + routed.expertIndex[token][slot];
    place[token][slot] = queue.get(key) || 0;
    queue.set(key, place[token][slot] + 1);
  }
  return place;
}

/** Return the same routing with kept false where no seat was left; weights are not divided anew. */
export function applyCapacity(routed, capacity, options) {
  const place = seatPositions(routed, options);
  const kept = place.map(row => row.map(position => position >= 0 && position < capacity));
  return { ...routed, kept, place };
}
