"""When to look for garbage: not while starting, and never again through what stays for ever."""

from __future__ import annotations

import gc

__all__ = ["leave", "look_again"]


def leave() -> None:
    """Look for no garbage until ``look_again``: a starting program makes next to none, and a sixth
    of its time would go into looking.
    """
    gc.disable()


def look_again() -> None:
    """The program has started: look for garbage, but not among the modules and classes it is made
    of. Going through them again and again would make a key press wait for 50 ms now and then.
    """
    if not gc.isenabled():
        gc.freeze()
        gc.enable()
