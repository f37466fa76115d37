"""Every one-step mutant of every solution, and every container a right answer can come in, graded.

    pytest -m slow tests/test_exercise_mutants.py -rP

tries all of them and prints the counts; other runs try one in a hundred. A mutant that passes must agree with
the specification on further draws, and one that is named after a mistake must agree with that mistake there.
"""

import ast
import copy
import functools
from collections import Counter

import numpy as np
import pytest

from moeviz.exercises import engine
from moeviz.exercises.engine import call
from test_exercises import EXERCISES, differ, function_of, world
from tools import notebooks

pytestmark = pytest.mark.slow
FURTHER = 150  # draws that no check has seen
STEP = 100     # every one of so many is tried, unless slow tests are asked for

FAMILIES = ((ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Pow, ast.MatMult, ast.BitAnd, ast.BitOr),
            (ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Eq, ast.NotEq), (ast.In, ast.NotIn), (ast.And, ast.Or))
WRAPS = ("-x", "x + 1", "x - 1", "2 * x", "x / 2", "x[::-1]", "abs(x)", "np.round(x)", "x[:1]")
OTHER = {"max": "min", "min": "max", "sum": "mean", "mean": "sum", "maximum": "minimum", "minimum": "maximum",
         "argmax": "argmin", "argmin": "argmax", "any": "all", "all": "any", "zeros": "ones", "ceil": "floor",
         "log": "log2", "exp": "exp2", "append": "extend", "median": "mean"}


def mutants(source, step=1):
    """Return the sources of all functions that differ from one by a single step, or every step-th of them."""
    tree = ast.parse(source)
    names = sorted({argument.arg for argument in tree.body[-1].args.args}
                   | {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)
                      and isinstance(node.ctx, ast.Store)})
    places = [(place, number) for place, node in enumerate(ast.walk(tree.body[-1]))
              for number, _ in enumerate(_changes(node, names))]
    found = []
    for place, number in places[::step]:
        mutant = copy.deepcopy(tree)
        target = list(ast.walk(mutant.body[-1]))[place]
        _replace(mutant, target, list(_changes(target, names))[number])
        found.append(ast.unparse(ast.fix_missing_locations(mutant)))
    return dict.fromkeys(found)


def _replace(tree, target, change):
    for parent in ast.walk(tree):
        for name, value in ast.iter_fields(parent):
            if value is target:
                setattr(parent, name, change)
            elif isinstance(value, list):
                value[:] = [change if item is target else item for item in value]


def _with(node, **fields):
    changed = copy.copy(node)
    for name, value in fields.items():
        setattr(changed, name, value)
    return changed


def _changes(node, names):
    """Yield what a node may be replaced by."""
    kind = type(node)
    if isinstance(node, (ast.Name, ast.Call, ast.BinOp, ast.Subscript)):
        yield from _wrapped(node, names)
    if kind is ast.Constant and isinstance(node.value, (int, float)):
        values = [not node.value] if isinstance(node.value, bool) else [node.value + 1, node.value - 1, 0]
        yield from (ast.Constant(value) for value in values if value != node.value)
    elif kind is ast.BinOp:
        yield from (node.left, node.right)
        yield from (_with(node, op=op()) for op in _others(node.op))
        yield _with(node, left=node.right, right=node.left)
    elif kind is ast.Compare:
        yield from (_with(node, ops=[op(), *node.ops[1:]]) for op in _others(node.ops[0]))
    elif kind is ast.BoolOp:
        yield from (_with(node, op=op()) for op in _others(node.op))
        yield from node.values
    elif kind is ast.UnaryOp:
        yield node.operand
    elif kind is ast.IfExp:
        yield from (node.body, node.orelse)
    elif kind is ast.Name and isinstance(node.ctx, ast.Load) and node.id in names:
        yield from (ast.Name(name, ast.Load()) for name in names if name != node.id)
    elif kind is ast.Attribute and node.attr in OTHER:
        yield _with(node, attr=OTHER[node.attr])
    elif kind is ast.Subscript and isinstance(node.ctx, ast.Load):
        yield node.value
    elif kind is ast.Slice:
        if node.lower or node.upper or node.step:
            yield _with(node, lower=None, upper=node.lower, step=node.step)
            yield ast.Slice()
    elif kind is ast.Call:
        yield from _other_calls(node)
    elif kind is ast.AugAssign:
        yield ast.Assign([node.target], node.value)
        yield ast.Pass()
    elif kind is ast.Return and isinstance(node.value, ast.Tuple):
        yield _with(node, value=_with(node.value, elts=node.value.elts[::-1]))
    elif kind is ast.Expr and isinstance(node.value, ast.Call):
        yield ast.Pass()


def _others(operator):
    """Return the other operators of a family."""
    kind = type(operator)
    return [op for family in FAMILIES if kind in family for op in family if op is not kind]


def _wrapped(node, names):
    """Yield an expression with something done to its value."""
    if isinstance(getattr(node, "ctx", None), ast.Store) or getattr(node, "id", names[0]) not in names:
        return
    for wrap in WRAPS:
        changed = ast.parse(wrap, mode="eval")
        inner = next(part for part in ast.walk(changed) if isinstance(part, ast.Name) and part.id == "x")
        _replace(changed, inner, copy.deepcopy(node))
        yield changed.body


def _other_calls(node):
    for place in range(len(node.keywords)):
        yield _with(node, keywords=node.keywords[:place] + node.keywords[place + 1:])
    if len(node.args) >= 2:
        yield _with(node, args=[node.args[1], node.args[0], *node.args[2:]])
    if isinstance(node.func, ast.Attribute) and not node.args:
        yield node.func.value
    elif len(node.args) == 1:
        yield node.args[0]
    if isinstance(node.func, ast.Name) and node.func.id in OTHER:
        yield _with(node, func=ast.Name(OTHER[node.func.id], ast.Load()))


def solutions():
    """Return {name: (source, names to run it with)} of all exercises."""
    found = {}
    for path in notebooks.paths():
        notebook = notebooks.load(path)
        names = world(notebook)
        found |= {task.name: (task.solution, names) for task in notebooks.tasks(notebook)}
    return found


@pytest.fixture
def step(request):
    """Return 1 where `-m slow` asks for all."""
    return 1 if request.config.option.markexpr == "slow" else STEP


def outcomes(function, cases):
    return [call(function, case) for case in cases]


@pytest.mark.filterwarnings("ignore::SyntaxWarning")
def test_no_mutant_of_a_solution_passes_or_is_misnamed(monkeypatch, step):
    monkeypatch.setattr(engine, "SECONDS", 1.5)
    counts, wrong = Counter(), []
    for name, (source, names) in solutions().items():
        exercise = EXERCISES[name]
        cases = [exercise.draw(np.random.default_rng((99, number))) for number in range(FURTHER)]
        done = functools.cache(lambda function, cases=cases: outcomes(function, cases))
        for mutant in mutants(source, step):
            attempt = function_of(mutant, names)
            status, _, mistake = exercise.grade(attempt)
            counts[f"named, {status}" if mistake else status] += 1
            alike = exercise.spec if status == "right" else exercise.mistakes.get(mistake)
            if alike and differ(done(alike), outcomes(attempt, cases)):
                wrong.append(f"{name}, {status}, {mistake}\n{mutant}")
    print(f"{counts.total()} mutants of {len(EXERCISES)} solutions: {dict(counts)}; "
          f"{len(wrong)} accepted or named wrongly")
    assert counts.total() * step > 9000
    assert wrong == [], "\n".join(wrong)


def _arrays(value):
    return tuple(map(np.asarray, value)) if isinstance(value, (tuple, list)) else np.asarray(value)


def _lists(value):
    if isinstance(value, (tuple, list)):
        return [_lists(item) for item in value]
    return np.asarray(value).tolist()


def _tuples(value):
    nested = isinstance(value, (tuple, list)) or np.ndim(value) > 0
    return tuple(map(_tuples, value)) if nested else value


def _as(dtype):
    def cast(value):
        if isinstance(value, (tuple, list)):
            return tuple(map(cast, value))
        array = np.asarray(value)
        return value if array.dtype.kind == "U" or array.dtype == dtype else array.astype(dtype)
    return cast


def _one_array(value):
    shapes = {np.shape(item) for item in value} if isinstance(value, (tuple, list)) else {0, 1}
    return np.array(value) if len(shapes) == 1 else value


def _rows(value):
    """Arrays as lists of arrays, a tuple as a list of these."""
    if isinstance(value, (tuple, list)):
        return [_rows(item) for item in value]
    return list(value) if isinstance(value, np.ndarray) and value.ndim else value


FORMS = {"arrays": _arrays, "lists": _lists, "tuples": _tuples, "one array": _one_array, "rows": _rows,
         "float64": _as(np.float64), "float32": _as(np.float32), "objects": _as(object)}


def test_a_right_answer_is_right_in_every_container(step):
    found, rejected = solutions(), []
    tries = [(name, way, form) for name in found for way in (function_of(*found[name]), EXERCISES[name].spec)
             for form in FORMS][::step]
    for name, way, form in tries:
        result = EXERCISES[name].grade(lambda *case, way=way, form=form: FORMS[form](way(*case)))
        if result.status != "right":
            rejected.append(f"{name} as {form}: {result.message}")
    print(f"{len(tries)} right answers: {len(rejected)} rejected")
    assert rejected == [], "\n".join(rejected)


def test_the_mutants_change_something():
    source = "def f(a, b):\n    return a.max() + b[1]"
    found = mutants(source)
    for part in ("a.min() + b[1]", "a.max() - b[1]", "a.max() + b[2]", "a + b[1]", "b.max() + b[1]",
                 "a.max() + b", "-(a.max() + b[1])", "a[::-1].max() + b[1]"):
        assert f"def f(a, b):\n    return {part}" in found
    assert source not in found
