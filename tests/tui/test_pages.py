"""The cache of pages, and the selection."""

from __future__ import annotations

from tui.widgets.marks import Marks
from tui.widgets.pages import Pages


def test_a_page_is_asked_for_once() -> None:
    pages: Pages[int] = Pages(10, 3)
    assert pages.missing(14) == 10
    assert pages.missing(17) is None
    pages.put(10, list(range(10, 20)))
    assert pages.row(14) == 14
    assert pages.missing(14) is None


def test_a_page_that_did_not_come_may_be_asked_for_again() -> None:
    pages: Pages[int] = Pages(10, 3)
    pages.missing(5)
    pages.forget(0)
    assert pages.missing(5) == 0


def test_memory_is_bounded_and_what_was_used_last_stays() -> None:
    pages: Pages[int] = Pages(10, 3)
    for start in (0, 10, 20):
        pages.put(start, [start] * 10)
    assert pages.missing(5) is None  # touched: the first is the youngest now
    pages.put(30, [30] * 10)
    assert len(pages) == 3
    assert pages.row(5) == 0
    assert pages.row(15) is None


def test_outdated_rows_are_shown_until_they_are_replaced() -> None:
    pages: Pages[str] = Pages(2, 3)
    pages.put(0, ["old", "old"])
    pages.outdate()
    assert pages.row(0) == "old"
    assert pages.missing(0) == 0
    pages.put(0, ["new", "new"])
    assert pages.row(0) == "new"
    assert pages.missing(0) is None


def test_a_complete_list_asks_for_nothing() -> None:
    pages: Pages[int] = Pages(2, 1)
    pages.fill([1, 2, 3])
    assert [pages.row(index) for index in range(4)] == [1, 2, 3, None]
    assert pages.missing(3) is None


def test_marks_all_with_exceptions() -> None:
    marks = Marks()
    marks.toggle("a")
    assert ("a" in marks, marks.count(1000)) == (True, 1)
    marks.all()
    assert ("zzz" in marks, marks.count(1000)) == (True, 1000)
    marks.toggle("b")
    assert ("b" in marks, marks.count(1000)) == (False, 999)
    marks.add(["b"])
    assert marks.count(1000) == 1000
    marks.all()
    assert not marks
