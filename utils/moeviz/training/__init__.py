"""Training one layer of experts on a toy task, with the cures for an uneven load.

`train(task, router=routers.top_k(1), balance=[(0.1, balance.switch)])` trains, `evaluate` judges, and
`Router` says what a router of your own must provide.
"""

from moeviz.training import balance, mistakes, pitchfork, routers
from moeviz.training.loop import Evaluation, History, Plan, Run, evaluate, train, train_seeds
from moeviz.training.routers import Context, Router
from moeviz.training.tasks import Batch, Task, clustered_task
from moeviz.training.trials import Trials, by_seed, fates, trials

__all__ = [
    "Batch", "Context", "Evaluation", "History", "Plan", "Router", "Run", "Task", "Trials",
    "balance", "by_seed", "clustered_task", "evaluate", "fates", "mistakes",
    "pitchfork", "routers", "train", "train_seeds", "trials",
]
