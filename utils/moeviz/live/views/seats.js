// The seats: choices arrive one after the other and sit down, or find their expert full.
import { expertCapacity, seatPositions, servingOrder } from "../moe/capacity.js";
import { spoken } from "../moe/text.js";
import { announcer, beforePaint, button, list, make, percent, put, say, slider, wantsStillness } from "./dom.js";
import { frame } from "./frame.js";

const SEATING = { choice: "first choices first", token: "token by token", score: "surest first",
  random: "in a drawn order" };
const MOST_GROUPS = 8, PAUSE = 350;  // milliseconds between two arrivals

/** Build the view in its root. */
export function open(root) {
  frame(root, buildSeats);
}

function buildSeats(state, body) {
  const routed = { expertIndex: state.expertIndex, probs: state.probs, kept: state.kept,
    numExperts: state.colors.length,
    drawn: state.drawn };
  const view = { state, routed, factor: 1, order: "choice", groups: 1, mask: state.labels.map(() => true), step: null,
    pointed: null };
  view.refresh = beforePaint(() => paintSeats(view));
  view.parts = { controls: seatControls(view), text: seatText(view), rows: seatRows(view),
    figures: make("p", { class: "figures" }),
    told: make("p", { class: "told" }), heard: announcer(), code: make("code") };
  const { controls, text, rows, figures, told, heard, code } = view.parts;
  body.append(controls.node, text.node, figures, rows.node, told, make("div", { class: "code" }, code), heard.node);
  paintSeats(view);
}

function seatControls(view) {
  const { labels } = view.state, sizes = {};
  for (let groups = 1; groups <= MOST_GROUPS; groups++) {
    const size = labels.length / groups, word = groups > 1 ? "groups" : "group";
    if (Number.isInteger(size)) sizes[groups] = `${groups} ${word} of ${size} tokens`;
  }
  const set = change => value => { change(value); view.refresh(); };
  const factor = slider({ label: "capacity factor", min: 0.25, max: 3, step: 0.05, value: 1,
    format: value => value.toFixed(2),
    change: set(value => { view.factor = Number(value.toFixed(2)); }) });
  const order = list({ label: "seats by", options: SEATING, value: "choice",
    change: set(value => { view.order = value; }) });
  const groups = list({ label: "groups", options: sizes, value: "1",
    change: set(value => { view.groups = Number(value); }) });
  const step = slider({ label: "arrived", min: 0, max: 1, step: 1, value: 1, format: String,
    change: set(value => { view.step = value; }) });
  const play = button("Watch them arrive", () => view.playing ? stopArrivals(view) : watchArrivals(view));
  const back = button("No padding", () => { view.mask.fill(true); view.refresh(); }, { class: "back" });
  const node = make("div", { class: "controls" }, factor.node, order.node, groups.node, step.node, play, back);
  return { node, step, play, back };
}

function watchArrivals(view) {
  view.step = 0;
  view.playing = setInterval(() => {
    view.step += wantsStillness() ? 4 : 1;
    if (view.step >= view.total) stopArrivals(view);
    view.refresh();
  }, PAUSE);
  view.refresh();
}

function stopArrivals(view) {
  clearInterval(view.playing);
  view.playing = null;
  view.step = null;
  view.refresh();
}

/** Return the text as buttons: a press marks a token as padding, which takes no seat. */
function seatText(view) {
  const tokens = view.state.labels.map((label, at) => {
    const node = button(label, () => { view.mask[at] = !view.mask[at]; view.refresh(); }, { class: "token" });
    const point = there => () => { view.pointed = there; view.refresh(); };
    node.addEventListener("pointerenter", point(at));
    node.addEventListener("pointerleave", point(null));
    node.addEventListener("focus", point(at));
    node.addEventListener("blur", point(null));
    return node;
  });
  return { node: make("div", {},
    make("p", { class: "tale" }, "Press a token to make it padding. Hatched: dropped by all of its experts; "
    + "half hatched: by some."), make("div", { class: "strip" }, ...tokens)), tokens };
}

function seatRows(view) {
  const rows = view.state.colors.map((_, expert) => {
    const row = { seats: make("span", { class: "places" }), count: make("span", { class: "count" }) };
    row.node = make("div", { class: "seatrow", style: `--lit: var(--e${expert}); --litink: var(--i${expert})` },
      make("span", { class: "badge" }, String(expert)), row.seats, row.count);
    return row;
  });
  return { node: make("div", { class: "seats", role: "img" }, ...rows.map(row => row.node)), rows };
}

/** Seat the choices that have arrived: {capacity, arrivals, placed, dropped per token}. */
export function seatArrivals(routed, { factor, order, groups, mask, step }) {
  const numTokens = routed.expertIndex.length, k = routed.expertIndex[0].length;
  const capacity = expertCapacity(numTokens / groups, routed.numExperts, k, factor);
  const options = { order, groups, mask }, place = seatPositions(routed, options);
  const arrivals = servingOrder(routed, order, mask).map(({ token, slot }) => ({
    token, slot, expert: routed.expertIndex[token][slot],
    group: Math.floor(token / (numTokens / groups)), place: place[token][slot], kept: place[token][slot] < capacity }));
  return { capacity, arrivals, shown: arrivals.slice(0, step ?? arrivals.length) };
}

function paintSeats(view) {
  const { parts, state, mask } = view, seated = seatArrivals(view.routed, view);
  view.total = seated.arrivals.length;
  view.step = view.step === null ? null : Math.min(view.step, view.total);
  put(parts.controls.step.input, "max", view.total);
  parts.controls.step.set(view.step ?? view.total);
  say(parts.controls.play, view.playing ? "Stop" : "Watch them arrive");
  parts.controls.back.hidden = !mask.includes(false);
  parts.text.tokens.forEach((node, at) =>
    paintToken(node, at, mask[at], seated.shown.filter(choice => choice.token === at), state.labels[at]));
  parts.rows.rows.forEach((row, expert) => paintSeatRow(view, row, expert, seated));
  paintCounts(view, seated);
}

function paintToken(node, at, real, choices, label) {
  const lost = choices.filter(choice => !choice.kept).length;
  const kind = !real ? " padding" : lost && lost === choices.length ? " lost" : lost ? " partly" : "";
  put(node, "class", `token${kind}`);
  put(node, "aria-pressed", !real);
  const fate = !real ? ", padding" : lost ? `, ${lost} of ${choices.length} choices dropped` : "";
  put(node, "aria-label", `${spoken(label)}, token ${at}${fate}`);
}

/** Draw the seats of one expert, group by group, and behind an aisle those who stand. */
function paintSeatRow(view, row, expert, { capacity, shown, arrivals }) {
  const last = shown[shown.length - 1], parts = [];
  for (let group = 0; group < view.groups; group++) {
    const mine = shown.filter(choice => choice.expert === expert && choice.group === group);
    const cell = (choice, kind) => make("i", {
      class: `${kind}${choice === last && shown.length < arrivals.length ? " new" : ""}`
        + `${choice && choice.token === view.pointed ? " pointed" : ""}` },
    choice ? view.state.labels[choice.token] : "");
    const seats = Array.from({ length: capacity }, (_, place) => {
      const choice = mine.find(each => each.place === place);
      return cell(choice, choice ? choice.slot ? "taken later" : "taken" : "free");
    });
    parts.push(make("span", { class: "bench" }, ...seats,
      ...mine.filter(choice => !choice.kept).map(choice => cell(choice, "standing"))));
  }
  row.seats.replaceChildren(...parts);
  const lost = shown.filter(choice => choice.expert === expert && !choice.kept).length;
  say(row.count, lost ? `${lost} dropped` : "");
}

function paintCounts(view, { capacity, arrivals, shown }) {
  const { parts, state } = view, dropped = shown.filter(choice => !choice.kept).length;
  const seats = capacity * state.colors.length * view.groups, empty = seats - (shown.length - dropped);
  parts.figures.replaceChildren(make("span", {}, make("b", {}, String(dropped)),
    ` of ${shown.length} choices dropped (${percent(dropped / Math.max(shown.length, 1))})`),
    make("span", {}, make("b", {}, String(empty)), ` of ${seats} seats empty`),
      make("span", {}, `${capacity} seats per expert${view.groups > 1 ? " and group" : ""}`));
  const last = shown[shown.length - 1], under = shown.length < arrivals.length && last;
  const words = under
    ? `“${state.labels[last.token]}” comes to expert ${last.expert} as choice ${last.slot + 1} and `
    + (last.kept ? `sits down on seat ${last.place + 1}.` : "finds it full.") : "All choices have arrived.";
  say(parts.told, words);
  put(parts.rows.node, "aria-label",
    `Seats of ${state.colors.length} experts: ${dropped} of ${shown.length} choices dropped, `
      + `${empty} of ${seats} seats empty`);
  parts.heard.say(`${words} ${dropped} of ${shown.length} choices dropped, ${empty} of ${seats} seats empty.`);
  const groups = view.groups > 1 ? `, groups=${view.groups}` : "",
    rng = view.order === "random" ? ", rng=np.random.default_rng(0)" : "";
  const padding = view.mask.flatMap((real, at) => real ? [] : [at]);
  const who = padding.length
    ? `replace(routed, kept=routed.kept & ~np.isin(np.arange(${view.mask.length}), [${padding.join(", ")}])[:, None])`
    : "routed";
  say(parts.code, `capacity.apply_capacity(${who}, ${capacity}, order="${view.order}"${groups}${rng})`);
}
