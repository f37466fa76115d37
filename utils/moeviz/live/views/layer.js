// One layer: a byte comes in on the left, its experts light up, their weighted answers meet on the right.
import { draw, make, put, say, signed } from "./dom.js";

const ROW = 30;  // pixels, as in the style sheet

/** Return {node, paint}. Hooks for an expert e: light(e?), hold(e), turn(e), steer(e, count), nudge(e, step?). */
export function layerPanel({ number, numExperts, hooks }) {
  const rows = Array.from({ length: numExperts }, (_, expert) => expertRow(number, expert, hooks));
  const entry = make("span", { class: "node", "aria-hidden": "true" });
  const [inward, outward] = [ribbons(numExperts), ribbons(numExperts)];
  const heading = make("div", { class: "heads", "aria-hidden": "true" }, make("span"), make("span", {}, "score"),
    make("span", {}, "share"), make("span", {}, "load", make("span", { class: "how" }, ", drag to bias")),
    make("span"), make("span", {}, "on"), make("span", {}, "weight"));
  const node = make("div", { class: "layer", role: "group", "aria-label": `Layer ${number}` },
    make("p", { class: "title" }, `Layer ${number}`), heading,
    make("div", { class: "way" }, make("div", { class: "gutter in" }, inward.node, entry),
      make("div", { class: "rows" }, ...rows.map(row => row.node)),
      make("div", { class: "gutter out" }, outward.node, make("span", { class: "sum", "aria-hidden": "true" }, "+"))));
  return { node, paint: shown => {
    say(entry, shown.label);
    entry.hidden = !shown.label;
    rows.forEach((row, expert) => paintRow(row, expert, shown));
    paintRibbons(inward, outward, shown);
  } };
}

function expertRow(number, expert, hooks) {
  const name = `expert ${expert} of layer ${number}`;
  const row = {
    badge: make("button", { type: "button", class: "badge",
      style: `--lit: var(--e${expert}); --litink: var(--i${expert})`,
      "aria-label": `Light the bytes of ${name}` }, String(expert)),
    score: make("span", { class: "score" }), share: make("i"), load: loadBar(name, expert, hooks),
    count: make("span", { class: "count" }), weight: make("span", { class: "weight" }),
    switch: make("button", { type: "button", class: "switch", role: "switch", "aria-label": `${name} is on` }),
  };
  row.badge.addEventListener("pointerenter", event => event.pointerType !== "touch" && hooks.light(expert));
  row.badge.addEventListener("pointerleave", () => hooks.light(null));
  row.badge.addEventListener("focus", () => row.badge.matches(":focus-visible") && hooks.light(expert));
  row.badge.addEventListener("blur", () => hooks.light(null));
  row.badge.addEventListener("click", () => hooks.hold(expert));
  row.switch.addEventListener("click", () => hooks.turn(expert));
  row.node = make("div", { class: "row", style: `--lit: var(--e${expert})` }, row.badge, row.score,
    make("span", { class: "share" }, row.share), row.load.node, row.count, row.switch, row.weight);
  return row;
}

/** Return the bar of a load that can be dragged: a slider of the expert's bias. */
function loadBar(name, expert, hooks) {
  const parts = { kept: make("i", { class: "kept" }), lost: make("i", { class: "lost" }),
    was: make("i", { class: "was" }),
    fair: make("i", { class: "fair" }), grip: make("i", { class: "grip" }) };
  const node = make("div", { class: "load", role: "slider", tabindex: 0, "aria-label": `Bias of ${name}`,
    "aria-valuemin": -1, "aria-valuemax": 1 }, parts.kept, parts.lost, parts.was, parts.fair, parts.grip);
  const bar = { node, parts, scale: 1 };
  const drag = event => {
    const { left, width } = node.getBoundingClientRect();
    hooks.steer(expert, Math.round(Math.max(0, Math.min(1, (event.clientX - left) / width)) * bar.scale));
  };
  node.addEventListener("pointerdown", event => {
    node.setPointerCapture(event.pointerId);
    drag(event);
  });
  node.addEventListener("pointermove", event => node.hasPointerCapture(event.pointerId) && drag(event));
  node.addEventListener("keydown", event => {
    const step = { ArrowRight: 0.01, ArrowUp: 0.01, ArrowLeft: -0.01, ArrowDown: -0.01, PageUp: 0.1, PageDown: -0.1,
      Home: null, Delete: null }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    hooks.nudge(expert, step);
  });
  return bar;
}

/** Paint a row of what `layerShown` returns; only a fresh answer changes its load and its switch. */
function paintRow(row, expert, shown) {
  const slot = shown.index.indexOf(expert), chosen = slot >= 0, off = shown.off[expert];
  const kind = `row${off ? " away" : ""}${chosen ? shown.kept[slot] ? " chosen" : " chosen full" : ""}`
    + `${shown.lit === expert ? " lit" : ""}`;
  put(row.node, "class", kind);
  say(row.score, off ? "off" : shown.logits ? signed(shown.logits[expert], 1) : "");
  row.share.style.width = `${(100 * shown.probs[expert]).toFixed(1)}%`;
  say(row.weight, !chosen ? "" : shown.kept[slot] ? `× ${shown.weights[slot].toFixed(2)}` : "full");
  put(row.badge, "aria-pressed", shown.held === expert);
  if (!shown.fresh) return;
  paintLoad(row, expert, shown, off);
  put(row.switch, "aria-checked", !off);
}

function paintLoad({ load, count }, expert, { counts, was, fair, scale, bias }, off) {
  const kept = counts.kept[expert], lost = counts.dropped[expert], all = kept + lost;
  const place = value => `${Math.min(100, 100 * value / scale)}%`;
  load.scale = scale;
  load.parts.kept.style.width = place(kept);
  load.parts.lost.style.left = place(kept);
  load.parts.lost.style.width = place(lost);
  load.parts.fair.style.left = place(fair);
  load.parts.was.style.left = place(was[expert]);
  load.parts.was.hidden = was[expert] === all;
  load.parts.grip.style.left = place(all);
  say(count, String(all));
  put(load.node, "aria-disabled", off ? "true" : null);
  put(load.node, "aria-valuenow", bias[expert]);
  const dropped = lost ? `, ${lost} of them dropped` : "";
  put(load.node, "aria-valuetext", `bias ${signed(bias[expert], 3)}: ${all} choices${dropped}`);
  put(load.node, "data-bias", bias[expert] ? signed(bias[expert], Math.abs(bias[expert]) < 0.095 ? 3 : 2) : null);
}

function ribbons(count) {
  const line = stroke => draw("path", { fill: "none", stroke, "vector-effect": "non-scaling-stroke" });
  const paths = Array.from({ length: count }, (_, expert) => [line("var(--edge)"), line(`var(--e${expert})`)]);
  const node = draw("svg", { viewBox: `0 0 100 ${ROW * count}`, preserveAspectRatio: "none", "aria-hidden": "true" },
    ...paths.flat());
  return { node, paths, widths: [] };
}

/** Draw the ways of one byte, as wide as their weights. */
function paintRibbons(inward, outward, shown) {
  const middle = ROW * shown.probs.length / 2;
  shown.probs.forEach((_, expert) => {
    const slot = shown.index.indexOf(expert), open = slot >= 0 && shown.kept[slot], y = ROW * (expert + 0.5);
    const width = open ? 1.5 + 13 * shown.weights[slot] : 0;
    if (inward.widths[expert] === width) return;
    inward.widths[expert] = width;
    for (const [side, from, to] of [[inward, middle, y], [outward, y, middle]]) {
      side.paths[expert].forEach((path, top) => {
        put(path, "stroke-width", open ? width + (top ? 0 : 1.5) : 0);
        put(path, "d", open ? `M0 ${from} C55 ${from} 45 ${to} 100 ${to}` : "M0 0");
      });
    }
  });
}
