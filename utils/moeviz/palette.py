"""The colours of the course and what can be asked of any colour: its contrast, its ink, its shades."""

import matplotlib as mpl
import numpy as np
from matplotlib.colors import LinearSegmentedColormap, to_hex, to_rgb

from moeviz.arrays import check_count, check_number

OKABE_ITO = ("#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7", "#000000")
SERIES = ("#45227a", "#6a9500", "#c8325a", "#00474a", "#8a6d3f", "#d070d8", "#6f7f95")  # never an expert's
PALE = "#b9c4cc"  # what is only there to compare with
HEAT = LinearSegmentedColormap.from_list("heat", ["#ffffff", "#cbd7ea", "#7b98c8", "#2c4f91", "#12265a"])
AROUND = LinearSegmentedColormap.from_list(  # a middle that is nothing special, in white
    "around", ["#6b4210", "#d3b58a", "#ffffff", "#7b98c8", "#12265a"])
# pale fills that say something, and what says it on a dark ground: as pale beside their darker neighbours
PALER = {"#8465b4": "#b09ad6", "#bfaede": "#ddd3ee", "#b7cf7a": "#b7cf7a", "#4d8f8c": "#8fc4c1",
         "#a4b0c8": "#c9d2e3", "#e7a8ec": "#e7a8ec"}


def expert_colors(num_experts):
    """Return one hex colour per expert, the same for expert e in every figure of that many experts.

    Up to 8 experts get the Okabe-Ito palette, which colour-blind readers can tell apart; more get
    steps of viridis, which need the number beside them. Raises ValueError when num_experts < 1.

    >>> expert_colors(2)
    ['#E69F00', '#56B4E9']
    """
    count = check_count(num_experts, "num_experts")
    if count <= len(OKABE_ITO):
        return list(OKABE_ITO[:count])
    return [to_hex(color) for color in mpl.colormaps["viridis"](np.linspace(0, 1, count))]


def luminance(color):
    """Return the relative luminance of a colour, 0 for black and 1 for white (WCAG 2.1).

    >>> luminance("white")
    1.0
    """
    red, green, blue = (channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4
                        for channel in to_rgb(color))
    return float(0.2126 * red + 0.7152 * green + 0.0722 * blue)


def contrast(one, other):
    """Return the contrast ratio of two colours, 1 to 21 (WCAG 2.1).

    >>> round(contrast("black", "white"))
    21
    """
    low, high = sorted([luminance(one), luminance(other)])
    return (high + 0.05) / (low + 0.05)


def ink_on(color):
    """Return "black" or "white", whichever is easier to read on the colour; always at least 4.5:1.

    >>> ink_on("#F0E442"), ink_on("#0072B2")
    ('black', 'white')
    """
    return max(("black", "white"), key=lambda ink: contrast(ink, color))


def on_white(color):
    """Return the colour, or a darker shade of it, for lines on white: always at least 3:1.

    >>> on_white("#0072b2"), contrast(on_white("#F0E442"), "white") >= 3
    ('#0072b2', True)
    """
    shades = (to_hex(np.array(to_rgb(color)) * share) for share in np.linspace(1, 0, 51))
    return next(shade for shade in shades if contrast(shade, "white") >= 3)


def tint(color, amount):
    """Mix a colour with white: amount 0 gives white, 1 the colour itself.

    >>> tint("#000000", 0.0)
    '#ffffff'
    """
    amount = check_number(amount, "amount", 0.0, 1.0)
    return to_hex(1 - amount * (1 - np.array(to_rgb(color))))
