"""Accounts take turns."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from undercroft.protocols import Target
from undercroft.scan.turns import take_turns

NOBODY: Any = None


def order(text: str, at_once: int) -> str:
    """Accounts as letters, in the order in which they are given and come out."""
    units = [(NOBODY, Target(str(n), "aws", account, "r")) for n, account in enumerate(text)]
    return "".join(target.scope for _, target in take_turns(units, at_once))


def test_accounts_take_turns_a_few_at_a_time() -> None:
    assert order("aaabbbccc", 2) == "abababccc"
    assert order("aabbbbcc", 2) == "ababcbcb"
    assert order("aaa", 8) == "aaa"
    assert order("", 8) == ""


@given(st.text("abcdef", max_size=40), st.integers(min_value=1, max_value=9))
def test_nothing_is_lost_and_each_account_keeps_its_order(text: str, at_once: int) -> None:
    units = [(NOBODY, Target(str(n), "aws", account, "r")) for n, account in enumerate(text)]
    turned = list(take_turns(units, at_once))
    assert sorted(turned, key=lambda unit: int(unit[1].collector)) == units
    for account in set(text):
        mine = [int(target.collector) for _, target in turned if target.scope == account]
        assert mine == sorted(mine)
