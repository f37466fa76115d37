"""The report of a router: what a trace says, as numbers, as text and as one page; and the ledger of a model.

`python -m moeviz trace` and `count` are its commands.
"""

from moeviz.report.command import ledger, ledger_text, main
from moeviz.report.numbers import compare, measure
from moeviz.report.show import as_page, as_text, compare_text

__all__ = ["as_page", "as_text", "compare", "compare_text", "ledger", "ledger_text", "main", "measure"]
