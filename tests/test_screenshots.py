"""The pictures in screenshots/ show what the program does now; styling is left to ``--check``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import screenshots
from screenshots.grid import Cell, Grid, Look
from screenshots.pictures import PICTURES, take
from screenshots.stage import Stage
from screenshots.svg import draw, text_of
from tui.places import PLACES

FOLDER = Path(screenshots.__file__).parent
LOOKED_AT = ("services-80x24", "service-layer-80x24", "rules", "accept-80x24")
"""Between them: the list, the tower's layer, the detail of a rule, a dialog."""
AGAIN = "run `make screenshots` and look at what changed"


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    with Stage.build() as built:
        yield built


@pytest.mark.parametrize("name", LOOKED_AT)
async def test_picture_shows_what_the_program_shows(stage: Stage, name: str) -> None:
    picture = next(one for one in PICTURES if one.name == name)
    kept = (FOLDER / f"{name}.svg").read_text(encoding="utf-8")
    now = draw(await take(picture, stage), picture.words)
    assert text_of(kept).splitlines() == text_of(now).splitlines(), AGAIN


def test_every_screen_has_a_picture() -> None:
    assert {one.place for one in PICTURES if one.place} == set(PLACES)


def test_every_picture_is_kept_and_nothing_else() -> None:
    assert {path.stem for path in FOLDER.glob("*.svg")} == {one.name for one in PICTURES}, AGAIN
    assert (FOLDER / "services.png").stat().st_size > 10_000


def test_names_are_told_apart() -> None:
    assert len({one.name for one in PICTURES}) == len(PICTURES)


def test_drawn_text_is_read_back_and_markup_is_text() -> None:
    look = Look("#ffffff", bold=True)
    words = "a  <b>&amp; ▌█──x"
    row = [Cell(char, look if char != " " else Look(), "#101010") for char in words]
    picture = draw(Grid(len(words), 1, "#101010", [row]), "<title>")
    assert text_of(picture) == words
    assert "<b>" not in picture
    assert "<title>" not in picture


def test_a_picture_of_something_else_is_refused() -> None:
    with pytest.raises(ValueError, match="no picture of a terminal"):
        Grid.read("<svg xmlns='http://www.w3.org/2000/svg'/>", 80, 24)
