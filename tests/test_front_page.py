"""The first pages that a newcomer meets keep up with what they show."""

import re

import pytest
from nbformat.v4 import new_markdown_cell, new_notebook

from test_layering import ORDER
from tools import front_page, layers, notebooks
from tools.notebooks import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_map_is_that_of_the_notebooks():
    between = README.partition(front_page.START)[2].partition(front_page.END)[0]
    assert between.strip() == front_page.make_map().strip(), "run `python -m tools.front_page map`"


def test_the_moving_picture_is_there_and_light():
    assert f"]({front_page.PICTURE.relative_to(ROOT).as_posix()})" in README
    assert 0 < front_page.PICTURE.stat().st_size <= front_page.LARGEST


def test_the_first_screen_says_what_it_is_and_how_to_start():
    screen = "\n".join(README.splitlines()[:28])
    assert front_page.PICTURE.name in screen and "python start.py" in screen
    assert not re.search(r"OWNER|ADDRESS|TODO|example\.org", README)


def test_a_notebook_without_an_opening_is_named(tmp_path):
    path = tmp_path / "07_x.ipynb"
    notebooks.save(new_notebook(cells=[new_markdown_cell("# Only a title")]), path)
    with pytest.raises(ValueError, match=r"07_x\.ipynb opens without"):
        front_page.opening(path)


def test_the_picture_of_the_layers_shows_each_once_and_in_its_order():
    shown = [room for _, rooms, _ in layers.STOREYS for room in rooms]
    assert shown == list(ORDER)
    page = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    assert f"]({layers.PICTURE.relative_to(ROOT).as_posix()})" in page
    written = layers.PICTURE.read_text(encoding="utf-8")
    assert all(room in written for room in shown), "run `python -m tools.layers`"
