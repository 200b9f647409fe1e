"""Cleaning, cutting and wording of text."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from tui.text import (
    ago,
    clip,
    clip_middle,
    content,
    days_left,
    kind_of,
    pad,
    place_of,
    shown,
)
from tui.widgets.finding_text import evidence_text
from undercroft.model import Evidence
from undercroft.text import minute

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
ANY_TEXT = st.text(st.characters(codec=None), max_size=60)


@given(ANY_TEXT)
def test_nothing_that_a_terminal_would_obey_is_left(text: str) -> None:
    clean = shown(text)
    assert not any(ord(char) < 0x20 or 0x7F <= ord(char) < 0xA0 for char in clean)
    assert not any(0x202A <= ord(char) <= 0x202E or 0x2066 <= ord(char) <= 0x2069 for char in clean)
    clean.encode()  # no lone surrogates


def test_markup_and_escapes_are_shown() -> None:
    assert shown("[bold red]x[/]\x1b[31m=cmd()") == "[bold red]x[/]␛[31m=cmd()"
    assert content("[link=x]y[/link]").plain == "[link=x]y[/link]"


@given(ANY_TEXT, st.integers(0, 40))
def test_cutting_never_exceeds_the_width(text: str, width: int) -> None:
    assert cell_len(clip(text, width)) <= width
    assert cell_len(clip_middle(text, width)) <= width
    assert cell_len(pad(text, width)) == width
    assert cell_len(pad(text, width, right=True)) == width


def test_a_moment_as_far_as_people_care() -> None:
    assert minute("2026-11-23T09:30:59.123456Z") == "2026-11-23 09:30"
    assert minute("\x1b[31m") == "␛[31m"


def test_both_ends_stay() -> None:
    assert clip("pytorch-inference", 10) == "pytorch-i…"
    assert clip_middle("pytorch-inference:2.1", 11) == "pytor…e:2.1"
    assert clip("推論サービス", 5) == "推論…"


@pytest.mark.parametrize(
    ("moment", "words"),
    [
        ("2026-11-23T08:59:30Z", "just now"),
        ("2026-11-23T08:48:00Z", "12 min ago"),
        ("2026-11-23T03:00:00+00:00", "6 h ago"),
        ("2026-11-03T09:00:00Z", "20 d ago"),
        ("no time", ""),
    ],
)
def test_age_in_one_unit(moment: str, words: str) -> None:
    assert ago(moment, NOW) == words


def test_days_left_counts_calendar_days() -> None:
    assert days_left("2026-11-23", NOW) == 0
    assert days_left("2026-12-24", NOW) == 31
    assert days_left("soon", NOW) is None


@pytest.mark.parametrize(
    ("type_name", "kind"),
    [
        ("sagemaker:notebook-instance", "notebook"),
        ("Microsoft.MachineLearningServices/workspaces/onlineEndpoints", "endpoint"),
        ("Microsoft.ManagedIdentity/userAssignedIdentities", "identity"),
        ("iam.googleapis.com/ServiceAccount", "account"),
        ("bedrock:access", "access"),
    ],
)
def test_a_type_in_one_word(type_name: str, kind: str) -> None:
    assert kind_of(type_name) == kind


def test_a_place_is_said_as_far_as_there_is_one() -> None:
    assert place_of("aws", "123456789012", "eu-west-1") == "aws · 123456789012 · eu-west-1"
    assert place_of("iam:role", "123456789012", "-") == "iam:role · 123456789012"
    assert place_of("", "-", between=" ") == ""


def test_evidence_is_said_in_words_and_what_is_not_known_is_left_out() -> None:
    lines = evidence_text(
        {"port": "22"},
        [
            Evidence("config.KmsKeyId", None),
            Evidence("facts.escalation_via", None),
            Evidence("config.RootAccess", True),
            Evidence("config.Timeout", 30),
            Evidence("facts.rights", ["iam:PassRole", "[b]s3:*[/b]"]),
            Evidence("config.Actions", [str(number) for number in range(14)]),
            Evidence("config.Statement", [{"Effect": "Allow"}]),
        ],
    )
    said = [line.plain for line in lines]
    assert said[:4] == [
        "port  22",
        "config.KmsKeyId  not set",
        "config.RootAccess  yes",
        "config.Timeout  30",
    ]
    assert said[4] == "facts.rights\n  iam:PassRole\n  [b]s3:*[/b]"
    assert said[5].splitlines()[-2:] == ["  11", "  and 2 more"]
    assert said[6] == 'config.Statement  [{"Effect": "Allow"}]'
