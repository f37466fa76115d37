"""What the edition for pages knows of a figure besides its PNG; runs in the kernel of a notebook.

The same figure drawn for the dark theme and for a narrow screen, where its panels stand, so that they can
stack there, and what the checks ask of every figure.
"""

import gc
from base64 import b64decode, b64encode
from io import BytesIO

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from PIL import Image

from moeviz import style
from moeviz.dark import BothCanvas
from moeviz.forms import labels_of, narrowed, panels_of


def install():
    """Let figures of the style carry their other forms from now on."""
    plain = style.bundle

    def bundle(figure, png, night):
        output = plain(figure, png, night)
        if "image/png" in output[1]:  # no reader's own
            output[1]["image/png"].update(forms(figure, png, night))
        return output

    style.bundle = bundle
    gc.freeze()  # what is imported by now stays: drawing makes the collector look through it time and again


def forms(figure, png, night):
    """Return the other forms of a figure that was just saved as this PNG (base64), and how it looks.

    {"dark", "panels", "labels", "seen", "narrow"}: narrow has {"day", "dark"}, or nothing. night: pixels
    (H, W, 4) of the dark form.
    """
    frame = figure.get_tightbbox(figure.canvas.get_renderer()).padded(mpl.rcParams["savefig.pad_inches"])
    seen, panels = looks(figure, png, frame), panels_of(figure, frame)
    return {"dark": stored(night), "panels": panels, "labels": labels_of(figure, frame, panels), "seen": seen,
            "narrow": {} if panels else narrow(figure)}


def narrow(figure):
    """Return both narrow forms of a figure: drawn by its plot where that knows how, else squeezed."""
    redraw = next(filter(None, (getattr(ax, "moeviz_narrow", None) for ax in figure.axes)), None)
    if redraw is not None:
        other = np.ravel(redraw())[0].figure
        plt.close(other)
        return both(other)
    with narrowed(figure) as can_be_read:
        return both(figure) if can_be_read else {}


def both(figure):
    """Return {"day", "dark"}: a figure as PNG (base64) for both themes; its canvas stays what it is."""
    canvas, drawn, raw = figure.canvas, BothCanvas(figure), BytesIO()
    drawn.print_figure(raw, format="png", dpi=figure.dpi, bbox_inches="tight",
                       pil_kwargs={"compress_level": 1})
    figure.set_canvas(canvas)
    return {"day": b64encode(raw.getvalue()).decode(), "dark": stored(drawn.night())}


def stored(pixels):
    """Return pixels (H, W, 4) as a picture is stored in a notebook: PNG, base64."""
    raw = BytesIO()
    Image.fromarray(pixels).save(raw, "png", compress_level=1)
    return b64encode(raw.getvalue()).decode()


def looks(figure, png, frame="tight"):
    """Return what the checks ask for: {"same", "width", "titles", "smallest"}.

    same: whether a second save gives the same pixels. width: in pixels. smallest: of its texts, in points.
    """
    first = np.asarray(Image.open(BytesIO(b64decode(png))).convert("RGBA"))
    again = BytesIO()
    figure.savefig(again, format="rgba", dpi=figure.dpi, bbox_inches=frame)
    texts = [text for text in figure.findobj(mpl.text.Text) if text.get_visible() and text.get_text().strip()]
    return {"same": first.tobytes() == again.getvalue(), "width": first.shape[1],
            "titles": [title for ax in figure.axes if (title := ax.get_title(loc="left") or ax.get_title())],
            "smallest": min((text.get_fontsize() for text in texts), default=None)}
