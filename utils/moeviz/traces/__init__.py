"""Routing of models that nobody here made: traces recorded, saved and loaded, and published counts.

A `Trace` holds one routing per MoE layer of the same tokens; `counts_of` sums it up as `Counts`, which is
also what the published counts of OLMoE and Mixtral come as. `read` takes what servers return, `inspect`
says what looks broken in it. Only `record` and `tiny_mixtral` need torch and transformers
(`requirements-traces.txt`); nothing uses the network.
"""

from moeviz.traces.capture import read
from moeviz.traces.counts import Counts, counts_of, real_counts
from moeviz.traces.faults import Finding, Inspection, broken_capture, inspect
from moeviz.traces.recorder import can_record, record, tiny_mixtral
from moeviz.traces.trace import Trace, join, load_trace, save_trace, trace_of

__all__ = [
    "Counts", "Finding", "Inspection", "Trace", "broken_capture", "can_record", "counts_of", "inspect",
    "join", "load_trace", "read", "real_counts", "record", "save_trace", "tiny_mixtral", "trace_of",
]
