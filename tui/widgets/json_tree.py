"""A JSON document as lines that can be folded, searched and marked. No drawing in here.

A document is a few named sections (``config``, ``facts``, ``tags``). Every line has the path that
rules use for evidence (``config.ProductionVariants[0].ModelName``), so that findings can point at it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from undercroft.model import Json, Severity

__all__ = ["JsonLine", "JsonTree", "Mark", "normal_path"]

_FOLD_ABOVE = 40
"""Containers below a section with more items start folded, unless something in them is marked."""
_QUOTED_KEY = re.compile(r"""\[(['"])(.*?)\1\]""")
_NUMBER_KEY = re.compile(r"\.(\d+)(?=\.|\[|$)")


def normal_path(path: str) -> str:
    """One spelling for a path: ``a['b'].0.c`` and ``a.b[0].c`` are the same place."""
    return _NUMBER_KEY.sub(r"[\1]", _QUOTED_KEY.sub(r".\2", path.strip())).strip(".")


@dataclass(frozen=True, slots=True)
class Mark:
    """A finding that points at a path."""

    path: str
    severity: Severity
    title: str
    finding: str = ""
    """The finding's id."""


@dataclass(frozen=True, slots=True)
class JsonLine:
    """One line: a scalar, the head of an object or list, or a place that could not be read."""

    depth: int
    path: str
    key: str
    in_list: bool
    """Whether the key is a position in a list."""
    kind: str
    """object, array, string, number, boolean, null or unread."""
    value: Json
    """The true value; for ``unread`` the reason."""
    parent: int
    """Index of the containing line; -1 for a section."""
    end: int
    """Index after the last line beneath this one."""

    @property
    def foldable(self) -> bool:
        """Whether lines lie beneath it."""
        return self.kind in {"object", "array"} and bool(self.value)

    @property
    def size(self) -> int:
        """Number of direct children of an object or list."""
        return len(self.value) if isinstance(self.value, (Mapping, list, tuple)) else 0

    def text(self) -> str:
        """The value as shown, raw: the widget cleans it. Strings carry their own line breaks."""
        value = self.value
        if self.kind == "unread":
            return f"could not be read: {value}"
        if self.kind == "string":
            return f'"{value}"'
        if self.kind in {"object", "array"}:
            left, right = ("{", "}") if self.kind == "object" else ("[", "]")
            noun = "field" if self.kind == "object" else "item"
            if not self.size:
                return left + right
            return f"{left}{self.size} {noun}{'' if self.size == 1 else 's'}{right}"
        return json.dumps(value)


class _Unread(str):
    """Stands in the tree where a value could not be read; the text is the reason."""

    __slots__ = ()


@dataclass
class JsonTree:
    """The lines of a document, which of them are folded, and which are marked."""

    lines: list[JsonLine]
    marks: dict[int, tuple[Mark, ...]]
    """Line → findings that point exactly there (or at something beneath that is not in the document)."""
    folded: set[int] = field(default_factory=set)
    _places: dict[str, int] = field(default_factory=dict, repr=False)

    @classmethod
    def build(
        cls,
        sections: Mapping[str, Json],
        unread: Mapping[str, str] | None = None,
        marks: Iterable[Mark] = (),
    ) -> JsonTree:
        """Lay out a document.

        Args:
            sections: Name → value; the name is the first part of every path.
            unread: Path → why it could not be read. Shown at its place, also if the place is missing.
            marks: Findings with the path they point at.
        """
        root: dict[str, Json] = dict(sections)
        for path, reason in sorted((unread or {}).items()):
            _insert(root, normal_path(path), _Unread(reason))
        lines: list[JsonLine] = []
        for name, value in root.items():
            _lay_out(lines, name, name, value, depth=0, parent=-1, in_list=False)
        tree = cls(lines, {})
        tree._mark(marks)
        tree._fold_large()
        return tree

    def visible(self) -> list[int]:
        """Indexes of the lines that are not inside a folded one."""
        seen: list[int] = []
        index = 0
        while index < len(self.lines):
            seen.append(index)
            index = self.lines[index].end if index in self.folded else index + 1
        return seen

    def toggle(self, index: int) -> int:
        """Fold or unfold the line, or the container of a scalar; returns the line that changed."""
        if not self.lines[index].foldable:
            index = self.lines[index].parent
        if index >= 0 and self.lines[index].foldable:
            self.folded.symmetric_difference_update({index})
        return max(index, 0)

    def reveal(self, index: int) -> None:
        """Unfold everything around a line."""
        parent = self.lines[index].parent
        while parent >= 0:
            self.folded.discard(parent)
            parent = self.lines[parent].parent

    def fold_all(self) -> None:
        """Only the sections and their first level remain in sight."""
        self.folded = {i for i, line in enumerate(self.lines) if line.foldable and line.depth >= 1}

    def unfold_all(self) -> None:
        """Everything in sight."""
        self.folded = set()

    def search(self, text: str) -> list[int]:
        """Lines whose key or value contains the text, whatever its letter case."""
        needle = text.casefold()
        if not needle:
            return []
        return [
            index
            for index, line in enumerate(self.lines)
            if needle in line.key.casefold()
            or (line.kind not in {"object", "array"} and needle in line.text().casefold())
        ]

    def find(self, path: str) -> int | None:
        """The line of a path, or of the nearest thing around it that exists."""
        wanted = normal_path(path)
        if not self._places:
            self._places = {line.path: index for index, line in enumerate(self.lines)}
        places = self._places
        while wanted:
            if wanted in places:
                return places[wanted]
            wanted = wanted[: max(wanted.rfind("."), wanted.rfind("["), 0)]
        return None

    def marked_beneath(self, index: int) -> Severity | None:
        """The worst severity inside a line, itself included."""
        end = self.lines[index].end
        found = [
            mark.severity
            for place, marks in self.marks.items()
            if index <= place < end
            for mark in marks
        ]
        return max(found, key=lambda severity: severity.rank, default=None)

    def _mark(self, marks: Iterable[Mark]) -> None:
        for mark in sorted(marks, key=lambda mark: (-mark.severity.rank, mark.title)):
            index = self.find(mark.path)
            if index is None:
                continue
            known = self.marks.get(index, ())
            if all(other.title != mark.title for other in known):
                self.marks[index] = (*known, mark)

    def _fold_large(self) -> None:
        self.folded = {
            index
            for index, line in enumerate(self.lines)
            if line.foldable and line.depth >= 1 and line.size > _FOLD_ABOVE
        }
        for index in self.marks:
            self.reveal(index)


def _lay_out(
    lines: list[JsonLine],
    key: str,
    path: str,
    value: Json,
    *,
    depth: int,
    parent: int,
    in_list: bool,
) -> None:
    """Append the lines of one value; iterative, so that hostile nesting cannot exhaust the stack."""
    kinds: list[tuple[int, str, str, Json, int, bool]] = [
        (depth, key, path, value, parent, in_list)
    ]
    start = len(lines)
    while kinds:
        depth, key, path, value, parent, in_list = kinds.pop()
        index = len(lines)
        lines.append(JsonLine(depth, path, key, in_list, _kind(value), value, parent, index + 1))
        children: list[tuple[int, str, str, Json, int, bool]] = []
        if isinstance(value, Mapping):
            children = [
                (depth + 1, str(name), f"{path}.{name}", item, index, False)
                for name, item in value.items()
            ]
        elif isinstance(value, (list, tuple)):
            children = [
                (depth + 1, str(position), f"{path}[{position}]", item, index, True)
                for position, item in enumerate(value)
            ]
        kinds.extend(reversed(children))
    _close(lines, start)


def _close(lines: list[JsonLine], start: int) -> None:
    """Set where each line's contents end, last line first: a parent ends where its last child ends."""
    ends = {index: index + 1 for index in range(start, len(lines))}
    for index in range(len(lines) - 1, start - 1, -1):
        parent = lines[index].parent
        if parent >= start:
            ends[parent] = max(ends[parent], ends[index])
    for index in range(start, len(lines)):
        line = lines[index]
        if ends[index] != line.end:
            lines[index] = JsonLine(
                line.depth,
                line.path,
                line.key,
                line.in_list,
                line.kind,
                line.value,
                line.parent,
                ends[index],
            )


def _kind(value: Json) -> str:
    if isinstance(value, _Unread):
        return "unread"
    if isinstance(value, str):
        return "string"
    if isinstance(value, bool):
        return "boolean"
    if value is None:
        return "null"
    if isinstance(value, (int, float)):
        return "number"
    return "object" if isinstance(value, Mapping) else "array"


def _insert(root: dict[str, Json], path: str, reason: _Unread) -> None:
    """Put a placeholder at a path, copying the containers on the way; lists are never extended."""
    parts = re.findall(r"[^.\[\]]+", path)
    if not parts:
        return
    node: dict[str, Json] = root
    for position, part in enumerate(parts[:-1]):
        child = node.get(part)
        if isinstance(child, Mapping):
            copy: dict[str, Json] = dict(child)
        elif child is None:
            copy = {}
        else:
            # Something stands in the way (a list, a scalar): name the rest of the path in one key.
            node[".".join(parts[position:])] = reason
            return
        node[part] = copy
        node = copy
    if isinstance(node.get(parts[-1]), Mapping) and node[parts[-1]]:
        # Part of it was read: keep that, and say that the rest is missing.
        node[parts[-1]] = {**_mapping(node[parts[-1]]), "…": reason}
    else:
        node[parts[-1]] = reason


def _mapping(value: Json) -> Mapping[str, Json]:
    return value if isinstance(value, Mapping) else {}


def as_json(value: Json | Sequence[Json]) -> str:
    """The true value as JSON text, for the clipboard."""
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)
