// Elements, numbers as text, controls.

const SVG = "http://www.w3.org/2000/svg";

/** Return an element; attributes whose value is null or false stay away. */
export function make(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** Return an element of a drawing. */
export function draw(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children);
  return element;
}

/** Set an attribute or, for null, take it away; what is there already is not written again. */
export function put(element, name, value) {
  if (value === null) element.removeAttribute(name);
  else if (element.getAttribute(name) !== String(value)) element.setAttribute(name, value);
}

/** Set the text of an element unless it stands there already. */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Return a number with a true minus sign and, if asked for, a plus. */
export function signed(value, digits = 2, plus = true) {
  const text = Math.abs(value).toFixed(digits);
  if (Number(text) === 0) return text;
  return `${value < 0 ? "−" : plus ? "+" : ""}${text}`;
}

/** Return a share as a percentage, written as everywhere in the course: 33%. */
export function percent(share) {
  return `${(100 * share).toFixed(0)}%`;
}

/** Return a labelled range input as {node, input, set}; `format(value)` is what it reads. */
export function slider({ label, min, max, step, value, format, change }) {
  const input = make("input", { type: "range", min, max, step, value, "aria-label": label });
  const shown = make("span", { class: "reading", "aria-hidden": "true" });
  const node = make("label", { class: "control" }, make("span", {}, label), input, shown);
  const tell = () => {
    say(shown, format(Number(input.value)));
    input.setAttribute("aria-valuetext", format(Number(input.value)));
  };
  input.addEventListener("input", () => { tell(); change(Number(input.value)); });
  tell();
  const set = next => {
    if (input.value === String(next)) return;
    input.value = next;
    tell();
  };
  return { node, input, set };
}

/** Return a labelled list of choices as {node, input, set}; options: {value: words}. */
export function list({ label, options, value, change }) {
  const input = make("select", { "aria-label": label }, ...Object.entries(options).map(([key, words]) =>
    make("option", { value: key, selected: key === value }, words)));
  input.addEventListener("change", () => change(input.value));
  return { node: make("label", { class: "control" }, make("span", {}, label), input), input,
    set: next => { input.value = next; } };
}

/** Return a button. */
export function button(words, press, attributes = {}) {
  const node = make("button", { type: "button", ...attributes }, words);
  node.addEventListener("click", press);
  return node;
}

/** Return a function that runs `work` once before the next paint, however often it is called. */
export function beforePaint(work) {
  let asked = false;
  return () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => { asked = false; work(); });
  };
}

/** Return a function that runs `work` at once, and before the next paint again if it was called since. */
export function atOnce(work) {
  let done = false, asked = false;
  return () => {
    asked = done;
    if (done) return;
    done = true;
    work();
    requestAnimationFrame(() => {
      done = false;
      if (asked) work();
      asked = false;
    });
  };
}

/** Return {node, say}: a line that screen readers hear once things have been at rest for a moment. */
export function announcer() {
  const node = make("p", { class: "heard", role: "status" });
  let timer;
  return { node, say: text => { clearTimeout(timer); timer = setTimeout(() => say(node, text), 400); } };
}

/** Tell whether the reader asked for little motion. */
export function wantsStillness() {
  return matchMedia("(prefers-reduced-motion: reduce)").matches;
}
