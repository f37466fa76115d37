// The load of experts over the steps as bands, column by column, with what was changed and the error below.
import { make } from "./dom.js";

const HEIGHT = 200, LINE = 90, GAP = 10, SCALE = 2, SMOOTH = 5;

/** Return {node, canvas, add, clear}: a drawing of state.most steps, drawn anew where the theme changes. */
export function loadFilm(state, root) {
  const width = state.most, lines = state.kind === "bias" ? ["error", "bias"] : ["error"];
  const height = HEIGHT + lines.length * (LINE + GAP);
  const canvas = make("canvas", { class: "film", width: width * SCALE, height: height * SCALE, role: "img" });
  const wait = make("span", { class: "wait" }, "Press Run: each expert gets a band here, as wide as its load.");
  const node = make("div", { class: "filmbox" }, canvas, wait, ...lines.map((name, at) =>
    make("span", { class: "axis", style: `top: ${100 * (HEIGHT + GAP + at * (LINE + GAP)) / height}%` }, name)));
  const film = { ink: canvas.getContext("2d"), root, state, lines, width, height, history: [], marks: [] };
  film.ink.scale(SCALE, SCALE);
  const clear = () => {
    Object.assign(film, { history: [], marks: [] });
    wait.hidden = false;
    drawFrames(film);
  };
  root.addEventListener("moeviz-theme", () => {
    drawFrames(film);
    for (let step = 1; step <= film.history.length; step++) drawStep(film, film.history.slice(0, step));
  });
  return { node, canvas, clear, add: (history, marks) => {
    Object.assign(film, { history, marks });
    wait.hidden = true;
    drawStep(film, history);
  } };
}

/** Set the colours of this theme, and lines that a narrow screen still shows; draw the empty frames. */
function drawFrames(film) {
  const { ink, root, state, lines, width, height } = film, style = getComputedStyle(root);
  const color = name => style.getPropertyValue(name).trim();
  film.colors = state.colors.map((_, expert) => color(`--e${expert}`));
  film.accent = color("--accent");
  film.edge = color("--edge");
  film.thick = Math.max(1, width / (ink.canvas.clientWidth || width));
  ink.clearRect(0, 0, width, height);
  ink.strokeStyle = film.edge;
  ink.lineWidth = film.thick;
  const half = film.thick / 2;
  const box = (top, high) => ink.strokeRect(half, top + half, width - 2 * half, high - 2 * half);
  box(0, HEIGHT);
  lines.forEach((_, at) => box(HEIGHT + GAP + at * (LINE + GAP), LINE));
}

/** Draw the newest column of a history. */
function drawStep(film, history) {
  addBands(film, history);
  addError(film, history);
  if (film.lines.length > 1) addBias(film, history);
  if (film.marks.includes(history.length - 1) && history.length > 1) addMark(film, history.length - 1);
}

/** Draw the newest column, a mean over few steps: each expert's share in its colour, expert 0 at the top. */
function addBands({ ink, colors }, history) {
  const last = history.slice(-SMOOTH);
  let top = 0;
  colors.forEach((color, expert) => {
    const share = last.reduce((total, row) => total + row.load[expert], 0) / last.length;
    ink.fillStyle = color;
    ink.fillRect(history.length - 1, top, 1.3, share * HEIGHT);
    top += share * HEIGHT;
  });
}

/** Draw the newest piece of the error, from 0 at the bottom to 1.5 at the top. */
function addError(film, history) {
  const base = HEIGHT + GAP + LINE, place = row => base - Math.min(row.loss / 1.5, 1) * (LINE - 4);
  stroke(film, film.accent, 1.4, history.length, place(history[Math.max(history.length - 2, 0)]),
    place(history[history.length - 1]));
}

/** Draw the newest pieces of the biases, zero in the middle, half a share at either end. */
function addBias(film, history) {
  const middle = HEIGHT + LINE + 2 * GAP + LINE / 2,
    place = value => middle - Math.max(-1, Math.min(1, value / 0.5)) * (LINE / 2 - 2);
  const [before, now] = [history[Math.max(history.length - 2, 0)], history[history.length - 1]];
  now.bias.forEach((value, expert) =>
    stroke(film, film.colors[expert], 2, history.length, place(before.bias[expert]), place(value)));
}

function stroke({ ink, thick }, color, width, x, from, to) {
  ink.strokeStyle = color;
  ink.lineWidth = Math.max(width, thick);
  ink.beginPath();
  ink.moveTo(x - 1.5, from);
  ink.lineTo(x - 0.5, to);
  ink.stroke();
}

/** Mark the step at which the reader changed something. */
function addMark({ ink, edge, thick }, x) {
  ink.fillStyle = "#ffffff";
  ink.fillRect(x - thick, 0, 4 * thick, HEIGHT);
  ink.fillStyle = "#222222";
  ink.fillRect(x, 0, 2 * thick, HEIGHT);
  ink.fillStyle = edge;
  ink.fillRect(x, HEIGHT, 2 * thick, GAP + LINE);
}
