"""Published mixture-of-experts models as data: their shapes, and what their makers said of their size.

    model("Mixtral 8x7B").spec                    # a ModelSpec for moeviz.cost
    derived_against_published(model("DBRX"))      # does the shape give the published size?

`python -m moeviz.cost` prints that for all of them.
"""

from moeviz.models.catalogue import catalogue, model, undisclosed
from moeviz.models.compare import Comparison, derived_against_published
from moeviz.models.record import Model, Published, Statement, Undisclosed
from moeviz.models.report import report, summary

__all__ = [
    "Comparison", "Model", "Published", "Statement", "Undisclosed", "catalogue", "derived_against_published",
    "model", "report", "summary", "undisclosed",
]
