"""Make what the README shows: the moving picture of the live sentence, and the map of the notebooks.

    python -m tools.front_page            both (the picture needs Chromium)
    python -m tools.front_page map        only the map
"""

import io
import re
import sys
import tempfile
from itertools import groupby
from pathlib import Path

from PIL import Image

from moeviz import live, tinylm
from moeviz.environment import run_command
from tools import browser, notebooks

ROOT = notebooks.ROOT
README, PICTURE = ROOT / "README.md", ROOT / "docs" / "router.gif"
START, END = "<!-- map: written by python -m tools.front_page -->", "<!-- end of the map -->"
SENTENCE = "Who reads this? 17 + 25 = 42."
SIZE, COLORS, LARGEST = (1000, 690), 96, 1_500_000  # pixels of the page, colours of a frame, bytes
KEY, PAUSE, REST = 110, 900, 2600  # milliseconds that a frame stays
HEADING = "| | Notebook | It asks | Minutes |"
PARTS = {"the start": "Start"}
OPENING = re.compile(r"\A# (?P<title>.+)\n\n\*\*(?P<question>[^*]+\?)\*\*.*?\*\*Minutes:\*\* (?P<minutes>\d+)"
                     r".*?\*\*Place:\*\* (?P<part>[^.]+)\.", re.DOTALL)


def opening(path):
    """Return the title, question, minutes and part of a notebook as its first cell says them."""
    found = OPENING.match(notebooks.load(path).cells[0].source)
    if not found:
        raise ValueError(f"{path.name} opens without title, question, minutes or place")
    return found.groupdict()


def make_map():
    """Return the table of all notebooks as Markdown, a heading for each part."""
    told = [(path, opening(path)) for path in notebooks.paths()]
    lines = []
    for part, group in groupby(told, key=lambda each: each[1]["part"]):
        lines += ["", f"### {PARTS.get(part, part)}", "", HEADING, "|--|---|---|--:|"]
        lines += [f"| {path.name[:2]} | [{it['title']}](notebooks/{path.name}) | {it['question']} "
                  f"| {it['minutes']} |" for path, it in group]
    return "\n".join(lines[1:])


def write_map():
    """Set the map into the README, between its two marks."""
    before, _, rest = README.read_text(encoding="utf-8").partition(START)
    after = rest.partition(END)[2]
    README.write_text(f"{before}{START}\n\n{make_map()}\n\n{END}{after}", encoding="utf-8", newline="\n")


def film(page):
    """Yield (PNG, milliseconds): the sentence is typed, a byte pointed at, an expert switched off and on."""
    box = page.get_by_label("Your sentence")
    box.fill("")
    for at in range(1, len(SENTENCE) + 1):
        box.press_sequentially(SENTENCE[at - 1])
        yield page.screenshot(), KEY
    yield page.screenshot(), PAUSE
    page.get_by_label("byte 17,").hover()
    yield page.screenshot(), REST
    switch = page.locator(".moeviz-live [role=switch]").first
    switch.click()
    yield page.screenshot(), REST
    switch.click()
    yield page.screenshot(), PAUSE


def make_picture():
    """Write the moving picture; ValueError where it is larger than a front page should load."""
    with tempfile.TemporaryDirectory() as folder, browser.browse() as page:
        file = Path(folder) / "page.html"
        file.write_text('<!doctype html><meta charset="utf-8"><body style="margin: 0">'
                        + str(live.sentence(tinylm.load(), SENTENCE[:1])), encoding="utf-8")
        page.set_viewport_size({"width": SIZE[0], "height": SIZE[1]})
        page.goto(file.as_uri())
        shots, times = zip(*film(page), strict=True)
    frames = [Image.open(io.BytesIO(shot)).convert("RGB") for shot in shots]
    palette = frames[-2].quantize(COLORS, method=Image.Quantize.MEDIANCUT)
    flat = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    made = io.BytesIO()
    flat[0].save(made, "GIF", save_all=True, append_images=flat[1:], duration=list(times), loop=0,
                 optimize=True)
    if made.tell() > LARGEST:
        raise ValueError(f"the picture has {made.tell()} bytes, more than the {LARGEST} of a front page")
    PICTURE.write_bytes(made.getvalue())
    return made.tell()


def main(argv):
    """Run the command line; return its exit code."""
    if argv not in ([], ["map"]):
        print(__doc__)
        return 2
    write_map()
    if not argv:
        print(f"{PICTURE.relative_to(ROOT)}: {make_picture():,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(run_command(main, sys.argv[1:]))
