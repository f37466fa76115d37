"""What a TinyLM does on bytes it has never seen: held-out loss per domain and routing per layer."""

import numpy as np

from moeviz import metrics
from moeviz.checks import check_kind
from moeviz.text import byte_classes, window_starts
from moeviz.tinylm.model import TinyLM

COLUMNS = {"dead": "d", "max_violation": ".2f", "repetition": ".3f", "sum_f2": ".3f", "shuffled": ".3f",
           "within_domain": ".3f", "class_information": ".2f", "domain_information": ".2f"}
HEADINGS = ("dead", "MaxVio", "repeat", "sum f^2", "shuffle", "in domain", "I(class)", "I(domain)")
LEGEND = """dead: experts below a tenth of an even share. repeat: neighbouring bytes with the same first
choice, beside what chance gives (sum f^2), a shuffle, and a shuffle inside each domain. I: share of the
entropy of byte class or domain that the first choice tells."""
CHUNK = 8192


def held_out_windows(model, corpus):
    """Return windows (N, context), next bytes (N,) and domains (N,) of all held-out positions, in order.

    Raises ValueError for what is no TinyLM or no Corpus.
    """
    width = check_kind(model, "model", TinyLM).config.context + 1
    starts = window_starts(corpus, width=width, held_out=True)
    rows = corpus.text[starts[:, None] + np.arange(width)]
    return rows[:, :-1], rows[:, -1], corpus.domain[starts]


def held_out_loss(model, corpus):
    """Return {domain: mean held-out loss in nats per byte}."""
    windows, targets, domains = held_out_windows(model, corpus)
    losses = model.window_losses(windows, targets)
    return {name: float(losses[domains == d].mean()) for d, name in enumerate(corpus.domain_names)
            if (domains == d).any()}


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
    losses = held_out_loss(model, corpus)
    lines = ["held-out loss, nats per byte"]
    lines += [f"  {name:<10}{loss:7.4f}" for name, loss in losses.items()]
    lines += [f"  {'mean':<10}{np.mean(list(losses.values())):7.4f}", "", "routing of the held-out bytes"]
    lines.append("  layer   " + "".join(f"{heading:>11}" for heading in HEADINGS))
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
