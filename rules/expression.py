"""CEL expressions: compiled once, answered in three values.

Google's implementation evaluates; this module adds what it has no word for: a path that could not
be read. Such a path makes every selection and every ``has()`` of it unknown, and ``&&``/``||``
absorb that as CEL absorbs errors.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from rules.paths import MISSING, is_unread, lookup

__all__ = [
    "Expression",
    "Read",
    "Token",
    "bind",
    "compile_expression",
    "compile_table",
    "plain_data",
    "tokens",
]

ROOTS = frozenset({"config", "facts", "tags", "resource", "root", "component", "holder", "other"})
"""Variables whose selections are paths."""

_TOKEN = re.compile(
    r"""
    (?P<space>\s+|//[^\n]*)
  | (?P<string>[rRbB]{0,2}(?:\"{3}.*?\"{3}|'{3}.*?'{3}|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'))
  | (?P<number>\d[\w.]*)
  | (?P<name>[A-Za-z_]\w*)
  | (?P<op>&&|\|\||[=!<>]=|.)
    """,
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Token:
    """One lexical element of an expression."""

    kind: str
    """``string``, ``number``, ``name`` or ``op``."""
    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Read:
    """A path that an expression looks at."""

    path: str
    presence: bool
    """Only asked whether it is there (``has``)."""
    start: int
    end: int


def tokens(text: str) -> list[Token]:
    """The tokens of a CEL expression, without spaces and comments."""
    return [
        Token(match.lastgroup or "op", match.group(), match.start(), match.end())
        for match in _TOKEN.finditer(text)
        if match.lastgroup != "space"
    ]


def _names(text: str) -> frozenset[str]:
    stream = tokens(text)
    return frozenset(
        token.text
        for before, token in zip([None, *stream], stream, strict=False)
        if token.kind == "name" and (before is None or before.text != ".")
    )


def _reads(text: str) -> list[Read]:
    """Every path that ``text`` selects, in order."""
    stream = tokens(text)
    found: list[Read] = []
    index = 0
    while index < len(stream):
        token = stream[index]
        if token.text not in ROOTS or (index and stream[index - 1].text == "."):
            index += 1
            continue
        last = index
        while (
            last + 2 < len(stream)
            and stream[last + 1].text == "."
            and stream[last + 2].kind == "name"
        ):
            last += 2
        following = stream[last + 1].text if last + 1 < len(stream) else ""
        if following == "(" and last > index:
            last -= 2
            following = "."
        presence = (
            following == ")"
            and last > index
            and index >= 2
            and stream[index - 1].text == "("
            and stream[index - 2].text == "has"
        )
        start, end = token.start, stream[last].end
        path = re.sub(r"\s+", "", text[start:end])
        if presence:
            start, end = stream[index - 2].start, stream[last + 1].end
        found.append(Read(path, presence, start, end))
        index = last + 1
    return found


def _guarded(text: str, reads: list[Read]) -> str:
    """``text`` in which every selection first asks ``read`` whether its path is known.

    ``read`` holds the known paths only: looking up another one is an error, which is what CEL
    makes of the unknown. A conditional does not absorb errors of its condition; ``&&`` would.
    """
    parts: list[str] = []
    position = 0
    for read in reads:
        # A whole variable (tags) has a type, which null has not.
        source = (
            text[read.start : read.end] if read.presence else f"dyn({text[read.start : read.end]})"
        )
        fallback = "false" if read.presence else "null"
        parts += [
            text[position : read.start],
            f'(read["{_key(read)}"] ? {source} : {fallback})',
        ]
        position = read.end
    parts.append(text[position:])
    return "".join(parts)


def _key(read: Read) -> str:
    return f"?{read.path}" if read.presence else read.path


@cache
def _environment() -> Any:
    from cel_expr_python import cel  # type: ignore[import-untyped]
    from cel_expr_python.ext import ext_strings  # type: ignore[import-untyped]

    values = cel.Type.Map(cel.Type.STRING, cel.Type.DYN)
    return cel.NewEnv(
        variables={
            "config": values,
            "facts": values,
            "tags": values,
            "resource": values,
            "now": cel.Type.STRING,
            "item": cel.Type.DYN,
            "root": values,
            "component": values,
            "holder": values,
            "other": values,
            "read": cel.Type.Map(cel.Type.STRING, cel.Type.BOOL),
        },
        extensions=[ext_strings.ExtStrings()],
    )


class Expression:
    """One compiled expression and the paths it reads."""

    __slots__ = ("_guard", "eval", "names", "reads", "text")

    def __init__(self, text: str, program: Any, reads: tuple[Read, ...]) -> None:
        self.text = text
        self.reads = reads
        self.names = _names(text)
        """Every identifier that stands for something: variables and functions, not fields."""
        self.eval = program.eval
        """``eval(activation).value()``: a bool, or text that describes an error."""
        self._guard: Any = None

    @property
    def paths(self) -> tuple[str, ...]:
        """The distinct paths it reads, in order."""
        return tuple(dict.fromkeys(read.path for read in self.reads))

    def touches(self, unknown: Mapping[str, str], data: Mapping[str, Any]) -> bool:
        """Whether some path it reads could not be read, so that the guarded form must answer."""
        return any(_unread(read, unknown, data) for read in self.reads)

    def guarded(self, unknown: Mapping[str, str], data: Mapping[str, Any]) -> Any:
        """The CEL value of the form in which unread paths are errors."""
        if self._guard is None:
            self._guard = _environment().compile(_guarded(self.text, list(self.reads)))
        known = {_key(read): True for read in self.reads if not _unread(read, unknown, data)}
        return self._guard.eval(_environment().Activation({**data, "read": known}))


def _unread(read: Read, unknown: Mapping[str, str], data: Mapping[str, Any]) -> bool:
    present = lookup(data, read.path) is not MISSING if read.presence else None
    return is_unread(unknown, read.path, present=present)


@cache
def compile_expression(text: str, *, result: str = "bool") -> Expression:
    """Compile ``text``; raises ``ValueError`` with one line that says what is wrong.

    ``result`` is ``bool`` or ``string``. What CEL cannot type before it sees data is forced into
    that type: the library loses a reference to None whenever it hands a null to Python, so no
    expression may be able to return one.
    """
    wanted = result.upper()
    program = _compile(text)
    if program.return_type().name() != wanted:
        text = f"string({text})" if result == "string" else f"({text}) ? true : false"
        program = _compile(text)
        if program.return_type().name() != wanted:
            raise ValueError(f"must be a {result}")
    return Expression(text, program, tuple(_reads(text)))


@cache
def compile_table(text: str) -> Expression:
    """Compile what the caller has built to return lists of strings only."""
    return Expression(text, _compile(text), tuple(_reads(text)))


def _compile(text: str) -> Any:
    try:
        return _environment().compile(text)
    except RuntimeError as error:
        raise ValueError(_one_line(str(error))) from None


def bind(data: Mapping[str, Any]) -> Any:
    """An activation: bind the variables once, evaluate many expressions."""
    return _environment().Activation(data)


def plain_data(value: Any) -> Any:
    """``value`` in the types that the CEL library accepts (dict, list, 64-bit numbers)."""
    if isinstance(value, Mapping):
        return {str(key): plain_data(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain_data(item) for item in value]
    if isinstance(value, int) and not isinstance(value, bool) and not -(2**63) <= value < 2**63:
        return float(value)
    return value


def _one_line(message: str) -> str:
    """The first sentence of a CEL compile error, without its source excerpt."""
    first = message.split("\n", maxsplit=1)[0]
    return re.sub(r"^INVALID_ARGUMENT: ERROR: <input>:", "at ", first).strip()
