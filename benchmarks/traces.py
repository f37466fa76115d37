"""Load a trace of ten million choices and compute every metric on every layer: seconds and peak memory.

    python benchmarks/traces.py
    python benchmarks/traces.py mapped          # memory maps of up to a billion choices: a gigabyte of disk

Two traces, each made and measured in a process of its own: like OLMoE (16 layers, 64 experts, 8 choices)
and like Mixtral (32 layers, 8 experts, 2 choices), with router logits and without. Seconds are those of
the process's own clock, best of three; memory is the highest that the process ever had, interpreter and
imports included. Nulls are shuffled REPEATS times. The cache is a simulation, one request after the other:
it is timed apart, on one layer. `mapped` reads, inspects and reports .npy files of one byte per choice, 61
layers, E = 256, k = 8, at three sizes; the slope is that of log seconds over log choices: 1 is linear.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from moeviz import metrics, report, routing, traces

SHAPES = {"OLMoE": (16, 78_125, 64, 8), "Mixtral": (32, 156_250, 8, 2)}  # L, T, E, k
REPEATS = 1
MAPPED, DEEP = (10**8, 3 * 10**8, 10**9), (61, 8)  # choices; layers and k, with E = 256


def make(shape, with_logits, path):
    """Save a trace of random routings with four domains; neighbours share part of their logits."""
    layers, tokens, experts, k = shape
    rng = np.random.default_rng(0)
    made = []
    for _ in range(layers):
        logits = rng.standard_normal((tokens, experts), dtype=np.float32)
        made.append(routing.top_k(logits + np.roll(logits, 1, axis=0), k, renormalize=False))
    trace = traces.Trace(
        "random", experts, tuple(range(layers)), tuple(one.expert_index for one in made),
        tuple(one.combine_weight for one in made), tuple(one.logits for one in made) if with_logits else None,
        scores="softmax" if with_logits else "weights", tokens=rng.integers(0, 50_000, tokens),
        domain=np.arange(tokens) * 4 // tokens, domain_names=("a", "b", "c", "d"))
    traces.save_trace(trace, path)


def every_metric(routed, earlier, domain, rng):
    """Compute each metric of moeviz.metrics once."""
    counts = metrics.counts(routed)
    for summary in (metrics.cv, metrics.max_violation, metrics.gini, metrics.load_entropy,
                    metrics.effective_experts, metrics.dead_experts):
        summary(counts)
    for of_routing in (metrics.load, metrics.importance, metrics.router_entropy, metrics.captured_score,
                       metrics.drop_rate, metrics.fully_dropped, metrics.co_activation,
                       metrics.repetition_if_independent):
        of_routing(routed)
    metrics.pad_waste(routed, int(counts.max()))
    metrics.saturation(routed, earlier)
    metrics.mutual_information(routed, domain)
    metrics.purity(routed, domain)
    metrics.label_entropy(domain)
    metrics.mutual_information_null(routed, domain, rng=rng, repeats=REPEATS)
    for kind in ("first", "any"):
        metrics.repetition(routed, kind=kind)
        metrics.repetition_if_shuffled(routed, rng=rng, kind=kind, repeats=REPEATS)
    metrics.repetition_if_uniform(routed.num_experts, routed.k)


def tables(trace, rng):
    """Count domains and pairs, and compute what a table of counts has to say."""
    counts = traces.counts_of(trace)
    for layer in counts.layers:
        metrics.information_of_table(counts.table(layer))
        metrics.information_of_table_null(counts.table(layer), rng=rng, repeats=REPEATS)


def measure(path):
    """Print seconds to load, seconds for the metrics, and the peak memory in bytes, as JSON."""
    rng = np.random.default_rng(0)
    start = time.process_time()
    trace = traces.load_trace(path)
    loaded = time.process_time()
    earlier = trace.routing(trace.layers[0])
    for layer in trace.layers:
        routed = trace.routing(layer)
        every_metric(routed, earlier, trace.domain, rng)
        earlier = routed
    tables(trace, rng)
    done = time.process_time()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    few = trace.index[0][:12_500]
    cached = time.process_time()
    metrics.cache_hits(few, trace.num_experts // 4)
    took = (time.process_time() - cached) / few.size
    print(json.dumps({"load": loaded - start, "metrics": done - loaded, "peak": peak, "request": took}))


def make_mapped(choices, path):
    """Write an .npy file of random ids (T, L, k), block by block."""
    layers, k = DEEP
    tokens, rng = choices // (layers * k), np.random.default_rng(0)
    ids = np.lib.format.open_memmap(path, "w+", np.uint8, (tokens, layers, k))
    for start in range(0, tokens, 2**14):
        part = rng.integers(0, 256, (min(2**14, tokens - start), layers, 1), dtype=np.uint8)
        ids[start:start + len(part)] = part + (31 * np.arange(k)).astype(np.uint8)
    ids.flush()


def measure_mapped(path):
    """Print seconds to read, inspect and report, and the peak memory in bytes, as JSON."""
    times = [time.process_time()]
    trace = traces.read(path, num_experts=256)
    times.append(time.process_time())
    traces.inspect(trace)
    times.append(time.process_time())
    report.measure(trace, rng=np.random.default_rng(0))
    times.append(time.process_time())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    print(json.dumps({"seconds": np.diff(times).tolist(), "peak": peak}))


def mapped():
    """Print the table of memory maps and the slope of time over size."""
    print("| choices, mapped | read, s | inspect, s | report, s | peak, MB |\n|---|---|---|---|---|")
    seconds = []
    for choices in MAPPED:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "capture.npy"
            in_a_process("make_mapped", path, choices)
            got = json.loads(in_a_process("measure_mapped", path))
        seconds.append(got["seconds"])
        print(f"| {choices:.0e} | " + " | ".join(f"{each:.1f}" for each in got["seconds"])
              + f" | {got['peak'] / 1e6:.0f} |", flush=True)
    for name, part in zip(("read", "inspect"), np.array(seconds).T, strict=False):
        slope = np.polyfit(np.log(MAPPED), np.log(part), 1)[0]
        print(f"slope of {name}: {slope:.2f}")


def in_a_process(*arguments):
    """Run this file with arguments in a fresh process, whose peak memory is its own; return its output."""
    command = [sys.executable, __file__, *map(str, arguments)]
    return subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE).stdout


def run(path):
    """Measure in three fresh processes and return the best."""
    return min((json.loads(in_a_process("measure", path)) for _ in range(3)),
               key=lambda one: one["load"] + one["metrics"])


def main(arguments):
    if arguments:  # the processes that `in_a_process` starts
        if arguments == ["mapped"]:
            return mapped()
        task, path, *shape = arguments
        if task == "make_mapped":
            return make_mapped(int(shape[0]), path)
        if task == "measure_mapped":
            return measure_mapped(path)
        measure(path) if task == "measure" else make(SHAPES[shape[0]], shape[1] == "True", path)
        return None
    print("| trace of 10 million choices | file, MB | load, s | metrics, s | both, s | peak, MB | "
          "LRU cache, ns per request |\n|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for name in SHAPES:
            for with_logits in (False, True):
                path = Path(folder) / "trace.npz"
                in_a_process("make", path, name, with_logits)
                got = run(path)
                print(f"| like {name}, {'with' if with_logits else 'without'} logits | "
                      f"{path.stat().st_size / 1e6:.0f} | {got['load']:.2f} | {got['metrics']:.2f} | "
                      f"{got['load'] + got['metrics']:.2f} | {got['peak'] / 1e6:.0f} | "
                      f"{1e9 * got['request']:.0f} |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
