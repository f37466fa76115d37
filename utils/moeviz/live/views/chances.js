// The next byte: the most probable ones, beside what they were as trained.
import { byteLabel } from "../moe/text.js";
import { make, put, say } from "./dom.js";

const SHOWN = 8;

/** Return {node, paint}. */
export function chancesPanel() {
  const rows = Array.from({ length: SHOWN }, () => {
    const row = { sign: make("b"), bar: make("i"), was: make("i", { class: "was" }), value: make("span") };
    row.node = make("li", {}, row.sign, make("span", { class: "bar" }, row.bar, row.was), row.value);
    return row;
  });
  const heading = make("p", { class: "title" }, "Next byte");
  const node = make("div", { class: "chances", role: "group", "aria-label": "Next byte" }, heading,
    make("ol", {}, ...rows.map(row => row.node)));
  return { node, paint: shown => paintChances(rows, heading, shown) };
}

/** Return the bytes with the largest chances. */
export function likeliest(prediction, count) {
  const bytes = Array.from(prediction, (_, byte) => byte);
  return bytes.sort((one, other) => prediction[other] - prediction[one] || one - other).slice(0, count);
}

function paintChances(rows, heading, { prediction, was, next, label }) {
  const bytes = likeliest(prediction, SHOWN);
  if (next !== null && !bytes.includes(next)) bytes[SHOWN - 1] = next;
  say(heading, label === null ? "First byte" : `Next byte after “${label}”`);
  rows.forEach((row, at) => {
    const byte = bytes[at], chance = prediction[byte];
    say(row.sign, byteLabel(byte));
    row.bar.style.width = `${100 * chance}%`;
    row.was.style.left = `${100 * was[byte]}%`;
    row.was.hidden = Math.abs(was[byte] - chance) < 0.002;
    say(row.value, chance.toFixed(3));
    put(row.node, "class", byte === next ? "true" : "");
    put(row.node, "title", byte === next ? "the byte that comes next in the sentence" : null);
  });
}
