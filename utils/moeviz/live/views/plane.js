// The plane: drag the arrows of a gate, and the regions, the tokens and the load follow.
import { areaOf, ownersOf, regionsOf, tiesAt } from "../moe/plane.js";
import { announcer, beforePaint, button, draw, make, percent, put, say, signed, slider } from "./dom.js";
import { frame } from "./frame.js";

const STEP = 0.1;

/** Build the view in its root. */
export function open(root) {
  frame(root, buildPlane);
}

function buildPlane(state, body) {
  const view = { ...state, arrows: copyRows(state.start.arrows), bias: [...state.start.bias] };
  view.refresh = beforePaint(() => paintPlane(view));
  view.set = (arrows, bias) => { view.arrows = copyRows(arrows); view.bias = [...bias]; view.refresh(); };
  view.parts = { map: planeMap(view), rows: planeRows(view), told: make("p", { class: "told" }), heard: announcer(),
    code: make("code") };
  const { map, rows, told, heard, code } = view.parts;
  const side = make("div", { class: "side" }, rows.node, planePicks(view), told);
  body.append(make("div", { class: "planes" }, map.node, side), make("div", { class: "code" }, code), heard.node);
  paintPlane(view);
}

function copyRows(rows) {
  return rows.map(row => [...row]);
}

/** Return the buttons that set the gate to something worth seeing. */
function planePicks(view) {
  const { arrows, bias } = view.start;
  const twins = () => view.set(arrows.map((arrow, expert) => expert === 1 ? arrows[0] : arrow), bias);
  const longer = () => view.set(arrows.map((arrow, expert) => expert === 0 ? arrow.map(value => 2.5 * value) : arrow),
    bias);
  return make("div", { class: "picks", role: "group", "aria-label": "Gates to try" },
    button("As typed", () => view.set(arrows, bias)), button("Expert 0 longer", longer),
      button("Two arrows on one line", twins));
}

function planeMap(view) {
  const { span } = view, size = 2 * span;
  const regions = view.colors.map((_, expert) =>
    draw("polygon", { fill: `var(--e${expert})`, "fill-opacity": 0.3, stroke: "var(--ground)",
    "stroke-width": size / 150 }));
  const axes = draw("path", { class: "axes", d: `M${-span} 0H${span}M0 ${-span}V${span}` });
  const arrows = view.colors.map((_, expert) => arrowHandle(view, expert));
  const dots = view.points.map((point, at) => tokenDot(view, point, view.labels[at]));
  const node = draw("svg", { class: "plane", viewBox: `${-span} ${-span} ${size} ${size}`, role: "group",
    "aria-label": "The plane of tokens, with one arrow per expert" }, ...regions, axes, ...dots.map(dot => dot.node),
      ...arrows.map(arrow => arrow.node));
  const drag = dragger(view, node);
  node.addEventListener("pointerdown", drag.begin);
  node.addEventListener("pointermove", drag.go);
  node.addEventListener("pointerup", drag.end);
  node.addEventListener("pointercancel", drag.end);
  return { node, regions, arrows, dots };
}

/** Return the pointer's part in moving arrows: their ends follow it. */
function dragger(view, node) {
  let held = null;
  const place = event => {
    const box = node.getBoundingClientRect(), { span } = view;
    const along = (at, from, length) => Math.max(-span, Math.min(span, ((at - from) / length * 2 - 1) * span));
    return [along(event.clientX, box.left, box.width), -along(event.clientY, box.top, box.height)];
  };
  return {
    begin: event => {
      const handle = event.target.closest(".arrow");
      if (!handle) return;
      held = Number(handle.dataset.expert);
      node.setPointerCapture(event.pointerId);
      handle.focus();
      event.preventDefault();
    },
    go: event => {
      if (held === null) return;
      view.arrows[held] = place(event).map(value => Math.round(value * 20) / 20);
      view.refresh();
    },
    end: () => { held = null; },
  };
}

function arrowHandle(view, expert) {
  const unit = view.span / 30;
  const line = draw("line", { x1: 0, y1: 0, stroke: "var(--ink)", "stroke-width": unit * 0.5 });
  const knob = draw("circle",
    { r: unit * 1.5, fill: `var(--e${expert})`, stroke: "var(--ink)", "stroke-width": unit * 0.25 });
  const name = draw("text",
    { "font-size": unit * 1.7, "text-anchor": "middle", "dominant-baseline": "central", fill: `var(--i${expert})`,
    "font-weight": 700 }, String(expert));
  const node = draw("g", { class: "arrow", tabindex: 0, role: "slider", "data-expert": expert,
    "aria-label": `Arrow of expert ${expert}`,
    "aria-valuemin": -180, "aria-valuemax": 180 }, line, knob, name);
  node.addEventListener("keydown", event => {
    const move = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
    if (!move) return;
    event.preventDefault();
    const far = event.shiftKey ? 5 * STEP : STEP;
    view.arrows[expert] = view.arrows[expert].map((value, axis) =>
      Math.max(-view.span, Math.min(view.span, Math.round((value + far * move[axis]) * 100) / 100)));
    view.refresh();
  });
  return { node, line, knob, name };
}

function tokenDot(view, [x, y], label) {
  const unit = view.span / 30;
  const dot = draw("circle", { cx: x, cy: -y, r: unit * 0.75, stroke: "var(--ink)", "stroke-width": unit * 0.22 });
  const node = draw("g", {}, dot);
  if (label) node.append(draw("text", { x: x + unit * 1.2, y: -y - unit * 0.9, "font-size": unit * 1.7, class: "name" },
    label));
  return { node, dot };
}

/** Return a row per expert: how many tokens it gets, its part of the plane, and its bias. */
function planeRows(view) {
  const rows = view.colors.map((_, expert) => {
    const row = { bar: make("i"), count: make("span", { class: "count" }), area: make("span", { class: "count" }) };
    row.bias = slider({ label: `bias of expert ${expert}`, min: -3, max: 3, step: 0.1, value: view.bias[expert],
      format: value => signed(value, 1), change: value => { view.bias[expert] = value; view.refresh(); } });
    row.bias.node.firstChild.textContent = "bias";
    row.node = make("div", { class: "planerow", style: `--lit: var(--e${expert}); --litink: var(--i${expert})` },
      make("span", { class: "badge" }, String(expert)), make("span", { class: "bar" }, row.bar), row.count, row.area,
        row.bias.node);
    return row;
  });
  const heads = make("div", { class: "planerow heads2", "aria-hidden": "true" }, make("span"),
    make("span", {}, "tokens"), make("span"),
    make("span", {}, "plane"), make("span"));
  return { node: make("div", {}, heads, ...rows.map(row => row.node)), rows };
}

function paintPlane(view) {
  const { arrows, bias, span, points, parts } = view;
  const regions = regionsOf(arrows, bias, span), owners = ownersOf(points, arrows, bias);
  parts.map.regions.forEach((polygon, expert) =>
    put(polygon, "points", regions[expert].map(([x, y]) => `${x.toFixed(3)},${(-y).toFixed(3)}`).join(" ")));
  parts.map.arrows.forEach((arrow, expert) => paintArrow(arrow, arrows[expert]));
  parts.map.dots.forEach(({ dot }, at) => put(dot, "fill", `var(--e${owners[at]})`));
  parts.rows.rows.forEach((row, expert) => {
    const count = owners.filter(owner => owner === expert).length;
    row.bar.style.width = `${100 * count / points.length}%`;
    say(row.count, String(count));
    say(row.area, percent(areaOf(regions[expert]) / (4 * span * span)));
    if (Number(row.bias.input.value) !== bias[expert]) row.bias.set(bias[expert]);
  });
  const words = planeWords(view, owners, regions);
  say(parts.told, words);
  parts.heard.say(words);
  say(parts.code, planeCode(view));
}

function paintArrow({ node, line, knob, name }, [x, y]) {
  put(line, "x2", x);
  put(line, "y2", -y);
  put(knob, "cx", x);
  put(knob, "cy", -y);
  put(name, "x", x);
  put(name, "y", -y);
  put(node, "aria-valuenow", Math.round(Math.atan2(y, x) * 180 / Math.PI));
  put(node, "aria-valuetext", `${signed(x, 1, false)} right, ${signed(y, 1, false)} up`);
}

/** Say who gets how much, and where the tie rule decided. */
function planeWords({ arrows, bias, points, labels, colors }, owners, regions) {
  const counts = colors.map((_, expert) => owners.filter(owner => owner === expert).length);
  const busiest = counts.indexOf(Math.max(...counts));
  const parts = [`Expert ${busiest} gets ${counts[busiest]} of ${points.length} tokens.`];
  const empty = regions.flatMap((region, expert) => region.length ? [] : [expert]);
  if (empty.length) parts.push(`${empty.length > 1 ? "Experts" : "Expert"} ${empty.join(" and ")} `
    + `own${empty.length > 1 ? "" : "s"} nothing: another arrow wins everywhere, or a tie goes to a lower number.`);
  const tied = points.flatMap((point, at) => tiesAt(point, arrows, bias).length > 1
    ? [labels[at] || `token ${at}`] : []);
  const names = tied.slice(0, 6).map(label => `“${label}”`).join(", ");
  if (tied.length) parts.push(`On a border: ${names}; a tie goes to the lowest number.`);
  return parts.join(" ");
}

function planeCode({ arrows, bias }) {
  const row = axis => `[${arrows.map(arrow => arrow[axis]).join(", ")}]`;
  const offset = bias.some(value => value !== 0) ? ` + np.array([${bias.join(", ")}])` : "";
  return `routing.top_k(tokens @ np.array([${row(0)}, ${row(1)}])${offset}, k=1)`;
}
