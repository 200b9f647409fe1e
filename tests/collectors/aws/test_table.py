"""The page about AWS is what the collectors are."""

from __future__ import annotations

from tests.collectors.aws.table import PAGE, page


def test_the_page_has_the_types_as_they_are_read() -> None:
    text = PAGE.read_text("utf-8")
    assert text == page(text), "run make tables"
    assert "| sagemaker:endpoint | list_endpoints, describe_endpoint, " in text
