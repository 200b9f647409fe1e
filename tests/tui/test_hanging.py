"""Long lines go on beneath where their words began."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from textual.content import Content

from tui.widgets.hanging import hanging


@pytest.mark.parametrize(
    ("line", "rows"),
    [
        ("one two three four five", ["one two three ", "four five"]),
        ("▲ one two three four five", ["▲ one two three ", "  four five"]),
        ("│  ▲ one two three four", ["│  ▲ one two", "three four"]),
        ("│▲ one two three four", ["│▲ one two three", "│  four"]),
        ("├─ one two three four", ["├─ one two three", "│  four"]),
        ("└─ one two three four", ["└─ one two three", "   four"]),
        ("  $ aws iam put-role --x y", ["  $ aws iam ", "    put-role --x", "    y"]),
        ("“one two” three four five", ["“one two” three ", "four five"]),
        ("          one two three", ["          one", "two three"]),
    ],
)
def test_what_is_too_long_goes_on_beneath_its_words(line: str, rows: list[str]) -> None:
    found = hanging(Content(line), 16).plain.split("\n")
    assert [row.rstrip() for row in found] == [row.rstrip() for row in rows]


@settings(max_examples=60)
@given(st.text(alphabet="ab 字│├└─▲$“\n", max_size=80), st.integers(2, 40))
def test_nothing_is_lost_and_every_line_fits(text: str, width: int) -> None:
    found = hanging(Content(text), width)
    assert all(row.cell_length <= width for row in found.split("\n", allow_blank=True))
    words = [char for char in text if char in "ab字▲$“"]
    assert [char for char in found.plain if char in "ab字▲$“"] == words


def test_styles_stay_with_their_words() -> None:
    text = Content.assemble(("▲ ", "red"), ("one two three ", "bold"), ("four five", "italic"))
    found = hanging(text, 16)
    span = next(span for span in found.spans if span.style == "italic")
    assert "".join(found.plain[span.start : span.end].split()) in "fourfive"
