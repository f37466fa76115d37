"""Every exercise: its stub, its solution in any container, its mistakes, and answers that must not pass.

What must not pass are answers that once did, or that were named after a mistake which they do not make. The
mutants of all solutions are in test_exercise_mutants.
"""

import ast
import copy
import inspect
import itertools
import re

import numpy as np
import pytest

from moeviz.arrays import sigmoid, softmax, top_k_index
from moeviz.exercises import answers, check
from moeviz.exercises.engine import Exercise, Outcome
from tools import notebooks

EXERCISES = {name: value for name, value in vars(check).items() if isinstance(value, Exercise)}
EXAMPLE = re.compile(r"For `(my_\w+\(.*?\))` the answer is (?:`([^`]+)`|(\d+))")


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


def loosely(value):
    """Return an answer in other containers: lists for arrays and tuples, single precision, 0-d numbers."""
    if isinstance(value, (tuple, list)):
        return [loosely(item) for item in value]
    array = np.asarray(value)
    array = array.astype(np.float32) if array.dtype.kind == "f" else array
    return list(array) if array.ndim else value if array.dtype.kind == "U" else array


def test_stubs_and_solutions_of_all_notebooks():
    found = []
    for path in notebooks.paths():
        notebook = notebooks.load(path)
        names = world(notebook)
        for task in notebooks.tasks(notebook):
            exercise, solution = EXERCISES[task.name], function_of(task.solution, names)
            stub = function_of(task.stub, names)
            assert exercise.notebook == int(path.stem[:2])
            assert exercise.parameters == tuple(inspect.signature(stub).parameters)
            assert exercise.grade(stub).status == "not attempted"
            for answer in (solution, lambda *case, solve=solution: loosely(solve(*case))):
                result = exercise.grade(answer)
                assert result.status == "right", f"{task.name}: {result.message}"
            found.append(task.name)
    assert sorted(found) == sorted(EXERCISES)


def test_worked_examples_written_as_calls_are_right():
    found = 0
    for path in notebooks.paths():
        notebook = notebooks.load(path)
        names = world(notebook)
        for cell in notebooks.markdown_cells(notebook):
            for written, *answer in EXAMPLE.findall(cell.source):
                assert answers.agree(eval(written, names), eval("".join(answer), names)), written
                found += 1
    assert found >= 7


def differ(one, other):
    """Say whether two functions' outcomes on the cases of an exercise differ anywhere."""
    return any(type(a.error) is not type(b.error) or not (a.error or answers.agree(a.value, b.value))
               for a, b in zip(one, other, strict=True))


@pytest.mark.slow
def run(function, case):
    """Return the Outcome of a function of the library, which needs no limit and no silence."""
    try:
        return Outcome(function(*copy.deepcopy(case)), None, False, "")
    except Exception as error:  # a mistake may be one
        return Outcome(None, error, False, "")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", EXERCISES)
def test_no_mistake_passes_or_can_be_taken_for_another(name):
    exercise = EXERCISES[name]
    assert exercise.name == name and len(exercise.mistakes) >= 3
    outcomes = {sentence: [run(function, trial.case) for trial in exercise.trials]
                for sentence, function in {"right": exercise.spec, **exercise.mistakes}.items()}
    for (one, left), (other, right) in itertools.combinations(outcomes.items(), 2):
        assert differ(left, right), f"{one} | {other}"
    *_, (sentence, mistake) = exercise.mistakes.items()
    assert exercise.grade(mistake).mistake == sentence


def _served(expert_index, weights, mask, seats, num_experts):
    return check.served.spec(expert_index, weights, mask, seats, num_experts)


def _violations(expert_index, num_experts, mask, measure):
    counts = [np.bincount(layer.ravel(), minlength=num_experts) for layer in expert_index[:, mask]]
    return np.array([measure(c) for c in counts])


def wire_bytes_without_homes(device, home, width, number_bytes):
    return 2 * sum(len(set(row) - {0}) for row in device.tolist()) * width * number_bytes


def crossover_of_square_heads(d_model, heads, kv_heads, head_dim, hidden, k):
    projections = 2 * d_model * (2 * d_model + 2 * kv_heads * head_dim)
    return (6 * k * d_model * hidden - projections) / (4 * d_model)


def within_two_scripts(experts, languages, scripts):
    each = [check.within_script.spec(experts[scripts == s], languages[scripts == s], scripts[scripts == s])
            for s in (0, 1) if (scripts == s).any()]
    return each[0] * (scripts == 0).mean() + each[-1] * (scripts == 1).mean()


def layers_with_padding_at_the_end(expert_index, num_experts, mask):
    real = np.arange(len(mask)) < mask.sum()
    return check.layers.spec(expert_index, num_experts, real)


def next_best_masked_with_minus_2(logits, seats):
    free, chosen = np.full(logits.shape[1], seats), []
    for row in logits:
        chosen.append(int(np.where(free > 0, row, -2).argmax()))
        free[chosen[-1]] -= 1
    return np.array(chosen)


def favourites_over_experts(first_choice, kinds, num_experts, num_kinds):
    return check.favourites.spec(first_choice, np.minimum(kinds, num_experts - 1), num_experts, num_experts)


def scopes_without_minlength(probs):
    f = [np.bincount(part.argmax(axis=1)) / len(part) for part in probs]
    p = probs.mean(axis=1)
    return (np.mean([probs.shape[2] * (a * b).sum() for a, b in zip(f, p, strict=True)]),
            probs.shape[2] * (np.mean(f, axis=0) * p).sum(axis=1).mean())


def repaired_shifted_as_a_whole(tokens, gate, k):
    powers = np.exp(tokens @ gate - (tokens @ gate).max())
    index = np.argsort(-powers, axis=1, kind="stable")[:, :k]
    chosen = np.take_along_axis(powers, index, axis=1)
    return index, chosen / chosen.sum(axis=1, keepdims=True)


def threshold_by_value(noisy, k):
    return np.array([-np.sort(-noisy[noisy != noisy[i]])[k - 1:k].sum() for i in range(len(noisy))])


def overheard_by_cutting(route, logits, cut):
    return int((route(logits)[:cut] != route(logits[:cut])).any(axis=1).sum())


def overheard_by_expert(route, logits, cut):
    turned = np.vstack([logits[:cut], logits[cut:, ::-1]])
    return int((route(logits)[:cut] != route(turned)[:cut]).any(axis=0).sum())


def nothing_but_nan(*case):
    return np.nan


# exercise: answers that must not pass, as the review's tries found them
WRONG = {
    "load": [lambda i, e: np.bincount(i.ravel(), minlength=e) / (2 * len(i)),
             lambda i, e: np.bincount(i[:, :2].ravel(), minlength=e) / i[:, :2].size],
    "combine": [lambda a, w: (w @ a)[:3], lambda a, w: w[:2] @ a[:2],
                lambda a, w: np.array([w @ a[:, 0], w @ a[:, 1], w @ a[:, 2]])],
    "favourites": [favourites_over_experts, lambda f, k, e, n: np.zeros(e, int)],
    "repaired": [repaired_shifted_as_a_whole],
    "threshold": [threshold_by_value],
    "waste": [lambda c, s: (max(c.max() - s, 0) / c.sum(), max(s - c.min(), 0) / (s * len(c))),
              lambda c, s: (check.waste.spec(c, s)[0], np.maximum(s - c, 0).sum() / (s * (c > 0).sum()))],
    "moves": [lambda c: c.max() - c.mean(), lambda c: int((c - c.mean())[0]), lambda c: (c > c.mean()).sum()],
    "layers": [layers_with_padding_at_the_end,
               lambda i, e, m: _violations(i, e, m, lambda c: np.abs(c - c.mean()).max() / c.mean()),
               lambda i, e, m: _violations(i, e, m, lambda c: c[0] / c.mean() - 1),
               lambda i, e, m: _violations(i, e, m, lambda c: c.max() / max(c.sum() // len(c), 1) - 1)],
    "entropies": [lambda p, i: tuple(v * np.log(p.shape[1]) / np.log(4) for v in check.entropies.spec(p, i)),
                  nothing_but_nan],
    "seated": [lambda i, s: check.seated.spec(i[:, :2], s)],
    "dead": [lambda load: (load <= 0.1 / len(load)).sum(), lambda load: (load < load.max() / 10).sum(),
             lambda load: (load < 0.025).sum()],
    "switch_gradient": [lambda p, f: check.switch_gradient.spec(p, p.mean(axis=0)),
                        lambda p, f: check.switch_gradient.spec(p, np.ones_like(f) / len(f))],
    "thermostat": [lambda b, load, r: b + r * np.sign((load.max() + load.min()) / 2 - load),
                   lambda b, load, r: b - r * (load == load.max()) * (load > load.mean()),
                   lambda b, load, r: b + r * np.sign(np.median(load) - load)],
    "scopes": [scopes_without_minlength],
    "overheard": [lambda route, z, cut: int((route(z) != route(z[:, ::-1])).any(axis=1)[cut:].sum()),
                  overheard_by_cutting],
    "reading": [lambda p, i, kept: tuple(v * len(p) / max(kept.any(axis=1).sum(), 1)
                                         for v in check.reading.spec(p, i, kept))],
    "leaked": [lambda b, a, cut: ((b - a)[:cut] > 1e-9).any(axis=1).mean(),
               lambda b, a, cut: ((a - b)[:cut] > 1e-9).any(axis=1).mean()],
    "next_best": [next_best_masked_with_minus_2],
    "tolerance": [lambda f: check.tolerance.spec(f"{float(f[:-1]):g}{f[-1]}"),
                  lambda f: 0.05 / float(f[:-1])],
    "intensity": [lambda b, e, k, w: 2 * (b * k // e) / w, lambda b, e, k, w: 2 * b * k // e / w],
    "step_time": [lambda i, n, w, p, b: check.step_time.spec(i, n, 2, p, b),
                  lambda i, n, w, p, b: max(2 * np.bincount(i.ravel()).max() * n / p, n * w / b)],
    "chip": [lambda f, m, p, b, c, t: int(c.argmin())],
    "reach": [lambda f, x, t: np.exp(np.interp(-t, -x, np.log(f), left=np.nan, right=np.nan))
              if x[-1] < t < x[0] else np.nan, nothing_but_nan,
              lambda f, x, t: check.reach.spec(10.0 ** np.arange(len(f)), x, t)],
    "factor": [lambda fs, s, fd, d: check.reach.spec(fd, np.median(d, axis=0), np.median(s[:, -1])) / fs[-1]],
    "crossover": [crossover_of_square_heads],
    "within_script": [within_two_scripts],
    "rule": [lambda z, i, w: "all" if w.sum() < len(w) - 0.001 else "chosen",
             lambda z, i, w: check.rule.spec(z, np.argsort(-z, axis=1)[:, :i.shape[1]], w)],
    "straggle": [lambda load: (load.max() / (load.sum() // len(load) or 1),
                               1 - load.sum() // len(load) / load.max())],
    "device_load": [lambda load, hosts: hosts @ (load / 2),
                    lambda load, hosts: hosts @ np.where(hosts.sum(axis=0) > 1, load / 2, load)],
    "wire_bytes": [wire_bytes_without_homes],
    "identical": [lambda i, n: check.identical.spec(i, min(n, 3)),
                  lambda i, n: check.identical.spec(np.sign(i), n)],
    "lru_hits": [lambda r, s: len(r) - len(set(r.tolist()))],
    "read_bytes": [lambda i, e, s, b: (s + len(np.unique(i)) * e) * (b // 8 or 1),
                   lambda i, e, s, b: (s + len(np.unique(i[:, :2])) * e) * b / 8],
    "known_load": [lambda x, w, n: check.known_load.spec(x, min(w, 3), n),
                   lambda x, w, n: check.known_load.spec(x, w, min(n, 3))],
    "weighed": [lambda z, n, b, k, t: check.weighed.spec(z, n, b, min(2, z.shape[1]), t)],
    "served": [lambda i, w, m, s, e: np.hstack([_served(i[:, :2], w[:, :2], m, s, e), 0 * w[:, 2:]])],
}


@pytest.mark.parametrize("name", WRONG)
def test_an_answer_that_is_wrong_in_a_corner_does_not_pass(name):
    for number, answer in enumerate(WRONG[name]):
        status = EXERCISES[name].grade(answer).status
        assert status in ("wrong value", "wrong shape", "error"), f"{name} {number}"


def lru_never_full(requests, size):
    held, hits = [], 0
    for expert in requests.tolist():
        hits += expert in held
        held.append(expert)
    return hits


def lru_without_remove(requests, size):
    held, hits = [], 0
    for expert in requests.tolist():
        if expert in held:
            hits += 1
        elif len(held) >= size:
            held.pop(0)
        held.append(expert)
    return hits


# exercise: (answer, words of the mistake that it makes, or None where no sentence may be given)
NAMED = {
    "load": [(lambda i, e: print(i), None)],
    "lru_hits": [(lru_without_remove, "stands in the cache twice"), (lru_never_full, "nobody ever left")],
    "favourites": [(lambda f, k, e, n: np.zeros(e, int), None)],
    "overheard": [(overheard_by_expert, "count the tokens"), (overheard_by_cutting, "cut off")],
    "dead": [(lambda load: int((load < 0.1 * load.max()).sum()), "a tenth of the busiest")],
    "entropies": [(nothing_but_nan, None), (lambda p, i: (np.nan, np.nan), None)],
    "reach": [(nothing_but_nan, None)],
    "waste": [(lambda c, s: (1 - s * len(c) / c.sum(), 1 - c.sum() / (s * len(c))), "differences below 0")],
}


@pytest.mark.parametrize("name", NAMED)
def test_a_mistake_is_called_by_its_own_name_or_by_none(name):
    for answer, words in NAMED[name]:
        mistake = EXERCISES[name].grade(answer).mistake
        assert mistake is None if words is None else mistake and words in mistake, f"{name}: {mistake}"


def survivors_by_loop(logits, k):
    weights = 0 * logits
    for row, out in zip(logits, weights, strict=True):
        best = sorted(range(len(row)), key=lambda e: (-row[e], e))[:k]
        out[best] = softmax(row[best])
    return weights.tolist()


def biased_by_top_k_index(logits, bias, k):
    index = top_k_index(sigmoid(logits) + bias, k)
    weights = np.take_along_axis(sigmoid(logits), index, axis=1)
    return [index, (weights.T / weights.sum(axis=1)).T]


# other right ways, each once rejected or near to what is rejected
RIGHT = {
    "survivors": [survivors_by_loop],
    "biased": [biased_by_top_k_index],
    "dead": [lambda load: np.count_nonzero(load * len(load) < 0.1),
             lambda load: sum(load < 1 / len(load) / 10)],
    "seats": [lambda t, e, k, f: max(-(-k * t * f // e), 1)],
    "wanted": [lambda w: np.log(w / w[:, [0]])],
    "moves": [lambda c: np.abs(c - c.mean()).sum() / 2,
              lambda c: sum(max(x - c.sum() // len(c), 0) for x in c)],
    "leaked": [lambda b, a, cut: 1 - np.isclose(b, a, rtol=0, atol=1e-9)[:cut].all(axis=1).mean()],
    "straggle": [lambda load: np.array([load.max() / load.mean(), 1 - load.mean() / load.max()])],
    "rule": [lambda z, i, w: np.str_(check.rule.spec(z, i, w))],
    "wire_bytes": [lambda d, h, w, n: 2 * w * n * sum(len(np.setdiff1d(d[t], h[t])) for t in range(len(h)))],
    "chip": [lambda f, m, p, b, c, t: min(((c[i], i) for i in range(len(c)) if max(f / p[i], m / b[i]) <= t),
                                          default=(0, -1))[1]],
}


@pytest.mark.parametrize("name", RIGHT)
def test_another_right_way_is_right(name):
    for answer in RIGHT[name]:
        result = EXERCISES[name].grade(answer)
        assert result.status == "right", result.message
