// The load of experts over the steps as bands, column by column, with what was changed and the error below.
import { make } from "./dom.js";

const HEIGHT = 200, LINE = 90, GAP = 10, SCALE = 2, SMOOTH = 5;

/** Return {node, add, clear}: a drawing of state.most steps. */
export function loadFilm(state) {
  const width = state.most, lines = state.kind === "bias" ? 2 : 1;
  const node = make("canvas",
    { class: "film", width: width * SCALE, height: (HEIGHT + lines * (LINE + GAP)) * SCALE, role: "img" });
  const ink = node.getContext("2d");
  ink.scale(SCALE, SCALE);
  const clear = () => {
    ink.clearRect(0, 0, width, HEIGHT + lines * (LINE + GAP));
    ink.strokeStyle = "#8c8c8c";
    ink.strokeRect(0.5, 0.5, width - 1, HEIGHT - 1);
    for (let at = 0; at < lines; at++) ink.strokeRect(0.5, HEIGHT + GAP + at * (LINE + GAP) + 0.5, width - 1, LINE - 1);
    label(ink, "error", HEIGHT + GAP);
    if (lines > 1) label(ink, "bias", HEIGHT + LINE + 2 * GAP);
  };
  return { node, clear, add: (history, marks) => {
    addBands(ink, state.colors, history);
    addError(ink, history);
    if (lines > 1) addBias(ink, state.colors, history);
    if (marks.includes(history.length - 1) && history.length > 1) addMark(ink, history.length - 1);
  } };
}

function label(ink, text, top) {
  ink.font = "13px system-ui, sans-serif";
  ink.fillStyle = "#767676";
  ink.fillText(text, 8, top + 18);
}

/** Draw the newest column, a mean over few steps: each expert's share in its colour, expert 0 at the top. */
function addBands(ink, colors, history) {
  const last = history.slice(-SMOOTH);
  let top = 0;
  colors.forEach((_, expert) => {
    const share = last.reduce((total, row) => total + row.load[expert], 0) / last.length;
    ink.fillStyle = colors[expert];
    ink.fillRect(history.length - 1, top, 1.3, share * HEIGHT);
    top += share * HEIGHT;
  });
}

/** Draw the newest piece of the error, from 0 at the bottom to 1.5 at the top. */
function addError(ink, history) {
  const base = HEIGHT + GAP + LINE, place = row => base - Math.min(row.loss / 1.5, 1) * (LINE - 4);
  stroke(ink, "#0072b2", 1.4, history.length, place(history[Math.max(history.length - 2, 0)]),
    place(history[history.length - 1]));
}

/** Draw the newest pieces of the biases, zero in the middle, half a share at either end. */
function addBias(ink, colors, history) {
  const middle = HEIGHT + LINE + 2 * GAP + LINE / 2,
    place = value => middle - Math.max(-1, Math.min(1, value / 0.5)) * (LINE / 2 - 2);
  const [before, now] = [history[Math.max(history.length - 2, 0)], history[history.length - 1]];
  now.bias.forEach((value, expert) =>
    stroke(ink, colors[expert], 2, history.length, place(before.bias[expert]), place(value)));
}

function stroke(ink, color, width, x, from, to) {
  ink.strokeStyle = color;
  ink.lineWidth = width;
  ink.beginPath();
  ink.moveTo(x - 1.5, from);
  ink.lineTo(x - 0.5, to);
  ink.stroke();
}

/** Mark the step at which the reader changed something. */
function addMark(ink, x) {
  ink.fillStyle = "#ffffff";
  ink.fillRect(x - 1, 0, 4, HEIGHT);
  ink.fillStyle = "#222222";
  ink.fillRect(x, 0, 2, HEIGHT);
  ink.fillStyle = "#8c8c8c";
  ink.fillRect(x, HEIGHT, 2, GAP + LINE);
}
