"""`python -m moeviz.transformer`: train the course's Transformer again, or evaluate one."""

import argparse
import platform
import sys
import time
from dataclasses import asdict, replace

import numpy as np

from moeviz import causal_runs, short_runs
from moeviz.environment import run_with_one_thread
from moeviz.files import targets
from moeviz.optimiser import progress_bar
from moeviz.text import load_corpus
from moeviz.tinylm.train import loss_table
from moeviz.transformer import Config, held_out_loss, load_weights, save
from moeviz.transformer.decoder import STORED, rounded
from moeviz.transformer.descent import BYTES, STEPS, begin, descend, freeze

CHECKPOINT = 500


def main(argv=None):
    """Run the command line; return its exit code."""
    parser = _parser()
    options = parser.parse_args(argv)
    try:
        targets(options, STORED)  # said before the work, not after it
        corpus = load_corpus() if options.short else load_corpus(bytes_per_domain=options.bytes)
        print(corpus, *corpus.notes, sep="\n  ", flush=True)
        if options.short:
            _short(corpus, options)
        elif options.causal:
            _causal(corpus, options)
        else:
            model = load_weights(options.evaluate) if options.evaluate else _train(corpus, options)
            print(loss_table(held_out_loss(model, corpus)))
            if not (options.evaluate or options.out or options.replace):
                print("not saved: add --out FILE, or --replace to make it the course's model")
    except (ValueError, OSError) as error:
        parser.error(str(error))
    except KeyboardInterrupt:  # elsewhere than in the training, which keeps what it has
        print("\nstopped; nothing was saved", file=sys.stderr)
        return 130
    return 0


def _parser():
    parser = argparse.ArgumentParser(prog="python -m moeviz.transformer",
                                     description="Train the course's Transformer, or evaluate one.")
    parser.add_argument("--steps", type=int, default=STEPS, help="training steps (default %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="random seed (default %(default)s)")
    parser.add_argument("--bytes", type=int, default=BYTES, help="bytes per domain (default %(default)s)")
    parser.add_argument("--out", metavar="FILE", help="save the model to FILE (.npz), every 500 steps too")
    parser.add_argument("--replace", action="store_true", help="save it as the model that the course loads")
    parser.add_argument("--short", action="store_true",
                        help="train the short runs on three seeds instead, and save those")
    parser.add_argument("--causal", action="store_true",
                        help="train shorter on three seeds instead, switch experts off, save what it costs")
    parser.add_argument("--evaluate", metavar="FILE", nargs="?", const=STORED,
                        help="train nothing; evaluate FILE, or the course's model")
    return parser


def _train(corpus, options):
    """Train, save on the way, and return the model with the rounded weights that its file has."""
    config, start = Config(), time.process_time()
    state, seed = begin(config, options.seed), options.seed
    states = descend(corpus, state, config=config, seed=seed, steps=options.steps)
    try:
        for state in progress_bar(states, options.steps):
            if state.number % CHECKPOINT == 0 and options.out:
                save(freeze(state, config, corpus, seed), options.out)
    except KeyboardInterrupt:
        print("\nstopped early; this is the model so far", file=sys.stderr)
    model = rounded(freeze(state, config, corpus, seed))
    losses = {name: round(loss, 4) for name, loss in held_out_loss(model, corpus).items()}
    about = {"held_out_loss": losses, "minutes": round((time.process_time() - start) / 60, 1),
             "numpy": np.__version__, "python": platform.python_version()}
    model = replace(model, provenance={**model.provenance, **about})
    for path in targets(options, STORED):
        save(model, path)
        print(f"saved to {path}")
    return model


def _short(corpus, options):
    runs = []
    for seed in short_runs.SEEDS:
        for kind in short_runs.KINDS:
            runs.append(short_runs.run_short(corpus, kind, seed))
            print(runs[-1], flush=True)
    for path in targets(options, short_runs.STORED):
        short_runs.save_short(path, runs, _about(corpus, "--short"))


def _causal(corpus, options):
    runs = []
    for seed in causal_runs.SEEDS:
        runs.append(causal_runs.run_causal(corpus, seed))
        print(f"seed {seed}, {runs[-1].steps} steps", loss_table(runs[-1].loss), sep="\n", flush=True)
    about = _about(corpus, "--causal") | {"config": asdict(Config()),
                                          "rows_per_domain": causal_runs.PER_DOMAIN}
    for path in targets(options, causal_runs.STORED):
        causal_runs.save_causal(path, runs, about)


def _about(corpus, option):
    return {"made_by": f"python -m moeviz.transformer {option}", "text": repr(corpus),
            "text_sha256": corpus.sha256, "text_notes": list(corpus.notes),
            "python": platform.python_version(), "numpy": np.__version__}


if __name__ == "__main__":
    raise SystemExit(run_with_one_thread("moeviz.transformer", main, sys.argv[1:]))
