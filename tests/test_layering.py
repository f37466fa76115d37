"""Imports point up the list below, each layer keeps to its packages, modules and functions stay short.

A package (routing, plots, exercises, ...) is one layer. A `__main__` is a command: nothing imports it, and it
may import everything. Lengths of functions are counted without their docstrings.
"""

import ast
import pathlib
import re
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "utils" / "moeviz"
ORDER = ("environment", "arrays", "checks", "files", "tables", "optimiser", "record", "routing", "capacity",
         "steering", "experts", "losses", "metrics", "scoreboard", "text", "tinylm", "training",
         "transformer", "interventions", "short_runs", "earlier",
         "causal_runs", "cost", "models", "learning", "cluster",
         "traces", "palette", "dark", "style", "forms", "plots", "filmstrip", "live", "widgets", "exercises",
         "terminal", "report")
DRAWING = frozenset({"numpy", "matplotlib"})
DRAWERS = ("palette", "style", "forms", "plots", "filmstrip", "live", "terminal")
AT_ONCE = {"environment": set(), **dict.fromkeys(DRAWERS, DRAWING),
           "dark": DRAWING | {"PIL"}, "widgets": DRAWING | {"ipywidgets", "IPython"}}
WITHIN_FUNCTIONS = {"text": {"babel"}, "report": {"tqdm"}, "exercises": {"ipywidgets"},
                    "optimiser": {"tqdm"}, "traces": {"torch", "transformers"},
                    "cluster": {"ipyparallel", "mpi4py", "psutil", "traitlets"}}
MODULE_LINES, FUNCTION_LINES = 600, 30
SKIPPED = {".venv", ".nox", "build", "node_modules"}
FILES = [*sorted(PACKAGE.rglob("*.py")), ROOT / "start.py"]


def layer_of(path):
    """Return the layer of a file in the package; None for the facade and for commands."""
    first = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    return None if first.startswith("__") or path.name == "__main__.py" else first


def functions(tree):
    """Return every function of a module, methods and inner ones too."""
    return [node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]


def imported(tree):
    """Yield (module, whether it is imported only when a function runs) for each import of a module."""
    inner = {node for function in functions(tree) for node in ast.walk(function)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node in inner) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level:
            yield "." * node.level, node in inner
        elif isinstance(node, ast.ImportFrom) and node.module == "moeviz":
            yield from ((f"moeviz.{alias.name}", node in inner) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module, node in inner


def import_complaints(layer, source):
    """Return what a module of this layer must not import."""
    return [complaint for module, late in imported(ast.parse(source))
            if (complaint := import_complaint(layer, module, late))]


def import_complaint(layer, module, late):
    """Return what is wrong with one import, or None."""
    top, _, rest = module.partition(".")
    if module.startswith("."):
        return "relative import"
    if top == "moeviz":
        target = rest.partition(".")[0]
        if target not in ORDER:
            return f"{layer} imports {module}, which is no layer"
        return f"{layer} imports {target}, further down" if ORDER.index(target) > ORDER.index(layer) else None
    allowed = AT_ONCE.get(layer, {"numpy"}) | (WITHIN_FUNCTIONS.get(layer, set()) if late else set())
    return None if top in sys.stdlib_module_names or top in allowed else f"{layer} imports {module}"


def length_complaints(source):
    """Return which limits of length a module breaks."""
    lines = len(source.splitlines())
    whole = [f"the module has {lines} lines"] if lines > MODULE_LINES else []
    return whole + [f"{node.name} has {function_lines(node)} lines" for node in functions(ast.parse(source))
                    if function_lines(node) > FUNCTION_LINES]


def function_lines(node):
    """Count the lines of a function without its docstring."""
    first = node.body[0]
    text = first.end_lineno - first.lineno + 1 if ast.get_docstring(node) is not None else 0
    return node.end_lineno - node.lineno + 1 - text


def test_modules_keep_their_place_and_size():
    assert {str(path.relative_to(ROOT)): found for path in FILES if (found := complaints(path))} == {}


def complaints(path):
    """Return what one file of the project does against the rules of this page."""
    source = path.read_text(encoding="utf-8")
    layer = layer_of(path) if path.is_relative_to(PACKAGE) else None
    if layer is None:
        return length_complaints(source)
    return length_complaints(source) + ([] if layer in ORDER else [f"{layer} is no layer"]) \
        + import_complaints(layer, source)


def test_the_facade_brings_the_record_alone():
    tree = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    assert {module for module, _ in imported(tree)} == {"moeviz.record"}


@pytest.mark.parametrize(("layer", "source"), [
    ("arrays", "from moeviz.record import Routing"),
    ("routing", "from moeviz import metrics"),
    ("metrics", "import moeviz.plots.load"),
    ("losses", "def late():\n    from moeviz import tinylm"),
    ("plots", "from moeviz import EMPTY"),
    ("plots", "from moeviz.tinylm.__main__ import main\nfrom moeviz import terminal"),
    ("plots", "from . import load"),
    ("metrics", "import matplotlib.pyplot as plt"),
    ("traces", "from scipy import stats"),
    ("text", "from babel import Locale"),
    ("tinylm", "import tqdm"),
    ("losses", "def late():\n    import tqdm"),
    ("plots", "from IPython.display import HTML"),
    ("exercises", "import ipywidgets"),
    ("environment", "import numpy"),
])
def test_a_wrong_import_is_seen(layer, source):
    assert len(import_complaints(layer, source)) == 1


@pytest.mark.parametrize(("layer", "source"), [
    ("routing", "import math\nimport numpy as np\nfrom moeviz.routing import variable"),
    ("text", "def late():\n    from babel import Locale"),
    ("optimiser", "def late():\n    from tqdm import tqdm"),
    ("style", "import matplotlib as mpl\nfrom moeviz import arrays"),
    ("widgets", "import ipywidgets\nfrom IPython.display import display\nfrom moeviz import plots, tinylm"),
    ("exercises", "from moeviz import routing, text"),
])
def test_a_right_import_is_let_through(layer, source):
    assert import_complaints(layer, source) == []


def test_lengths_are_seen():
    body = "    x = 1\n"
    assert length_complaints('def f():\n    """One.\n\n    Two.\n    """\n' + body * 29) == []
    assert length_complaints("def f():\n" + body * 30) == ["f has 31 lines"]
    method = "class A:\n    async def f(self):\n" + 30 * "        x = 1\n"
    assert length_complaints(method) == ["f has 31 lines"]
    assert length_complaints("x = 1\n" * 601) == ["the module has 601 lines"]


def test_nothing_imports_the_tests_and_nothing_edits_the_path():
    helpers = "|".join(sorted({path.stem for path in (ROOT / "tests").glob("*.py")} | {"tests"}))
    wrong = re.compile(rf"^\s*(?:from|import) (?:{helpers})\b|sys\.path\b(?!_)", re.MULTILINE)
    found = {}
    for path in sorted(ROOT.rglob("*.py")):
        if path.parent.name != "tests" and not SKIPPED & set(path.relative_to(ROOT).parts):
            found[path] = wrong.findall(path.read_text(encoding="utf-8"))
    assert {path: lines for path, lines in found.items() if lines} == {}


def test_layers_of_files():
    assert layer_of(PACKAGE / "arrays.py") == "arrays"
    assert layer_of(PACKAGE / "plots" / "load.py") == "plots"
    assert layer_of(PACKAGE / "__init__.py") is layer_of(PACKAGE / "cost" / "__main__.py") is None


def test_the_two_trained_models_share_no_name_of_a_module():
    one, two = ({path.name for path in (PACKAGE / m).glob("[!_]*.py")} for m in ("tinylm", "transformer"))
    assert one & two == set() and len(one) == len(two) == 4
