"""Training in the browser: two experts and a coin; a layer of experts, balanced by a loss or by a bias."""

from base64 import b64encode

import numpy as np

from moeviz import losses, plots
from moeviz.arrays import check_count, check_number, sigmoid
from moeviz.live.show import colors, pack, page
from moeviz.training import Plan, balance, mistakes, pitchfork, routers, train
from moeviz.training.layer import init_weights
from moeviz.training.tasks import check_task

COIN = {"steps": 900, "runs": 8, "rate": 0.02}
STEPS = 600  # at most, in the browser
TOKENS = 128
COEFFICIENTS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
RATES = (0.001, 0.003, 0.01, 0.03, 0.1)
START = {"balance": COEFFICIENTS.index(0.1), "bias": RATES.index(0.01)}
BANDS = ("Bands: the share of the tokens that each expert gets, step after step, a mean over five; lines "
         "across: where you changed something. ")
WORDS = {
    "balance": BANDS + "An expert is dead below a tenth of its fair share. Let experts die, then switch the "
               "loss on: who comes back? Then off again: who stays?",
    "bias": BANDS + "After each step every expert with too little work gains the rate, every other loses it. "
            "Move the rate while it runs, and try the two wrong rules."}


def coin(*, a=1.0, seed=1):
    """Return a live view of `training.pitchfork.reinforce`: move a, and see when one expert takes over.

    a: the strength of reinforcement at first, 0 to 6. seed: of the draws; with a left alone, the runs are
    those of `reinforce(a, rng=np.random.default_rng(seed), runs=8)`. Raises ValueError for other values.
    """
    a, seed = check_number(a, "a", low=0.0, high=6.0), check_count(seed, "seed", low=0)
    draws = np.random.default_rng(seed).random((COIN["steps"], COIN["runs"]))
    path = pitchfork.reinforce(a, rng=np.random.default_rng(seed), **COIN)
    lines = {f"run {run}": sigmoid(path[:, run]) for run in range(3)}
    state = {"a": a, **COIN, "decay": 1.0, "draws": b64encode(draws.astype("<f8").tobytes()).decode()}
    drawn = plots.plot_curves(np.arange(len(path)), lines, x_label="tokens",
                              y_label="share of the first expert")
    return page("coin", state, label="Two experts and a coin", fallback=drawn)


def training(task):
    """Return a live view of a layer in training: run it, and switch the balancing loss on and off meanwhile.

    task: a Task of `training.clustered_task`; few samples keep the page small (1024 make 0.2 MB). The
    first weights and the tokens of each step are those of `moeviz.training.train` with seed 0, 128 tokens a
    step, no decay and one choice a token. Raises ValueError for no Task or one of fewer tokens.
    """
    return _view("balance", task, label="A layer of experts in training, its balance to switch",
                 controls={"switch": "Switch loss", "strength": "coefficient", "settings": COEFFICIENTS})


def thermostat(task):
    """Return a live view of a layer in training whose experts are balanced by a bias: move its rate and rule.

    The rest as in `training`.
    """
    return _view("bias", task, label="A selection bias as thermostat, while a layer trains",
                 controls={"switch": "Thermostat", "strength": "rate", "settings": RATES})


def plan_of(options):
    """Return the Plan that the browser follows under its options {coefficient, rate, rule}.

    >>> plan_of({"coefficient": 0.0, "rate": 0.01, "rule": "sign"}).tokens
    128
    """
    updates = {"sign": losses.bias_update, "leaky": losses.bias_update, "turned": mistakes.turned_update}
    rate, rule = options["rate"], options["rule"]

    def move(bias, load):
        if rule == "proportional":
            return losses.bias_update(bias, load, rate, proportional=True)
        return updates[rule](bias, load, rate)

    router = mistakes.leaky_top_k(1) if rule == "leaky" else routers.biased_top_k(1)
    pairs = [(options["coefficient"], balance.switch)] if options["coefficient"] else []
    return Plan(router=router, balance=pairs, bias_rule=move, steps=10 * STEPS, tokens=TOKENS,
                decay_share=0.0)


def _view(kind, task, *, label, controls):
    task = check_task(task)
    if len(task.train.tokens) < TOKENS:
        raise ValueError(f"task must have at least {TOKENS} tokens, got {len(task.train.tokens)}")
    plan = plan_of({"coefficient": 0.0, "rate": 0.0, "rule": "sign"})
    state = {"kind": kind, "most": STEPS, "start": START[kind], "words": WORDS[kind], **controls,
             **_task_state(task, plan), **colors(plan.num_experts)}
    setting = controls["settings"][START[kind]]
    shown = plan_of({"coefficient": setting if kind == "balance" else 0.0,
                     "rate": setting if kind == "bias" else 0.0, "rule": "sign"})
    run = train(task, seed=0, router=shown.router, balance=shown.balance, bias_rule=shown.bias_rule,
                steps=120, tokens=TOKENS, decay_share=0.0)
    return page("training", state, label=label, fallback=plots.plot_load_film(run.history.load, smooth=10))


def _task_state(task, plan):
    """Return the shuffled pool, the first weights and where each step begins, as `train` draws them."""
    rng = np.random.default_rng([0, 1])
    order = rng.permutation(len(task.train.tokens))
    tokens, targets = task.train.tokens[order], task.train.targets[order]
    weights = init_weights(plan, tokens.shape[1], rng=rng)
    starts = [int(rng.integers(len(tokens) - plan.tokens + 1)) for _ in range(STEPS)]
    sizes = {"width": tokens.shape[1], "hidden": plan.hidden, "num_experts": plan.num_experts,
             "tokens": plan.tokens}
    return {"sizes": sizes, "plan": {"learning_rate": plan.learning_rate, "warm_up": plan.warm_up},
            "starts": starts, **pack({"tokens": tokens, "targets": targets, **weights})}
