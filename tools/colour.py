"""Show what is left of a picture without colour: in grey, and to readers with colour blindness.

    python -m tools.colour PICTURE.png... FOLDER     writes one sheet of four views for each picture

Colour blindness is simulated with the matrices for severity 1.0 of Machado, Oliveira and Fernandes, "A
Physiologically-based Model for Simulation of Color Vision Deficiency" (IEEE TVCG 15, 2009), on linear light.
"""

import pathlib
import sys

import numpy as np

from moeviz.environment import run_command

MATRICES = {
    "grey": np.tile([0.2126, 0.7152, 0.0722], (3, 1)),
    "protanopia": np.array([[0.152286, 1.052583, -0.204868],
                            [0.114503, 0.786281, 0.099216],
                            [-0.003882, -0.048116, 1.051998]]),
    "deuteranopia": np.array([[0.367322, 0.860646, -0.227968],
                              [0.280085, 0.672501, 0.047413],
                              [-0.011820, 0.042940, 0.968881]]),
}


def to_linear(colors):
    """Return sRGB values in 0..1 as linear light."""
    colors = np.asarray(colors, float)
    return np.where(colors <= 0.04045, colors / 12.92, ((colors + 0.055) / 1.055) ** 2.4)


def from_linear(light):
    """Return linear light as sRGB values in 0..1."""
    light = np.clip(light, 0, 1)
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


def seen(colors, view):
    """Return sRGB colours (..., 3) in 0..1 as they look in a view: a key of MATRICES."""
    return from_linear(to_linear(colors) @ MATRICES[view].T)


def lightness(colors):
    """Return the CIE lightness L*, 0 to 100, of sRGB colours (..., 3)."""
    share = to_linear(colors) @ MATRICES["grey"][0]
    return np.where(share > 216 / 24389, 116 * np.cbrt(share) - 16, share * 24389 / 27)


def sheet(picture):
    """Return four views of an RGB picture (H, W, 3): as it is, grey, protanopia and deuteranopia."""
    views = [picture, *(seen(picture, view) for view in MATRICES)]
    return np.vstack([np.hstack(views[:2]), np.hstack(views[2:])])


def main(arguments):
    """Write a sheet for every picture that the command line names."""
    if len(arguments) < 2:
        print(__doc__)
        return 2
    import matplotlib.image

    *pictures, folder = map(pathlib.Path, arguments)
    folder.mkdir(parents=True, exist_ok=True)
    for path in pictures:
        image = matplotlib.image.imread(path)
        alpha = image[..., 3:] if image.shape[2] == 4 else 1.0
        matplotlib.image.imsave(folder / path.name, sheet(image[..., :3] * alpha + 1 - alpha))
    return 0


if __name__ == "__main__":
    sys.exit(run_command(main, sys.argv[1:]))
