// The theme, the search over HEADINGS (headings.js) and the keyboard's way into boxes that scroll.
(() => {
  const root = document.documentElement, theme = document.querySelector(".theme");
  const systemDark = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => root.dataset.theme ? root.dataset.theme === "dark" : systemDark.matches;
  const name = () => { theme.textContent = isDark() ? "Light theme" : "Dark theme"; };
  theme.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    try { localStorage.setItem("theme", root.dataset.theme); } catch { }
    name();
  });
  systemDark.addEventListener("change", name);
  name();
  theme.hidden = false;

  const form = document.querySelector(".search"), box = form.querySelector("input");
  const results = form.querySelector(".results"), count = form.querySelector(".count");
  const entry = ([address, text, page]) => {
    const item = document.createElement("li"), link = document.createElement("a");
    const where = document.createElement("small");
    link.href = address;
    where.textContent = page;
    link.append(text, where);
    link.addEventListener("click", () => find(""));
    item.append(link);
    return item;
  };
  const find = words => {
    const parts = words.toLowerCase().split(/\s+/).filter(Boolean);
    const hits = parts.length ? HEADINGS.filter(([, text, page]) =>
      parts.every(part => `${text} ${page}`.toLowerCase().includes(part))) : [];
    results.replaceChildren(...hits.slice(0, 30).map(entry));
    count.textContent = parts.length ? `${hits.length} found` : "";
  };
  box.addEventListener("input", () => find(box.value));
  form.addEventListener("keydown", event => { if (event.key === "Escape") { box.value = ""; find(""); box.focus(); } });
  form.addEventListener("submit", event => { event.preventDefault(); results.querySelector("a")?.click(); });
  form.hidden = false;

  if (innerWidth <= 1000) document.querySelector(".contents details")?.removeAttribute("open");
  const reach = () => document.querySelectorAll("pre, .scroll, .picture").forEach(part => {
    if (part.scrollWidth > part.clientWidth || part.scrollHeight > part.clientHeight) part.tabIndex = 0; else part.removeAttribute("tabindex");
  });
  addEventListener("resize", reach);
  addEventListener("load", reach);
  document.addEventListener("toggle", reach, true);
  reach();
})();
