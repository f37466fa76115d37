// The board: token choice beside expert choice on one matrix, and who looks ahead when a later token changes.
import { sum } from "../moe/arrays.js";
import { changedBefore, expertChoice, tokenChoice } from "../moe/board.js";
import { expertCapacity } from "../moe/capacity.js";
import { spoken } from "../moe/text.js";
import { announcer, beforePaint, button, make, put, say, signed, slider } from "./dom.js";
import { frame } from "./frame.js";

const WAYS = { token: "Token choice: every row picks", expert: "Expert choice: every column picks" };

/** Build the view in its root. */
export function open(root) {
  frame(root, buildBoard);
}

function buildBoard(state, body) {
  const numTokens = state.labels.length;
  const view = { state, k: state.k, first: state.logits, logits: state.logits.map(row => [...row]),
    at: [numTokens - 1, 0] };
  view.refresh = beforePaint(() => paintBoard(view));
  view.parts = { controls: boardControls(view), token: matrix(view, "token"), expert: matrix(view, "expert"),
    told: make("p", { class: "told" }),
    heard: announcer() };
  const { controls, token, expert, told, heard } = view.parts;
  body.append(controls.node, make("div", { class: "boards" }, token.node, expert.node), told, heard.node);
  paintBoard(view);
}

function boardControls(view) {
  const { state } = view, numExperts = state.colors.length;
  const k = slider({ label: "k", min: 1, max: numExperts, step: 1, value: view.k, format: String,
    change: value => { view.k = value; view.refresh(); } });
  const score = slider({ label: "score of the marked cell", min: -8, max: 8, step: 0.01, value: 0,
    format: value => signed(value, 2),
    change: value => { view.logits[view.at[0]][view.at[1]] = value; view.refresh(); } });
  const turn = button("Turn the last token round", () => {
    view.logits[view.logits.length - 1].reverse();
    view.refresh();
  });
  const back = button("As given", () => { view.logits = view.first.map(row => [...row]); view.refresh(); },
    { class: "back" });
  return { node: make("div", { class: "controls" }, k.node, score.node, turn, back), score };
}

/** Return a table of cells: the left one is moved through by keys, both by pointer and finger. */
function matrix(view, way) {
  const { labels, colors } = view.state;
  const cells = labels.map((label, token) =>
    colors.map((_, expert) => make("button", { type: "button", class: "cell", "data-token": token,
    "data-expert": expert, tabindex: -1, style: `--lit: var(--e${expert}); --litink: var(--i${expert})` })));
  const names = labels.map(label => make("span", { class: "rowname" }, label));
  const loads = colors.map(() => make("span", { class: "count" })), heading = make("p", { class: "title" });
  const grid = make("div", { class: "matrix", role: "group", "aria-label": `${WAYS[way]}; arrow keys move`,
    style: `--columns: ${colors.length}` }, make("span"), ...colors.map((_, expert) =>
    make("span", { class: "badge", style: `--lit: var(--e${expert}); --litink: var(--i${expert})` }, String(expert))),
    ...labels.flatMap((_, token) => [names[token], ...cells[token]]), make("span", { class: "rowname" }, "sum"),
      ...loads);
  const mark = event => {
    const cell = event.target.closest(".cell");
    if (cell) view.at = [Number(cell.dataset.token), Number(cell.dataset.expert)];
    if (cell) view.refresh();
  };
  grid.addEventListener("click", mark);
  grid.addEventListener("keydown", event => moveMark(view, event, cells));
  const tale = make("p", { class: "tale" });
  return { node: make("div", { role: "group", "aria-label": WAYS[way] }, heading, grid, tale), cells, names, loads,
    heading, tale };
}

function moveMark(view, event, cells) {
  const move = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] }[event.key];
  if (!move) return;
  event.preventDefault();
  view.at = view.at.map((place, axis) =>
    Math.max(0, Math.min((axis ? cells[0] : cells).length - 1, place + move[axis])));
  paintBoard(view);
  cells[view.at[0]][view.at[1]].focus();
}

/** Return both choices, before and after the edits, and the first token that was edited. */
function chooseBoth(view) {
  const { first, logits, k } = view,
    seats = Math.min(first.length, expertCapacity(first.length, first[0].length, k, 1));
  const edited = logits.findIndex((row, token) => row.some((value, expert) => value !== first[token][expert]));
  const before = { token: tokenChoice(first, k), expert: expertChoice(first, seats) };
  return { seats, edited, before, after: { token: tokenChoice(logits, k), expert: expertChoice(logits, seats) } };
}

function paintBoard(view) {
  const { parts, at, logits } = view, { seats, edited, before, after } = chooseBoth(view);
  const moved = {}, numTokens = logits.length;
  for (const way of ["token", "expert"]) {
    moved[way] = edited < 0 ? [] : changedBefore(before[way], after[way], edited);
    paintMatrix(view, parts[way], after[way], moved[way]);
    const alone = after[way].filter(row => !row.includes(true)).length,
      all = sum(after[way].map(row => row.filter(Boolean).length));
    say(parts[way].tale, `${all} choices; ${alone} of ${numTokens} tokens without an expert; `
      + `${moved[way].length} earlier tokens moved by the edit.`);
  }
  say(parts.token.heading, `${WAYS.token} ${view.k}`);
  say(parts.expert.heading, `${WAYS.expert} ${seats}`);
  parts.controls.score.set(logits[at[0]][at[1]]);
  const quoted = tokens => tokens.map(token => `“${view.state.labels[token]}”`).join(", ");
  const words = edited < 0 ? "Mark a cell of a late token and move its score, or turn the last token round."
    : `The first edit is at token ${edited}, ${quoted([edited])}. Token choice changed ${moved.token.length} of the `
      + `${edited} tokens before it, expert choice ${moved.expert.length}`
      + `${moved.expert.length ? `: ${quoted(moved.expert)}` : ""}.`;
  say(parts.told, words);
  parts.heard.say(words);
}

function paintMatrix(view, { cells, names, loads }, chosen, moved) {
  const { logits, state, at, first } = view;
  cells.forEach((row, token) => row.forEach((cell, expert) => {
    const value = logits[token][expert], edited = value !== first[token][expert], isChosen = chosen[token][expert];
    const here = at[0] === token && at[1] === expert;
    const score = signed(value, 1, false), fate = isChosen ? ", chosen" : "";
    say(cell, score);
    put(cell, "class", `cell${isChosen ? " chosen" : ""}${here ? " here" : ""}${edited ? " edited" : ""}`);
    put(cell, "tabindex", here ? 0 : -1);
    put(cell, "aria-label", `${spoken(state.labels[token])}, expert ${expert}: score ${score}${fate}`);
  }));
  names.forEach((name, token) => put(name, "class", `rowname${moved.includes(token) ? " moved" : ""}`));
  loads.forEach((load, expert) => say(load, String(chosen.filter(row => row[expert]).length)));
}
