// Vectors as small bars, and as numbers where there are few.
import { draw, make, put, signed } from "./dom.js";

const FEW = 6;

/** Return {node, paint}: a row with a name, the bars of a vector and, for a short one, its numbers. */
export function vectorRow() {
  const name = make("span", { class: "name" }), numbers = make("span", { class: "numbers" });
  const picture = draw("svg", { class: "vector", preserveAspectRatio: "none", "aria-hidden": "true" });
  const bars = draw("path", {});
  picture.append(draw("path", { d: "M0 0H10000", class: "zero" }), bars);
  const node = make("div", { class: "vectorrow" }, name, picture, numbers);
  return { node, paint: shown => paintVector(shown, { node, name, numbers, picture, bars }) };
}

function paintVector({ words, values, color, scale }, { node, name, numbers, picture, bars }) {
  node.hidden = !values;
  if (!values) return;
  name.replaceChildren(...words);
  const few = values.length <= FEW, step = few ? 20 : 6;
  put(picture, "viewBox", `0 -22 ${step * values.length} 44`);
  put(node, "class", few ? "vectorrow few" : "vectorrow");
  picture.style.maxWidth = `${step * values.length}px`;
  bars.style.fill = color;
  put(bars, "d", Array.from(values, (value, at) =>
    `M${step * at + 1} 0h${step - 2}v${(-20 * value / scale).toFixed(2)}h${2 - step}z`).join(""));
  numbers.textContent = few ? `(${Array.from(values, value => signed(value, 2, false)).join(", ")})`
    : `${values.length} numbers`;
}
