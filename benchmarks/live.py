"""Time the live sentence in Chromium, from a change to the paint that shows it, and a widget in JupyterLab.

    python -m benchmarks.live [--no-lab]

Each change is made by script in the page: the clock starts before the event and stops after the frame in
which the view was painted. Least, median and 95th percentile over ROUNDS, in milliseconds, then the mean
processor time of the page's main thread, which a busy machine changes little; for texts of 20, 100 and 200
bytes. The widget beside it is `widgets.explore_sentence`, from a new text to the new picture, in JupyterLab.
WANTED is the bound for 100 bytes. Besides: the first paint of a page from a file, and its size.
"""

import pathlib
import sys
import tempfile
import time

import numpy as np
from nbformat.v4 import new_code_cell, new_notebook

from moeviz import live, tinylm
from tools import browser, notebooks

SIZES, ROUNDS, WANTED = (20, 100, 200), 25, 33
FIRST, MOST = 400, 1_200_000
TEXT = 2 * "The router sends each byte to two experts of eight, and the sum of what they say guides a guess. "
LEAST, WIDGET_ROUNDS = 3, 9
ACTS = {  # what happens, nothing being the floor of a frame; `n` is the number of the round
    "nothing": "",
    "key at the end": "field.value = text.slice(0, -2) + letters(n); type()",
    "key at the start": "field.value = letters(n) + text.slice(2); type()",
    "slider": "temperature.value = 0.05 * (n % 7); temperature.dispatchEvent(new Event('input'))",
    "switch": "document.querySelector('.switch').click()",
    "drag": "drag(0.3 + 0.05 * (n % 9))",
    "pointing": "tiles[n % text.length].dispatchEvent(new PointerEvent('pointerover', { bubbles: true }))",
}
MEASURE = """async ([text, act, rounds]) => {
    const field = document.querySelector("textarea");
    const temperature = document.querySelectorAll("input[type=range]")[1];
    const type = () => field.dispatchEvent(new Event("input"));
    const bar = document.querySelectorAll(".load")[3], box = bar.getBoundingClientRect();
    const at = (kind, part) => bar.dispatchEvent(new PointerEvent(kind, { bubbles: true, pointerId: 1,
        clientX: box.left + part * box.width, clientY: box.top + 5 }));
    bar.setPointerCapture = () => {};
    const drag = part => at("pointerdown", part);
    const painted = () => new Promise(done => requestAnimationFrame(() => {
        const { port1, port2 } = new MessageChannel();
        port1.onmessage = done;
        port2.postMessage(0);
    }));
    field.value = text;
    type();
    await painted();
    const tiles = document.querySelectorAll(".tile"), times = [];
    const letters = n => String.fromCharCode(97 + n % 26, 122 - n % 26);
    const change = new Function("n", "field", "type", "text", "temperature", "drag", "tiles", "letters", act);
    for (let n = 0; n < rounds; n++) {
        await new Promise(done => setTimeout(done, 30));
        const start = performance.now();
        change(n, field, type, text, temperature, drag, tiles, letters);
        await painted();
        times.push(performance.now() - start);
    }
    return times;
}"""
PAINT = "() => performance.getEntriesByType('paint').map(each => each.startTime)"


def measure_page(folder):
    """Print the table of changes, the first paint and the size of the page."""
    file = folder / "live.html"
    head = '<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>live</title>'
    page_text = head + str(live.sentence(tinylm.load()))
    file.write_text(page_text, encoding="utf-8")
    with browser.browse() as page:
        first = []
        for _ in range(LEAST + 4):
            page.goto(file.as_uri())
            page.wait_for_selector(".tile")
            first.append(max(page.evaluate(PAINT)))
        clock = page.context.new_cdp_session(page)
        clock.send("Performance.enable", {"timeDomain": "threadTicks"})
        print("| change |", " | ".join(f"{size} bytes" for size in SIZES), "|")
        print("|---|" + "--:|" * len(SIZES))
        for name, act in ACTS.items():
            page.reload()
            print(f"| {name} |", " | ".join(measure(page, clock, TEXT[:size], act) for size in SIZES), "|",
                  flush=True)
    size = len(page_text.encode())
    print(f"\nfirst paint {np.median(first):.0f} ms (wanted: {FIRST}); page {size:,} bytes "
          f"(wanted: {MOST:,}); for 100 bytes a median of {WANTED} ms is wanted")


def measure(page, clock, text, act):
    """Return one cell of the table."""
    def busy():
        counters = clock.send("Performance.getMetrics")["metrics"]
        return next(each["value"] for each in counters if each["name"] == "TaskDuration")

    start = busy()
    times = page.evaluate(MEASURE, [text, act, ROUNDS])
    spent = 1000 * (busy() - start) / ROUNDS
    wall = " / ".join(f"{ms:.0f}" for ms in np.percentile(times[LEAST:], (0, 50, 95)))
    return f"{wall}; {spent:.0f}"


def measure_widget(folder):
    """Print the time from a new text to a new picture in the widget, in JupyterLab."""
    ask = f"widgets.explore_sentence(tinylm.load(), {TEXT[:100]!r})"
    cell = f"from moeviz import tinylm, widgets\n{ask}"
    notebook = new_notebook(cells=[new_code_cell(cell)], metadata=notebooks.METADATA)
    notebooks.save(notebook, folder / "widget.ipynb")
    with browser.serve([folder / "widget.ipynb"], folder) as lab, browser.browse() as page:
        browser.open_notebook(page, lab, "widget.ipynb")
        browser.run_all(page)
        area, times = browser.output_of(page, "explore_sentence"), []
        for at in range(WIDGET_ROUNDS):
            before, box = browser.picture(area), area.locator("input[type=text]").first
            box.fill(f"{at}{TEXT[1:100]}")
            start = time.perf_counter()
            box.press("Enter")
            browser.wait_for_change(page, area, before)
            times.append(1000 * (time.perf_counter() - start))
    print(f"a widget in JupyterLab, 100 bytes: {np.median(times):.0f} ms")


def main(arguments):
    """Measure the page, and the widget too unless the command line says not to."""
    with tempfile.TemporaryDirectory() as name:
        measure_page(pathlib.Path(name))
        if "--no-lab" not in arguments:
            measure_widget(pathlib.Path(name))


if __name__ == "__main__":
    main(sys.argv[1:])
