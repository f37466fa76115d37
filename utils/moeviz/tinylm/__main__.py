"""`python -m moeviz.tinylm`: train the course model again, or evaluate one, and say how well it does."""

import argparse
import platform
import sys
import time
from dataclasses import replace

import numpy as np

from moeviz.environment import run_with_one_thread
from moeviz.files import check_target, stored
from moeviz.text import load_corpus
from moeviz.tinylm import load_weights, save, train
from moeviz.tinylm.report import held_out_loss, report
from moeviz.tinylm.train import STEPS


def main(argv=None):
    """Run the command line; return its exit code."""
    parser = _parser()
    options = parser.parse_args(argv)
    try:
        if options.out:
            check_target(options.out)
        corpus = load_corpus()
        _say(corpus)
        if options.evaluate:
            model = load_weights(options.evaluate)
            _compare_texts(model, corpus)
        else:
            model = _train(corpus, options)
        print(report(model, corpus, rng=np.random.default_rng(0)))
        _save(model, options)
    except (ValueError, OSError) as error:
        parser.error(str(error))
    except KeyboardInterrupt:
        print("\nstopped; nothing was saved", file=sys.stderr)
        return 130
    return 0


def stored_path():
    """Return where the package keeps the trained model."""
    return stored("tiny_moe.npz")


def _parser():
    parser = argparse.ArgumentParser(prog="python -m moeviz.tinylm",
                                     description="Train the course's byte language model, or evaluate one.")
    parser.add_argument("--steps", type=int, default=STEPS, help="training steps (default %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="random seed (default %(default)s)")
    parser.add_argument("--out", metavar="FILE", help="save the trained model to FILE (.npz)")
    parser.add_argument("--replace", action="store_true", help="save it as the model that the course loads")
    parser.add_argument("--evaluate", metavar="FILE", nargs="?", const=stored_path(),
                        help="train nothing; evaluate FILE, or the course's model")
    return parser


def _train(corpus, options):
    begin = time.perf_counter()
    model, _ = train(corpus, seed=options.seed, steps=options.steps)
    print(f"trained {options.steps} steps in {time.perf_counter() - begin:.1f} s")
    losses = {name: round(loss, 4) for name, loss in held_out_loss(model, corpus).items()}
    return replace(model, provenance={**model.provenance, "held_out_loss": losses, "numpy": np.__version__,
                                      "python": platform.python_version()})


def _save(model, options):
    if options.evaluate:
        return
    for path in filter(None, [options.out, stored_path() if options.replace else None]):
        save(model, path)
        print(f"saved to {path}")
    if not (options.out or options.replace):
        print("not saved: add --out FILE, or --replace to make it the course's model")


def _say(corpus):
    print(corpus)
    for note in corpus.notes:
        print(f"  {note}")
    sys.stdout.flush()


def _compare_texts(model, corpus):
    if model.provenance.get("text_sha256") != corpus.sha256:
        print("  this model was trained on another text: what is held out here may have been seen there")


if __name__ == "__main__":
    raise SystemExit(run_with_one_thread("moeviz.tinylm", main, sys.argv[1:]))
