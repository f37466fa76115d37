// What the reader did, as the line that does the same in a cell.
import { pythonText } from "../moe/text.js";

/** Return `model.route(...)` with the options that differ from the trained model's. */
export function callOf(text, { layers, capacity, order }, model) {
  const [{ k, temperature }] = layers, parts = [pythonText(text)];
  if (k !== model.top_k) parts.push(`k=${k}`);
  if (temperature !== 1) parts.push(`temperature=${temperature}`);
  if (layers.some(({ bias }) => bias.some(value => value !== 0))) {
    parts.push(`bias=[${layers.map(({ bias }) => `[${Array.from(bias, number).join(", ")}]`).join(", ")}]`);
  }
  if (layers.some(({ off }) => off.includes(true))) {
    parts.push(`off=[${layers.map(({ off }) => `[${off.flatMap((isOff, expert) => isOff ? [expert] : []).join(", ")}]`).join(", ")}]`);
  }
  if (capacity !== null) parts.push(`capacity=${capacity}`, `order="${order}"`);
  return `model.route(${parts.join(", ")})`;
}

function number(value) {
  return value === 0 ? "0" : String(Number(value.toFixed(6)));
}
