"""What every explorer is made of: controls over one picture, shown with its alt text and closed again."""

from base64 import b64encode
from html import escape
from io import BytesIO

import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
from IPython.display import HTML, display

from moeviz.style import describe

MAX_CONTROLS = 4
HOLD = 0.7  # of a picture's height is held for the next one; pages narrower than the picture shrink it


def explore(redraw, *, caption, **controls):
    """Show controls over the picture that `redraw(**values)` draws; return them as one widget.

    redraw: takes one keyword per control and returns the Axes (or array of Axes) of a new figure. A
    ValueError it raises is shown as text in the picture's place. caption: a line above the controls.
    Raises ValueError for no control or more than four.
    """
    if not 1 <= len(controls) <= MAX_CONTROLS:
        raise ValueError(f"controls must be 1 to {MAX_CONTROLS}, got {len(controls)}")
    seen = {}
    output = ipywidgets.interactive_output(lambda **now: seen.update(height=show(redraw, now)), controls)
    output.layout.min_height = f"{round(HOLD * seen['height'])}px"
    for control in controls.values():
        control.style.description_width = "initial"
        control.layout.width = "max-content" if hasattr(control, "options") else "min(460px, 100%)"
    row = ipywidgets.HBox(list(controls.values()), layout={"flex_flow": "row wrap", "grid_gap": "4px 28px"})
    return ipywidgets.VBox([ipywidgets.Label(caption), row, output])


def show(redraw, values):
    """Draw once, display the figure as one image with alt text, close it; return its height in pixels."""
    try:
        figure = np.ravel(redraw(**values))[0].figure
    except ValueError as error:
        print(error)
        return 0
    image = BytesIO()
    figure.savefig(image, format="png", dpi=figure.dpi, pil_kwargs={"compress_level": 1})
    plt.close(figure)
    width, height = (round(inches * figure.dpi) for inches in figure.get_size_inches())
    source = f"data:image/png;base64,{b64encode(image.getvalue()).decode()}"
    # as HTML, because notebook front ends drop the alt text of a plain image output
    display(HTML(f'<img width="{width}" style="max-width: 100%; height: auto" '
                 f'alt="{escape(describe(figure))}" src="{source}">'))
    return height


def two_panels(size, width_ratios):
    """Return the Axes (2,) of a new figure; fixed margins keep the panels still between two pictures."""
    margins = {"left": 0.065, "right": 0.985, "bottom": 0.14, "top": 0.89, "wspace": 0.2}
    return plt.subplots(1, 2, figsize=size, width_ratios=width_ratios, layout="none", gridspec_kw=margins)[1]


def fix_scale(ax, routed):
    """Keep the scale of a load still between two pictures, unless a bar grows out of it."""
    ax.set_ylim(0, max(ax.get_ylim()[1], 300 / routed.num_experts))


def slider(description, value, low, high, step):
    """Return a FloatSlider with as many decimals in its readout as its step needs."""
    return ipywidgets.FloatSlider(value, min=low, max=high, step=step, description=description,
                                  readout_format=".2f" if step < 0.1 else ".1f")
