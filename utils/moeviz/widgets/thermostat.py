"""Notebook 08: the rate of the selection bias, and what its rule does wrong when it is wrong."""

from functools import lru_cache, partial

import ipywidgets

from moeviz import losses, plots, training
from moeviz.arrays import check_choice, check_count, check_number
from moeviz.training import clustered_task, mistakes, routers
from moeviz.widgets.core import explore

RATES = (0.0, 0.0001, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3)
RULES = {"sign": (routers.biased_top_k(1), losses.bias_update),
         "proportional": (routers.biased_top_k(1), partial(losses.bias_update, proportional=True)),
         "bias in the weight (wrong)": (mistakes.leaky_top_k(1), losses.bias_update),
         "sign turned (wrong)": (routers.biased_top_k(1), mistakes.turned_update)}


def explore_bias(*, rate=0.01, rule="sign", seed=0, steps=400):
    """Choose the bias's rate, its rule and a seed; each new choice trains a layer, old ones are remembered.

    The picture is the load of eight experts and their biases; its title tells the error and who is dead.
    """
    return explore(
        partial(draw_bias, steps=steps),
        caption="Each new choice trains a layer. Which rates are too slow, and from where on does it swing?",
        rate=ipywidgets.SelectionSlider(options=RATES, value=rate, description="rate",
                                        continuous_update=False),
        rule=ipywidgets.Dropdown(options=tuple(RULES), value=rule, description="rule"),
        seed=ipywidgets.Dropdown(options=range(5), value=seed, description="seed"))


def draw_bias(*, rate=0.01, rule="sign", seed=0, steps=400):
    """Train one layer on the clustered task and draw its thermostat; return Axes (2, 1).

    rate: of the bias, at least 0. rule: a key of RULES. Raises ValueError for a bad value.
    """
    check_choice(rule, "rule", RULES)
    rate, seed = check_number(rate, "rate", low=0.0), check_count(seed, "seed", low=0)
    run, judged = _train(rate, rule, seed, check_count(steps, "steps", low=10))
    title = f"unexplained {judged.fvu:.2f}, MaxVio {judged.max_violation:.1f}, dead: {judged.dead} of 8"
    return plots.plot_thermostat({title: run.history})


@lru_cache(maxsize=64)
def _train(rate, rule, seed, steps):
    router, update = RULES[rule]
    make_task = partial(clustered_task, samples=8192, held_out=2048)
    run, = training.train_seeds(make_task, seeds=[seed], progress=False, steps=steps, tokens=256,
                                router=router, bias_rule=partial(update, rate=rate))
    return run, training.evaluate(run)
