"""`python -m moeviz.tinylm`: train the course model again, or evaluate one, and say how well it does."""

import argparse
import platform
import sys
import time
from dataclasses import replace

import numpy as np

from moeviz import metrics
from moeviz.environment import run_with_one_thread
from moeviz.files import targets
from moeviz.text import byte_classes, load_corpus
from moeviz.tinylm import held_out_loss, held_out_windows, load_weights, save, train
from moeviz.tinylm.model import CHUNK, STORED
from moeviz.tinylm.train import STEPS, loss_table

COLUMNS = {"dead": "d", "max_violation": ".2f", "repetition": ".3f", "sum_f2": ".3f", "shuffled": ".3f",
           "within_domain": ".3f", "class_information": ".2f", "domain_information": ".2f"}
HEADINGS = ("dead", "MaxVio", "repeat", "sum f^2", "shuffle", "in domain", "I(class)", "I(domain)")
LEGEND = """dead: experts below a tenth of an even share. repeat: neighbouring bytes with the same first
choice, beside what chance gives (sum f^2), a shuffle, and a shuffle inside each domain. I: share of the
entropy of byte class or domain that the first choice tells."""


def main(argv=None):
    """Run the command line; return its exit code."""
    parser = _parser()
    options = parser.parse_args(argv)
    try:
        targets(options, STORED)  # said before the work, not after it
        corpus = load_corpus()
        print(corpus, *corpus.notes, sep="\n  ", flush=True)
        if options.evaluate:
            model = load_weights(options.evaluate)
            if model.provenance.get("text_sha256") != corpus.sha256:
                print("  this model was trained on another text: "
                      "what is held out here may have been seen there")
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


def _parser():
    parser = argparse.ArgumentParser(prog="python -m moeviz.tinylm",
                                     description="Train the course's byte language model, or evaluate one.")
    parser.add_argument("--steps", type=int, default=STEPS, help="training steps (default %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="random seed (default %(default)s)")
    parser.add_argument("--out", metavar="FILE", help="save the trained model to FILE (.npz)")
    parser.add_argument("--replace", action="store_true", help="save it as the model that the course loads")
    parser.add_argument("--evaluate", metavar="FILE", nargs="?", const=STORED,
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
    for path in targets(options, STORED):
        save(model, path)
        print(f"saved to {path}")
    if not (options.out or options.replace):
        print("not saved: add --out FILE, or --replace to make it the course's model")


def routing_statistics(model, corpus, *, rng):
    """Return one dict per MoE layer with the entries of COLUMNS, over all held-out positions.

    The few neighbours that sit on two sides of a seam between held-out blocks are counted too.
    """
    windows, _, domains = held_out_windows(model, corpus)
    parts = [model.route_windows(windows[i:i + CHUNK]) for i in range(0, len(windows), CHUNK)]
    classes = byte_classes(np.ascontiguousarray(windows[:, -1]))
    layers = [np.concatenate([part.expert_index for part in layer]) for layer in zip(*parts, strict=True)]
    return [_layer_statistics(index, model.config.num_experts, classes, domains, rng) for index in layers]


def report(model, corpus, *, rng):
    """Return the text of both: a line per domain and a line per layer."""
    lines = [loss_table(held_out_loss(model, corpus)), "", "routing of the held-out bytes",
             "  layer   " + "".join(f"{heading:>11}" for heading in HEADINGS)]
    for number, layer in enumerate(routing_statistics(model, corpus, rng=rng), start=1):
        lines.append(f"  {number:<8}" + "".join(f"{layer[name]:>11{form}}" for name, form in COLUMNS.items()))
    return "\n".join([*lines, LEGEND])


def _layer_statistics(index, num_experts, classes, domains, rng):
    counts, first = np.bincount(index.ravel(), minlength=num_experts), index[:, 0]
    return {
        "dead": len(metrics.dead_experts(counts)),
        "max_violation": metrics.max_violation(counts),
        "repetition": metrics.repetition(first),
        "sum_f2": metrics.repetition_if_independent(first),
        "shuffled": metrics.repetition_if_shuffled(first, rng=rng, repeats=5),
        "within_domain": metrics.repetition_if_shuffled(first, rng=rng, domains=domains, repeats=5),
        "class_information": metrics.mutual_information(first, classes) / metrics.label_entropy(classes),
        "domain_information": metrics.mutual_information(first, domains) / metrics.label_entropy(domains),
    }


if __name__ == "__main__":
    raise SystemExit(run_with_one_thread("moeviz.tinylm", main, sys.argv[1:]))
