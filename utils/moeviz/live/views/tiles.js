// The sentence as tiles: a sign above one block per layer, split by the weights of its experts; with attention,
// a bar above each block says how much the framed byte takes from this one, beside the most in the layer.
import { sameWay, wayOf } from "../moe/model.js";
import { spoken } from "../moe/text.js";
import { make, put, say } from "./dom.js";

const BLOCK = 26;  // pixels

/**
 * Return {node, paint}: point(at) is called for a tile under the pointer or in focus, pin(at) for a click.
 * looking: what the bars of attention mean, or "" for none.
 */
export function tileStrip({ layers, looking, colors, point, pin }) {
  const node = make("div", { class: looking ? "tiles looking" : "tiles", role: "group",
    style: `--layers: ${layers}`, "aria-label": "Bytes of the sentence; arrow keys move" });
  const pool = [], strip = { node, pool, layers, looking, colors, lit: null, marked: null };
  node.addEventListener("pointerover", event => event.pointerType !== "touch" && point(placeOf(event)));
  node.addEventListener("pointerleave", () => point(null));
  node.addEventListener("focusin", event => event.target.matches(":focus-visible") && point(placeOf(event)));
  node.addEventListener("focusout", () => point(null));
  node.addEventListener("click", event => placeOf(event) !== null && pin(placeOf(event)));
  node.addEventListener("keydown", event => moveFocus(event, pool, placeOf(event)));
  const all = looking ? make("div", {}, node, make("p", { class: "tale" }, looking)) : node;
  return { node: all, paint: shown => paintTiles(strip, shown) };
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
  return { node, sign, blocks, looks, ways: [] };
}

/**
 * Paint tiles; shown: {labels, routed, tile, lit: {layer, expert} or null, looks: a row per layer or null, fresh}.
 * Only an answer that is fresh changes what tiles say; what is pointed at changes marks, bars and what is lit.
 */
function paintTiles(strip, { labels, routed, tile, lit, looks, fresh }) {
  const { pool } = strip, relit = lit !== strip.lit;
  while (pool.length < labels.length) {
    pool.push(makeTile(pool.length, strip));
    strip.node.append(pool[pool.length - 1].node);
  }
  strip.lit = lit;
  if (fresh) pool.forEach((each, at) => hideTile(each, at >= labels.length));
  pool.slice(0, fresh || relit ? labels.length : 0).forEach((each, at) => {
    const ways = routed.map(layer => wayOf(layer, at)), same = sayTile(each, at, labels[at], ways);
    if (relit || lit || !same) each.blocks.forEach((block, layer) =>
      paintBlock(block, ways[layer], lit, layer, strip.colors));
  });
  markTile(strip, tile, lit);
  if (strip.looking) paintLooks(pool, labels.length, looks);
}

/** Hide a tile, which then forgets what it showed, or show it. */
function hideTile(tile, hidden) {
  tile.node.hidden = hidden;
  if (hidden) tile.ways = [];
}

/** Write a tile's sign and name unless they stand there; tell whether its ways are those that it showed. */
function sayTile(each, at, label, ways) {
  const same = ways.every((way, layer) => sameWay(each.ways[layer], way));
  if (same && each.label === label) return true;
  Object.assign(each, { label, ways });
  say(each.sign, label);
  put(each.node, "aria-label", tileWords(at, label, ways));
  return same;
}

/** Frame the tile that the panels tell about, unless an expert is lit, and let keys find it. */
function markTile(strip, tile, lit) {
  const marked = strip.pool[tile]?.node;
  if (strip.marked && strip.marked !== marked) {
    put(strip.marked, "tabindex", -1);
    put(strip.marked, "aria-current", null);
  }
  strip.marked = marked;
  if (!marked) return;
  put(marked, "tabindex", 0);
  put(marked, "aria-current", lit ? null : "true");
}

/** Paint the bars of attention, the longest of each layer as long as there is room. */
function paintLooks(pool, count, looks) {
  const most = looks?.map(row => Math.max(...row));
  pool.slice(0, count).forEach((each, at) => each.looks.forEach((look, layer) =>
    paintLook(look, looks ? looks[layer][at] / most[layer] : 0)));
}

/** Paint a bar as high as a share of the largest, by a transformation, which moves nothing around it. */
function paintLook(look, share) {
  const height = share < 0.05 ? "0" : share.toFixed(2);
  if (look.height !== height) look.style.transform = `scaleY(${height})`;
  look.height = height;
}

/** Return how a tile reads: its byte and, per layer, experts with weights. */
export function tileWords(at, label, ways) {
  const words = ways.map((way, number) => `layer ${number + 1}: ${wayWords(way)}`);
  return `byte ${at + 1}, ${spoken(label)}; ${words.join("; ")}`;
}

/** Return the experts of one token in words. */
function wayWords({ experts, kept, weights }) {
  return experts.map((expert, slot) => kept[slot]
    ? `expert ${expert} (${weights[slot].toFixed(2)})` : `expert ${expert} (full: dropped)`).join(", ");
}

function paintBlock(block, way, lit, number, colors) {
  const here = lit && lit.layer === number, slot = here ? way.experts.indexOf(lit.expert) : -1;
  const kind = !lit ? "" : slot === 0 ? " first" : slot > 0 ? " second" : " dim";
  if (block.className !== `block${kind}`) block.className = `block${kind}`;
  if (slot >= 0) return paintLit(block, lit.expert, way.kept[slot]);
  dress(block, stripes(way, colors), `var(--i${way.experts[0]})`);
  say(block, way.kept[0] && way.weights[0] * BLOCK >= 10 && !lit ? String(way.experts[0]) : "");
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

/** Return the ground of a block: its experts' colours by weight. */
function stripes({ experts, kept, weights }, colors) {
  let share = 0, from = 0;
  const stops = experts.map((expert, slot) => {
    share += weights[slot];
    const to = Math.round(BLOCK * share), color = kept[slot] ? colors[expert] : "transparent";
    const stop = `${color} ${from}px ${to}px`;
    from = to;
    return stop;
  });
  return `linear-gradient(90deg, ${stops.join(", ")})${kept.includes(false) ? ", var(--hatch)" : ""}`;
}
