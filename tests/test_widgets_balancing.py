"""The explorer of notebook 07 trains with the coefficient that was chosen."""

import pytest

from cases import cases
from moeviz import widgets
from moeviz.style import describe

pytestmark = pytest.mark.slow


def test_a_larger_coefficient_brings_experts_back():
    none, some = (widgets.draw_balance(coefficient=c, steps=150) for c in (0.0, 0.3))
    assert "dead: none" not in describe(none) and "dead: none" in describe(some)


def test_the_same_settings_give_the_same_picture():
    one, other = (widgets.draw_balance(steps=20, seed=2).get_title() for _ in range(2))
    assert one == other != widgets.draw_balance(steps=20, seed=3).get_title()


@cases("values, name", [
    ({"coefficient": -1.0}, "coefficient"), ({"mean": float("nan")}, "mean"),
    ({"steps": 1}, "steps"), ({"seed": -1}, "seed")])
def test_bad_values_are_named(values, name):
    with pytest.raises(ValueError, match=f"^{name} must"):
        widgets.draw_balance(**values)
