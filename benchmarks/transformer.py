"""Route, and write, 200 bytes with the course's Transformer on one core: milliseconds against what is wanted.

    python benchmarks/transformer.py

Each row is the median of many runs by the clock of the process, which a busy machine stretches less than that
on the wall.
"""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before NumPy is imported

import time

import numpy as np

from moeviz import tinylm, transformer

WANTED = {"forward": 15.0, "write": 1500.0}
SENTENCE = ("The value of the expression is the first argument, 17 + 25 = 42; " * 4)[:200]


def milliseconds(work, repeats):
    """Return the median time of a call in milliseconds, after one that is not counted."""
    work()
    took = []
    for _ in range(repeats):
        begin = time.process_time()
        work()
        took.append(time.process_time() - begin)
    return 1000 * float(np.median(took))


def main():
    model, rng = transformer.load(), np.random.default_rng(0)
    rows = {"forward": milliseconds(lambda: model.route(SENTENCE), 40),
            "write": milliseconds(lambda: model.write("The ", 200, rng=rng), 7)}
    print(f"{model}\n")
    print("| 200 bytes | ms | Wanted |\n|---|--:|--:|")
    for name, value in rows.items():
        print(f"| {name} | {value:.1f} | <= {WANTED[name]:.0f} |")
    beside = milliseconds(lambda: tinylm.load().route(SENTENCE), 40)
    print(f"| forward of the byte model, beside it | {beside:.1f} | |")


if __name__ == "__main__":
    main()
