// What the reader did, as the line that does the same in a cell.
import { pythonText } from "../moe/text.js";

/** Return `model.route(...)` with the options that differ from the trained model's. */
export function callOf(text, { layers, capacity, order }, model) {
  const [{ k, temperature }] = layers, parts = [pythonText(text)];
  if (k !== model.k) parts.push(`k=${k}`);
  if (temperature !== 1) parts.push(`temperature=${temperature}`);
  const biased = byLayer(layers, ({ bias }) => bias.some(value => value !== 0) ? Array.from(bias, number) : []);
  const closed = byLayer(layers, ({ off }) => off.flatMap((isOff, expert) => isOff ? [expert] : []));
  if (biased) parts.push(`bias=${biased}`);
  if (closed) parts.push(`off=${closed}`);
  if (capacity !== null) parts.push(`capacity=${capacity}`, `order="${order}"`);
  return `model.route(${parts.join(", ")})`;
}

/** Return {layer: list} of the layers whose list is not empty, "" where all are. */
function byLayer(layers, listOf) {
  const entries = layers.flatMap((layer, at) => {
    const each = listOf(layer);
    return each.length ? [`${at + 1}: [${each.join(", ")}]`] : [];
  });
  return entries.length ? `{${entries.join(", ")}}` : "";
}

function number(value) {
  return value === 0 ? "0" : String(Number(value.toFixed(6)));
}
