"""Time the live views in Chromium, from a change to the paint that shows it.

    python -m benchmarks.live

Each change is made by script in the page: the clock starts before the event and stops after the frame in
which the view was painted. Least, median and 95th percentile over ROUNDS, in milliseconds, then the mean
processor time of the page's main thread, which a busy machine changes little; for texts of 20, 100 and 200
bytes, with the byte model and with the Transformer. Of the other views the first slider is moved, or the
first cell clicked. WANTED is the bound for 100 bytes and the byte model, MOST that for its page. Besides: the
first paint of a page from a file, and its size.
"""

import pathlib
import tempfile

import numpy as np

from moeviz import live, text, tinylm, transformer
from moeviz.training import clustered_task
from tools import browser

SIZES, ROUNDS, WANTED = (20, 100, 200), 25, 33
FIRST, MOST = 400, 1_200_000
TEXT = 2 * "The router sends each byte to two experts of eight, and the sum of what they say guides a guess. "
LEAST = 3
ACTS = {  # what happens, nothing being the floor of a frame; `n` is the number of the round
    "nothing": "",
    "key at the end": "field.value = text.slice(0, -2) + letters(n); type()",
    "key at the start": "field.value = letters(n) + text.slice(2); type()",
    "slider": "temperature.value = 0.05 * (n % 7); temperature.dispatchEvent(new Event('input'))",
    "switch": "document.querySelector('.switch').click()",
    "drag": "drag(0.3 + 0.05 * (n % 9))",
    "pointing": "tiles[n % text.length].dispatchEvent(new PointerEvent('pointerover', { bubbles: true }))",
}
PAINTED = """const painted = () => new Promise(done => requestAnimationFrame(() => {
        const { port1, port2 } = new MessageChannel();
        port1.onmessage = done;
        port2.postMessage(0);
    }));"""
MEASURE = f"async ([text, act, rounds]) => {{ {PAINTED}" """
    const field = document.querySelector("textarea");
    const temperature = document.querySelectorAll("input[type=range]")[1];
    const type = () => field.dispatchEvent(new Event("input"));
    const bar = document.querySelectorAll(".load")[3], box = bar.getBoundingClientRect();
    const at = (kind, part) => bar.dispatchEvent(new PointerEvent(kind, { bubbles: true, pointerId: 1,
        clientX: box.left + part * box.width, clientY: box.top + 5 }));
    bar.setPointerCapture = () => {};
    const drag = part => at("pointerdown", part);
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
TOUCH = f"async rounds => {{ {PAINTED}" """
    const range = document.querySelector("input[type=range]"), cell = document.querySelector(".cell");
    const times = [];
    for (let n = 0; n < rounds; n++) {
        await new Promise(done => setTimeout(done, 30));
        const start = performance.now();
        if (range) {
            range.value = Number(range.min) + (range.max - range.min) * (1 + n % 7) / 9;
            range.dispatchEvent(new Event("input"));
        } else cell.click();
        await painted();
        times.push(performance.now() - start);
    }
    return times;
}"""
PAINT = "() => performance.getEntriesByType('paint').map(each => each.startTime)"


HEAD = '<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>live</title>'


def other_views():
    """Return {name: view} of what is no sentence, each as a notebook of the course shows it."""
    model, rng = tinylm.load(), np.random.default_rng(0)
    routed, labels = model.route(TEXT[:100])[0], text.byte_labels(TEXT[:100])
    task = clustered_task(rng=np.random.default_rng([0, 0]), samples=1024)
    return {"plane": live.plane(rng.normal(size=(2, 6)), rng.normal(size=(40, 2))),
            "seats": live.seats(routed, labels), "board": live.board(routed.logits[:24], labels[:24]),
            "coin": live.coin(), "thermostat": live.thermostat(task), "training": live.training(task)}


def measure_views(folder):
    """Print the time from a touch to the paint, for each view that is no sentence."""
    print("\n| view | least / median / 95th; processor |\n|---|--:|")
    for name, view in other_views().items():
        (folder / f"{name}.html").write_text(HEAD + str(view), encoding="utf-8")
        with browser.browse() as page:
            page.goto((folder / f"{name}.html").as_uri())
            page.wait_for_selector(".body")
            print(f"| {name} |", measure(page, clock_of(page), TOUCH, ROUNDS), "|", flush=True)


def clock_of(page):
    """Return a session that tells the processor time of a page."""
    clock = page.context.new_cdp_session(page)
    clock.send("Performance.enable", {"timeDomain": "threadTicks"})
    return clock


def measure_page(folder, name, model):
    """Print the table of changes, the first paint and the size of the page with a model's sentence."""
    file = folder / "live.html"
    page_text = HEAD + str(live.sentence(model))
    file.write_text(page_text, encoding="utf-8")
    with browser.browse() as page:
        first = []
        for _ in range(LEAST + 4):
            page.goto(file.as_uri())
            page.wait_for_selector(".tile")
            first.append(max(page.evaluate(PAINT)))
        clock = clock_of(page)
        print(f"\n| {name} |", " | ".join(f"{size} bytes" for size in SIZES), "|")
        print("|---|" + "--:|" * len(SIZES))
        for change, act in ACTS.items():
            page.reload()
            cells = (measure(page, clock, MEASURE, [TEXT[:size], act, ROUNDS]) for size in SIZES)
            print(f"| {change} |", " | ".join(cells), "|", flush=True)
    size = len(page_text.encode())
    print(f"\nfirst paint {np.median(first):.0f} ms (wanted: {FIRST}); page {size:,} bytes "
          f"(wanted: {MOST:,}); for 100 bytes a median of {WANTED} ms is wanted")


def measure(page, clock, script, arguments):
    """Return one cell of the table."""
    def busy():
        counters = clock.send("Performance.getMetrics")["metrics"]
        return next(each["value"] for each in counters if each["name"] == "TaskDuration")

    start = busy()
    times = page.evaluate(script, arguments)
    spent = 1000 * (busy() - start) / ROUNDS
    wall = " / ".join(f"{ms:.0f}" for ms in np.percentile(times[LEAST:], (0, 50, 95)))
    return f"{wall}; {spent:.0f}"


def main():
    with tempfile.TemporaryDirectory() as name:
        measure_page(pathlib.Path(name), "byte model", tinylm.load())
        measure_page(pathlib.Path(name), "Transformer", transformer.load())
        measure_views(pathlib.Path(name))


if __name__ == "__main__":
    main()
