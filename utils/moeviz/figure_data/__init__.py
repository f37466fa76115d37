"""The numbers behind a figure as tables, for readers who cannot see the picture.

A table is a dictionary {"title", "columns", "rows"} of texts; the first cell of a row names it. Bars and
named lines are read from what was drawn; every other plot attaches its table, beside its sentence.
"""

from moeviz.figure_data.attach import as_table, as_text, evenly, set_matrix, set_table
from moeviz.figure_data.html import as_html
from moeviz.figure_data.read import tables_of

__all__ = ["as_html", "as_table", "as_text", "evenly", "set_matrix", "set_table", "tables_of"]
