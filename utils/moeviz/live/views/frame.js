// What every view stands in: its state from the page, its theme, and keys that stay inside.
import { make } from "./dom.js";

/** Build a view where the still figure stood: build(state, body) fills `body`. */
export function frame(root, build) {
  const state = JSON.parse(root.querySelector("script[type='application/json']").textContent);
  const body = make("div", { class: "body" });
  root.addEventListener("keydown", event => turnsLecture(event) || event.stopPropagation());  // Lab takes letters
  root.addEventListener("focusin", ({ target }) =>
    target.setAttribute("data-lm-suppress-shortcuts", ""));  // Notebook 7 takes them before they reach the root
  const wear = () => dressExperts(root, state);
  wear();
  root.append(body);
  build(state, body);
  followTheme(root, wear);
  const still = root.querySelector(".still");
  if (body.querySelector(".wait")) root.append(still);  // hidden, and printed as long as the film is empty
  else still.remove();
}

/** Give the experts the colours and inks that figures have on a ground like this one. */
function dressExperts(root, state) {
  const { colors = [], inks } = root.dataset.theme === "dark" ? state.night ?? state : state;
  colors.forEach((color, expert) => {
    root.style.setProperty(`--e${expert}`, color);
    root.style.setProperty(`--i${expert}`, inks[expert]);
  });
}

/** Return the experts' colours for style sheets: outright, which is quicker, where both themes have the same. */
export function paints({ colors, night }) {
  return colors.map((color, expert) => color === night.colors[expert] ? color : `var(--e${expert})`);
}

/** Tell whether a key turns the steps of a lecture, which a page of the course can be in. */
function turnsLecture({ key }) {
  return document.documentElement.classList.contains("lecture") && ["PageDown", "PageUp", "Escape"].includes(key);
}

/** Keep data-theme at "dark" or "light", as the page around is, and tell the view where it changes. */
function followTheme(root, wear) {
  const asked = matchMedia("(prefers-color-scheme: dark)");
  const follow = () => {
    const theme = isDark(root, asked.matches) ? "dark" : "light";
    if (root.dataset.theme === theme) return;
    root.dataset.theme = theme;
    wear();
    root.dispatchEvent(new Event("moeviz-theme"));
  };
  asked.addEventListener("change", follow);
  for (const element of [document.documentElement, document.body]) {
    new MutationObserver(follow).observe(element, { attributes: true });
  }
  if (root.isConnected) follow();
  requestAnimationFrame(follow);
}

/** Tell whether the page is dark: JupyterLab says so, or the ground that the view stands on does. */
function isDark(root, preferred) {
  const lab = document.body.dataset.jpThemeLight;
  if (lab) return lab === "false";
  for (let element = root.parentElement; element; element = element.parentElement) {
    const parts = getComputedStyle(element).backgroundColor.match(/[\d.]+/g).map(Number);
    if (parts.length < 4 || parts[3] > 0.5) return 0.3 * parts[0] + 0.59 * parts[1] + 0.11 * parts[2] < 128;
  }
  return preferred;
}
