"""The board in Chromium: rows against columns on one matrix, and who moves when a later token changes."""

import numpy as np
import pytest

import live_tools as tools
from moeviz import live, routing, text

SAID = "Who looks ahead?"


@pytest.fixture(scope="module")
def logits(stored):
    return stored.trace(SAID)[0].logits.astype(float).round(2)


def test_wrong_arguments_are_named(logits):
    with pytest.raises(ValueError, match="labels must have one entry per token"):
        live.board(logits, ["a"])
    with pytest.raises(ValueError, match="up to 24 tokens, got 25"):
        live.board(np.zeros((25, 2)), ["a"] * 25)


@pytest.fixture(scope="module")
def opened(logits, tmp_path_factory):
    with tools.opened(live.board(logits, text.byte_labels(SAID)), tmp_path_factory.mktemp("board")) as page:
        yield page


def chosen(page, which):
    tools.settle(page)
    classes = page.locator(".matrix").nth(which).locator(".cell").evaluate_all(
        "cells => cells.map(cell => cell.classList.contains('chosen'))")
    return np.array(classes).reshape(len(SAID), -1)


def assert_equal(page, logits, k, seats):
    assert np.array_equal(chosen(page, 0), routing.top_k(logits, k).chosen())
    assert np.array_equal(chosen(page, 1), routing.expert_choice(logits, seats).chosen())


@pytest.mark.browser
class TestBoard:
    def test_rows_and_columns_choose_as_in_numpy(self, page, logits):
        assert_equal(page, logits, 2, 4)
        page.get_by_label("k", exact=True).press("ArrowRight")
        assert_equal(page, logits, 3, 6)
        page.get_by_label("k", exact=True).press("End")
        assert_equal(page, logits, 8, 16)

    def test_a_later_token_moves_earlier_ones_of_expert_choice_alone(self, page, logits):
        page.get_by_role("button", name="Turn the last token round").click()
        turned = logits.copy()
        turned[-1] = turned[-1][::-1]
        assert_equal(page, turned, 2, 4)
        before, after = (routing.expert_choice(each, 4).chosen()[:-1] for each in (logits, turned))
        moved = int((before != after).any(axis=1).sum())
        assert moved > 0
        assert f"Token choice changed 0 of the 15 tokens before it, expert choice {moved}" in page.locator(
            ".told").inner_text()
        assert page.locator(".rowname.moved").count() == moved
        page.get_by_role("button", name="As given").tap()
        assert_equal(page, logits, 2, 4)

    def test_a_cell_is_marked_by_pointer_finger_and_keys_and_moved(self, page, logits):
        cell = page.get_by_role("button", name="?, expert 3: score").first
        cell.click()
        page.get_by_label("score of the marked cell").fill("6.5")
        edited = logits.copy()
        edited[-1, 3] = 6.5
        assert_equal(page, edited, 2, 4)
        cell.press("ArrowUp")
        page.keyboard.press("ArrowRight")
        page.get_by_label("score of the marked cell").fill("-7")
        edited[-2, 4] = -7
        assert_equal(page, edited, 2, 4)
        page.locator(".matrix").nth(1).locator(".cell").nth(0).tap()
        page.get_by_label("score of the marked cell").press("Home")
        edited[0, 0] = -8
        assert_equal(page, edited, 2, 4)

    @pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 400)])
    def test_axe_finds_nothing_and_the_page_fits(self, page, scheme, width):
        page.get_by_role("button", name="Turn the last token round").click()
        tools.assert_accessible(page, scheme, width)
