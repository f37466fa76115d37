"""Notebook 07: train a small layer with a balancing coefficient of one's own."""

from functools import lru_cache, partial

import ipywidgets

from moeviz import plots, training
from moeviz.arrays import check_count, check_number
from moeviz.style import fixed_axes
from moeviz.training import balance, clustered_task, routers
from moeviz.widgets.core import explore

COEFFICIENTS = (0.0, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)


def explore_balance(*, coefficient=0.1, mean=3.0, seed=0, steps=300):
    """Choose the Switch loss's coefficient, the inputs' common part and a seed; each choice trains a layer.

    The picture is the load of eight experts over training; its title tells the error and who is dead.
    """
    return explore(
        partial(draw_balance, steps=steps),
        caption="Each new choice trains a layer. How small may the coefficient be, how large should it be?",
        coefficient=ipywidgets.SelectionSlider(options=COEFFICIENTS, value=coefficient,
                                               description="coefficient", continuous_update=False),
        mean=ipywidgets.FloatSlider(mean, min=0, max=4, step=1, description="common part of the inputs",
                                    continuous_update=False),
        seed=ipywidgets.Dropdown(options=range(5), value=seed, description="seed"))


def draw_balance(*, coefficient=0.1, mean=3.0, seed=0, steps=300):
    """Train one layer on the clustered task and draw the film of its load; return the Axes.

    coefficient: of the Switch loss, at least 0. mean: of the inputs. Raises ValueError for a bad value.
    """
    weight = check_number(coefficient, "coefficient", low=0.0)
    load, error = _train(weight, check_number(mean, "mean"), check_count(seed, "seed", low=0),
                         check_count(steps, "steps", low=10))
    return plots.plot_load_film(load, smooth=10, title=f"unexplained {error:.2f}",
                                ax=fixed_axes((10, 4.6), left=0.85))


@lru_cache(maxsize=64)
def _train(weight, mean, seed, steps):
    """Return the load over training and the error at its end."""
    make_task = partial(clustered_task, mean=mean, samples=8192, held_out=2048)
    pairs = [(weight, balance.switch)] if weight else []
    plan = {"router": routers.top_k(1), "balance": pairs, "steps": steps}
    run, = training.train_seeds(make_task, seeds=[seed], progress=False, tokens=256, **plan)
    return run.history.load, training.evaluate(run).fvu
