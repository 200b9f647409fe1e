"""From a line to a tree. Says where a line is wrong, and what was probably meant."""

from __future__ import annotations

from typing import Final

from undercroft.filter.errors import FilterError
from undercroft.filter.keys import KEYS, Key, Keys, nearest
from undercroft.filter.nodes import RESERVED, And, Node, Not, Or, Term, Value, Word, can_be_typed
from undercroft.filter.values import check

__all__ = ["MAX_DEPTH", "MAX_LENGTH", "MAX_VALUES", "parse"]

MAX_LENGTH: Final = 20_000
MAX_DEPTH: Final = 20
"""Parentheses and negations inside one another; SQLite's own parser has a limit too."""
MAX_VALUES: Final = 1_000
"""Words and values in one line."""

_OPERATORS: Final = (">=", "<=", "!=", ":", "=", ">", "<")
_ENDS_WORD: Final = frozenset("()")


def parse(line: str, keys: Keys = KEYS) -> Node:
    """The tree that ``line`` means where there are ``keys``; the empty line matches everything.

    Raises:
        FilterError: with a sentence, a position and, where there is one, a suggestion.
    """
    return _Parser(line, keys).parse()


class _Parser:
    """Recursive descent over the characters of one line."""

    def __init__(self, line: str, keys: Keys) -> None:
        if len(line) > MAX_LENGTH:
            raise FilterError(f"the filter is longer than {MAX_LENGTH} characters", MAX_LENGTH)
        for position, character in enumerate(line):
            if not can_be_typed(character):
                raise FilterError(
                    f"the character at {position + 1} cannot be searched for", position
                )
        self.line = line
        self.keys = keys
        self.position = 0
        self.depth = 0
        self.values = 0

    def parse(self) -> Node:
        node: Node = And(()) if self._peek() == "" else self._or()
        if self._peek() == ")":
            raise self._closes_nothing()
        return node

    # The grammar: or_ := and_ ("or" and_)*; and_ := unary ("and"? unary)*

    def _or(self) -> Node:
        children = [self._and()]
        while (at := self._take_reserved("or")) is not None:
            self._need_operand("or", at)
            children.append(self._and())
        return children[0] if len(children) == 1 else Or(tuple(children))

    def _and(self) -> Node:
        for word in ("or", "and"):
            if (at := self._take_reserved(word)) is not None:
                raise FilterError(
                    f"{word!r} at {at + 1} has nothing before it: "
                    f'put it in quotes ("{word}") to search for the word',
                    at,
                )
        children = [self._unary()]
        while True:
            if (at := self._take_reserved("and")) is not None:
                self._need_operand("and", at)
            elif self._peek() in {"", ")"} or self._is_reserved("or"):
                break
            children.append(self._unary())
        return children[0] if len(children) == 1 else And(tuple(children))

    def _unary(self) -> Node:
        self.depth += 1
        character = self._peek()
        at = self.position
        if self.depth > MAX_DEPTH:
            raise FilterError(f"more than {MAX_DEPTH} levels of nesting at {at + 1}", at)
        if character == "-":
            self.position += 1
            following = self.line[self.position : self.position + 1]
            if not following or following.isspace() or following == ")":
                raise FilterError(
                    f"'-' at {at + 1} has nothing to exclude: "
                    "write it directly before a word, a key or a '('",
                    at,
                )
            node: Node = Not(self._unary())
        elif (found := self._take_reserved("not")) is not None:
            self._need_operand("not", found)
            node = Not(self._unary())
        elif character == "(":
            node = self._group()
        elif character == ")":
            raise self._closes_nothing()
        else:
            node = self._term()
        self.depth -= 1
        return node

    def _group(self) -> Node:
        at = self.position
        self.position += 1
        if self._peek() == ")":
            raise FilterError(f"the parentheses at {at + 1} are empty", at)
        if self._peek() == "":
            raise FilterError(f"'(' at {at + 1} is not closed: add a ')'", at)
        node = self._or()
        if self._peek() != ")":
            raise FilterError(f"'(' at {at + 1} is not closed: add a ')'", at)
        self.position += 1
        return node

    def _term(self) -> Node:
        at = self.position
        end = at
        while end < len(self.line) and not self._ends_key(end):
            end += 1
        operator = self._operator_at(end)
        named = "tag" in self.keys and self.line[at:end].lower() == "tag."
        if named and self.line[end : end + 1] == '"':
            self.position = end
            name = self._quoted()
            operator = self._operator_at(self.position)
            if not operator:
                raise FilterError(f"tag.NAME at {at + 1} needs a value: tag.NAME:value", at)
            return self._keyed("tag", name, at, operator)
        if not operator:
            return self._word()
        name = self.line[at:end]
        self.position = end
        key, _, tag = name.partition(".")
        if tag and "tag" in self.keys and key.lower() == "tag":
            return self._keyed(key, tag, at, operator)
        return self._keyed(name, "", at, operator)

    def _keyed(self, name: str, tag: str, at: int, operator: str) -> Node:
        key = self.keys.get(name.lower())
        if key is None or (key.kind == "tag") != bool(tag):
            raise _unknown_key(name, at, operator, self.keys)
        self.position += len(operator)
        op = ":" if operator in {"=", "!="} else operator
        if op != ":" and not key.is_ordered:
            raise FilterError(
                f"{key.name!r} at {at + 1} has no order: write {key.name}:VALUE "
                f"instead of {key.name}{operator}VALUE",
                at,
                f"{key.name}:",
            )
        shown = f"{key.name}.{tag}{operator}" if tag else f"{key.name}{operator}"
        values = [self._checked(key, op, shown)]
        while self.line[self.position : self.position + 1] == ",":
            if op != ":":
                raise FilterError(
                    f"'{shown}' takes one value, but there is a ',' at {self.position + 1}",
                    self.position,
                )
            self.position += 1
            values.append(self._checked(key, op, ","))
        term = Term(key.name, op, tuple(values), tag, at)
        return Not(term) if operator == "!=" else term

    def _checked(self, key: Key, op: str, after: str) -> Value:
        at = self.position
        value = self._segments(stop=_ENDS_WORD | {","})
        if value is None:
            raise FilterError(
                f"no value after '{after}' at {at + 1}: for example {key.example}", at
            )
        return check(key, op, value, at)

    def _word(self) -> Word:
        at = self.position
        if self.line[at] in ":<>=":
            raise FilterError(
                f"{self.line[at]!r} at {at + 1} has no key before it: "
                "put the text in quotes to search for it",
                at,
            )
        value = self._segments(stop=_ENDS_WORD)
        if value is None or value.parts == ("",):
            raise FilterError(f"the quotes at {at + 1} are empty", at)
        operator = self._operator_at(self.position)
        if operator:
            raise FilterError(
                f"{operator!r} at {self.position + 1} does not follow a key: "
                "put the whole text in quotes to search for it",
                self.position,
            )
        return Word(value, at)

    # Characters

    def _segments(self, stop: frozenset[str] | set[str]) -> Value | None:
        """Bare and quoted pieces up to a space or one of ``stop``; None if there are none."""
        in_word = "," not in stop
        start = self.position
        parts = [""]
        while self.position < len(self.line):
            character = self.line[self.position]
            if character == '"':
                parts[-1] += self._quoted()
                continue
            if character.isspace() or character in stop:
                break
            if in_word and self._operator_at(self.position):
                break
            if character == "*":
                parts.append("")
            else:
                parts[-1] += character
            self.position += 1
        if self.position == start:
            return None
        self.values += 1
        if self.values > MAX_VALUES:
            raise FilterError(f"more than {MAX_VALUES} words and values", start)
        return Value(tuple(parts))

    def _quoted(self) -> str:
        opened = self.position
        self.position += 1
        text = []
        while self.position < len(self.line):
            character = self.line[self.position]
            following = self.line[self.position + 1 : self.position + 2]
            if character == "\\" and following and following in '"\\':
                text.append(following)
                self.position += 2
                continue
            self.position += 1
            if character == '"':
                return "".join(text)
            text.append(character)
        raise FilterError(f"the quote opened at {opened + 1} is not closed: add a '\"'", opened)

    def _closes_nothing(self) -> FilterError:
        return FilterError(
            f"')' at {self.position + 1} closes nothing: remove it or open a '(' before",
            self.position,
        )

    def _peek(self) -> str:
        """Skip spaces; the next character, or nothing at the end."""
        while self.position < len(self.line) and self.line[self.position].isspace():
            self.position += 1
        return self.line[self.position : self.position + 1]

    def _ends_key(self, position: int) -> bool:
        character = self.line[position]
        return (
            character.isspace()
            or character in _ENDS_WORD
            or character in '",'
            or bool(self._operator_at(position))
        )

    def _operator_at(self, position: int) -> str:
        return next((op for op in _OPERATORS if self.line.startswith(op, position)), "")

    def _is_reserved(self, word: str) -> bool:
        self._peek()
        end = self.position + len(word)
        if self.line[self.position : end].lower() != word or word not in RESERVED:
            return False
        following = self.line[end : end + 1]
        return not following or following.isspace() or following in _ENDS_WORD

    def _take_reserved(self, word: str) -> int | None:
        """Step over ``word`` if it comes next, and say where it was."""
        if not self._is_reserved(word):
            return None
        at = self.position
        self.position += len(word)
        return at

    def _need_operand(self, word: str, at: int) -> None:
        if self._peek() in {"", ")"}:
            raise FilterError(
                f"{word!r} at {at + 1} has nothing after it: "
                f'put it in quotes ("{word}") to search for the word',
                at,
            )


def _unknown_key(name: str, at: int, operator: str, keys: Keys) -> FilterError:
    if "tag" in keys and name.lower() in {"tag", "tag."}:
        return FilterError(
            f"'tag' at {at + 1} needs the tag's name: write tag.NAME{operator}value", at, "tag."
        )
    if not name:
        return FilterError(
            f"{operator!r} at {at + 1} has no key before it: "
            "put the text in quotes to search for it",
            at,
        )
    suggestion = nearest(name, keys)
    advice = (
        f"did you mean {suggestion!r}?"
        if suggestion
        else "put the text in quotes to search for it, or use one of " + ", ".join(keys)
    )
    return FilterError(f"unknown key {name!r} at {at + 1}: {advice}", at, suggestion)
