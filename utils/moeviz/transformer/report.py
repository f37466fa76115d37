"""What a Transformer does on text it has never seen: held-out loss by domain."""

from typing import NamedTuple

import numpy as np

from moeviz.arrays import check_count
from moeviz.checks import check_kind
from moeviz.text import Corpus, window_starts
from moeviz.transformer.model import Transformer

SKIPPED = 32  # positions at the beginning of a row that have too little before them to be judged
BATCH = 32


class Rows(NamedTuple):
    """Stretches of held-out text, R of them, that do not overlap."""

    text: np.ndarray    # (R, T + 1) bytes
    domain: np.ndarray  # (R,) index into the corpus's domain_names


def held_out_rows(corpus, *, length=128, per_domain=None):
    """Return the Rows of length T + 1 of held-out bytes that follow one another in each domain.

    per_domain: at most so many of each, spread evenly over what there is; all if None.
    Raises ValueError for what is no Corpus, or a count that is wrong.

    >>> from moeviz import text
    >>> held_out_rows(text.load_corpus(bytes_per_domain=4000, fallback=True), length=64).text.shape[1]
    65
    """
    starts = window_starts(check_kind(corpus, "corpus", Corpus), width=check_count(length, "length") + 1,
                           held_out=True)
    chosen = []
    for domain in range(len(corpus.domain_names)):
        inside = starts[corpus.domain[starts] == domain]
        picked = _apart(inside, length)
        if per_domain is not None and len(picked) > check_count(per_domain, "per_domain"):
            picked = picked[np.linspace(0, len(picked) - 1, per_domain).astype(int)]
        chosen.append(picked)
    starts = np.concatenate(chosen)
    return Rows(corpus.text[starts[:, None] + np.arange(length + 1)], corpus.domain[starts])


def held_out_losses(model, rows, **options):
    """Return the losses (R, T - 32) of the bytes of held-out Rows that have 32 or more before them.

    options: as in `Transformer.row_losses`.
    """
    check_kind(model, "model", Transformer)
    parts = [model.row_losses(rows.text[start:start + BATCH], **options)
             for start in range(0, len(rows.text), BATCH)]
    return np.concatenate(parts)[:, SKIPPED:]


def held_out_loss(model, corpus, *, length=128):
    """Return {domain: mean held-out loss in nats per byte}, in rows of that length."""
    rows = held_out_rows(corpus, length=length)
    losses = held_out_losses(model, rows)
    return {name: float(losses[rows.domain == d].mean()) for d, name in enumerate(corpus.domain_names)
            if (rows.domain == d).any()}


def report(losses):
    """Return the lines of {domain: loss} and their mean.

    >>> print(report({"prose": 1.0}))
    held-out loss, nats per byte
      prose      1.0000
      mean       1.0000
    """
    lines = [f"  {name:<10}{loss:7.4f}" for name, loss in losses.items()]
    return "\n".join(["held-out loss, nats per byte", *lines, f"  {'mean':<10}{_mean(losses):7.4f}"])


def _mean(losses):
    return float(np.mean(list(losses.values())))


def _apart(starts, length):
    """Keep of rising starts those that begin where the one kept before them ends, or later."""
    kept, free = [], -1
    for start in starts:
        if start >= free:
            kept.append(start)
            free = start + length
    return np.array(kept, dtype=int)
