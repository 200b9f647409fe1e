"""The filter language: one line, the same on screen, on the command line and in saved views.

``parse`` a line into a tree, ``unparse`` it back, ``to_sql`` it for a table whose columns the caller
describes, ``complete`` it while somebody types. Which keys there are is an argument: those of findings
unless somebody asks about something else.
"""

from undercroft.filter.columns import TEXT, Bindable, Column, Columns, Placed
from undercroft.filter.compiler import any_of, to_sql
from undercroft.filter.completion import Completion, complete, offers
from undercroft.filter.errors import FilterError
from undercroft.filter.keys import KEYS, Key, Keys
from undercroft.filter.nodes import And, Node, Not, Or, Term, Value, Word, typed, unparse
from undercroft.filter.parser import parse

__all__ = [
    "KEYS",
    "TEXT",
    "And",
    "Bindable",
    "Column",
    "Columns",
    "Completion",
    "FilterError",
    "Key",
    "Keys",
    "Node",
    "Not",
    "Or",
    "Placed",
    "Term",
    "Value",
    "Word",
    "any_of",
    "complete",
    "offers",
    "parse",
    "to_sql",
    "typed",
    "unparse",
]
