"""Time the expert layer against what it cannot do without, and print one Markdown table of ratios.

    python benchmarks/layer.py

Every comparison runs its candidates in turn, again and again, in one process, so that whatever else
the machine does meets all of them; each timed run follows an untimed one of the same candidate, and
the ratio is that of the median times. float32, relu, top-2 routing of random logits. The number of
BLAS threads is NumPy's default unless OPENBLAS_NUM_THREADS is set.

Threads of a matrix product wait for each other, so with several of them the table means something only
on a machine with nothing else to do; with OPENBLAS_NUM_THREADS=1 it also does on a busy one.
"""

import os
import platform
import subprocess
import sys
from statistics import median
from time import perf_counter

import numpy as np

from moeviz import __version__, experts, routing

MODULES = "capacity, experts, losses, metrics, plots, routing, style, text, tinylm"
IMPORTS = f"""
from time import perf_counter
start = perf_counter()
import numpy, matplotlib.pyplot
middle = perf_counter()
from moeviz import {MODULES}
print(middle - start, perf_counter() - middle)
"""


def make_layer(num_tokens, width, hidden, num_experts, k=2):
    """Return tokens (T, D), a bank and a routing, all float32."""
    rng = np.random.default_rng(0)
    tokens = rng.standard_normal((num_tokens, width), dtype=np.float32)
    bank = experts.random_bank(num_experts, width, hidden, rng=rng, dtype=np.float32)
    logits = rng.standard_normal((num_tokens, num_experts), dtype=np.float32)
    return tokens, bank, routing.top_k(logits, k)


def make_floor(tokens, bank, routed):
    """Return a function that does the expert products and nothing else.

    The tokens are gathered and the buffers made beforehand; no activation, no weights, no output.
    """
    pairs = routed.pairs()
    gathered = tokens[pairs.token]
    load = np.bincount(pairs.expert, minlength=bank.num_experts)
    stops = np.cumsum(load)
    hidden = np.empty((load.max(), bank.hidden), np.float32)
    result = np.empty_like(gathered)

    def floor():
        for expert, (start, stop) in enumerate(zip(stops - load, stops, strict=True)):
            part = hidden[:stop - start]
            np.matmul(gathered[start:stop], bank.w_in[expert], out=part)
            np.matmul(part, bank.w_out[expert], out=result[start:stop])

    return floor


def make_dense(tokens, bank):
    """Return a function that runs the dense layer with the hidden units of all experts together."""
    w_in = np.ascontiguousarray(bank.w_in.swapaxes(0, 1)).reshape(bank.width, -1)
    w_out = bank.w_out.reshape(-1, bank.width)
    return lambda: experts.dense_forward(tokens, w_in, w_out)


def time_in_turn(candidates, seconds):
    """Return the median time of each function, from runs in turn that last about `seconds` in all."""
    times = [[] for _ in candidates]
    end = perf_counter() + seconds
    while perf_counter() < end or len(times[0]) < 5:
        for candidate, taken in zip(candidates, times, strict=True):
            candidate()  # untimed: brings back its own memory after the other candidate's
            start = perf_counter()
            candidate()
            taken.append(perf_counter() - start)
    return [median(taken) for taken in times]


def describe(num_tokens, width, hidden, num_experts):
    return f"T={num_tokens} D={width} H={hidden} E={num_experts}"


def compare_with_floor(*shape, limit):
    layer = make_layer(*shape)
    floor, grouped = time_in_turn([make_floor(*layer), lambda: experts.forward_grouped(*layer)], 4)
    return (f"grouped / bare products, {describe(*shape)}", grouped, floor, grouped / floor, "<=", limit)


def compare_with_dense(*shape):
    layer = make_layer(*shape)
    dense, grouped = time_in_turn([make_dense(*layer[:2]), lambda: experts.forward_grouped(*layer)], 8)
    return (f"dense layer of equal size / grouped, {describe(*shape)}", dense, grouped, dense / grouped,
            ">=", 0.85 * shape[3] / 2)


def compare_expert_counts(few, many, *shape, limit):
    layers = [make_layer(*shape, num_experts) for num_experts in (few, many)]
    base, cost = time_in_turn([lambda at=at: experts.forward_grouped(*at) for at in layers], 6)
    what = f"grouped with {many} experts / with {few}, {describe(*shape, few)} and {many}"
    return (what, cost, base, cost / base, "<=", limit)


def compare_imports(limit):
    """Return the seconds that the package adds to NumPy and matplotlib, in fresh processes."""
    runs = [subprocess.run([sys.executable, "-c", IMPORTS], capture_output=True, text=True, check=True)
            for _ in range(7)]
    base, added = np.median([[float(word) for word in run.stdout.split()] for run in runs], axis=0)
    return ("seconds that importing moeviz adds to numpy and matplotlib", added, base, added, "<=", limit)


def print_table(rows):
    print("| Comparison | ms | ms | Result | Wanted | Holds |")
    print("|---|--:|--:|--:|--:|---|")
    for what, first, second, result, sign, limit in rows:
        holds = result <= limit if sign == "<=" else result >= limit
        print(f"| {what} | {first * 1e3:.1f} | {second * 1e3:.1f} | {result:.2f} | {sign} {limit:.2f} "
              f"| {'yes' if holds else 'no'} |")


def main():
    threads = os.environ.get("OPENBLAS_NUM_THREADS", "default number of")
    print(f"moeviz {__version__}, Python {platform.python_version()}, NumPy {np.__version__}, "
          f"{os.cpu_count()} cores, {threads} BLAS threads\n")
    print_table([
        compare_with_floor(2048, 128, 512, 8, limit=1.25),
        compare_with_floor(4096, 256, 1024, 16, limit=1.15),
        compare_with_floor(2048, 256, 512, 64, limit=1.35),
        compare_with_dense(2048, 128, 512, 8),
        compare_with_dense(4096, 256, 1024, 16),
        compare_expert_counts(8, 64, 4096, 256, 512, limit=1.4),
        compare_imports(limit=0.2),
    ])


if __name__ == "__main__":
    main()
