"""Which columns fit, and what a cell looks like."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from tui.screens.services import SERVICE_COLUMNS
from tui.widgets.columns import Column, fit_runs, place
from tui.widgets.finding_columns import FINDING_COLUMNS, LAYER_COLUMNS, layer_rows, whole_line
from undercroft.model import Layer, Presence
from undercroft.views import FindingRow, ResourceRef, TowerLayer, TowerResource

TABLES: dict[str, Sequence[Column[Any]]] = {
    "services": SERVICE_COLUMNS,
    "findings": FINDING_COLUMNS,
    "layer": LAYER_COLUMNS,
}


@pytest.mark.parametrize("table", TABLES)
@given(width=st.integers(40, 240), gap=st.sampled_from([1, 2]))
def test_columns_never_exceed_the_room(table: str, width: int, gap: int) -> None:
    placed = place(TABLES[table], width, gap)
    used = sum(column.width for column in placed) + gap * (len(placed) - 1)
    assert placed
    if width >= 76:
        assert used <= width
    assert all(item.width >= item.column.width for item in placed)


def test_eighty_columns_keep_what_matters() -> None:
    services = [item.column.key for item in place(SERVICE_COLUMNS, 76)]
    assert services == [
        "score", "change", "name", "type", "tower", "open", "accepted", "claimed", "combinations",
    ]  # fmt: skip
    findings = {item.column.key: item.width for item in place(FINDING_COLUMNS, 76)}
    assert set(findings) >= {"severity", "title", "resource_name", "status"}
    assert findings["title"] >= 30


def test_what_is_least_needed_goes_first() -> None:
    columns = [
        Column("a", "A", 10, str),
        Column("b", "B", 10, str, drop=1),
        Column("c", "C", 10, str, drop=2),
    ]
    assert [item.column.key for item in place(columns, 32)] == ["a", "b", "c"]
    assert [item.column.key for item in place(columns, 31)] == ["a", "b"]
    assert [item.column.key for item in place(columns, 5)] == ["a"]


def test_a_finding_stands_beneath_its_resource_whatever_the_layer_of_that() -> None:
    def row(number: int, resource: str) -> FindingRow:
        values: dict[str, Any] = dict.fromkeys(FindingRow._fields, "")
        values |= {"id": f"f{number}", "resource_key": resource, "resource_name": resource.upper()}
        return FindingRow(**values)

    ref = ResourceRef(
        "role", "", "ROLE", "iam:role", Layer.IDENTITY, "aws", "", "", Presence.READ, implied=False
    )
    role = TowerResource(ref, (), 1.0, None, 0, 0, ())
    layer = TowerLayer(Layer.IDENTITY, None, 0, 0, (role,))
    rows = layer_rows(layer, [row(1, "role"), row(2, "model"), row(3, "model")], 3)
    said = ["".join(text for text, _ in whole_line(one) or [(one.key, "")]) for one in rows]
    assert [" ".join(words.split()) for words in said] == [
        "· ROLE iam:role nothing open",
        "f1",
        "MODEL of another layer",
        "f2",
        "f3",
    ]
    assert [one.owner for one in rows] == ["role", "role", "model", "", ""]


@given(
    st.lists(st.tuples(st.text(max_size=12), st.sampled_from(["", "muted"])), max_size=4),
    st.integers(1, 30),
    st.booleans(),
)
def test_a_cell_is_exactly_as_wide_as_its_column(
    cell: list[tuple[str, str]], width: int, right: bool
) -> None:
    fitted = fit_runs(cell, width, right=right)
    assert cell_len("".join(text for text, _ in fitted)) == width


def test_what_was_cut_shows_that_it_was() -> None:
    assert "".join(text for text, _ in fit_runs([("abc", ""), ("def", "")], 5)) == "abcd…"
    assert "".join(text for text, _ in fit_runs("推論サービス", 6)) == "推論… "
