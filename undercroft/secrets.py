"""Recognises credentials in text: by their shape, by what they are assigned to, by their name.

Entropy is only ever asked under a name that promises a secret: hashes, digests, ARNs and ids look just as random.
Everything here is pure; the replacing is done in ``undercroft.redact``.
"""

from __future__ import annotations

import hashlib
import hmac
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from undercroft.detectors import DETECTORS, GUESSING, Detector

__all__ = [
    "Match",
    "entropy",
    "find",
    "find_in_identifier",
    "fingerprint",
    "holder",
    "is_reference",
    "is_secret_name",
    "marker",
]


@dataclass(frozen=True, slots=True)
class Match:
    """A secret found in a text: ``text[start:end]``."""

    start: int
    end: int
    detector: str
    name: str = ""
    """What it was assigned to inside the text, if that can be seen."""
    known: str = ""
    """Fingerprint, if the place holds the marker of a secret that was replaced before."""


ASSIGNMENT = "password-assignment"
BY_NAME = "secret-name"

# One look for all hints at once: nearly every string of a configuration ends here.
_HINTED = re.compile("|".join(re.escape(hint) for d in DETECTORS for hint in d.hints))

_MARKER = re.compile(r"‹redacted:(?P<detector>[a-z0-9-]+):(?P<print>[0-9a-f]{12})›")

_NAME = r"[A-Za-z_][\w.-]{0,63}"
_SEPARATOR = r"\\{0,4}[\"']?\s{0,40}(?:=>|:=|[=:\uff1d]|%3[DdAa])\s{0,40}(?:[|>][+-]?\s{0,4}\n\s{1,40})?\\{0,4}"
# <add key="Password" value="x"/>, {"name": "PASSWORD", "value": "x"}
_PAIRED = r"\\{0,4}[\"'][,\s]{1,8}\\{0,4}[\"']?(?i:value)\\{0,4}[\"']?\s{0,4}[=:]\s{0,4}\\{0,4}"
# A bare value ends with the word, and where the next assignment begins (a=1&b=2, Uid=x;Pwd=y).
_BARE = r"[^\s\"'`;,&|<>\\]|[;,&|<](?![\s;,&|<>\"'`\\/]|[\w.-]{1,64}\\{0,4}[\"']?\s?[=:]|\Z)"
_LONGEST = 2_000
"""Characters looked at of a value; one that is a secret is then followed to its end."""
# A quoted value runs to the same quote, a bare one to the next thing that ends a word. A flag may
# also be followed by a blank (--password hunter2).
_ASSIGNED = re.compile(
    rf"(?P<name>{_NAME})(?:{_SEPARATOR}|(?<=\w)(?P<blank>[ \t]{{1,8}})|{_PAIRED}|>)"
    rf"(?:(?P<escaped>(?<=\\))?(?:\"(?P<d>(?(escaped)[^\"\\\n]|(?:[^\"\\\n]|\\.)){{1,{_LONGEST}}})"
    rf"|'(?P<s>[^'\\\n]{{1,{_LONGEST}}}))|(?P<b>(?:{_BARE}){{1,{_LONGEST}}}))"
)
_REST = {
    "d": re.compile(r"[^\"\\\n]*"),
    "s": re.compile(r"[^'\\\n]*"),
    "b": re.compile(r"[^\s\"'`;,&|<>\\]*"),
}
_ASSIGNED_BEFORE = re.compile(rf"({_NAME}){_SEPARATOR}[\"']?\Z")
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_ASSIGNMENT_HINTS = re.compile(
    r"(?:pass|pwd|pw|secret|token|key|cred|conn|sas|auth|cookie|pat|bearer|session|referer)"
    r"[^=:> \t]{0,40}[=:> \t\uff1d%]"
)


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_STRONG = frozenset({"pwd", "pw", "passphrase"})
_GLUED = ("secret", "apikey", "accesskey", "secretkey", "privatekey", "token")
_PROMISING = _words("""
    secret secrets credential credentials apikey accesskey secretkey token authtoken
    accesstoken apitoken privatekey sas auth authorization bearer cookie cookies creds pat
    referer
""")
_KEY_BEFORE = _words("""
    api access secret private auth account encryption signing shared service admin master
    license storage function subscription ssh deploy fernet jwt session webhook host gpg pgp
""")
# A name that ends so speaks about a secret (where it is, how long it may be), it does not hold one.
_ABOUT = _words("""
    arn arns name names id ids path paths file files dir uri url length len count limit ttl
    expiry expiration expires age days time timeout type types version versions policy
    rotation enabled disabled required parallelism provider manager ref reference location
    bucket size prefix suffix region host port mode status state usage description hint
    field column budget index strategy method class format scope scopes endpoint issuer
    audience model encoder dtype
""")
# Words before "token" that make it a piece of text or a page of a listing.
_TEXT_TOKEN = _words("""
    max min num pad eos bos unk sep cls mask special stop new total per context added next
    start end first last image prompt input output continuation client idempotency creation
    request
""")

_PLACEHOLDER = re.compile(
    r"(?i)[x*.•#_-]+|<[^<>]*>|\[[^\[\]]*\]|%[^%]*%|"
    r"true|false|yes|no|on|off|none|null|nil|undefined|required|optional|default|enabled|disabled|"
    r"string|changeme|change-me|placeholder|redacted|todo|your[-_ ].*|secret|password|token"
)
_REFERENCE = re.compile(
    r"(?i)arn:[a-z0-9-]+:|\{\{|\$\(|(?:\$\{[\w.:/-]{0,99}?(?::?[-=+?])?\}[-_:/.]?)+\Z|\$[a-z_]+\Z|(?-i:\$[A-Z_][A-Z0-9_]*\Z)|\$[\d@?*#!]\Z|"
    r"@microsoft\.keyvault\(|projects/[^/]+/secrets/|/subscriptions/|"
    r"(?:s3|gs|azureml|abfss?|file|docker|ssm|secretsmanager|vault|keyvault|awssecret|op)://|"
    r"(?:ssm|vault|secretsmanager|valuefrom|secretref|env|file|sha256|sha1|sha512):|"
    r"https?://|\d{12}\.dkr\.ecr\."
)
# Upper and lower case mixed inside a segment is what keys in base64 look like, not what paths do.
_FILE_PATH = re.compile(r"(?:~|\.{1,2})?(?:/(?:[a-z0-9_.@-]+|[A-Z][a-z0-9_.-]*|[A-Z_]+))+/?")
_CODE = re.compile(r"[A-Za-z_][\w.]*[(\[]|(?:os|process|self|config|settings|env|var|local|data)\.")
_PLAIN_WORDS = re.compile(
    r"[A-Za-z]{1,19}(?:[-_. /][A-Za-z]{1,19})*|[0-9]+(?:[.,:][0-9]+)*|[a-z]+[-_]?v?[0-9]{1,3}"
)


def fingerprint(salt: bytes, value: str) -> str:
    """First 12 hex digits of HMAC-SHA256(salt, value): equal secrets meet, none can be guessed."""
    return hmac.new(salt, value.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()[:12]


def marker(detector: str, digest: str) -> str:
    """What stands in the place of a secret."""
    return f"‹redacted:{detector}:{digest}›"


def entropy(text: str) -> float:
    """Shannon entropy in bits per character; 0 for the empty text."""
    total = len(text)
    return -math.fsum(n / total * math.log2(n / total) for n in Counter(text).values())


def is_reference(value: str) -> bool:
    """Whether a value only says where a secret is, or is none: ARN, ``${VAR}``, path, blank, …"""
    value = value.strip()
    return (
        not value
        or _REFERENCE.match(value) is not None
        or _FILE_PATH.fullmatch(value) is not None
        or _PLACEHOLDER.fullmatch(value) is not None
        or (_MARKER.fullmatch(value) is not None)
    )


def is_secret_name(name: str) -> bool:
    """Whether a variable, field or flag of this name is expected to hold a secret."""
    return _strength(name) > 0


def find(text: str, name: str = "") -> list[Match]:
    """Every secret in a text, in order, without overlaps; ``name`` is what the whole text is called.

    Where several detectors meet, the place is their union and the first of them gives the name.
    Markers of an earlier redaction are reported with their fingerprint, so that redacting twice
    changes nothing.
    """
    return _merged(_candidates(text, name))


def find_in_identifier(text: str) -> list[Match]:
    """Like ``find``, for keys, ARNs and names: only what no identifier looks like by chance."""
    return _merged(_shapes(text, (d for d in DETECTORS if d.id not in GUESSING), []))


def _merged(candidates: Iterable[Match]) -> list[Match]:
    found: list[tuple[int, int, int, Match]] = []
    for priority, match in enumerate(candidates):
        found.append((match.start, match.end, priority, match))
    found.sort(key=lambda entry: entry[:3])
    merged: list[tuple[int, Match]] = []
    for start, end, priority, match in found:
        if merged and start < merged[-1][1].end:
            first, before = merged[-1]
            best = before if first < priority else match
            whole = Match(before.start, max(end, before.end), best.detector, best.name, best.known)
            merged[-1] = (min(first, priority), whole)
        else:
            merged.append((priority, match))
    return [match for _, match in merged]


def _candidates(text: str, name: str) -> Iterator[Match]:
    """Everything that looks like a secret; the first to be yielded for a place names it."""
    markers: list[tuple[int, int]] = []
    if "‹" in text:
        for hit in _MARKER.finditer(text):
            markers.append(hit.span())
            yield Match(
                hit.start(),
                hit.end(),
                hit["detector"],
                holder(hit["detector"], text, hit.start()),
                hit["print"],
            )
    yield from _shapes(text, DETECTORS, markers)
    if _ASSIGNMENT_HINTS.search(text.lower()):
        for start, end, named in _assignments(text):
            if not _within(start, markers):
                yield Match(start, end, ASSIGNMENT, named)
    if name and not markers and _held_by_name(name, text):
        yield Match(0, len(text), BY_NAME)


def _shapes(
    text: str, detectors: Iterable[Detector], markers: list[tuple[int, int]]
) -> Iterator[Match]:
    lower = text.lower()
    if not _HINTED.search(lower):
        return
    for detector in detectors:
        if not any(hint in lower for hint in detector.hints):
            continue
        for hit in detector.pattern.finditer(text):
            group = "v" if hit["v"] is not None else "w"
            start, end = hit.span(group)
            if not is_reference(hit[group]) and not _within(start, markers):
                yield Match(start, end, detector.id, holder(detector.id, text, start))


def _within(start: int, spans: list[tuple[int, int]]) -> bool:
    return any(first <= start < last for first, last in spans)


def holder(detector: str, text: str, start: int) -> str:
    """The name in front of an assignment to the secret that begins at ``start``, or nothing."""
    if detector == "url-credentials":
        return ""  # the word before the colon is the user
    hit = _ASSIGNED_BEFORE.search(text, max(0, start - 80), start)
    return hit[1] if hit else ""


def _assignments(text: str) -> Iterator[tuple[int, int, str]]:
    position = 0
    while hit := _ASSIGNED.search(text, position):
        # Go on behind the name, not behind the value: "a: password=b" assigns twice.
        position = hit.end("name")
        name = hit["name"]
        strength = _strength(name)
        before = text[hit.start() - 1] if hit.start() else ""
        if not strength or (hit["blank"] and before != "-"):
            continue
        if before == ":" == text[position : position + 1]:
            continue  # a link in a chain of colons: an ARN, a dynamic reference
        group = next(g for g in ("d", "s", "b") if hit[g] is not None)
        value = hit[group]
        if group == "b" and _CODE.match(value):
            continue
        if _plausible(value, strength):
            end = hit.end(group)
            if len(value) >= _LONGEST and (rest := _REST[group].match(text, end)):
                end = rest.end()
            position = max(end, hit.end())
            yield hit.start(group), end, name


def _held_by_name(name: str, value: str) -> bool:
    strength = _strength(name)
    return bool(strength) and _plausible(value, strength)


@lru_cache(maxsize=4096)
def _strength(name: str) -> int:
    """0: no secret; 1: a token or key, if the value looks like one; 2: a password, whatever it is."""
    words = [word.lower() for word in _WORD.findall(name)]
    if not words or words[-1] in _ABOUT:
        return 0
    for index, word in enumerate(words):
        before = words[index - 1] if index else ""
        if "passw" in word or word in _STRONG or (word == "pass" and word is words[-1]):
            return 2
        if word == "token" and before in _TEXT_TOKEN:
            continue
        if (
            word in _PROMISING
            or word.endswith(_GLUED)
            or (word in {"key", "keys"} and before in _KEY_BEFORE)
        ):
            return 1
        if word == "agent" and before == "user":
            return 1  # bucket policies compare it with a shared secret
        if word in {"string", "str"} and before in {"connection", "conn"}:
            return 1
    return 0


def _plausible(value: str, strength: int) -> bool:
    if is_reference(value):
        return False
    if strength == 2:
        return len(value) >= 4
    if len(value) < 6 or any(char.isspace() for char in value):
        return False
    return not _PLAIN_WORDS.fullmatch(value) and entropy(value) >= 2.0
