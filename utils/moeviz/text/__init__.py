"""Real text as bytes: a corpus from the Python installation, and helpers that name single bytes.

Nothing is downloaded. Where a source is missing, a short text of our own (in data/) stands in and
`Corpus.notes` says so.
"""

from moeviz.text.corpus import (
    DOMAIN_NAMES,
    Corpus,
    held_out_mask,
    load_corpus,
    load_names,
    window_starts,
)
from moeviz.text.scripts import SCRIPT_OF, SCRIPTS, load_scripts
from moeviz.text.sources import LANGUAGES
from moeviz.text.symbols import BYTE_CLASS_NAMES, byte_classes, byte_labels, encode

__all__ = ["BYTE_CLASS_NAMES", "DOMAIN_NAMES", "LANGUAGES", "SCRIPTS", "SCRIPT_OF", "Corpus", "byte_classes",
           "byte_labels", "encode", "held_out_mask", "load_corpus", "load_names", "load_scripts",
           "window_starts"]
