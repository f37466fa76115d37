"""One cell per explorer of the course, with what its arguments need: for the browser and the benchmark.

The sources of arguments are those of the notebooks (the course model, its corpus, the catalogue), cut short
where a picture needs no more.
"""

import sys
from contextlib import ExitStack
from unittest import mock

SETUP = """
import numpy as np
from moeviz import cluster, cost, models, routing, scoreboard, style, text, tinylm, widgets
from moeviz.exercises.nb21_suspects import SUSPECTS, VIEWS, find, make_batch

style.use()
rng = np.random.default_rng(0)
model = tinylm.load()
corpus = text.load_corpus(bytes_per_domain=300)
letters = text.byte_labels(corpus.text)
logits = model.trace(corpus.text)[0].logits.astype(float)
"""

CELLS = {  # by the name of the explorer; the last line of each calls it
    "k": "widgets.explore_k(rng.normal(size=(200, 8, 16)), rng=rng)",
    "temperature": "widgets.explore_temperature(logits, rng=rng, labels=letters)",
    "saturation": "widgets.explore_saturation()",
    "capacity": 'said = "Who gets a seat when 34 bytes come"\n'
                "widgets.explore_capacity(model.route(said)[0], labels=text.byte_labels(said))",
    "entropy": "widgets.explore_entropy(logits)",
    "scoreboard": 'every = scoreboard.line_up(logits, corpus.text)\n'
                  'few = {name: every[name] for name in ("top-1", "top-k", "random")}\n'
                  "widgets.explore_scoreboard(few, logits)",
    "model": 'widgets.explore_model(models.model("Mixtral 8x7B").spec)',
    "years": "widgets.explore_years([each for each in models.catalogue() if each.year >= 2023])",
    "batch": 'mine = cost.Hardware("this machine", "float32", 5e10, 1e10, "a number for the test")\n'
             'widgets.explore_batch([cost.hardware("H100 SXM"), mine])',
    "readers": 'widgets.explore_readers({name: models.model(name).spec\n'
               '                         for name in ("Qwen3-235B-A22B", "DeepSeek-V3")})',
    "saving": "widgets.explore_saving()",
    "context": 'names = ("Mixtral 8x7B", "DeepSeek-V3")\n'
               "widgets.explore_context({name: models.model(name).spec for name in names})",
    "expert": 'nets = {"trained": model, "untrained": tinylm.init(rng, model.config)}\n'
              "widgets.explore_expert(nets, corpus.text[:288])",
    "cache": "widgets.explore_cache(routing.top_k(logits, k=2), labels=letters, size=1)",
    "exchange": "widgets.explore_exchange(routing.top_k(logits[:4], 2), cluster.contiguous(8, 2))",
    "placement": "widgets.explore_placement(logits @ rng.normal(size=(8, 64)), k=4)",
    "evidence": "real, bias = np.arange(len(logits)) % 9 > 0, rng.uniform(0, 0.3, (1, 8))\n"
                "batch = make_batch(logits[None], real, bias=bias)\n"
                "widgets.explore_evidence(lambda name, view: find(SUSPECTS[name], batch, view),\n"
                '                         list("abcdefgh"), list(VIEWS))',
}


def handed_over():
    """Run every cell; return {name: (redraw, controls)} of what its explorer hands to `explore`."""
    found, given, space = {}, [], {}
    exec(SETUP, space)
    modules = [module for name, module in sys.modules.items()
               if name.startswith("moeviz.widgets.") and hasattr(module, "explore")]

    def keep(redraw, *, caption, film=None, **controls):
        given.append((redraw, controls))

    with ExitStack() as stack:
        for module in modules:
            stack.enter_context(mock.patch.object(module, "explore", keep))
        for name, cell in CELLS.items():
            exec(cell, space)
            found[name] = given.pop()
    return found
