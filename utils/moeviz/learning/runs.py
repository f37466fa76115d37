"""Training runs as points: how low the held-out loss of a byte model got, after how many steps."""

import time
from typing import NamedTuple

from moeviz import tinylm
from moeviz.learning.size import WIDTH, byte_model
from moeviz.tinylm.report import held_out_windows

EVERY = 8  # held-out windows that are judged; all of them would take longer than some of the runs


class Run(NamedTuple):
    """One finished run. loss: held-out, in nats per byte. seconds: of the processor, training alone."""

    experts: int
    width: int
    steps: int
    seed: int
    loss: float
    seconds: float


def measure(corpus, *, experts=1, width=WIDTH, steps=1000, seed=0, batch=512):
    """Train one byte model on a Corpus and return its Run; `byte_model` explains experts and width.

    The learning rate falls to 0 at the end, so a run of half the steps is a run of its own.
    Raises ValueError for a size, a number of steps or a seed that is wrong.

    >>> from moeviz import text
    >>> tiny = text.load_corpus(bytes_per_domain=2000, fallback=True)
    >>> measure(tiny, experts=4, steps=2, batch=32).steps
    2
    """
    config = byte_model(experts, width=width, batch=batch)
    begin = time.process_time()
    model, _ = tinylm.train(corpus, config=config, seed=seed, steps=steps, progress=False)
    seconds = time.process_time() - begin
    loss = held_out_loss(model, corpus)
    return Run(experts, width, steps, seed, round(loss, 5), round(seconds, 2))


def held_out_loss(model, corpus):
    """Return the mean loss of a TinyLM, in nats per byte, on every 8th held-out window of a Corpus.

    >>> import numpy as np
    >>> from moeviz import text
    >>> tiny = text.load_corpus(bytes_per_domain=2000, fallback=True)
    >>> 4 < held_out_loss(tinylm.init(np.random.default_rng(0), byte_model(4)), tiny) < 9
    True
    """
    windows, targets, _ = held_out_windows(model, corpus)
    return float(model.window_losses(windows[::EVERY], targets[::EVERY]).mean())
