"""Notebook 19: experts on devices, over the number of devices, the placement and the limit of devices."""

import ipywidgets

from moeviz import cluster, metrics, plots, routing
from moeviz.arrays import check_choice, check_count, check_matrix
from moeviz.widgets.core import explore, two_panels

PLACEMENTS = ("contiguous", "round robin", "greedy by load", "8 extra copies")
DEVICES = (2, 4, 8, 16)
SCALE = 2.5  # times the mean: the scale stays still between two pictures, unless a bar grows out of it


def explore_placement(logits, *, k=8, devices=8, placement="contiguous", limit=0):
    """Change devices, placement and limit; watch what travels and who has to work longest.

    logits: (T, E) with an E that 2, 4, 8 and 16 divide. limit: most devices per token, 0 for no limit.
    """
    limits = [("none", 0), *((str(most), most) for most in (1, 2, 3, 4))]
    return explore(
        lambda **values: draw_placement(logits, k=k, **values),
        caption="The limit keeps tokens on few devices. Which placement makes it useless?",
        devices=ipywidgets.Dropdown(options=DEVICES, value=devices, description="devices"),
        placement=ipywidgets.Dropdown(options=PLACEMENTS, value=placement, description="placement"),
        limit=ipywidgets.Dropdown(options=limits, value=limit, description="most devices per token"))


def draw_placement(logits, *, k=8, devices=8, placement="contiguous", limit=0):
    """Draw the traffic with one row per token and device, beside the load of the devices; return Axes (2,).

    The limit opens the best groups of E / devices neighbours, as DeepSeek-V2 does; the placement may
    put those neighbours on other devices. Raises ValueError for a placement or a limit that is not there.
    """
    routed = _route(check_matrix(logits, "logits"), k, devices, limit)
    placed = _place(routed, devices, placement)
    moved = cluster.traffic_matrix(routed, placed, merge="device")
    reach = cluster.nodes_per_token(routed, placed)
    axes = two_panels((14, 5.4), (1, 1.2))
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
