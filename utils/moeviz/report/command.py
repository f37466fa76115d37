"""The commands `trace` and `count`, and the ledger of a model.

    python -m moeviz trace FILE [FILE ...] [--config config.json] [--html report.html] [--json numbers.json]
    python -m moeviz trace FILE --compare OTHER
    python -m moeviz trace A B --domains prose,code --layers 3-60 --text tokens.json --html report.html
    python -m moeviz count config.json [--context 32768] [--json -]
"""

import argparse
import json
import sys
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np

from moeviz import traces
from moeviz.cost import ModelSpec, count_parameters, flops_per_token, kv_cache_bytes
from moeviz.files import write_whole
from moeviz.report.numbers import compare, measure, of_load
from moeviz.report.show import as_page, as_text, compare_text
from moeviz.tables import as_lines, as_table

NAMED = 4  # captures whose names the title of their report holds


def ledger(config, *, context=4096):
    """Return the ledger of a config.json as plain numbers: parameters by part, FLOPs and cache at a context.

    Raises ValueError as `ModelSpec.from_hf_config` does.

    >>> ledger({"model_type": "mixtral"})["total"]
    46702792704
    """
    spec = ModelSpec.from_hf_config(config)
    count = count_parameters(spec)
    return {"model": spec.name, "shape": repr(spec), "total": count.total, "active": count.active,
            "active_without_embedding": count.active_without_embedding,
            "active_without_tables": count.active_without_tables, "by_part": count.by_part,
            "active_by_part": count.active_by_part, "context": context,
            "flops_per_token": flops_per_token(spec, context).total,
            "cache_bytes_per_sequence": kv_cache_bytes(spec, context), "table": repr(count)}


def ledger_text(found):
    """Return the ledger as lines for a terminal."""
    return "\n".join([found["shape"], "", found["table"], "",
                      f"active without the embedding {found['active_without_embedding']:,}, without both "
                      f"tables {found['active_without_tables']:,}",
                      f"at {found['context']:,} tokens: {found['flops_per_token']:,.0f} FLOP for the next "
                      f"token, {found['cache_bytes_per_sequence']:,} bytes of cache in bfloat16"])


# The commands.


def main(argv):
    """Run `trace` or `count`; return the exit code."""
    parser = _parser()
    options = parser.parse_args(argv)
    try:
        with warnings.catch_warnings():
            warnings.showwarning = lambda message, *_, **__: print(f"warning: {message}", file=sys.stderr)
            warnings.simplefilter("always", UserWarning)
            print(_trace(options) if options.command == "trace" else _count(options))
    except (ValueError, OSError, MemoryError) as error:
        said = f"{error.filename}: {error.strerror}" if getattr(error, "filename", None) else error
        print(f"{parser.prog} {options.command}: {said}", file=sys.stderr)
        return 2
    return 0


def _parser():
    parser = argparse.ArgumentParser("python -m moeviz",
                                     description="The report of a router, the ledger of a model.")
    commands = parser.add_subparsers(dest="command", required=True)
    trace = commands.add_parser("trace", help="what a captured routing says")
    trace.add_argument("files", nargs="+", help="captures; several are joined")
    trace.add_argument("--config", help="config.json of the model")
    trace.add_argument("--experts", type=int, help="E, where there is no config")
    trace.add_argument("--k", type=int, help="choices per token, where there is no config")
    trace.add_argument("--layers", help="numbers of the layers in the capture, such as 3-60 or 0,7,15")
    trace.add_argument("--domains", help="a name for each file, apart by commas, or a JSON list with the "
                                         "domain of each token")
    trace.add_argument("--text", help="texts of the tokens, or ids, as a JSON list: labels of the page")
    trace.add_argument("--html", help="write the report as one page")
    trace.add_argument("--json", help="write the numbers; - prints them")
    trace.add_argument("--compare", help="another capture of the same tokens")
    count = commands.add_parser("count", help="parameters, FLOPs and cache of a config.json")
    count.add_argument("config")
    count.add_argument("--context", type=int, default=4096)
    count.add_argument("--json", help="write the numbers; - prints them")
    return parser


def _trace(options):
    given = {"config": options.config, "num_experts": options.experts, "k": options.k,
             "layers": None if options.layers is None else _layers(options.layers)}
    files = options.files[0] if len(options.files) == 1 else options.files
    per_token, names = _domains(options)
    trace = traces.read(files, **given, names=names, model=_called(options.files))
    if isinstance(trace, traces.Counts):
        return _counts(trace, options)
    if per_token is not None:
        trace = _with_domains(trace, per_token)
    against = None
    if options.compare:
        against = compare(trace, traces.read(options.compare, **given, model=Path(options.compare).stem))
    report = measure(trace, rng=np.random.default_rng(0))
    text = None if options.text is None else _of_tokens(_texts(options.text), trace, options.text)
    if options.html:
        page = as_page(report, against=against, text=text, trace=trace)
        write_whole(Path(options.html), lambda file: file.write(page.encode("utf-8")))
    if options.json:
        return _numbers(options.json, report | ({"compare": against} if against else {}))
    return "\n\n".join([as_text(report), *([compare_text(against)] if against else [])])


def _called(files):
    """Return what captures that are joined are called.

    >>> _called(["a.npy"]), _called(["a.npy", "b.npy", "c.npy"])
    ('a', 'a, b, c')
    """
    stems = [Path(each).stem for each in files]
    return ", ".join(stems[:NAMED]) + (f" and {len(stems) - NAMED} more" if len(stems) > NAMED else "")


def _counts(counts, options):
    """Return the loads of counters, which know nothing of tokens."""
    found = {"model": counts.model,
             "layers": [of_load(layer, counts.table(layer).sum(axis=0)) for layer in counts.layers]}
    if options.json:
        return _numbers(options.json, found)
    rows = [[each["layer"], each["max_violation"], each["entropy_bits"], len(each["dead"])]
            for each in found["layers"]]
    return f"{counts!r}\n\n{as_lines(as_table('load', ['layer', 'MaxVio', 'entropy, bits', 'dead'], rows))}"


def _texts(path):
    """Return the items of a JSON list as texts."""
    try:
        texts = json.loads(Path(path).read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is no JSON list of texts: {error}") from None
    if not isinstance(texts, list):
        raise ValueError(f"{path} must hold a list of texts")
    return [str(each) for each in texts]


def _of_tokens(texts, trace, path):
    """Return one text per token: a server keeps no row of the last one, so that one more may be there."""
    if len(texts) not in (trace.num_tokens, trace.num_tokens + 1):
        raise ValueError(f"{path} must hold a text for each of the {trace.num_tokens} tokens, got "
                         f"{len(texts)}")
    return texts[:trace.num_tokens]


def _layers(text):
    """Return the numbers in a text such as "3-60" or "0,7,15".

    >>> _layers("0,3-5")
    [0, 3, 4, 5]
    """
    found = []
    for part in text.split(","):
        first, _, last = part.strip().partition("-")
        if not first.isdecimal() or not (last or first).isdecimal():
            raise ValueError(f"--layers must be numbers such as 3-60 or 0,7,15, got {text!r}")
        found += range(int(first), int(last or first) + 1)
    return found


def _domains(options):
    """Return (the domain of each token, None) or (None, the name of each file); twice None without."""
    if options.domains is None:
        return None, None
    if Path(options.domains).is_file():
        return _texts(options.domains), None
    names = options.domains.split(",")
    if len(names) != len(options.files):
        raise ValueError(f"--domains must name each of the {len(options.files)} files, apart by commas, or "
                         f"be a JSON file with the domain of each token; got {options.domains!r}")
    return None, names


def _with_domains(trace, texts):
    """Return the trace with one of `texts` as the domain of each token."""
    names, codes = np.unique(_of_tokens(texts, trace, "--domains"), return_inverse=True)
    return replace(trace, domain=codes, domain_names=tuple(names.tolist()))


def _count(options):
    try:
        config = json.loads(Path(options.config).read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{options.config} is no config.json: {error}") from None
    found = ledger(config, context=options.context)
    return _numbers(options.json, found) if options.json else ledger_text(found)


def _numbers(path, found):
    text = json.dumps(found, indent=1)
    if path == "-":
        return text
    write_whole(Path(path), lambda file: file.write(text.encode("utf-8")))
    return f"written to {path}"
