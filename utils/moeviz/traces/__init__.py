"""Routing of models that nobody here made: traces recorded, saved and loaded, and published counts.

A `Trace` holds one routing per MoE layer of the same tokens; `counts_of` sums it up as `Counts`, which is
also what the published counts of OLMoE and Mixtral come as. Only `record` and `tiny_mixtral` need torch
and transformers (`requirements-traces.txt`); only `download_counts` uses the network.
"""

from moeviz.traces.published import download_counts, have_counts, published_counts
from moeviz.traces.recorder import can_record, record, tiny_mixtral
from moeviz.traces.store import load_trace, save_trace
from moeviz.traces.trace import Counts, Trace, counts_of, trace_of

__all__ = ["Counts", "Trace", "can_record", "counts_of", "download_counts", "have_counts", "load_trace",
           "published_counts", "record", "save_trace", "tiny_mixtral", "trace_of"]
