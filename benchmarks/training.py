"""Time a training step against its own matrix products, and the collapse run against its limit.

    OPENBLAS_NUM_THREADS=1 python benchmarks/training.py

The floor is every product of the step, forward and backward, on slices and buffers made beforehand:
no router, no activation, no optimiser, no record. Times are processor time, the median of runs in turn,
so that other programs disturb all candidates alike. float32, E = 8, H = D = 16, T = 512, k = 1.
"""

import os
from statistics import median
from time import process_time

import numpy as np

from moeviz import __version__, experts, metrics, routing
from moeviz.arrays import softmax, top_k_index
from moeviz.optimiser import adam
from moeviz.training import Batch, balance, clustered_task, evaluate, routers, train
from moeviz.training.layer import loss_and_gradients

LIMIT = 2.5  # seconds for the collapse run: 2,000 steps of 512 tokens
PLANS = {"no balancing": [], "Switch's loss": [(0.1, balance.switch)]}


def time_in_turn(candidates, seconds=4.0):
    """Return the median processor time of each function in microseconds."""
    times = [[] for _ in candidates]
    end = process_time() + seconds
    while process_time() < end:
        for candidate, taken in zip(candidates, times, strict=True):
            start = process_time()
            for _ in range(10):
                candidate()
            taken.append((process_time() - start) * 1e5)
    return [median(taken) for taken in times]


def make_floor(tokens, weights, routed):
    """Return a function that does the products of one step on sorted tokens, and nothing else."""
    gathered = tokens[routed.pairs().token]
    stops = np.cumsum(metrics.counts(routed))
    spans = list(zip([0, *stops[:-1]], stops, strict=True))
    hidden, dhidden = np.empty((2, len(gathered), weights["w_in"].shape[2]), np.float32)
    result, dtokens = np.empty_like(gathered), np.empty_like(gathered)
    gradients = {name: np.empty_like(value) for name, value in weights.items()}
    logits = np.empty(routed.probs.shape, np.float32)

    def floor():
        np.matmul(tokens, weights["gate"], out=logits)
        for expert, (start, stop) in enumerate(spans):
            w_in, w_out, rows = weights["w_in"][expert], weights["w_out"][expert], slice(start, stop)
            np.matmul(gathered[rows], w_in, out=hidden[rows])
            np.matmul(hidden[rows], w_out, out=result[rows])
            np.matmul(result[rows], w_out.T, out=dhidden[rows])
            np.matmul(hidden[rows].T, result[rows], out=gradients["w_out"][expert])
            np.matmul(gathered[rows].T, dhidden[rows], out=gradients["w_in"][expert])
            np.matmul(dhidden[rows], w_in.T, out=dtokens[rows])
        np.matmul(tokens.T, logits, out=gradients["gate"])

    return floor


def make_step(plan, weights, batch, rng):
    """Return a function that does a whole step, its optimiser and its row of the history included."""
    bias = np.zeros(plan.num_experts)
    moments = {name: (np.zeros_like(value), np.zeros_like(value)) for name, value in weights.items()}

    def step():
        *_, gradients, done = loss_and_gradients(weights, plan, batch, bias=bias, rng=rng)
        for name, gradient in gradients.items():
            adam(weights[name], gradient, moments[name], 1e-3, 1)
        metrics.load(done.routed), metrics.router_entropy(done.routed)

    return step


def make_parts(weights, batch):
    """Return the parts of a step by name, each as a function."""
    tokens, bank = batch.tokens, experts.ExpertBank(weights["w_in"], weights["w_out"])
    logits = tokens @ weights["gate"]
    routed = routing.top_k(logits, 1, renormalize=False)
    output, cache = experts.forward_cached(tokens, bank, routed)
    moments = {name: (np.zeros_like(value), np.zeros_like(value)) for name, value in weights.items()}
    return {
        "softmax and choice": lambda: top_k_index(softmax(logits), 1),
        "router, with those and the record": lambda: routing.top_k(logits, 1, renormalize=False),
        "experts forward": lambda: experts.forward_cached(tokens, bank, routed),
        "experts backward": lambda: experts.backward(cache, output),
        "router backward": lambda: routers.weights_from_probs(routed, routed.combine_weight),
        "Switch's loss": lambda: balance.switch(routed, None),
        "Adam": lambda: [adam(weights[name], weights[name], moments[name], 1e-3, 1) for name in weights],
        "history": lambda: (metrics.load(routed), metrics.router_entropy(routed)),
    }


def main():
    rng = np.random.default_rng(0)
    task = clustered_task(rng=rng)
    batch = Batch(*(array[:512] for array in task.train))
    threads = os.environ.get("OPENBLAS_NUM_THREADS", "default number of")
    print(f"moeviz {__version__}, NumPy {np.__version__}, {threads} BLAS threads\n")
    print("| Run | s for 2,000 steps | Limit | Dead | us a step | us of products | Ratio |\n"
          "|---|--:|--:|--:|--:|--:|--:|")
    for name, pairs in PLANS.items():
        start = process_time()
        run = train(task, router=routers.top_k(1), balance=pairs)
        seconds, found = process_time() - start, evaluate(run)
        routed = evaluate(run, batch=batch).routed
        step, floor = time_in_turn([make_step(run.plan, run.weights, batch, rng),
                                    make_floor(batch.tokens, run.weights, routed)])
        print(f"| {name} | {seconds:.2f} | {LIMIT} | {found.dead} | {step:.0f} | {floor:.0f} "
              f"| {step / floor:.1f} |")
    parts = make_parts(run.weights, batch)
    print("\n| Part of a step | us |\n|---|--:|")
    for name, time in zip(parts, time_in_turn(list(parts.values())), strict=True):
        print(f"| {name} | {time:.0f} |")


if __name__ == "__main__":
    main()
