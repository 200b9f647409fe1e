"""Looking for garbage: not while starting, and afterwards not among what stays."""

from __future__ import annotations

import gc

from tui import garbage


def test_what_is_there_when_the_program_has_started_is_left_alone() -> None:
    before = gc.get_freeze_count()
    garbage.look_again()
    assert gc.get_freeze_count() == before, "nothing to do where it was never left"
    garbage.leave()
    try:
        assert not gc.isenabled()
        garbage.look_again()
        assert gc.isenabled()
        assert gc.get_freeze_count() > before
    finally:
        gc.enable()
