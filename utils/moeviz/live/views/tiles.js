// The sentence as tiles: a sign above one block per layer, split by the weights of its experts; with attention,
// a bar above each block says how much the framed byte takes from this one, beside the most in the layer.
import { make, put, say } from "./dom.js";

const BLOCK = 26;  // pixels

/**
 * Return {node, paint}: point(at) is called for a tile under the pointer or in focus, pin(at) for a click.
 * looking: what the bars of attention mean, or "" for none.
 */
export function tileStrip({ layers, looking, colors, point, pin }) {
  const node = make("div", { class: looking ? "tiles looking" : "tiles", role: "group",
    style: `--layers: ${layers}`, "aria-label": "Bytes of the sentence; arrow keys move" });
  const pool = [], shape = { layers, looking, colors };
  node.addEventListener("pointerover", event => event.pointerType !== "touch" && point(placeOf(event)));
  node.addEventListener("pointerleave", () => point(null));
  node.addEventListener("focusin", event => event.target.matches(":focus-visible") && point(placeOf(event)));
  node.addEventListener("focusout", () => point(null));
  node.addEventListener("click", event => placeOf(event) !== null && pin(placeOf(event)));
  node.addEventListener("keydown", event => moveFocus(event, pool, placeOf(event)));
  const all = looking ? make("div", {}, node, make("p", { class: "tale" }, looking)) : node;
  return { node: all, paint: shown => paintTiles(node, pool, shape, shown) };
}

/** Return the place of the tile that an event met, or null. */
function placeOf(event) {
  const tile = event.target.closest(".tile");
  return tile ? Number(tile.dataset.at) : null;
}

function moveFocus(event, pool, here) {
  const count = pool.filter(tile => !tile.node.hidden).length;
  const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: 1, ArrowUp: -1, Home: -here,
    End: count - 1 - here }[event.key];
  if (step === undefined || here === null) return;
  event.preventDefault();
  pool[Math.max(0, Math.min(count - 1, here + step))].node.focus();
}

function makeTile(at, { layers, looking }) {
  const sign = make("span", { class: "sign" });
  const blocks = Array.from({ length: layers }, () => make("span", { class: "block" }));
  const looks = blocks.map(() => make("span", { class: "look" }));
  const parts = blocks.flatMap((block, layer) => looking ? [looks[layer], block] : [block]);
  const node = make("button", { type: "button", class: "tile", "data-at": at, tabindex: -1 }, sign, ...parts);
  return { node, sign, blocks, looks };
}

/** Paint tiles; shown: {labels, routed, tile, lit: {layer, expert} or null, looks: a row per layer or null}. */
function paintTiles(node, pool, shape, { labels, routed, tile, lit, looks }) {
  const { colors } = shape;
  while (pool.length < labels.length) {
    pool.push(makeTile(pool.length, shape));
    node.append(pool[pool.length - 1].node);
  }
  const most = looks?.map(row => Math.max(...row));
  pool.forEach((each, at) => {
    each.node.hidden = at >= labels.length;
    if (each.node.hidden) return;
    say(each.sign, labels[at]);
    put(each.node, "tabindex", at === tile ? 0 : -1);
    put(each.node, "aria-current", at === tile && !lit ? "true" : null);
    put(each.node, "aria-label", tileWords(labels, routed, at));
    each.blocks.forEach((block, layer) => paintBlock(block, routed[layer], at, lit, layer, colors));
    if (shape.looking) each.looks.forEach((look, layer) => paintLook(look, looks ? looks[layer][at] / most[layer] : 0));
  });
}

/** Paint a bar as high as a share of the largest, by a transformation, which moves nothing around it. */
function paintLook(look, share) {
  const height = share < 0.05 ? "0" : share.toFixed(2);
  if (look.height !== height) look.style.transform = `scaleY(${height})`;
  look.height = height;
}

/** Return how a tile reads: its byte and, per layer, experts with weights. */
export function tileWords(labels, routed, at) {
  const ways = routed.map((layer, number) => `layer ${number + 1}: ${wayWords(layer, at)}`);
  return `byte ${at + 1}, ${labels[at]}; ${ways.join("; ")}`;
}

/** Return the experts of one token in words. */
export function wayWords(layer, at) {
  return layer.expertIndex[at].map((expert, slot) => layer.kept[at][slot]
    ? `expert ${expert} (${layer.combineWeight[at][slot].toFixed(2)})` : `expert ${expert} (full: dropped)`).join(", ");
}

function paintBlock(block, layer, at, lit, number, colors) {
  const index = layer.expertIndex[at], here = lit && lit.layer === number;
  const slot = here ? index.indexOf(lit.expert) : -1;
  const kind = !lit ? "" : slot === 0 ? " first" : slot > 0 ? " second" : " dim";
  if (block.className !== `block${kind}`) block.className = `block${kind}`;
  if (slot >= 0) return paintLit(block, lit.expert, layer.kept[at][slot]);
  dress(block, stripes(layer, at, colors), `var(--i${index[0]})`);
  const wide = layer.kept[at][0] && layer.combineWeight[at][0] * BLOCK >= 10 && !lit;
  say(block, wide ? String(index[0]) : "");
}

/** Set ground and ink unless they are there already: a style that is written is computed again, a shorthand longest. */
function dress(block, ground, ink) {
  if (block.ground !== ground) block.style.backgroundImage = ground;
  if (block.ink !== ink) block.style.color = ink;
  Object.assign(block, { ground, ink });
}

function paintLit(block, expert, kept) {
  dress(block, "", "");
  block.style.setProperty("--lit", `var(--e${expert})`);
  block.style.setProperty("--litink", `var(--i${expert})`);
  say(block, kept ? String(expert) : "×");
}

/** Return the ground of a block: its experts' colours (named outright, which is quicker than by variable) by weight. */
function stripes(layer, at, colors) {
  let from = 0;
  const stops = layer.expertIndex[at].map((expert, slot) => {
    const to = from + 100 * layer.combineWeight[at][slot];
    const stop = `${layer.kept[at][slot] ? colors[expert] : "transparent"} ${from.toFixed(1)}% ${to.toFixed(1)}%`;
    from = to;
    return stop;
  });
  return `linear-gradient(90deg, ${stops.join(", ")})${layer.kept[at].includes(false) ? ", var(--hatch)" : ""}`;
}
