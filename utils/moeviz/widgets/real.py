"""Explorers of Parts IV and V: what experts respond to, a cache of experts, devices, evidence about a bug."""

from functools import partial

import ipywidgets
import matplotlib.pyplot as plt
import numpy as np

from moeviz import cluster, metrics, plots, routing
from moeviz.arrays import check_choice, check_count, check_matrix
from moeviz.metrics.cache import POLICIES
from moeviz.record import EMPTY, Routing, check_routing
from moeviz.style import PHONE, expert_colors, fixed_axes
from moeviz.text import BYTE_CLASS_NAMES, byte_classes, byte_labels, encode
from moeviz.widgets.core import explore, two_panels

MARGINS = {"left": 0.01, "right": 0.975, "bottom": 0.19, "top": 0.84, "wspace": 0.3,
           "width_ratios": (1.65, 1)}


def explore_expert(nets, sentence):
    """Pick a net, a layer and an expert; see its bytes in the text, and name what they share.

    nets: {name: TinyLM}, all of one size. sentence: text, bytes or a uint8 array.
    """
    config = next(iter(nets.values())).config
    return explore(
        lambda net, **values: draw_expert(nets[net], sentence, net=net, **values),
        caption="What do this expert's bytes share? Name it before you look at the bars. "
                "Then do the same for the net that never trained.",
        expert=ipywidgets.Dropdown(options=range(config.num_experts), description="expert"),
        layer=ipywidgets.Dropdown(options=range(1, config.layers + 1), description="layer"),
        net=ipywidgets.Dropdown(options=list(nets), description="net"))


def draw_expert(model, sentence, *, layer, expert, net):
    """Draw the text with the bytes of one expert alone in colour, and their classes; return Axes (2,).

    model: a TinyLM. sentence: text, bytes or a uint8 array. Raises ValueError for a layer or expert that
    the model does not have.
    """
    layer = check_count(layer, "layer", high=model.config.layers)
    expert = check_count(expert, "expert", low=0, high=model.config.num_experts - 1)
    text = encode(sentence)
    title = f"{net}, layer {layer}: first choice is expert {expert}"
    routed = only(model.route(text)[layer - 1], expert, title)
    mine, classes = routed.expert_index[:, 0] != EMPTY, byte_classes(text)
    counts = [np.bincount(part, minlength=len(BYTE_CLASS_NAMES)) for part in (classes[mine], classes)]
    axes = plt.subplots(1, 2, figsize=(10.6, 6), layout="none", gridspec_kw=MARGINS)[1]
    plots.plot_text(routed, byte_labels(text), per_row=24, text_bytes=text, ax=axes[0])
    plots.plot_profile(*counts, BYTE_CLASS_NAMES, ax=axes[1], title=f"{mine.sum()} of {len(mine)} bytes",
                       color=expert_colors(model.config.num_experts)[expert])
    return axes


def only(routed, expert, label):
    """Return the first choices of a Routing with all experts but one left out, as a Routing with k = 1."""
    mine = routed.expert_index[:, :1] == expert
    index = np.where(mine, routed.expert_index[:, :1], EMPTY)
    weight = np.where(mine, routed.combine_weight[:, :1], 0)
    return Routing(routed.logits, routed.probs, index, weight, mine, label)


WHO_LEAVES = {"lru": "LRU", "lfu": "LFU", "belady": "Belady"}


def explore_cache(routed, *, labels=None, size=3, shown=40):
    """Change the size of an expert cache and who leaves it; watch what it holds for a piece of text.

    routed: a Routing of at least `shown` tokens in reading order; labels: T texts.
    """
    shown = min(check_count(shown, "shown"), check_routing(routed).num_tokens)
    return explore(
        lambda **values: draw_cache(routed, labels=labels, shown=shown, **values),
        caption="At which size does the best policy stop being worth its knowledge of the future?",
        size=ipywidgets.IntSlider(size, 1, routed.num_experts, description="experts in the cache"),
        policy=ipywidgets.Dropdown(options=[(WHO_LEAVES[each], each) for each in POLICIES], value="lru",
                                   description="who leaves"),
        start=ipywidgets.IntSlider(0, 0, routed.num_tokens - shown, description="first token"))


def draw_cache(routed, *, size, policy, start, shown, labels=None):
    """Draw the cache at work on `shown` tokens from `start`, empty at first; return the Axes.

    Raises ValueError for a start or a number of tokens that the routing does not have.
    """
    start = check_count(start, "start", low=0, high=check_routing(routed).num_tokens - 1)
    shown = check_count(shown, "shown", high=routed.num_tokens - start)
    index = routed.expert_index[start:start + shown]
    run = metrics.cache_run(index, size, policy=policy)
    names = None
    if labels is not None and index.size == len(run.expert):
        names = [label if slot == 0 else "" for label in labels[start:start + shown]
                 for slot in range(routed.k)]
    ax = fixed_axes((PHONE, 0.42 * routed.num_experts + 2.1), left=0.62, top=0.78)
    return plots.plot_cache(run, routed.num_experts, labels=names, ax=ax,
                            title=f"{WHO_LEAVES[policy]}, {size} expert{'s' * (size > 1)}, "
                                  f"tokens {start} to {start + shown - 1}")


def explore_exchange(routed, placement, *, home=None):
    """Make the moves of an exchange one by one: rows out to the experts, then the answers back.

    routed, placement, home: as of `plots.plot_exchange`.
    """
    moves = 2 * int(check_routing(routed).kept.sum())
    return explore(
        lambda moves: plots.plot_exchange(routed, placement, home=home, moves=moves,
                                          ax=fixed_axes((PHONE, 4.6), left=0.15, right=0.15, bottom=0.5)),
        caption="Rows go out to their experts, and the answers come back. Which moves need no wire?",
        moves=ipywidgets.IntSlider(moves, 0, moves, description="moves made"))


PLACEMENTS = ("contiguous", "round robin", "greedy by load", "8 extra copies")
DEVICES = (2, 4, 8, 16)
SCALE = 2.5  # times the mean: the scale stays still between two pictures, unless a bar grows out of it


def explore_placement(logits, *, k=8):
    """Change devices, placement and limit; watch what travels and who has to work longest.

    logits: (T, E) with an E that 2, 4, 8 and 16 divide. k: choices per token.
    """
    limits = [("none", 0), *((str(most), most) for most in (1, 2, 3, 4))]
    return explore(
        lambda **values: draw_placement(logits, k=k, **values),
        caption="The limit keeps tokens on few devices. Which placement makes it useless?",
        devices=ipywidgets.Dropdown(options=DEVICES, value=8, description="devices"),
        placement=ipywidgets.Dropdown(options=PLACEMENTS, description="placement"),
        limit=ipywidgets.Dropdown(options=limits, description="most devices per token"))


def draw_placement(logits, *, k, devices, placement, limit):
    """Draw the traffic with one row per token and device, beside the load of the devices; return Axes (2,).

    The limit opens the best groups of E / devices neighbours, as DeepSeek-V2 does; the placement may
    put those neighbours on other devices. Raises ValueError for a placement or a limit that is not there.
    """
    routed = _route(check_matrix(logits, "logits"), k, devices, limit)
    placed = _place(routed, devices, placement)
    moved = cluster.traffic_matrix(routed, placed, merge="device")
    reach = cluster.nodes_per_token(routed, placed)
    axes = two_panels((11.8, 5.4), (1, 1), top=0.84, apart=0.32)
    title = f"devices per token: {reach.mean():.2f}, at most {reach.max()}"
    plots.plot_traffic(moved, ax=axes[0], title=title)
    load = cluster.device_load(routed, placed)
    plots.plot_device_load(cluster.served_rows(routed, placed), ax=axes[1], title=placement,
                           top=max(SCALE * load.mean(), 1.15 * load.max()))
    return axes


def _route(logits, k, devices, limit):
    if check_count(limit, "limit", low=0) in (0, devices):
        return routing.top_k(logits, k)
    return routing.softmax_group_limited(logits, k, num_groups=devices, top_groups=min(limit, devices))


def _place(routed, devices, placement):
    load = metrics.counts(routed)
    ways = {"contiguous": lambda: cluster.contiguous(len(load), devices),
            "round robin": lambda: cluster.round_robin(len(load), devices),
            "greedy by load": lambda: cluster.greedy(load, devices),
            "8 extra copies": lambda: cluster.replicated(load, devices, extra=8)}
    return ways[check_choice(placement, "placement", ways)]()


def explore_evidence(find, suspects, views):
    """Choose a suspect and a view; the picture sets it beside the right step.

    find(name, view): returns a plots.Evidence, also for the name "right". suspects, views: names.
    """
    return explore(
        partial(draw_evidence, find),
        caption="Which view gives a suspect away? The first picture is the step done right.",
        suspect=ipywidgets.Dropdown(options=tuple(suspects), description="suspect"),
        view=ipywidgets.Dropdown(options=tuple(views), description="view"))


def draw_evidence(find, *, suspect, view):
    """Draw the Evidence of the right step and of a suspect side by side; return Axes (2,)."""
    return plots.plot_evidence({"right": find("right", view), f"suspect {suspect}": find(suspect, view)})
