"""Time the expert layer against what it cannot do without, and print one Markdown table of ratios.

    python benchmarks/layer.py

Every comparison runs its candidates in turn, again and again, in one process, so that whatever else
the machine does meets all of them; each timed run follows an untimed one of the same candidate. Times
are those of the processor, medians over the turns, and so is the ratio, which is taken within each turn.
float32, top-2 routing of random logits, one BLAS thread unless OPENBLAS_NUM_THREADS says otherwise.

Two comparisons need more than the course: `pip install threadpoolctl` adds the layer with its experts
shared out over two threads, and `pip install -r requirements-traces.txt` adds Hugging Face's own block.
Threads wait for each other, so that comparison means something only on a machine with nothing else to do.
"""

import importlib.util
import math
import os
import platform
import subprocess
import sys
from time import perf_counter, process_time, sleep

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # read once, when NumPy is imported

import numpy as np

from moeviz import __version__, experts, routing

# T, D, H, E with the wanted ratios to the bare products: forward, and forward with backward
SHAPES = [((4096, 256, 1024, 16), 1.08, 1.10), ((2048, 128, 512, 8), 1.12, 1.15),
          ((2048, 256, 512, 64), 1.12, 1.13), ((256, 32, 64, 8), 2.2, 1.8)]
FLOORS = {}, {"relu": True}, {"product": np.dot}
LEAST = 2e-3  # seconds that a timed run takes
MODULES = "capacity, experts, losses, metrics, plots, routing, style, text, tinylm"
IMPORTS = f"""
from time import process_time
start = process_time()
import numpy, matplotlib.pyplot
middle = process_time()
from moeviz import {MODULES}
print(middle - start, process_time() - middle)
"""


def make_layer(num_tokens, width, hidden, num_experts, k=2):
    """Return tokens (T, D), a bank and a routing, all float32."""
    rng = np.random.default_rng(0)
    tokens = rng.standard_normal((num_tokens, width), dtype=np.float32)
    bank = experts.random_bank(num_experts, width, hidden, rng=rng, dtype=np.float32)
    logits = rng.standard_normal((num_tokens, num_experts), dtype=np.float32)
    return tokens, bank, routing.top_k(logits, k)


def make_floor(tokens, bank, routed, *, backward=False, relu=False, product=np.matmul):
    """Return a function that does the expert products and nothing else, those of the backward too if asked.

    The tokens are gathered and the buffers made beforehand; no weights, no output. All experts share one
    buffer of hidden units. The backward begins when all experts are done, for the loss lies between.
    relu: the whole expert, with its activation. For the backward, the hidden units of all experts are
    kept as well, as no training can do without. What the layer takes beyond is gather, weights and sums.
    product: np.matmul, as anyone writes it; the layer calls np.dot, which begins about half a microsecond
    sooner, and that tells where a product takes five.
    """
    pairs = routed.pairs()
    gathered, doutput = tokens[pairs.token], tokens[pairs.token]
    load = np.bincount(pairs.expert, minlength=bank.num_experts)
    spans = list(zip(np.cumsum(load) - load, np.cumsum(load), strict=True))
    kept = relu and backward
    hidden, dhidden = np.empty((2, len(gathered) if kept else load.max(), bank.hidden), np.float32)
    result, dtokens = np.empty_like(gathered), np.empty_like(gathered)
    dw_in, dw_out = np.empty_like(bank.w_in), np.empty_like(bank.w_out)

    every = [(expert, start, stop, hidden[start:stop] if kept else hidden[:stop - start])
             for expert, (start, stop) in enumerate(spans)]

    def floor():
        for expert, start, stop, part in every:
            product(gathered[start:stop], bank.w_in[expert], out=part)
            if relu:
                np.maximum(part, 0, out=part)
            product(part, bank.w_out[expert], out=result[start:stop])
        for expert, start, stop, part in every if backward else ():
            dpart, dout = dhidden[:stop - start], doutput[start:stop]
            product(part.T, dout, out=dw_out[expert])
            product(dout, bank.w_out[expert].T, out=dpart)
            if relu:
                dpart *= part > 0
            product(gathered[start:stop].T, dpart, out=dw_in[expert])
            product(dpart, bank.w_in[expert].T, out=dtokens[start:stop])

    return floor


def make_dense(tokens, bank):
    """Return a function that runs the dense layer with the hidden units of all experts together."""
    w_in = np.ascontiguousarray(bank.w_in.swapaxes(0, 1)).reshape(bank.width, -1)
    w_out = bank.w_out.reshape(-1, bank.width)
    return lambda: experts.dense_forward(tokens, w_in, w_out)


def time_in_turn(candidates, seconds, clock=process_time):
    """Return the times (turns, candidates) of functions that run in turn for about `seconds` in all.

    What takes less than LEAST runs several times at each turn, and its mean counts: else the clock and
    the first call after another candidate's would be timed.
    """
    def timed(candidate, calls):
        start = clock()
        for _ in range(calls):
            candidate()
        return (clock() - start) / calls

    times, end = [], perf_counter() + seconds
    calls = math.ceil(LEAST / max(timed(candidates[0], 3), 1e-6))
    while perf_counter() < end or len(times) < 5:
        times.append([])
        for candidate in candidates:
            candidate()  # untimed: brings back its own memory after the other candidate's
            times[-1].append(timed(candidate, calls))
    return np.array(times)


def compare(what, times, sign="", limit=None, second=1):
    """Return a row of the table: medians of the first candidate, of another, and of their ratios by turn."""
    medians = np.median(times, axis=0)
    ratio = np.median(times[:, 0] / times[:, second])
    return what, medians[0], medians[second], ratio, sign, limit


def describe(num_tokens, width, hidden, num_experts):
    return f"T={num_tokens} D={width} H={hidden} E={num_experts}"


def compare_with_floor(*shape, limit):
    layer = make_layer(*shape)
    floors = [make_floor(*layer, **how) for how in FLOORS]
    times, name = time_in_turn([lambda: experts.forward_grouped(*layer), *floors], 16), describe(*shape)
    return [compare(f"grouped / bare products, {name}", times, "<=", limit),
            compare(f"the same / products with ReLU, {name}", times, second=2),
            compare(f"the same / products by np.dot, {name}", times, second=3)]


def compare_training(*shape, limit):
    tokens, bank, routed = make_layer(*shape)
    workspace = {}

    def train():
        _, cache = experts.forward_cached(tokens, bank, routed, workspace=workspace)
        experts.backward(cache, tokens)

    floors = [make_floor(tokens, bank, routed, backward=True, **how) for how in FLOORS]
    times, name = time_in_turn([train, *floors], 20), describe(*shape)
    return [compare(f"forward and backward / bare products, {name}", times, "<=", limit),
            compare(f"the same / products with ReLU, hidden units kept, {name}", times, second=2),
            compare(f"the same / products by np.dot, {name}", times, second=3)]


def compare_threads(*shape, limit):
    """Let two threads share the experts, against bare products that use two threads each.

    Not run by run in turn: the threads of a product go on spinning for a while and would slow the other down.
    """
    from threadpoolctl import ThreadpoolController
    pools, layer = ThreadpoolController(), make_layer(*shape)
    candidates = (make_floor(*layer), 2), (lambda: experts.forward_grouped(*layer, threads=2), 1)
    times = [[], []]
    for _ in range(3):
        for (candidate, blas_threads), taken in zip(candidates, times, strict=True):
            with pools.limit(limits=blas_threads):
                sleep(0.3)
                taken.extend(time_in_turn([candidate], 1, perf_counter)[:, 0])
    base, cost = (np.median(taken) for taken in times)
    what = f"grouped over 2 threads / bare products with 2 BLAS threads, {describe(*shape)}"
    return (what, cost, base, cost / base, "<=", limit)


def compare_with_torch(num_tokens, width, hidden, num_experts):
    """Time Hugging Face's eager Mixtral block on the same weights, router included, on as many threads."""
    import torch
    torch.set_num_threads(int(os.environ["OPENBLAS_NUM_THREADS"]))
    tokens, _, _ = make_layer(num_tokens, width, hidden, num_experts)
    rng = np.random.default_rng(1)
    bank = experts.random_bank(num_experts, width, hidden, rng=rng, gated=True, activation="silu",
                               dtype=np.float32)
    gate = rng.standard_normal((width, num_experts), dtype=np.float32)
    block, inputs = make_block(bank, gate), torch.from_numpy(tokens)[None]
    with torch.no_grad():
        times = time_in_turn([
            lambda: block(inputs),
            lambda: experts.forward_grouped(tokens, bank, routing.top_k(tokens @ gate, 2))], 8)
    what = f"Hugging Face's eager Mixtral block / ours, {describe(num_tokens, width, hidden, num_experts)}"
    return compare(what, times, ">=", 1.0)


def compare_products(num_tokens, width, hidden, num_experts):
    """Time the expert products of such a layer by PyTorch, as that block calls them, and by np.dot."""
    import torch
    tokens, bank, _ = make_layer(num_tokens, width, hidden, num_experts)
    share = tokens[:num_tokens * 2 // num_experts]
    rows, linear = torch.from_numpy(share), torch.nn.functional.linear
    turned = [torch.from_numpy(array.swapaxes(1, 2).copy()) for array in (bank.w_in, bank.w_out)]
    times = time_in_turn([
        lambda: [linear(linear(rows, w_in), w_out) for w_in, w_out in zip(*turned, strict=True)],
        lambda: [np.dot(np.dot(share, w_in), w_out) for w_in, w_out, _ in bank.each()]], 8)
    name = describe(num_tokens, width, hidden, num_experts)
    return compare(f"products alone, by PyTorch / by np.dot, {name}", times)


def make_block(bank, gate):
    """Return transformers' MixtralSparseMoeBlock with the weights of a gated bank and a gate (D, E)."""
    import torch
    from transformers import MixtralConfig
    from transformers.models.mixtral.modeling_mixtral import MixtralSparseMoeBlock
    config = MixtralConfig(hidden_size=bank.width, intermediate_size=bank.hidden,
                           num_local_experts=bank.num_experts, num_experts_per_tok=2)
    config._experts_implementation = "eager"
    block, both = MixtralSparseMoeBlock(config).eval(), np.concatenate([bank.w_gate, bank.w_in], axis=2)
    with torch.no_grad():
        block.gate.weight.copy_(torch.tensor(gate.T))
        block.experts.gate_up_proj.copy_(torch.tensor(both.swapaxes(1, 2)))
        block.experts.down_proj.copy_(torch.tensor(bank.w_out.swapaxes(1, 2)))
    return block


def compare_with_dense(*shape):
    layer = make_layer(*shape)
    times = time_in_turn([make_dense(*layer[:2]), lambda: experts.forward_grouped(*layer)], 8)
    what = f"dense layer of equal size / grouped, {describe(*shape)}"
    return compare(what, times, ">=", 0.85 * shape[3] / 2)


def compare_expert_counts(few, many, *shape, limit):
    layers = [make_layer(*shape, num_experts) for num_experts in (many, few)]
    times = time_in_turn([lambda at=at: experts.forward_grouped(*at) for at in layers], 10)
    what = f"grouped with {many} experts / with {few}, {describe(*shape, few)} and {many}"
    return compare(what, times, "<=", limit)


def compare_imports(limit):
    """Return the processor time that the package adds to NumPy and matplotlib, in fresh processes."""
    runs = [subprocess.run([sys.executable, "-c", IMPORTS], capture_output=True, text=True, check=True)
            for _ in range(7)]
    base, added = np.median([[float(word) for word in run.stdout.split()] for run in runs], axis=0)
    what = "processor seconds that importing moeviz adds to numpy and matplotlib"
    return (what, added, base, added, "<=", limit)


def print_table(rows):
    print("| Comparison | ms | ms | Result | Wanted | Holds |")
    print("|---|--:|--:|--:|--:|---|")
    for what, first, second, result, sign, limit in rows:
        wanted = "| "
        if sign:
            holds = result <= limit if sign == "<=" else result >= limit
            wanted = f"{sign} {limit:.2f} | {'yes' if holds else 'no'}"
        print(f"| {what} | {first * 1e3:.2f} | {second * 1e3:.2f} | {result:.2f} | {wanted} |")


def installed(*modules):
    return all(importlib.util.find_spec(module) for module in modules)


def main():
    print(f"moeviz {__version__}, Python {platform.python_version()}, NumPy {np.__version__}, "
          f"{os.cpu_count()} cores, {os.environ['OPENBLAS_NUM_THREADS']} BLAS threads\n")
    rows = [row for shape, limit, _ in SHAPES for row in compare_with_floor(*shape, limit=limit)]
    rows += [row for shape, _, limit in SHAPES for row in compare_training(*shape, limit=limit)]
    rows += [compare_with_dense(2048, 128, 512, 8), compare_with_dense(4096, 256, 1024, 16),
             compare_expert_counts(8, 64, 4096, 256, 512, limit=1.4), compare_imports(limit=0.2)]
    if installed("threadpoolctl"):
        rows += [compare_threads(*shape, limit=limit) for shape, limit, _ in SHAPES[:3]]
    if installed("torch", "transformers"):
        rows += [row(*shape) for shape, _, _ in SHAPES for row in (compare_with_torch, compare_products)]
    print_table(rows)


if __name__ == "__main__":
    main()
