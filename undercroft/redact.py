"""Takes secrets out of what was read, before anything else sees it.

Every secret is replaced by ``‹redacted:<detector>:<fingerprint>›``; which ones there were is kept in
``facts["secrets"]``. The fingerprint (salted per cache) lets equal secrets be recognised and
nothing be guessed. Redacting twice changes nothing.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from undercroft.model import Coverage, Edge, Json, Presence, Resource
from undercroft.secrets import (
    find,
    find_in_identifier,
    fingerprint,
    holder,
    is_secret_name,
    marker,
)

if TYPE_CHECKING:
    from undercroft.protocols import Collected

__all__ = [
    "is_marked",
    "redact",
    "redact_item",
    "redact_options",
    "redact_text",
    "secrets_in_script",
]

Item = TypeVar("Item")
_Path: TypeAlias = "str | tuple[_Path, str | int]"
"""Where a value is: the name of a whole, or a path and a step on from there.

Put into words only where a secret is found, which nearly no value holds.
"""

_LARGEST_SCRIPT = 1 << 20
"""Bytes of compressed user data that are unpacked; the providers' own limits are far below."""

# Scripts come in base64 (and gzip); they are kept as text, which is what rules and people read.
_SCRIPTS = frozenset(
    {"UserData", "OnCreate", "OnStart", "Content", "userData", "content", "customData", "script"}
)
# Fields that only wrap a value: what it is called stands one level up.
_WRAPPERS = frozenset({"Value", "value", "Values", "values", "Default", "default", "StringValue"})
_PAIRS = tuple(
    (f"{prefix}{label}", f"{prefix}{value}")
    for label, value in (("Name", "Value"), ("name", "value"), ("Key", "Value"), ("key", "value"))
    for prefix in ("", "Tag", "Parameter", "Option", "Attribute")
)
_LABELS = frozenset(label for label, _ in _PAIRS)
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{16,}(?:\r?\n[A-Za-z0-9+/_-]+)*={0,2}\s*")
_BASE64_RUN = re.compile(r"(?<![A-Za-z0-9+/=_-])[A-Za-z0-9+/_-]{20,}={0,2}(?![A-Za-z0-9+/=_-])")
_SHORTEST_RUN = 20
_LAYERS = 3
"""How often base64 inside base64 is unpacked."""
_LONGEST_NUMBER = 1_000
_DEEPEST = 100
"""Levels of a configuration that are kept. No provider nests so deep; somebody's policy might."""
# The concrete types first: asking whether something is a Mapping is slow.
_OBJECT = (dict, Mapping)
_NESTED = (*_OBJECT, list, Sequence)
_URL_SAFE = str.maketrans("-_", "+/")
_MARKS = {b"\xff\xfe", b"\xfe\xff"}
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_KEY_BEGINS = re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY")
_KEY_ENDS = re.compile(r"-----END [A-Z0-9 ]{0,40}PRIVATE KEY")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f\x7f]")
_PLAIN_KEY = re.compile(r"[\w-]+")
_BEARERS = frozenset(
    [
        "userdata",
        "environment",
        "environmentvariables",
        "variables",
        "hyperparameters",
        "oncreate",
        "onstart",
        "content",
        "containers",
        "primarycontainer",
        "containerdefinitions",
        "prompt",
        "instructions",
        "script",
    ]
)
"""Fields that usually hold secrets: unread, "no secret found" would be a guess."""


_SHORT = 120
_MOST = 20_000
# An estate says the same thousands of times: names, types, ARNs of what is shared.
_clean: set[tuple[str, str]] = set()
"""Short texts, each with what it is called, that come out as they are, whatever the salt."""
_clean_identifiers: set[str] = set()


def redact(resource: Resource, salt: bytes) -> Resource:
    """The resource without secrets, and with the list of them in ``facts["secrets"]``.

    Each entry has ``path`` (``config.PrimaryContainer.Environment.HF_TOKEN``), ``name`` (what holds
    it), ``detector`` and ``fingerprint``. The list is missing, and ``facts.secrets`` unknown, if
    the configuration could not be read, or if none was found while a part that usually holds
    secrets could not be read. In the key and the native id, which are the identity, only what cannot
    be anything but a credential is replaced, the same way wherever the identifier occurs.
    """
    redactor = _Redactor(salt)
    config = redactor.mapping(resource.config, "config", "")
    tags = {k: str(v) for k, v in redactor.mapping(resource.tags, "tags", "").items()}
    secrets = sorted(redactor.found, key=lambda entry: tuple(entry.values()))
    given = {key: value for key, value in resource.facts.items() if key != "secrets"}
    facts: dict[str, Json] = redactor.mapping(given, "facts", "")
    unknown = {path: redactor.text(why, path, "") for path, why in resource.unknown.items()}
    if resource.presence is Presence.READ:
        blind = _why_unknown(unknown, found=bool(secrets))
        if blind is None:
            facts["secrets"] = secrets
        else:
            unknown["facts.secrets"] = blind
    name = redactor.text(resource.name, "name", "")
    return replace(
        resource,
        key=redactor.identifier(resource.key),
        native_id=redactor.identifier(resource.native_id),
        name=name,
        config=config,
        tags=tags,
        facts=facts,
        unknown=unknown,
    )


def redact_text(text: str, salt: bytes) -> str:
    """A free text (an error message, a reason) without secrets."""
    return _Redactor(salt).text(text, "", "")


def secrets_in_script(encoded: str) -> list[dict[str, Json]] | None:
    """What secrets a script holds, for one that is examined and not kept: nothing of it is returned.

    ``encoded`` is base64, of text or of gzip. Each entry has ``name`` (what holds the secret),
    ``detector`` and ``lines`` (from 1). None if there is no text in it, which cannot be examined.
    """
    raw = _decode(encoded)
    script = _as_text(raw) if raw is not None else None
    if script is None:
        return None
    matches = find(script)
    places = [(match.start, match.detector, match.name) for match in matches]
    for run in _BASE64_RUN.finditer(script):
        if not any(match.start < run.end() and run.start() < match.end for match in matches):
            detector = _hidden(run[0], _LAYERS)
            if detector:
                places.append((run.start(), detector, holder(detector, script, run.start())))
    lines: dict[tuple[str, str], list[Json]] = {}
    for start, detector, name in sorted(places):
        lines.setdefault((name, detector), []).append(script.count("\n", 0, start) + 1)
    return [
        {"name": name, "detector": detector, "lines": at} for (name, detector), at in lines.items()
    ]


def is_marked(identifier: str) -> bool:
    """Whether an identifier held a secret: nothing can be asked for by it any more."""
    return "‹redacted:" in identifier


def redact_options(options: Mapping[str, Json], salt: bytes) -> dict[str, Json]:
    """What a scan was asked for, as it may be stored."""
    return _Redactor(salt).mapping(options, "", "")


def redact_item(item: Collected, salt: bytes) -> Collected:
    """Anything that a collector yields, without secrets."""
    if isinstance(item, Resource):
        return redact(item, salt)
    if isinstance(item, Edge):
        redactor = _Redactor(salt)
        given = (item.src, item.dst, item.via, item.detail)
        src, dst = redactor.identifier(item.src), redactor.identifier(item.dst)
        via, detail = redactor.text(item.via, "", ""), redactor.text(item.detail, "", "")
        if given == (src, dst, via, detail):
            return item
        return replace(item, src=src, dst=dst, via=via, detail=detail)
    if isinstance(item, Coverage) and item.reason:
        return replace(item, reason=redact_text(item.reason, salt))
    return item


def _why_unknown(unknown: Mapping[str, str], *, found: bool) -> str | None:
    """Why the list of secrets cannot be relied on, or None if it can."""
    if "config" in unknown:
        return unknown["config"]
    if found:
        return None
    for path in sorted(unknown):
        fields = re.split(r"[.\[\]]+", path.lower())
        if fields[0] == "config" and not _BEARERS.isdisjoint(fields):
            return unknown[path]
    return None


class _Redactor:
    """Walks one resource; ``found`` collects what was taken out."""

    def __init__(self, salt: bytes) -> None:
        self._salt = salt
        self.found: list[dict[str, Json]] = []

    def value(self, value: Json, path: _Path, name: str, depth: int = 0) -> Json:
        """``name``: what the value is called, which may tell that it is a secret."""
        if isinstance(value, str):
            return self.text(value, path, name)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return self._number(value, path, name)
        if isinstance(value, bool) or not isinstance(value, _NESTED):
            return value
        if depth >= _DEEPEST:
            return f"‹not kept: nested more than {_DEEPEST} levels deep›"
        if isinstance(value, _OBJECT):
            return self.mapping(value, path, name, depth + 1)
        return self._sequence(value, path, name, depth + 1)

    def _number(self, value: float, path: _Path, name: str) -> Json:
        if isinstance(value, float) and not math.isfinite(value):
            return str(value)  # JSON has no word for it
        if isinstance(value, int) and value.bit_length() > _LONGEST_NUMBER:
            return f"‹not kept: a number of {value.bit_length()} bits›"
        if not name:
            return value
        # A number is a secret only under a name that says password (checked in find).
        shown = self.text(str(value), path, name)
        return value if shown == str(value) else shown

    def mapping(
        self, value: Mapping[str, Json], path: _Path, name: str, depth: int = 0
    ) -> dict[str, Json]:
        """Every member, under its own name; ``{"Name": n, "Value": v}`` is v under the name n."""
        named: dict[str, str] = {}
        if not _LABELS.isdisjoint(value):
            for label, content in _PAIRS:
                called = value.get(label)
                if isinstance(called, str) and content in value:
                    named[content] = self._key(called)
        result: dict[str, Json] = {}
        for key, item in value.items():
            shown = self._key(key)
            own = named.get(key) or (name if key in _WRAPPERS and name else shown)
            result[shown] = self.value(item, (path, shown), own, depth)
        return result

    def _sequence(self, value: Sequence[Json], path: _Path, name: str, depth: int) -> list[Json]:
        """Every item; in a command line, what follows ``--token`` is called token.

        A private key may be given line by line.
        """
        result: list[Json] = []
        flag, in_key = "", False
        for index, item in enumerate(value):
            place = (path, index)
            if in_key and isinstance(item, str):
                digest = fingerprint(self._salt, item)
                self._note(place, name, "private-key", digest)
                result.append(marker("private-key", digest))
                in_key = not _KEY_ENDS.search(item)
                continue
            result.append(self.value(item, place, flag or name, depth))
            in_key = (
                isinstance(item, str)
                and _KEY_BEGINS.search(item) is not None
                and not _KEY_ENDS.search(item)
            )
            flag = self._key(item) if isinstance(item, str) and _is_flag(item) else ""
        return result

    def _key(self, key: str) -> str:
        key = _whole(key)
        # Somebody may have pasted a credential into the wrong column.
        if len(key) < 16 or (key, "") in _clean:
            return key
        shown = self._replace(key, "", "")
        if shown == key and len(key) <= _SHORT:
            _remember(_clean, (key, ""))
        return shown

    def text(self, text: str, path: _Path, name: str) -> str:
        """One string; base64 that hides a secret (or a script) comes out as text."""
        text = _whole(text)
        short = len(text) <= _SHORT
        if short and (text, name) in _clean:
            return text
        if name in _SCRIPTS or len(text) >= 24:
            unpacked = self._unpacked(text, path, name)
            if unpacked is not None:
                return unpacked
        result = self._replace(text, path, name)
        if short and result == text:
            _remember(_clean, (text, name))
        return result

    def identifier(self, text: str) -> str:
        """A key, an ARN: the same text always comes out the same, so that ends still meet."""
        if text in _clean_identifiers:
            return text
        whole = text = _whole(text)
        for match in reversed(find_in_identifier(text)):
            digest = fingerprint(self._salt, text[match.start : match.end])
            text = text[: match.start] + marker(match.detector, digest) + text[match.end :]
        if text is whole:
            _remember(_clean_identifiers, text)
        return text

    def _unpacked(self, text: str, path: _Path, name: str) -> str | None:
        if not _BASE64.fullmatch(text):
            return None
        raw = _decode(text)
        if raw is None:
            return None
        script = _as_text(raw)
        if script is None:
            if name in {"UserData", "userData"}:
                return f"‹binary: {len(raw)} bytes›"
            return self._replace(text, path, name)
        if name in _SCRIPTS or find(script):
            return self._replace(script, path, name)
        return None

    def _replace(self, text: str, path: _Path, name: str) -> str:
        matches = find(text, name)
        parts: list[str] = []
        position = 0
        for match in matches:
            digest = match.known or fingerprint(self._salt, text[match.start : match.end])
            parts += (
                self._runs(text[position : match.start], path, name),
                marker(match.detector, digest),
            )
            position = match.end
            if path:
                self._note(path, match.name or name, match.detector, digest)
        if not matches and len(text) < _SHORTEST_RUN:
            return text
        return "".join((*parts, self._runs(text[position:], path, name)))

    def _runs(self, text: str, path: _Path, name: str) -> str:
        """Replace base64 inside a text (a file that user data writes) if it hides a secret."""

        def hidden(hit: re.Match[str]) -> str:
            detector = _hidden(hit[0], _LAYERS)
            if not detector:
                return hit[0]
            digest = fingerprint(self._salt, hit[0])
            if path:
                self._note(path, holder(detector, text, hit.start()) or name, detector, digest)
            return marker(detector, digest)

        return _BASE64_RUN.sub(hidden, text) if len(text) >= _SHORTEST_RUN else text

    def _note(self, path: _Path, name: str, detector: str, digest: str) -> None:
        entry: dict[str, Json] = {
            "path": _in_words(path),
            "name": self._key(name),
            "detector": detector,
            "fingerprint": digest,
        }
        if entry not in self.found:
            self.found.append(entry)


def _remember(known: set[Item], item: Item) -> None:
    if len(known) >= _MOST:
        known.clear()
    known.add(item)


def _is_flag(text: str) -> bool:
    return text.startswith("-") and "=" not in text and is_secret_name(text)


def _in_words(path: _Path) -> str:
    """``config.Containers[0].Environment["a b"]``."""
    steps: list[str] = []
    while isinstance(path, tuple):
        path, step = path
        if isinstance(step, str) and _PLAIN_KEY.fullmatch(step):
            steps.append(f".{step}")
        else:
            steps.append(f"[{json.dumps(step, ensure_ascii=False)}]")
    return "".join((path, *reversed(steps)))


def _decode(text: str) -> bytes | None:
    """Base64 in either alphabet; the padding may be missing."""
    joined = "".join(text.split()).rstrip("=").translate(_URL_SAFE)
    try:
        return base64.b64decode(joined + "=" * (-len(joined) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None


def _hidden(text: str, layers: int) -> str:
    """The detector of a secret that base64 hides, or nothing."""
    raw = _decode(text)
    if raw is None:
        return ""
    # Bytes that are no text may still hold one: a pickle, an archive.
    script = _as_text(raw) or raw.decode("latin-1")
    matches = find(script)
    if matches:
        return matches[0].detector
    if layers > 1:
        for inner in _BASE64_RUN.finditer(script):
            if detector := _hidden(inner[0], layers - 1):
                return detector
    return ""


def _whole(text: str) -> str:
    """Text that can be written as UTF-8: half a surrogate pair is no character."""
    return text if text.isascii() else _SURROGATE.sub("\N{REPLACEMENT CHARACTER}", text)


def _as_text(raw: bytes) -> str | None:
    """Bytes as readable text (unpacking gzip), or None if they are something else."""
    if raw[:2] == b"\x1f\x8b":
        try:
            raw = zlib.decompressobj(31).decompress(raw, _LARGEST_SCRIPT)
        except zlib.error:
            return None
    # Scripts for Windows come in UTF-16: every other byte of plain text is zero.
    wide = len(raw) >= 8 and raw.count(0) * 3 > len(raw) and len(raw) % 2 == 0
    try:
        text = raw.decode("utf-16" if raw[:2] in _MARKS else "utf-16-le" if wide else "utf-8")
    except UnicodeDecodeError:
        return None
    return None if _CONTROL.search(text) else text
