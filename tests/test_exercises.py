"""Every exercise knows the stub, rejects each typical mistake by name and accepts the notebook's solution."""

import ast

import pytest

from moeviz.exercises import check
from moeviz.exercises.engine import Exercise
from tools import notebooks

EXERCISES = {name: value for name, value in vars(check).items() if isinstance(value, Exercise)}
TASKS = [(path, task) for path in notebooks.paths() for task in notebooks.tasks(notebooks.load(path))]
MISTAKES = [(name, sentence) for name, exercise in EXERCISES.items() for sentence in exercise.mistakes]


def world(notebook):
    """Return the names that an exercise may build on: the notebook's imports, functions and solutions."""
    cells = notebooks.code_cells(notebooks.fill_solutions(notebook))
    body = [node for cell in cells for node in notebooks.parse(cell.source).body
            if isinstance(node, (ast.Import, ast.ImportFrom, ast.FunctionDef))]
    names = {}
    exec(compile(ast.Module(body, []), "notebook", "exec"), names)
    return names


def function_of(source, names):
    """Return the function that a stub or a solution defines."""
    scope = dict(names)
    exec(source, scope)
    return scope[notebooks.parse(source).body[-1].name]


@pytest.mark.parametrize(("path", "task"), TASKS, ids=lambda value: getattr(value, "name", None))
def test_stub_and_solution(path, task):
    names = world(notebooks.load(path))
    exercise = EXERCISES[task.name]
    assert exercise.grade(function_of(task.stub, names)).status == "not attempted"
    result = exercise.grade(function_of(task.solution, names))
    assert result.status == "right", result.message


@pytest.mark.parametrize(("name", "sentence"), MISTAKES, ids=lambda value: value[:40])
def test_mistake_is_rejected_and_named(name, sentence):
    result = EXERCISES[name].grade(EXERCISES[name].mistakes[sentence])
    assert result.status in ("wrong shape", "wrong value", "error")
    assert sentence in result.message


@pytest.mark.parametrize("name", EXERCISES)
def test_exercise_is_complete(name):
    exercise = EXERCISES[name]
    assert exercise.name == name
    assert exercise.grade(exercise.spec).status == "right"
    assert len(exercise.cases) >= 2
    assert len(exercise.mistakes) >= 2


def test_every_exercise_stands_in_one_notebook():
    assert sorted(task.name for _, task in TASKS) == sorted(EXERCISES)
