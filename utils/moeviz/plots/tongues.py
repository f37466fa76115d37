"""Coloured text in several languages: one line each, with its name in front."""

from moeviz.plots.inputs import check_labels
from moeviz.plots.text import plot_text
from moeviz.record import check_routing
from moeviz.style import set_description


def plot_text_rows(routed, labels, row_names, *, text_bytes=None, ax=None):
    """Draw R lines of text, each byte on the colour of its first expert, with a name before each line.

    routed, labels, text_bytes: as for `plot_text`, R lines of equal length one after the other.
    row_names: R texts. Returns the Axes. Raises ValueError naming the wrong argument.

    >>> from moeviz.routing import top_k
    >>> ax = plot_text_rows(top_k([[1.0, 0.0]] * 4, k=1), list("jain"), ["German", "English"])
    >>> [text.get_text() for text in ax.texts][-2:]
    ['German', 'English']
    """
    row_names, num_tokens = [str(name) for name in row_names], check_routing(routed).num_tokens
    if not row_names or num_tokens % len(row_names):
        raise ValueError(f"row_names must divide the {num_tokens} tokens, got {len(row_names)} names")
    labels = check_labels(labels, num_tokens)
    ax = plot_text(routed, labels, per_row=num_tokens // len(row_names), text_bytes=text_bytes, ax=ax)
    for row, name in enumerate(row_names):
        ax.annotate(name, (0, row + 0.5), xytext=(-8, 0), textcoords="offset points", ha="right",
                    va="center", fontsize=14, annotation_clip=False)
    return set_description(ax, f"{ax.moeviz_description} Lines: {', '.join(row_names)}.")
