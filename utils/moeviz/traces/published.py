"""The routing counts that the authors of OLMoE published, for their model and for Mixtral 8x7B.

The choices of each expert are part of the package (`real_counts`); all pairs of experts are not:
`download_counts` fetches them when it is called, and never otherwise;
each file must have the size and SHA-256 that `data/routing_counts.json` notes for it.
Source: github.com/allenai/OLMoE, scripts/run_routing_analysis.py (Apache-2.0): 102 stretches of 2,048
tokens per domain, router logits of layers 0, 7 and 15; the pairs of experts go rank by rank.
"""

import hashlib
import http.client
import json
import urllib.request
from importlib import resources
from pathlib import Path

import numpy as np

from moeviz.arrays import check_choice, check_rng
from moeviz.files import write_whole
from moeviz.traces.pickles import load_counters
from moeviz.traces.trace import Counts, Trace

SECONDS = 30


def published_counts(folder):
    """Return {model name: Counts} of OLMoE-1B-7B and Mixtral 8x7B from the files in `folder`.

    layers are 0, 7 and 15, which ends OLMoE but stands in the middle of Mixtral's 32.
    Raises FileNotFoundError where a file is missing, and ValueError where one is not the published file.
    """
    index = _index()
    return {model: _counts(Path(folder), index, model) for model in index["models"]}


def real_counts():
    """Return {model name: Counts} of OLMoE-1B-7B and Mixtral 8x7B: five domains, three layers, no pairs.

    They are part of the package, so that pictures of real models are there without a download.
    Source: as above; moeviz/data/real_counts.json names it with the licence.

    >>> {name: counts.experts.shape for name, counts in real_counts().items()}
    {'OLMoE-1B-7B': (5, 3, 64), 'Mixtral 8x7B': (5, 3, 8)}
    """
    return {name: Counts(name, each["layers"], each["domains"], each["experts"])
            for name, each in _data("real_counts.json")["models"].items()}


def strongest_pairs(name):
    """Return {layer: (150, 3) at most} of a model in `real_counts`: expert, expert in the next, choices.

    All domains together, the most frequent first. Raises ValueError for another model.

    >>> strongest_pairs("OLMoE-1B-7B")[0].shape
    (150, 3)
    """
    models = _data("real_counts.json")["models"]
    known = models[check_choice(name, "name", tuple(models))]
    return {layer: np.array(pairs) for layer, pairs in zip(known["layers"], known["pairs"], strict=False)}


def broken_capture(*, rng):
    """Return the Trace of a public capture that begins with the server's own rows, rebuilt from its counts.

    Qwen1.5-MoE-A2.7B under vLLM: 12,805 rows of layers 0, 12 and 23, E = 60, k = 4. The first 8,192 rows
    repeat one row and the next 256 another, as in the log; the other rows are drawn from `rng` so that every
    expert is chosen exactly as often as there. Their order means nothing.
    Source: moeviz/data/broken_capture.json names the log.

    >>> broken_capture(rng=np.random.default_rng(0))
    Trace of 'Qwen1.5-MoE, rebuilt': 12805 tokens, 3 layers, E = 60, 153660 choices; with nothing else
    """
    check_rng(rng)
    known = _data("broken_capture.json")
    layers = {int(layer): each for layer, each in known["layers"].items()}
    index = []
    for each in layers.values():
        head = [np.tile(np.roll(each["head_experts"], turn), (rows, 1))
                for turn, rows in enumerate(each["head"])]
        index.append(np.concatenate([*head, _rows_of(np.array(each["counts"]), known["k"], rng)]))
    return Trace("Qwen1.5-MoE, rebuilt", known["experts"], tuple(layers), tuple(index))


def _rows_of(counts, k, rng):
    """Return random rows (T, k) of different experts, each as often as counts (E,) say."""
    experts = rng.permutation(len(counts))
    rows = np.repeat(experts, counts[experts]).reshape(k, -1).T.copy()
    for _ in range(20 * k):  # trade one entry between two rows wherever both stay without a double
        one, other = rng.permutation(len(rows))[:len(rows) // 2 * 2].reshape(2, -1)
        here, there = rng.integers(k, size=2)
        clash = (rows[one] == rows[other, there, None]).any(axis=1) | (
            rows[other] == rows[one, here, None]).any(axis=1)
        one, other = one[~clash], other[~clash]
        rows[one, here], rows[other, there] = rows[other, there], rows[one, here].copy()
    return rng.permuted(rng.permutation(rows), axis=1)


def have_counts(folder):
    """Return whether every file of the published counts is in `folder`, without reading them.

    >>> have_counts("no such folder")
    False
    """
    return all((Path(folder) / path).is_file() for path in _index()["files"])


def download_counts(folder, *, base_url=None):
    """Fetch the files that `folder` lacks, saying so, and return `published_counts(folder)`.

    base_url: another place that has the same files. A file is written only once it proved to be the
    published one. Raises ValueError for a file of another content, OSError where one cannot be fetched.
    """
    index, folder = _index(), Path(folder)
    base_url = base_url or index["base_url"]
    missing = [path for path in index["files"] if not _is_published(folder / path, index["files"][path])]
    size = sum(index["files"][path]["bytes"] for path in missing)
    print(f"Fetching {len(missing)} files, {size / 1e6:.1f} MB, from {base_url} into {folder}.\n"
          f"Source: {index['source']}, commit {index['commit'][:7]}, licence {index['license']}.")
    for path in missing:
        content = _fetch(f"{base_url}/{path}", path, index["files"][path])
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        write_whole(folder / path, lambda file, content=content: file.write(content))
    return published_counts(folder)


def _index():
    return _data("routing_counts.json")


def _data(name):
    return json.loads(resources.files("moeviz").joinpath("data", name).read_text("utf-8"))


def _counts(folder, index, model):
    about, domains = index["models"][model], index["domains"]
    size = about["num_experts"]
    parts = {"expert_counts": (len(index["layers"]), size),
             "expert_counts_crosslayer": (len(index["layers"]) - 1, size, size)}
    experts, pairs = (np.stack([_table(folder, index, f"{about['folder']}/{part}/{domain}.pkl", shape)
                                for domain in domains]) for part, shape in parts.items())
    return Counts(model, index["layers"], domains, experts, pairs)


def _table(folder, index, path, shape):
    """Return the counts of one file as an array of `shape`: layers first, then experts."""
    file = folder / path
    if not file.is_file():
        raise FileNotFoundError(f"{path} is missing in {folder}: traces.download_counts fetches it")
    with file.open("rb") as stream:
        content = stream.read(index["files"][path]["bytes"] + 1)
    counters = load_counters(_verified(content, path, index["files"][path]), path)
    table = np.zeros(shape, dtype=np.int64)
    if len(counters) != len(table):
        raise ValueError(f"{path} holds {len(counters)} layers, expected {len(table)}")
    for layer, counter in enumerate(counters):
        for key, count in counter.items():
            table[layer][key] = count
    return table


def _verified(content, path, noted):
    """Return the content if it is the published one, or raise a ValueError."""
    if len(content) != noted["bytes"] or hashlib.sha256(content).hexdigest() != noted["sha256"]:
        raise ValueError(f"{path} is not the published file: its size or SHA-256 is another")
    return content


def _is_published(file, noted):
    if not file.is_file() or file.stat().st_size != noted["bytes"]:
        return False
    return hashlib.sha256(file.read_bytes()).hexdigest() == noted["sha256"]


def _fetch(url, path, noted):
    """Return the verified content; never more than one byte above its size is read."""
    try:
        with urllib.request.urlopen(url, timeout=SECONDS) as answer:
            content = answer.read(noted["bytes"] + 1)
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise OSError(f"{url} could not be fetched: {error}") from None
    return _verified(content, path, noted)
