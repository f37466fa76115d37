"""What every explorer is made of: controls over one picture, shown with its alt text and closed again.

A page has no kernel that could redraw. Where notebooks run for one, with MOEVIZ_EDITION=page, an explorer
becomes filmstrips, one for each control with the others at rest: the same figure, from the same default. The
most telling one stands open, the others are folded below it.
"""

import os
from base64 import b64encode
from functools import cache
from html import escape
from io import BytesIO

import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
from IPython.display import HTML, display
from matplotlib.image import imsave

from moeviz.arrays import check_choice
from moeviz.dark import BothCanvas
from moeviz.filmstrip import Html, TooLargeError, filmstrip, shoot
from moeviz.style import describe, in_both_themes

MAX_CONTROLS = 4
EDITION = "MOEVIZ_EDITION"
FRAMES = (3, 5, 9)  # of a filmstrip: the last number that does not make it too large
FEW = 5  # of a folded one
COUNTED = (5, 9, 16, 24)  # of one that counts: steps by one from the beginning, and the end
HOLD = 0.7  # of a picture's height is held for the next one; pages narrower than the picture shrink it


def explore(redraw, *, caption, film=None, **controls):
    """Show controls over the picture that `redraw(**values)` draws; return them as one widget.

    redraw: takes one keyword per control and returns the Axes (or array of Axes) of a new figure. A
    ValueError it raises is shown as text in the picture's place. caption: a line above the controls.
    film: name of the control whose filmstrip stands open in a page without kernel; the first by default.
    Raises ValueError for no control or more than four, or a film of none of them.
    """
    if not 1 <= len(controls) <= MAX_CONTROLS:
        raise ValueError(f"controls must be 1 to {MAX_CONTROLS}, got {len(controls)}")
    film = check_choice(next(iter(controls)) if film is None else film, "film", list(controls))
    if os.environ.get(EDITION) == "page":
        return make_page(redraw, caption, controls, film)
    seen = {}
    output = ipywidgets.interactive_output(lambda **now: seen.update(height=show(redraw, now)), controls)
    output.layout.min_height = f"{round(HOLD * seen['height'])}px"
    for control in controls.values():
        control.style.description_width = "initial"
        is_list = hasattr(control, "options") and not hasattr(control, "readout")  # a slider needs a track
        control.layout.width = "max-content" if is_list else "min(460px, 100%)"
    row = ipywidgets.HBox(list(controls.values()), layout={"flex_flow": "row wrap", "grid_gap": "4px 28px"})
    return ipywidgets.VBox([ipywidgets.Label(caption), row, output])


def make_page(redraw, caption, controls, first):
    """Return a filmstrip over the first control, and folded below it one over each other that has stops.

    A text to type has none: a page shows it as it stands.
    """
    rest = {name: control.value for name, control in controls.items()}
    at_rest = cache(lambda: shoot(redraw(**rest)))  # every film has this frame

    def draw(**values):
        return at_rest() if values == rest else redraw(**values)

    others = [name for name, control in controls.items() if name != first and has_stops(control)]
    folded = [f'<details class="more"><summary>Move instead: {escape(controls[name].description)}</summary>'
              f"{make_film(draw, controls, name, most=FEW)}</details>" for name in others]
    return Html("\n".join([f"<p>{escape(caption)}</p>", make_film(draw, controls, first), *folded]))


def has_stops(control):
    """Tell whether a control can be moved through a filmstrip: a slider or a list, not a text."""
    return hasattr(control, "options") or hasattr(control, "max")


def make_film(redraw, controls, moving, *, most=FRAMES[-1]):
    """Return a filmstrip over one control, the others at rest; up to `most` frames, as its size allows.

    A slider of whole numbers from 0 that stands at its end counts what happened: its strip begins at 0 and
    goes on one by one. All others begin where their control stands.
    """
    control, rest = controls[moving], {name: other.value for name, other in controls.items()}
    counts = isinstance(control, ipywidgets.IntSlider) and 0 == control.min < control.value == control.max
    options, film = _options(control), None
    here = [value for _, value in options].index(control.value)

    @cache  # a strip of more frames shows the same and some others
    def draw(place):
        return _shot(redraw, rest | {moving: options[place][1]})

    try:
        for count in COUNTED if counts else [count for count in FRAMES if count <= most]:
            places = _first_stops(options, count) if counts else _stops(options, here, count)
            places = [place for place in places if place == here or draw(place)]
            names = [f"{control.description}: {options[place][0]}" for place in places]
            film = filmstrip(draw, places, captions=names, label=control.description,
                             start=0 if counts else places.index(here))
    except TooLargeError as error:
        if film is None:
            raise ValueError(f"{moving} makes a filmstrip that is too large with {count} frames") from error
    return film


def _shot(redraw, values):
    """Return the Shot of a picture, or None where `redraw` has a text to show in its place."""
    try:
        return shoot(redraw(**values))
    except ValueError:
        return None


def _first_stops(options, most):
    """Return the places of the first options one by one, then of the last."""
    places = range(len(options))
    return [*places[:most - 1], *places[max(most - 1, len(options) - 1):]]


def _stops(options, here, most):
    """Return the places of up to `most` options, `here` among them."""
    places = np.unique(np.rint(np.linspace(0, len(options) - 1, min(most, len(options)))).astype(int))
    places[int(np.abs(places - here).argmin())] = here
    return places.tolist()


def _options(control):
    """Return every (name, value) that a control can take."""
    if hasattr(control, "options"):
        return [each if isinstance(each, tuple) else (str(each), each) for each in control.options]
    count = round((control.max - control.min) / control.step)
    values = [control.min + control.step * place for place in range(count + 1)]
    if hasattr(control, "base"):  # a logarithmic slider moves the exponent
        values = [control.base ** value for value in values]
    nearest = int(np.abs(np.array(values) - control.value).argmin())
    values[nearest] = control.value
    return [(f"{value:.3g}", value) for value in values]


def show(redraw, values):
    """Draw once, display the figure as one image with alt text, close it; return its height in pixels."""
    try:
        figure = np.ravel(redraw(**values))[0].figure
    except ValueError as error:
        print(error)
        return 0
    # savefig would draw twice where a layout has to be found
    canvas = BothCanvas(figure)
    canvas.draw()
    pixels = np.asarray(canvas.buffer_rgba())
    plt.close(figure)
    height, width = pixels.shape[:2]
    image = BytesIO()
    imsave(image, pixels, format="png", pil_kwargs={"compress_level": 1})
    # as HTML, because notebook front ends drop the alt text of a plain image output
    display(HTML(in_both_themes(b64encode(image.getvalue()).decode(), canvas.night(), describe(figure),
                                f"width: {width}px; max-width: 100%; height: auto")))
    return height


def two_panels(size, width_ratios, *, left=0.065, top=0.89, apart=0.2):
    """Return the Axes (2,) of a new figure; fixed margins keep the panels still between two pictures.

    left, top: the shares of the width and of the height where the panels begin; a title of two lines needs
    more room above it.
    apart: the gap between them, as a share of a panel's width.
    """
    margins = {"left": left, "right": 0.985, "bottom": 0.14, "top": top, "wspace": apart}
    return plt.subplots(1, 2, figsize=size, width_ratios=width_ratios, layout="none", gridspec_kw=margins)[1]


def fix_scale(ax, routed):
    """Keep the scale of a load still between two pictures, unless a bar grows out of it."""
    ax.set_ylim(0, max(ax.get_ylim()[1], 300 / routed.num_experts))


def slider(description, value, low, high, step):
    """Return a FloatSlider with as many decimals in its readout as its step needs."""
    return ipywidgets.FloatSlider(value, min=low, max=high, step=step, description=description,
                                  readout_format=".2f" if step < 0.1 else ".1f")
