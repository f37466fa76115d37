"""Make the thumbnails of the README from pictures that the notebooks keep, and set their table into it.

    python -m tools.gallery
"""

import base64
import io
import json
import pathlib

from PIL import Image

ROOT = pathlib.Path(__file__).resolve().parent.parent
FOLDER, README = ROOT / "docs" / "gallery", ROOT / "README.md"
SIZE, LARGEST, COLUMNS = (480, 300), 40_000, 3  # pixels, bytes, thumbnails in a row
START, END = "<!-- gallery: written by tools/gallery.py -->", "<!-- end of the gallery -->"
PICTURES = (  # notebook, which of its kept pictures, what it shows
    ("01_dense_to_sparse", 1, "A layer with 8 experts, of which a token uses 2"),
    ("02_gating_by_hand", 1, "The plane split into the regions of 4 experts, with 6 tokens"),
    ("03_topk_noise_temperature", 1, "Noisy scores of 5 experts as hills over the threshold: chances to be "
                                     "chosen fall from 0.95 for expert 0 to 0.05 for expert 4"),
    ("04_dispatch_combine", 0, "6 words flow through the gate to 3 experts, which get 3, 6 and 3 of them"),
    ("06_capacity", 0, "90 bytes of text in three orders of service: each drops equally many of 180 choices, "
                       "but not of the same bytes"),
    ("07_collapse", 1, "Load of 8 experts over 500 steps without balancing: 3 live, 5 are dead at the end"),
    ("10_one_matrix_every_router", 1, "19 routers by the score they capture and their MaxVio from 0 to 0.8; "
                                      "expert choice is at 0"),
    ("12_real_models", 0, "50 published models from 2020 to 2026 by their total and active parameters, "
                          "up to 1,571 billion in all"),
    ("15_million_tokens", 0, "Shares of the FLOPs of a token over contexts of 1,000 to 10 million: attention "
                             "takes over from the experts"),
    ("17_do_experts_specialise", 2, "Heatmap of 14 languages by 8 experts: one script, one or two experts; "
                                    "after a shuffle all rows are alike"),
    ("18_routing_of_real_models", 1, "Tokens flow from 8 experts of layer 1 to 8 experts of layer 2"),
    ("19_expert_parallelism", 1, "One step on 4 devices: three of them wait for the busiest one"),
)


def kept(notebook):
    """Return the kept pictures of a notebook, as PNG bytes, in order."""
    content = json.loads((ROOT / "notebooks" / f"{notebook}.ipynb").read_text(encoding="utf-8"))
    cells = [cell for cell in content["cells"] if "keep_output" in cell["metadata"].get("tags", ())]
    shown = [output.get("data", {}).get("image/png") for cell in cells for output in cell["outputs"]]
    return [base64.b64decode("".join(png)) for png in shown if png]


def thumbnail(png):
    """Return a picture as a small PNG: all of it, on white, with as many colours as LARGEST allows."""
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    picture.thumbnail(SIZE, Image.Resampling.LANCZOS)
    sheet = Image.new("RGB", SIZE, "white")
    sheet.paste(picture, tuple((room - side) // 2 for room, side in zip(SIZE, picture.size, strict=True)))
    return next(small for colors in (256, 128, 64, 32) if len(small := _as_png(sheet, colors)) <= LARGEST)


def _as_png(picture, colors):
    file = io.BytesIO()
    flat = picture.quantize(colors, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    flat.save(file, format="PNG", optimize=True)
    return file.getvalue()


def title(notebook):
    """Return the number of a notebook with its name as the README's map has it."""
    line = next(line for line in README.read_text(encoding="utf-8").splitlines()
                if line.startswith("|") and f"(notebooks/{notebook}.ipynb)" in line and "[!" not in line)
    return f"{notebook[:2]} {line.split('[')[1].split(']')[0]}"


def table():
    """Return the Markdown of the gallery, START and END around it."""
    cells = [f"[![{words}](docs/gallery/{notebook}.png)](notebooks/{notebook}.ipynb)<br>{title(notebook)}"
             for notebook, _, words in PICTURES]
    rows = [" | ".join(cells[at:at + COLUMNS]) for at in range(0, len(cells), COLUMNS)]
    lines = ["| " * COLUMNS + "|", "|:-:" * COLUMNS + "|", *(f"| {row} |" for row in rows)]
    return "\n".join([START, "", *lines, "", END])


def main():
    """Write the thumbnails and the README's table."""
    FOLDER.mkdir(exist_ok=True)
    for notebook, which, _ in PICTURES:
        (FOLDER / f"{notebook}.png").write_bytes(thumbnail(kept(notebook)[which]))
    text = README.read_text(encoding="utf-8")
    before, after = text.partition(START)[0], text.partition(END)[2]
    README.write_text(before + table() + after, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
