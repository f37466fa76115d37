"""The thumbnails of the README: each from a picture that its notebook keeps, small, with numbers in words."""

import io

import numpy as np
import pytest
from PIL import Image

from tools import gallery


def test_the_readme_holds_the_gallery_between_the_commands_and_the_list():
    text = gallery.README.read_text(encoding="utf-8")
    assert gallery.table() in text
    assert text.index("## Start") < text.index(gallery.START) < text.index("## The notebooks")


def test_twelve_notebooks_are_shown_and_nothing_else_lies_there():
    names = [notebook for notebook, *_ in gallery.PICTURES]
    assert len(set(names)) == 12
    assert {path.name for path in gallery.FOLDER.iterdir()} == {f"{name}.png" for name in names}


@pytest.mark.parametrize(("notebook", "which", "words"), gallery.PICTURES, ids=lambda value: str(value)[:2])
def test_a_thumbnail_is_small_and_shows_its_notebook(notebook, which, words):
    file = gallery.FOLDER / f"{notebook}.png"
    with Image.open(file) as stored:
        assert stored.size == gallery.SIZE and stored.mode == "P"
        shown = np.asarray(stored.convert("L"), float)
    assert file.stat().st_size <= gallery.LARGEST == 40_000
    with Image.open(io.BytesIO(gallery.thumbnail(gallery.kept(notebook)[which]))) as made:
        fresh = np.asarray(made.convert("L"), float)
    assert np.abs(shown - fresh).mean() < 4, "run python -m tools.gallery"
    assert any(letter.isdigit() for letter in words)
    assert 1 <= len(gallery.kept(notebook)) <= 3
