"""The plane and the seats in Chromium, held to NumPy move by move."""

from dataclasses import replace

import numpy as np
import pytest

import live_tools as tools
from cases import cases
from moeviz import capacity, live, routing, text
from moeviz.plots.gate import find_regions, polygon_area

WORDS = ["the", "cat", "sat", "on", "42", "."]
TOKENS = np.array([[2, 0.5], [1, 1], [-1, 2], [1, -2], [-2, -1], [0.5, 0.5]])
GATE = np.array([[1.0, 0.0, -1.0, 0.0], [0.0, 1.0, 0.0, -1.0]])
SAID = "Who gets a seat when 34 bytes come"
AXES = [("light", 1280), ("dark", 400)]
CODE = {"np": np, "routing": routing, "capacity": capacity, "replace": replace}


@cases(("arguments", "message"), [
    ({"gate": GATE.T}, "must have width 2"), ({"tokens": np.ones((2, 3))}, "must have width 2"),
    ({"labels": ["a"]}, "labels must have one entry per token")])
def test_wrong_planes_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        live.plane(**({"gate": GATE, "tokens": TOKENS} | arguments))


def test_wrong_seats_are_named(stored):
    with pytest.raises(ValueError, match="labels must have one entry per token"):
        live.seats(stored.route(SAID)[0], ["a"])
    with pytest.raises(ValueError, match="up to 200 tokens, got 201"):
        live.seats(stored.route("a" * 201)[0], ["a"] * 201)


@pytest.fixture(scope="module")
def opened(stored, tmp_path_factory):
    """Open a page; `files` holds where each view lies."""
    files = {name: tmp_path_factory.mktemp(name) for name in ("plane", "seats")}
    with tools.opened(live.plane(GATE, TOKENS, labels=WORDS), files["plane"]) as page:
        page.files = {"plane": files["plane"] / "live.html", "seats": tools.write(
            live.seats(stored.route(SAID)[0], text.byte_labels(SAID)), files["seats"])}
        yield page


@pytest.fixture
def plane(page):
    page.goto(page.files["plane"].as_uri())
    return page


@pytest.fixture
def seats(page):
    page.goto(page.files["seats"].as_uri())
    return page


def counts(page, column=0):
    tools.settle(page)
    cells = page.locator(".planerow .count").all_inner_texts()
    return [int(cell.removesuffix("%")) for cell in cells[column::2]]


def line(page):
    tools.settle(page)
    return eval(page.locator("code").inner_text(), {**CODE, "tokens": TOKENS})


@pytest.mark.browser
class TestPlane:
    def test_pointer_keys_and_buttons_move_arrows_as_numpy_would(self, plane):
        def agree():
            routed = line(plane)
            assert counts(plane) == np.bincount(routed.expert_index[:, 0], minlength=4).tolist()
            return routed.expert_index[:, 0].tolist()

        before = agree()
        assert before == [0, 0, 1, 3, 2, 0]  # the ties of "cat" and "." go to expert 0
        box = plane.locator(".arrow circle").nth(1).bounding_box()
        plane.mouse.move(box["x"] + 5, box["y"] + 5)
        plane.mouse.down()
        plane.mouse.move(box["x"] + 110, box["y"] - 40, steps=3)
        plane.mouse.up()
        dragged = agree()
        assert dragged != before
        box = plane.locator(".arrow circle").nth(2).bounding_box()
        tools.drag_by_finger(plane, (box["x"] + 5, box["y"] + 5), (box["x"] + 5, box["y"] - 145))
        assert agree() != dragged
        arrow = plane.get_by_role("slider", name="Arrow of expert 3")
        for key in ("ArrowLeft", "Shift+ArrowDown", "ArrowUp", "ArrowRight", "ArrowRight"):
            arrow.press(key)
        tools.settle(plane)
        assert arrow.get_attribute("aria-valuetext") == "0.1 right, −1.4 up"
        agree()
        plane.get_by_label("bias of expert 2").fill("2.5")
        assert agree() != dragged
        plane.get_by_role("button", name="As typed").tap()
        assert agree() == before

    def test_areas_are_those_of_the_figure(self, plane):
        plane.get_by_role("button", name="Expert 0 longer").click()
        plane.get_by_label("bias of expert 3").fill("1")
        gate, bias = GATE * [2.5, 1, 1, 1], np.array([0.0, 0, 0, 1])
        shares = [polygon_area(region) / 25 for region in find_regions(gate, bias, 2.5)]
        assert counts(plane, 1) == [pytest.approx(100 * share, abs=0.51) for share in shares]

    def test_two_arrows_on_one_line_show_the_tie_rule(self, plane):
        plane.get_by_role("button", name="Two arrows on one line").click()
        assert counts(plane)[1] == counts(plane, 1)[1] == 0
        assert "Expert 1 owns nothing" in plane.locator(".told").inner_text()

    @pytest.mark.parametrize(("scheme", "width"), AXES)
    def test_axe_finds_nothing_and_the_page_fits(self, plane, scheme, width):
        tools.assert_accessible(plane, scheme, width)


def dropped(page):
    tools.settle(page)
    return int(page.locator(".figures b").first.inner_text())


@pytest.mark.browser
class TestSeats:
    @pytest.mark.parametrize("order", ["choice", "token", "score", "random"])
    def test_the_same_choices_find_a_seat_as_in_numpy(self, seats, stored, order):
        routed = stored.route(SAID)[0]
        seats.get_by_label("seats by").select_option(order)
        for factor, groups in ((1.0, 1), (0.5, 2), (1.25, 1)):
            seats.get_by_label("capacity factor").fill(str(factor))
            seats.get_by_label("groups").select_option(str(groups))
            tools.settle(seats)
            limited = eval(seats.locator("code").inner_text(), {**CODE, "routed": routed})
            assert dropped(seats) == (~limited.kept).sum()
            hatched = [("lost" in kind, "partly" in kind) for kind in seats.locator(".token").evaluate_all(
                "tokens => tokens.map(token => token.className)")]
            lost = (~limited.kept).sum(axis=1)
            assert hatched == [(count == 2, count == 1) for count in lost]

    def test_what_to_press_stands_apart_from_the_tokens(self, seats):
        note, tokens = (seats.locator(part).first.bounding_box() for part in (".tale", ".strip"))
        assert tokens["y"] - note["y"] - note["height"] >= 5

    def test_padding_takes_no_seat(self, seats, stored):
        seats.get_by_label("capacity factor").press("Home")
        before = dropped(seats)
        seats.locator(".token").nth(1).click()
        seats.locator(".token").nth(2).tap()
        seats.locator(".token").nth(3).press("Space")
        limited = eval(seats.locator("code").inner_text(), {**CODE, "routed": stored.route(SAID)[0]})
        assert dropped(seats) == (~limited.kept).sum() - 6 < before
        seats.get_by_role("button", name="No padding").click()
        assert dropped(seats) == before

    def test_choices_arrive_one_by_one(self, seats):
        arrived = seats.get_by_label("arrived")
        arrived.press("Home")
        arrived.press("ArrowRight")
        tools.settle(seats)
        assert seats.locator(".bench .taken").count() == 1
        assert "sits down on seat 1" in seats.locator(".told").inner_text()
        seats.get_by_role("button", name="Watch them arrive").click()
        seats.get_by_role("button", name="Stop").wait_for()
        seats.get_by_role("button", name="Watch them arrive").wait_for()
        assert arrived.input_value() == str(2 * len(SAID))

    def test_a_token_pointed_at_is_found_in_its_seats(self, seats):
        seats.locator(".token").nth(0).hover()
        tools.settle(seats)
        assert seats.locator(".bench .pointed").all_inner_texts() == ["W", "W"]

    @pytest.mark.parametrize(("scheme", "width"), AXES)
    def test_axe_finds_nothing_and_the_page_fits(self, seats, scheme, width):
        tools.assert_accessible(seats, scheme, width)
