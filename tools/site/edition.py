"""What the edition for pages knows of a figure besides its PNG; runs in the kernel of a notebook.

The same figure drawn for the dark theme, where its panels stand, so that they can stack on a narrow screen,
and what the checks ask of every figure.
"""

from base64 import b64decode, b64encode
from io import BytesIO

import matplotlib as mpl
import numpy as np
from PIL import Image

from moeviz import style
from moeviz.forms import BothCanvas, panels_of


def install():
    """Let figures of the style carry their other forms from now on."""
    plain = style.as_output

    def as_output(figure):
        canvas, both = figure.canvas, BothCanvas(figure)
        output = plain(figure)
        figure.set_canvas(canvas)
        if output:
            output[1]["image/png"].update(forms(figure, output[0]["image/png"], both.night()))
        return output

    style.as_output = as_output


def forms(figure, png, night):
    """Return {"dark", "panels", "seen"} of a figure that was just saved as this PNG (base64).

    night: pixels (H, W, 4) of its dark form.
    """
    seen = looks(figure, png)
    frame = figure.get_tightbbox(figure.canvas.get_renderer()).padded(mpl.rcParams["savefig.pad_inches"])
    return {"dark": stored(night), "panels": panels_of(figure, frame), "seen": seen}


def stored(pixels):
    """Return pixels (H, W, 4) as a picture is stored in a notebook: PNG, base64."""
    raw = BytesIO()
    Image.fromarray(pixels).save(raw, "png", compress_level=1)
    return b64encode(raw.getvalue()).decode()


def looks(figure, png):
    """Return what the checks ask for: {"same", "width", "titles", "smallest"}.

    same: whether a second save gives the same pixels. width: in pixels. smallest: of its texts, in points.
    """
    first = np.asarray(Image.open(BytesIO(b64decode(png))).convert("RGBA"))
    again = BytesIO()
    figure.savefig(again, format="rgba", dpi=figure.dpi, bbox_inches="tight")
    texts = [text for text in figure.findobj(mpl.text.Text) if text.get_visible() and text.get_text().strip()]
    return {"same": first.tobytes() == again.getvalue(), "width": first.shape[1],
            "titles": [title for ax in figure.axes if (title := ax.get_title(loc="left") or ax.get_title())],
            "smallest": min((text.get_fontsize() for text in texts), default=None)}
