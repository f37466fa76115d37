"""Draw the layers of the library for ARCHITECTURE.md: `python -m tools.layers` writes docs/layers.svg."""

import matplotlib
import matplotlib.pyplot as plt
from matplotlib.patches import Patch

from moeviz.environment import run_command
from tools.notebooks import ROOT

PICTURE = ROOT / "docs" / "layers.svg"
STOREYS = (  # from the ground up: what a storey is about, its rooms, and what may be imported there
    ("the ground", ("environment", "arrays", "checks", "files", "tables", "optimiser"), "NumPy"),
    ("the record", ("record",), "NumPy"),
    ("logits to numbers", ("routing", "capacity", "steering", "experts", "losses", "metrics",
                           "scoreboard"), "NumPy"),
    ("models of the course", ("text", "tinylm", "training", "transformer", "interventions"), "NumPy"),
    ("their runs on three seeds", ("short_runs", "earlier", "causal_runs"), "NumPy"),
    ("models of others", ("cost", "models", "learning", "cluster", "traces"), "NumPy"),
    ("pictures", ("palette", "dark", "style", "forms", "plots", "filmstrip"), "matplotlib"),
    ("under the reader's hands", ("live", "widgets", "exercises"), "ipywidgets"),
    ("commands", ("terminal", "report"), "matplotlib"),
)
COLORS = {"NumPy": "#dbe9f6", "matplotlib": "#fde7c8", "ipywidgets": "#e3f0dc"}


def draw(storeys=STOREYS):
    """Draw a box for each storey, the lowest at the bottom; return the Axes."""
    ax = plt.subplots(figsize=(10, 5.2), layout="constrained")[1]
    for level, (about, rooms, library) in enumerate(storeys):
        ax.barh(level, 10, height=0.84, color=COLORS[library], edgecolor="#556", linewidth=0.8)
        ax.text(0.15, level, about, va="center", size=12, weight="bold")
        ax.text(2.7, level, "  ".join(rooms), va="center", size=11, family="monospace")
    marks = [Patch(facecolor=color, edgecolor="#556", label=f"imports {name}")
             for name, color in COLORS.items()]
    ax.legend(handles=marks, loc="upper center", bbox_to_anchor=(0.5, -0.01), ncols=3, frameon=False)
    ax.set(xlim=(0, 10), ylim=(-0.5, len(storeys) - 0.5))
    ax.set_title("An import only points down: to a lower storey, or to the left in its own", size=13)
    ax.axis("off")
    return ax


def main():
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "moeviz"}):
        draw().figure.savefig(PICTURE, metadata={"Date": None})


if __name__ == "__main__":
    run_command(main)
