"""Names that never change: canonical JSON, finding ids, resource keys.

A finding keeps its id for as long as the same rule finds the same problem at the same place of the
same resource; wording, severity, versions, digests, tags and machines do not enter.
"""

from __future__ import annotations

import hashlib
import json
import math
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from undercroft.model import Json, Observation

__all__ = [
    "aws_key",
    "azure_key",
    "canonical_json",
    "digest",
    "finding_id",
    "gcp_key",
    "image_key",
    "observation_id",
    "short_id",
    "tie_break",
]

_PREFIX = "f1-"
_SHORT = 8
_DEFAULT_REGISTRY = "docker.io"
_DEFAULT_REGISTRY_NAMES = frozenset(
    {"", "docker.io", "index.docker.io", "registry-1.docker.io", "registry.hub.docker.com"}
)


def canonical_json(value: Json) -> str:
    """``value`` as RFC 8785 text: sorted keys, no spaces, NFC strings, ECMAScript numbers.

    Two departures, both so that cloud data can never stop a scan: integers beyond 2⁵³ keep all
    their digits, and a lone surrogate is written as its escape.

    Raises:
        ValueError: for NaN and infinities, which JSON does not have.
        TypeError: for anything that is not JSON, and for keys that are not text.
    """
    if _is_plain(value):
        text = _encoded(value)
        if text.isascii():
            return text
    parts: list[str] = []
    _write(value, parts)
    return "".join(parts)


def digest(value: Json) -> str:
    """SHA-256 of the canonical JSON, in hexadecimal."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def finding_id(rule: str, resource_key: str, at: Mapping[str, str]) -> str:
    """``f1-`` and 32 base-32 letters: SHA-256 of (RULE, resource key, discriminator), 160 bits.

    ``rule`` is the identity RULE: a rule's first identifier ever, or ``VULN:<id>``.
    """
    # The members are in their canonical order; a scan asks this for every finding.
    text = f'{{"at":{_members(at)},"res":{_text(resource_key)},"rule":{_text(rule)},"v":1}}'
    number = int.from_bytes(hashlib.sha256(text.encode()).digest()[:20], "big")
    return _PREFIX + "".join([_PAIRS[number >> shift & 1023] for shift in _SHIFTS])


def observation_id(observation: Observation) -> str:
    """The id of the finding that this observation is about."""
    return finding_id(
        observation.identity or observation.rule, observation.resource, observation.at
    )


def short_id(finding: str) -> str:
    """The eight characters that screens show. May be ambiguous: the store resolves it."""
    return finding.removeprefix(_PREFIX)[:_SHORT]


def tie_break(finding: str) -> int:
    """60 bits of a finding id as an integer that sorts as the id's text does.

    Lets an index that ends in (score, id) hold eight bytes instead of the text.
    """
    return int(finding.removeprefix(_PREFIX)[:12].translate(_AS_DIGITS), 32)


def aws_key(partition: str, account: str, region: str, service: str, kind: str, name: str) -> str:
    """``aws/<partition>/<account>/<region or ->/<service>/<type>/<id>``."""
    return "/".join(
        (
            "aws",
            partition.lower(),
            account or "-",
            region.lower() or "-",
            service.lower(),
            kind,
            name,
        )
    )


def azure_key(resource_id: str) -> str:
    """``azure/<full resource id>``; Azure ids compare without case, so it is folded away."""
    return "azure/" + resource_id.strip("/").casefold()


def gcp_key(project: str, service: str, location: str, collection: str, name: str) -> str:
    """``gcp/<project id>/<service>/<location or ->/<collection>/<name>``."""
    return "/".join(("gcp", project, service, location or "-", collection, name))


def image_key(registry: str, repository: str) -> str:
    """``image/<registry host>/<repository>``: no tag, no digest.

    All spellings of the default public registry are one host, with ``library/`` made explicit.
    """
    host = registry.lower()
    if host in _DEFAULT_REGISTRY_NAMES:
        host = _DEFAULT_REGISTRY
        if "/" not in repository:
            repository = f"library/{repository}"
    return f"image/{host}/{repository}"


_BASE32 = "abcdefghijklmnopqrstuvwxyz234567"
_PAIRS = [first + second for first in _BASE32 for second in _BASE32]
"""Ten bits → two letters."""
_SHIFTS = range(150, -1, -10)
_AS_DIGITS = str.maketrans("234567abcdefghijklmnopqrstuvwxyz", "0123456789abcdefghijklmnopqrstuv")
"""Letters of base 32 in the order of their text → digits in the order of their value."""


_quoted = json.encoder.encode_basestring
_encoded = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode
"""Canonical for what is plain and ASCII, where code points, code units and NFC are all one."""


def _is_plain(value: Json) -> bool:
    """Whether it holds nothing that Python writes otherwise than RFC 8785, apart from its letters."""
    kind = type(value)
    if kind is dict:
        return all(type(key) is str and _is_plain(item) for key, item in value.items())  # type: ignore[union-attr]  # its type was just compared
    if kind is list:
        return all(map(_is_plain, value))  # type: ignore[arg-type]  # its type was just compared
    return kind is str or kind is int or kind is bool or value is None


def _members(at: Mapping[str, str]) -> str:
    """Canonical JSON of a discriminator, quickly if it is plain."""
    if len(at) == 1:
        ((name, value),) = at.items()
        text = f"{{{_quoted(name)}:{_quoted(value)}}}"
    else:
        text = f"{{{','.join([f'{_quoted(name)}:{_quoted(at[name])}' for name in sorted(at)])}}}"
    return text if text.isascii() else canonical_json(at)


def _write(value: Json, parts: list[str]) -> None:
    if value is None or isinstance(value, bool):
        parts.append({None: "null", True: "true", False: "false"}[value])
    elif isinstance(value, str):
        parts.append(_text(value))
    elif isinstance(value, int):
        parts.append(str(value))
    elif isinstance(value, float):
        parts.append(_number(value))
    elif isinstance(value, Mapping):
        _write_object(value, parts)
    elif isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
        parts.append("[")
        for index, item in enumerate(value):
            if index:
                parts.append(",")
            _write(item, parts)
        parts.append("]")
    else:
        msg = f"not JSON: {type(value).__name__}"
        raise TypeError(msg)


def _write_object(value: Mapping[Any, Json], parts: list[str]) -> None:
    if not value:
        parts.append("{}")
        return
    members: dict[str, Json] = {}
    for key, item in value.items():
        if not isinstance(key, str):
            msg = f"not a JSON key: {key!r}"
            raise TypeError(msg)
        members[unicodedata.normalize("NFC", key)] = item
    parts.append("{")
    # RFC 8785 sorts by UTF-16 code unit, which differs from code points outside the first plane.
    ordered = sorted(members, key=lambda key: key.encode("utf-16-be", "surrogatepass"))
    for index, key in enumerate(ordered):
        if index:
            parts.append(",")
        parts.append(_text(key))
        parts.append(":")
        _write(members[key], parts)
    parts.append("}")


def _text(value: str) -> str:
    if value.isascii():
        return _quoted(value)
    text = _quoted(unicodedata.normalize("NFC", value))
    if any("\ud800" <= character <= "\udfff" for character in text):
        text = "".join(
            f"\\u{ord(character):04x}" if "\ud800" <= character <= "\udfff" else character
            for character in text
        )
    return text


def _number(value: float) -> str:
    """ECMAScript's Number::toString: the shortest digits that read back as the same double."""
    if not math.isfinite(value):
        msg = f"not a JSON number: {value}"
        raise ValueError(msg)
    if value == 0:
        return "0"
    sign = "-" if value < 0 else ""
    mantissa, _, exponent = repr(abs(value)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    fraction = "" if fraction == "0" else fraction
    digits = (whole + fraction).lstrip("0")
    point = len(whole) + int(exponent or 0)
    if whole == "0":
        point -= 1 + len(fraction) - len(fraction.lstrip("0"))
    digits = digits.rstrip("0")
    count = len(digits)
    if count <= point <= 21:
        return sign + digits + "0" * (point - count)
    if 0 < point <= 21:
        return f"{sign}{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    power = point - 1
    tail = f".{digits[1:]}" if count > 1 else ""
    return f"{sign}{digits[0]}{tail}e{'+' if power >= 0 else '-'}{abs(power)}"
