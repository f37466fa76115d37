"""Break the package on purpose, one line at a time, and see whether the tests of that part notice.

    python -m tools.breakages [--root FOLDER] [WORD...]

Each breakage is a text that stands once in the project and what takes its place. A copy of the project gets
one after the other, and the tests of the part that it belongs to run there until the first failure. The
copy is of FOLDER (default: this project), so that two states can be compared. With words, only breakages
whose names hold one of them are tried. This is no part of the checks: it takes some minutes.
"""

import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
from typing import NamedTuple

from moeviz.environment import run_command
from tools.notebooks import ONE_THREAD, ROOT

LEFT_OUT = shutil.ignore_patterns(".git", ".venv", ".nox", "build", "__pycache__", ".hypothesis")
PYTEST = (sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "--tb=no",
          "-m", "not notebook and not browser")
SUFFIXES = (".py", ".html", ".css", ".js", ".j2", ".ipynb", ".json")
PLACES = ("utils", "tools", "site_builder", "notebooks", "tests")


class Breakage(NamedTuple):
    """One deliberate mistake."""

    name: str
    old: tuple  # texts, the first that stands in the project counts: names change from state to state
    new: tuple  # what takes the place of each
    tests: tuple  # patterns of files in tests/

    @classmethod
    def of(cls, name, old, new, *tests):
        """Make one from single texts or from as many of each."""
        return cls(name, *((text,) if isinstance(text, str) else text for text in (old, new)), tests)


ROUTING = ("test_routing*.py",)
# ruff: noqa: E501  (texts as they stand in the project)
BREAKAGES = tuple(Breakage.of(*each) for each in (
    ("arrays: softmax along the wrong axis", "powers /= powers.sum(axis=axis, keepdims=True)",
     "powers /= powers.sum(axis=0, keepdims=True)", "test_arrays.py"),
    ("arrays: ties go anywhere", 'return np.argsort(-scores, axis=-1, kind="stable")[..., :k]',
     'return np.argsort(scores, axis=-1, kind="stable")[..., ::-1][..., :k]', "test_arrays.py", *ROUTING),
    ("arrays: infinity passes", "if not all_finite(array):\n        row, column",
     "if np.isnan(array).any():\n        row, column", "test_arrays.py"),
    ("arrays: a vector of any length", "if array.ndim != 1 or (length is not None and len(array) != length):",
     "if array.ndim != 1:", "test_arrays.py"),
    ("record: an expert twice", "twice = (ordered[:, 1:] == ordered[:, :-1])",
     "twice = (ordered[:, 1:] > ordered[:, 1:])", "test_record.py"),
    ("record: arrays can be written", "copy.setflags(write=False)\n    return copy", "return copy",
     "test_record.py"),
    ("top-k never renormalises", 'return softmax_top_k(logits, k, renormalize, f"top-{k}")',
     'return softmax_top_k(logits, k, False, f"top-{k}")', *ROUTING),
    ("GShard keeps the second choice too often", ">= weight[:, 1] / cut", ">= 2 * weight[:, 1] / cut", *ROUTING),
    ("the bias enters the weight", "weight = np.take_along_axis(log_score, index, axis=1)",
     "weight = np.take_along_axis(np.log(np.maximum(choice, 1e-9)), index, axis=1)", *ROUTING),
    ("groups by their best expert", ("_open_groups(choice, num_groups, top_groups, best=2)",
     "return open_groups(scores, num_groups, top_groups, best=2)"), ("_open_groups(choice, num_groups, top_groups, best=1)",
     "return open_groups(scores, num_groups, top_groups, best=1)"), *ROUTING),
    ("expert choice per token", ("top_k_mask(probs.T, capacity).T",
                                 "np.put_along_axis(chosen.T, top_k_index(probs.T, capacity), True, axis=1)"),
     ("top_k_mask(logits.T, capacity).T",
      "np.put_along_axis(chosen.T, top_k_index(logits.T, capacity), True, axis=1)"), *ROUTING),
    ("top-p takes one expert too few", "before < p - 1e-9", "before + falling < p - 1e-9", *ROUTING),
    ("threshold lets the cut itself through", "probs > cut, probs, \"threshold\"", "probs >= cut, probs, \"threshold\"",
     *ROUTING),
    ("half of Sinkhorn's steps", "for _ in range(iterations):\n        rows = ",
     "for _ in range(iterations // 2):\n        rows = ", *ROUTING),
    ("the gradient of a softmax without its mean", 'if scoring == "softmax" and not renormalize:',
     'if scoring == "softmax" and renormalize:', *ROUTING),
    ("capacity rounds down", "math.ceil(Fraction(str(factor))", "math.floor(Fraction(str(factor))",
     "test_capacity.py"),
    ("capacity one seat too many", "place < capacity)", "place <= capacity)", "test_capacity.py"),
    ("token order is choice order", "return np.lexsort((slot, token))", "return np.lexsort((token, slot))",
     "test_capacity.py"),
    ("z-loss without the factor 2", "2 * size[:, None] * softmax(logits)", "size[:, None] * softmax(logits)",
     "test_losses.py"),
    ("CV of the sum", "return float(variance), 2 * count * (share - (share**2).sum()) / total",
     "return float(variance), 2 * count * share / total", "test_losses.py"),
    ("the bias is turned", "missing = load.mean() - load", "missing = load - load.mean()",
     "test_losses.py", "test_thermostat.py"),
    ("Gini from 0", "rank = 2 * np.arange(1, num_experts + 1) - num_experts - 1",
     "rank = 2 * np.arange(num_experts) - num_experts - 1", "test_metrics.py"),
    ("MaxVio without the 1", "np.max(share, axis=-1) * share.shape[-1] - 1)",
     "np.max(share, axis=-1) * share.shape[-1])", "test_metrics.py"),
    ("information in nats", "return float(-(share * np.log2(share)).sum()) + 0.0",
     "return float(-(share * np.log(share)).sum()) + 0.0", "test_metrics.py"),
    ("LFU forgets how often", "return uses * len(now) + now", "return now", "test_cache.py"),
    ("Adam without its correction", "np.sqrt(second / (1 - beta2 ** (step + 1)))", "np.sqrt(second)",
     "test_optimiser.py"),
    ("SiLU's slope", "values * share * (1 - share) * growth", "values * share * growth", "test_experts.py"),
    ("touched experts of one token", "num_experts * (1 - (1 - k / num_experts) ** ",
     "num_experts * (1 - (1 - 1 / num_experts) ** ", "test_cost.py", "test_plots_roofline.py"),
    ("a roof is a sum", "np.maximum(flops / chip.peak_flops, moved / chip.bandwidth)",
     "flops / chip.peak_flops + moved / chip.bandwidth", "test_cost.py"),
    ("copies take no turns", "turn % copies[expert]", "0 * turn", "test_cluster.py"),
    ("the diagonal travels", "int(matrix.sum() - np.trace(matrix))", "int(matrix.sum())", "test_cluster.py"),
    ("answers weigh what questions do", "return Phases(busiest * there, load * row_seconds, busiest * back)",
     "return Phases(busiest * there, load * row_seconds, busiest * there)", "test_cluster.py"),
    ("a byte class at the edge", "(text >= 97) & (text <= 122)", "(text > 97) & (text <= 122)", "test_text.py"),
    ("a leak is not seen", "leaked, None if leaked is None else leaked == 0,", "leaked, True,",
     "test_scoreboard.py"),
    ("captured counts dropped choices", ("probs[routed.dispatch()].sum() / len(probs)",
     "probs[routing.dispatch()].sum() / len(probs)"), ("probs[routed.chosen()].sum() / len(probs)",
     "probs[routing.chosen()].sum() / len(probs)"), "test_scoreboard.py"),
    ("a file with objects is read", "if dtype.hasobject:", "if False:", "test_t*.py"),
    ("a file larger than allowed is read", "if total > max_bytes:", "if False:", "test_t*.py"),
    ("bars without the dropped share", "_label_bars(ax, kept + dropped, shares + lost, compact)",
     "_label_bars(ax, kept, shares, compact)", "test_plots.py", "test_figure*.py"),
    ("a seat plan without its order", "seated = seat < capacity", "seated = seat <= capacity", "test_plots*.py"),
    ("a table without dropped", "rows=zip(experts, kept + dropped, shares + lost, dropped, strict=True)",
     "rows=zip(experts, kept, shares + lost, dropped, strict=True)", "test_figure*.py", "test_plots.py"),
    ("a description without its number", ": share of {(kept + dropped).sum()} assignments per expert, experts 0 to ",
     ": share of assignments per expert, experts 0 to ", "test_plots.py"),
    ("a filmstrip starts at its first frame", "start=0 if counts else places.index(here))",
     "start=0)", "test_filmstrip.py", "test_widgets.py"),
    ("no size is too large for a page", "if len(page.encode()) > MAX_BYTES:", "if False:", "test_filmstrip.py"),
    ("an expert is paler in the dark", "READ if color in SERIES else SEEN", "READ", "test_forms.py"),
    ("letters are dark on the dark", "        own.set_foreground(_ink(own.get_rgb()", "        (_ink(own.get_rgb()",
     "test_forms.py"),
    ("figures stay open after a redraw", "    plt.close(figure)\n    height, width = pixels.shape[:2]\n    image",
     "    height, width = pixels.shape[:2]\n    image", "test_widgets*.py"),
    ("five controls", "MAX_CONTROLS = 4", "MAX_CONTROLS = 9", "test_widgets*.py"),
    ("a changed input is not seen", ("if not _same(arguments, case, 0):", "not _unchanged(case, arguments), printed"),
     ("if False:", "False, printed"), "test_engine.py"),
    ("a mistake has no name", ("if all(_behave_alike(mistake, attempt, case, self.tolerance)",
     "and _alike(call(function, trial.case)"), ("if not all(_behave_alike(mistake, attempt, case, self.tolerance)",
     "and not _alike(call(function, trial.case)"), "test_engine.py", "test_exercises.py"),
    ("a published figure with one digit more", "// (2 * 10**decimals)", "// (20 * 10**decimals)",
     "test_models.py", "test_published_counts.py"),
    ("experts' FLOPs count once", "group.layers * 2 * group.shared_weights", "group.layers * group.shared_weights",
     "test_cost.py", "test_models.py"),
    ("the cache of one layer", "sum(group.layers * group.cache_values(context)",
     "sum(group.cache_values(context)", "test_cost.py"),
    ("cross entropy is a sum", "return loss, probs / len(targets)", "return loss, probs", "test_tinylm.py"),
    ("the root mean square without its mean", ("dunit * unit).mean(axis=1, keepdims=True)) / size", "unit)[:, None] / stream.shape[-1]"),
     ("dunit * unit).sum(axis=1, keepdims=True)) / size", "unit)[:, None]"), "test_tinylm*.py", "test_tr*.py"),
    ("the model looks ahead", "padding = np.full(self.config.context - 1, PAD",
     "padding = np.full(self.config.context - 2, PAD", "test_tinylm*.py"),
    ("a crossing on a line", "AMOUNTS = (\"flops\", \"steps\", \"seconds\")", "AMOUNTS = (\"flops\", \"steps\")",
     "test_learning.py"),
    ("a biased router weighs by the bias", "index = top_k_index(probs + context.bias, check_count(k,",
     "index = top_k_index(probs - context.bias, check_count(k,", "test_training.py", "test_thermostat.py"),
    ("homes are ignored", "home = check_home(home, routed.num_tokens, placement.num_devices)\n    check_choice(merge",
     "home = check_home(None, routed.num_tokens, placement.num_devices)\n    check_choice(merge", "test_cluster.py"),
    ("alt text is dropped", "f'alt=\"{escape(describe(figure))}\"", "f'alt=\"\"", "test_widgets.py"),
    ("headings of a table are cells", ('<th scope="col">{escape(name)}</th>', '<th scope="col"{look}>{_shown(name)}</th>'),
     ("<td>{escape(name)}</td>", "<td{look}>{_shown(name)}</td>"),
     "test_figure*.py"),
    ("text on white is pale", 'MUTED = "#', 'MUTED = "#d0d0d0"  # "', "test_colour.py"),
    ("a solution is wrong", "math.ceil(k * num_tokens * factor / num_experts))", "math.floor(k * num_tokens / num_experts))", "test_exercises.py"),
    ("a page's link leads nowhere", 'return f"{stem}.html{anchor}"', 'return f"{stem}.htm{anchor}"',
     "test_site.py"),
    ("a heading's id stands twice", "name if name not in taken else", "name if True else", "test_site.py"),
    ("any file is copied", ('if path.startswith("..") or not source.is_file():', "if not source.resolve().is_relative_to(ROOT.resolve()):"),
     ("if not source.is_file():", "if False:"),
     "test_site.py"),
    ("a stub that does something", "if any(not _is_empty_step(step) for step in steps):", "if False:",
     "test_notebook*.py"),
    ("numbers in prose", "complaints += [f\"the number {number} stands in prose\"",
     "complaints += [f\"the number stands in prose\"", "test_notebook_style.py"),

)
)


def files(folder):
    """Return the texts of a copy in which a breakage may stand."""
    return [path for place in PLACES for path in sorted((folder / place).rglob("*"))
            if path.suffix in SUFFIXES and path.name != "breakages.py" and path.is_file()]


def place_of(breakage, folder):
    """Return (file, text, old, new) where the first of its old texts stands once; LookupError elsewhere."""
    texts = {path: path.read_text(encoding="utf-8") for path in files(folder)}
    for old, new in zip(breakage.old, breakage.new, strict=True):
        found = [path for path, text in texts.items() if old in text]
        if len(found) == 1 and texts[found[0]].count(old) == 1:
            return found[0], texts[found[0]], old, new
    raise LookupError(f"{breakage.name}: its text does not stand once")


def caught(breakage, folder):
    """Return the first failing test of a broken copy, "" where all pass; the copy is whole afterwards."""
    path, text, old, new = place_of(breakage, folder)
    tests = sorted(str(file) for pattern in breakage.tests for file in (folder / "tests").glob(pattern))
    path.write_text(text.replace(old, new), encoding="utf-8")
    try:
        done = subprocess.run([*PYTEST, *tests], cwd=folder, env=environment(folder), capture_output=True,
                              encoding="utf-8", check=False)
    finally:
        path.write_text(text, encoding="utf-8")
    if done.returncode == 0:
        return ""
    failed = [line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    if done.returncode not in (1, 2) or not failed:
        raise RuntimeError(f"{breakage.name}: pytest ended with {done.returncode}\n{done.stdout[-2000:]}")
    return failed[0].partition(" - ")[0]


def environment(folder):
    """Return an environment in which the copy's own package is imported."""
    return {**os.environ, **ONE_THREAD, "PYTHONPATH": str(folder / "utils"), "PYTHONDONTWRITEBYTECODE": ""}


def main(arguments):
    """Try the breakages, print one line each and how many were caught."""
    parser = argparse.ArgumentParser(prog="python -m tools.breakages", description="Break and test.")
    parser.add_argument("--root", type=pathlib.Path, default=ROOT, help="the project to copy (default: this)")
    parser.add_argument("words", nargs="*", help="try only breakages whose names hold one of these")
    options = parser.parse_args(arguments)
    words, results = options.words or [""], []
    chosen = [each for each in BREAKAGES if any(word in each.name for word in words)]
    with tempfile.TemporaryDirectory() as home:
        folder = pathlib.Path(home) / "copy"
        shutil.copytree(options.root, folder, ignore=LEFT_OUT)
        for breakage in chosen:
            results.append(report(breakage, folder))
    print(f"{results.count('caught')} caught, {results.count('MISSED')} missed, "
          f"{results.count('elsewhere')} not found, of {len(chosen)}")
    return int("MISSED" in results)


def report(breakage, folder):
    """Try one breakage, print a line, and return "caught", "MISSED" or "elsewhere"."""
    start = time.monotonic()
    try:
        test = caught(breakage, folder)
    except LookupError as error:
        print(f"elsewhere  {error}", flush=True)
        return "elsewhere"
    result = "caught" if test else "MISSED"
    print(f"{result:9}  {breakage.name} ({time.monotonic() - start:.0f} s)  {test}", flush=True)
    return result


if __name__ == "__main__":
    sys.exit(run_command(main, sys.argv[1:]))
