"""`python -m moeviz.learning`: train every network of the curves again, and write the runs to a file."""

import argparse
import os
import platform
import subprocess
import sys

import numpy as np

from moeviz.learning.runs import measure
from moeviz.learning.store import save_runs, stored_path
from moeviz.text import load_corpus
from moeviz.tinylm.__main__ import THREAD_SETTINGS

SEEDS = (0, 1, 2)
PLAN = {  # (experts, active width): the lengths of its runs, in steps
    (1, 64): (250, 500, 1000, 2000, 4000, 8000),
    (4, 64): (250, 500, 1000, 2000),
    (16, 64): (250, 500, 1000, 2000),
    (64, 64): (250, 500, 1000, 2000),
    (1, 128): (500, 1000, 2000),
    (1, 256): (500, 1000, 2000),
    (1, 512): (500, 1000, 2000),
    (1, 2048): (250, 500, 1000, 2000),
}
PROBE = {"experts": 4, "steps": 40, "batch": 64}  # small enough for a test to run again


def main(argv=None):
    """Run the command line; return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m moeviz.learning", description="Train every network of "
                                     "the curves of loss over FLOPs, a quarter of an hour on one core.")
    parser.add_argument("--out", metavar="FILE", help="write the runs to FILE (.json)")
    parser.add_argument("--replace", action="store_true", help="write them as those that the course loads")
    options = parser.parse_args(argv)
    if not (options.out or options.replace):
        parser.error("say where the runs should go: --out FILE, or --replace")
    corpus = load_corpus()
    print(corpus, flush=True)
    try:
        runs = [_report(measure(corpus, experts=experts, width=width, steps=steps, seed=seed))
                for (experts, width), lengths in PLAN.items() for steps in lengths for seed in SEEDS]
    except KeyboardInterrupt:
        print("\nstopped; nothing was written", file=sys.stderr)
        return 130
    for path in filter(None, [options.out, stored_path() if options.replace else None]):
        save_runs(path, runs, describe_runs(corpus))
    return 0


def describe_runs(corpus):
    """Return what a file of runs says of itself: the text, the versions, and a run that a test repeats."""
    return {"made_by": "python -m moeviz.learning", "text": repr(corpus), "text_notes": list(corpus.notes),
            "python": platform.python_version(), "numpy": np.__version__, "batch": 512,
            "probe": PROBE | {"loss": probe_loss()}}


def probe_loss():
    """Return the loss of a tiny run on the course's own text, which is the same everywhere."""
    return measure(load_corpus(bytes_per_domain=2000, fallback=True), **PROBE).loss


def run_with_one_thread(argv):
    """Run this command in a process whose matrix products use one thread; return its exit code."""
    command = [sys.executable, "-m", "moeviz.learning", *argv]
    settings = dict.fromkeys(THREAD_SETTINGS, "1")
    return subprocess.run(command, env=os.environ | settings, check=False).returncode


def _report(run):
    name = f"{run.experts} experts, {run.width} active"
    print(f"{name:<24}{run.steps:>6} steps  seed {run.seed}  loss {run.loss:.4f}  {run.seconds:6.1f} s",
          flush=True)
    return run


if __name__ == "__main__":
    alone = any(name in os.environ for name in THREAD_SETTINGS)
    raise SystemExit(main() if alone else run_with_one_thread(sys.argv[1:]))
