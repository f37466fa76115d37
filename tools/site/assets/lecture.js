// Lecture mode: L turns the page into full-screen steps, one for each text, picture and question of a section;
// a few lines stand with a picture: above the one that follows them, or below the one before.
// Right, Page Down and Space go on, a closed answer opens first; Left and Page Up go back; Escape ends it.
(() => {
  const root = document.documentElement, main = document.querySelector("main.lesson"), begin = document.querySelector(".begin");
  const make = (tag, name, text = "") => Object.assign(document.createElement(tag), {className: name, textContent: text});
  const bar = make("div", "lecture-bar"), clock = make("span", "clock"), said = make("span", "said");
  const buttons = ["Previous", "Next", "End"].map(text => Object.assign(make("button", "", text), {type: "button"}));
  said.setAttribute("role", "status");
  bar.setAttribute("role", "region");
  bar.setAttribute("aria-label", "Lecture");
  bar.append(said, clock, ...buttons);
  bar.hidden = true;
  document.body.append(bar);

  const ANSWERS = "details:not([open], .hint, .more, figure details, .moeviz-filmstrip details, .moeviz-live details)";
  const SAYS = "p, blockquote, .formulas";
  const PICTURES = "figure, .moeviz-filmstrip, .moeviz-live";
  let steps = [], at = 0, timer, spent = new Map();

  // a step is {parts: [[element, its output or null], ...], told: the same, for when its answers are open, section: a heading}
  const outputs = cell => [...cell.children].filter(part => !part.matches(".highlight"));
  const isPicture = part => part.matches(PICTURES) || part.querySelector(PICTURES);
  const asks = part => part.matches(ANSWERS) || part.querySelector(ANSWERS);
  const shown = ([element, output]) => output ?? element;
  const isHead = ([element]) => element.matches("h1, h2, h3");
  const showOnly = step => {
    main.querySelectorAll(".now, .part").forEach(part => part.classList.remove("now", "part"));
    const told = step.told && !step.parts.some(part => asks(shown(part))) ? step.told : [];
    [...step.parts, ...told].forEach(([element, output]) => {
      element.classList.add("now");
      output?.classList.add("part");
    });
    main.classList.toggle("tight", Boolean(step.tight));
    main.style.fontSize = "";
  };
  const tooTall = () => root.scrollHeight > innerHeight;
  const tooWide = () => [...main.querySelectorAll(".now.scroll, .now :is(.scroll, pre), pre.now")]
    .some(part => part.scrollWidth > part.clientWidth);
  const seen = (inside, what) => [...main.querySelectorAll(what)].filter(part => part.closest(inside) && part.checkVisibility());

  // text alone, a live view and a picture are as large as the screen allows
  const TEXT = ["1.5em", "1.25em", ""], ZOOMS = [1.5, 1.4, 1.3, 1.2, 1.1, 1, .9, .8, .7, .6];
  const fit = () => {
    if (!seen(".now", PICTURES).length) {
      TEXT.some(size => {
        main.style.fontSize = size;
        return !tooTall() && !tooWide();
      });
    }
    seen(".now", ".moeviz-live").forEach(view => {
      ZOOMS.some(zoom => {
        view.style.zoom = zoom;
        return !tooTall();
      });
    });
    const pictures = seen(".now", "img");
    main.style.setProperty("--most", "100vh");  // of a picture's height: what leaves room for all around it
    for (let tries = 0; tries < 3 && pictures.length && tooTall(); tries++) {
      const most = Math.max(...pictures.map(picture => picture.clientHeight)) - (root.scrollHeight - innerHeight);
      main.style.setProperty("--most", `${Math.max(0, most)}px`);
    }
  };

  // a text stands with a picture whose letters can be read all the same: 24 pixels, where 12 points are drawn at 100 to an inch
  const READ = 24 / (12 * 100 / 72), SMALLER = .75;
  const scaleOf = part => part.matches("img")
    ? Math.min(part.clientWidth / part.getAttribute("width"), part.clientHeight / part.getAttribute("height")) : Number(part.style.zoom);
  const scaleIn = parts => {
    showOnly({parts});
    fit();
    return tooTall() ? 0 : Math.min(...seen(".now", "img, .moeviz-live").map(scaleOf));
  };
  const WAITS = /\b(guess|before you)\b/i;  // to be answered before a picture tells
  const standsWith = (texts, picture) => {
    const alone = scaleIn([picture]);
    return scaleIn([...texts, picture]) >= Math.max(SMALLER * alone, Math.min(alone, READ));
  };

  // rows of a table stand closer where it and what is printed below it then fit; so does the rest once an answer has opened
  const crowded = step => {
    const hasTable = step.parts.some(part => shown(part).matches("table") || shown(part).querySelector("table"));
    step.tight = false;
    showOnly(step);
    if (!tooTall() || !hasTable || step.parts.at(-1)[0].matches(SAYS)) return tooTall();
    step.tight = true;
    showOnly(step);
    step.tight = !tooTall();
    return !step.tight;
  };

  // whether there is room below the open answers of a question for what comes next
  const fitsOpen = (question, parts) => {
    const answers = question.parts.flatMap(part => [shown(part), ...shown(part).querySelectorAll("details")]).filter(part => part.matches(ANSWERS));
    answers.forEach(answer => { answer.open = true; });
    showOnly({...question, parts: [...question.parts, ...parts]});
    const fits = !tooTall();
    answers.forEach(answer => { answer.open = false; });
    return fits;
  };

  // whether a fold has room when it is open, or would have none on a screen of its own either
  const opens = (step, part) => !part[0].matches("details:not(.solution)")
    || fitsOpen({...step, tight: true}, []) || !fitsOpen({parts: [part], tight: true}, []);

  const plan = () => {
    const found = [];
    let section = main.querySelector("h1"), text = null;
    let before = null, question = null;  // the picture and the question before, while they are spoken of
    const open = parts => found.push(text = {parts, section, after: before, question});
    const add = part => {  // what fits on the screen with what was before stands beside it
      if (!text && question && asks(shown(part))) text = question;
      else if (!text) open([]);
      const full = text;
      full.parts.push(part);
      const fits = !crowded(full);
      if (full.parts.length === 1 || (fits && opens(full, part))) return;
      full.parts.pop();
      // an output for which there is no room takes the paragraph before it along
      const from = part[1] ? Math.max(0, full.parts.findLastIndex(([element]) => element.matches("p, blockquote"))) : 0;
      const along = full.parts.slice(0, from).every(isHead) ? [] : full.parts.splice(from);
      before = question = null;
      open([...along, part]);
      if (crowded(text) && along.length) {
        full.parts.push(...along);
        text.parts = [part];
        crowded(text);
      }
      crowded(full);
    };
    const below = parts => text?.after && parts.length && !parts.some(part => asks(shown(part))) && standsWith(parts, text.after);
    const close = () => {  // a text that no picture follows stands below the one before
      if (below(text?.parts ?? [])) text.parts.unshift(text.after);
      else if (text?.question && text.parts.every(([, output]) => output) && fitsOpen(text.question, text.parts)) {
        text.question.told = text.parts;
        found.pop();
      }
      text = null;
    };
    const show = part => {
      const from = text?.after ? Math.max(0, text.parts.findLastIndex(([element]) => element.matches("p"))) : 0;
      const rest = text?.parts.slice(0, from) ?? [], lead = text?.parts.slice(from) ?? [];  // the last paragraph speaks of what follows
      const above = lead.length && !lead.some(each => WAITS.test(shown(each).textContent)) && standsWith(lead, part);
      const under = below(rest);
      if (above || under) text.parts.splice(from);
      if (under) text.parts.unshift(text.after);
      if (text && !text.parts.length) found.pop();
      if (under && !above) found.push({parts: lead, section});
      found.push({parts: above ? [...lead, part] : [part], section});
      text = question = null;
      before = part;
    };
    for (const element of [...main.children].filter(each => !each.matches(".elsewhere"))) {
      if (element.matches("h1, h2, h3")) {
        section = element.matches("h3") ? section : element;
        if (!text?.parts.every(isHead)) close();  // headings stay together
        before = question = null;
      }
      for (const output of element.matches(".cell") ? outputs(element) : [null]) {
        const part = output ?? element;
        if (isPicture(part)) show([element, output]);
        else add([element, output]);
        if (isPicture(part) || !asks(part)) continue;
        question = text;  // it stands last, or what follows answers it
        text = before = null;
      }
    }
    close();
    return found;
  };

  const minutes = seconds => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;
  const tell = () => {
    const {section} = steps[at], used = spent.get(section) ?? 0, planned = Number(section.dataset.minutes ?? 0);
    const late = planned && used > 60 * planned;
    clock.textContent = `${minutes(used)}${planned ? ` of ${planned} min` : ""}${late ? ", late" : ""}`;
    clock.classList.toggle("late", Boolean(late));
  };
  const tick = () => {
    spent.set(steps[at].section, (spent.get(steps[at].section) ?? 0) + 1);
    tell();
  };
  const go = place => {
    at = Math.max(0, Math.min(steps.length - 1, place));
    showOnly(steps[at]);
    fit();
    scrollTo(0, 0);
    const name = steps[at].section.querySelector(".name")?.textContent ?? steps[at].section.textContent;
    said.textContent = `${at + 1} of ${steps.length} · ${name}`;
    buttons[0].disabled = at === 0;
    buttons[1].disabled = at === steps.length - 1;
    tell();
  };
  const on = () => {  // a closed answer opens before anything else comes
    const closed = steps[at].parts.map(shown)
      .map(part => part.matches(ANSWERS) ? part : part.querySelector(ANSWERS))
      .find(Boolean);
    if (!closed) return go(at + 1);
    closed.open = true;
    if (steps[at].told) {
      showOnly(steps[at]);
      fit();
    }
    if (tooTall()) fit();
    if (tooTall()) main.classList.add("tight");
    if (tooTall()) scrollTo({top: root.scrollHeight, behavior: "instant"});  // what was asked has been read
  };
  const here = () => {  // the first step at or below the top of the window, so that a lecture begins where one reads
    const below = steps.findIndex(({parts}) => parts.some(([part]) => part.top >= -40));
    return Math.max(0, below);
  };
  const start = () => {
    [...main.children].forEach(part => { part.top = part.getBoundingClientRect().top; });
    const top = scrollY < 200;
    root.classList.add("lecture");
    bar.hidden = false;
    steps = plan();
    go(top ? 0 : here());
    timer = setInterval(tick, 1000);
    root.requestFullscreen?.().catch(() => {});
  };
  const end = () => {
    if (bar.hidden) return;
    clearInterval(timer);
    const [first] = steps[at].parts[0];
    root.classList.remove("lecture");
    main.style.fontSize = "";
    main.querySelectorAll(".moeviz-live").forEach(view => { view.style.zoom = ""; });
    bar.hidden = true;
    if (document.fullscreenElement) document.exitFullscreen();
    first.scrollIntoView({behavior: "instant"});
  };

  addEventListener("resize", () => { if (!bar.hidden) fit(); });
  begin.addEventListener("click", start);
  buttons[0].addEventListener("click", () => go(at - 1));
  buttons[1].addEventListener("click", on);
  buttons[2].addEventListener("click", end);
  document.addEventListener("fullscreenchange", () => { if (!document.fullscreenElement) end(); });
  const KEYS = {ArrowRight: on, ArrowDown: on, PageDown: on, " ": on, ArrowLeft: () => go(at - 1), ArrowUp: () => go(at - 1),
    PageUp: () => go(at - 1), Home: () => go(0), End: () => go(steps.length - 1), Escape: end, l: end, L: end};
  document.addEventListener("keydown", event => {
    if (event.defaultPrevented || event.ctrlKey || event.altKey || event.metaKey) return;
    const control = event.target.closest?.("input, select, textarea, button, summary, a, [contenteditable], [role=slider], [role=button]");
    const typed = event.target.matches?.("input:not([type=range]), textarea, select, [contenteditable]");
    if (typed && event.key !== "Escape") return;
    if (bar.hidden) {
      if (event.key === "l" || event.key === "L") { event.preventDefault(); start(); }
      return;
    }
    // a control keeps the keys that move it; Page Down and Page Up go on and back from everywhere
    if (control && !["PageDown", "PageUp", "Escape", "l", "L"].includes(event.key)) return;
    if (control && event.key === "Escape" && !bar.contains(control)) { control.blur(); return; }
    const act = KEYS[event.key];
    if (act) { event.preventDefault(); act(); }
  });
  begin.hidden = false;
})();
