"""Public feeds about exploitation, read from files: CISA's KEV catalogue (JSON) and FIRST's EPSS (CSV).

Nothing is fetched here: people bring the file, and its own date is kept. A file is taken whole or
not at all.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import field, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from undercroft.model import Observation
from undercroft.records import dataclass
from undercroft.text import count

__all__ = ["EPSS", "KEV", "Exploitable", "FeedError", "FeedInfo", "ParsedFeed", "read_feed"]

KEV = "kev"
EPSS = "epss"
_GZIP = b"\x1f\x8b"
_MOST = 512 * 1024 * 1024
"""Bytes that a feed may have, unpacked; the real ones have a few megabytes."""
_CVE = re.compile(r"CVE-\d{4}-\d{4,}")
_DAY = re.compile(r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])")
STALE_DAYS = 30
EXPLOITABLE_TRAIT = "vuln"
"""What combinations ask for."""


class FeedError(Exception):
    """A file that is no feed, or a broken one: says what and where."""


@dataclass(frozen=True, slots=True)
class FeedInfo:
    """What the cache knows of a feed."""

    name: str
    """``kev`` or ``epss``."""
    version: str
    """The catalogue's version, or the model's."""
    dated: str
    """Day of the data, as the file says: ``2026-08-01``."""
    imported_at: str
    entries: int

    def age(self, now: datetime) -> int:
        """Days between the data and ``now``."""
        return (now.astimezone(UTC).date() - date.fromisoformat(self.dated)).days

    def words(self, now: datetime) -> str:
        """``EPSS v2025.03.14 of 2026-08-01 (3 days old)``; says so where it is stale."""
        age = self.age(now)
        stale = ": older than 30 days, import a newer one" if age > STALE_DAYS else ""
        return (
            f"{self.name.upper()} {self.version} of {self.dated} ({count(age, 'day')} old{stale})"
        )


@dataclass(frozen=True, slots=True)
class Exploitable:
    """The vulnerabilities that feeds call exploited, and those that they call likely to be."""

    exploited: frozenset[str] = frozenset()
    likely: frozenset[str] = frozenset()
    dangerous: float = 9.0
    """CVSS base score from which on the likely ones count."""

    def mark(self, found: Observation) -> Observation:
        """The observation, with the trait ``vuln`` if it is about one that is exploitable."""
        if found.cve is None or EXPLOITABLE_TRAIT in found.traits:
            return found
        likely = found.cve in self.likely and (found.cvss or 0.0) >= self.dangerous
        if likely or found.cve in self.exploited:
            return replace(found, traits=(*found.traits, EXPLOITABLE_TRAIT))
        return found


@dataclass(frozen=True, slots=True)
class ParsedFeed:
    """A feed's content: CVE → probability (EPSS), or → day on which it was added (KEV)."""

    name: str
    version: str
    dated: str
    values: Mapping[str, float | str]
    due: Mapping[str, str] = field(default_factory=dict)
    """CVE → day until which the catalogue wants it mended (KEV)."""


def read_feed(path: Path) -> ParsedFeed:
    """Read a file, gzip or not, by its content. Raises ``FeedError``; ``OSError`` if it cannot."""
    with path.open("rb") as file:
        packed = file.read(2) == _GZIP
        file.seek(0)
        source = gzip.GzipFile(fileobj=file) if packed else file
        try:
            data = source.read(_MOST + 1)
        except (EOFError, gzip.BadGzipFile) as error:
            raise FeedError(f"{path.name} is cut short or no gzip file: {error}") from error
    if len(data) > _MOST:
        raise FeedError(f"{path.name} is larger than any feed ({_MOST:,} bytes)")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FeedError(f"{path.name} is not UTF-8 text (byte {error.start})") from error
    return _kev(text, path.name) if text.lstrip().startswith("{") else _epss(text, path.name)


def _kev(text: str, name: str) -> ParsedFeed:
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise FeedError(f"{name} is broken JSON: {error.msg} in line {error.lineno}") from error
    entries = document.get("vulnerabilities")
    if not isinstance(entries, list):
        raise FeedError(f"{name} is JSON, but no KEV catalogue: it has no list 'vulnerabilities'")
    values: dict[str, float | str] = {}
    due: dict[str, str] = {}
    for position, entry in enumerate(entries, start=1):
        cve = str(entry.get("cveID", "")) if isinstance(entry, dict) else ""
        if not _CVE.fullmatch(cve):
            raise FeedError(f"{name}: entry {position} has no 'cveID'")
        values[cve] = str(entry.get("dateAdded", ""))
        if _DAY.fullmatch(day := str(entry.get("dueDate", ""))):
            due[cve] = day
    if not values:
        raise FeedError(f"{name} names no vulnerability")
    released = _text(document, "dateReleased")[:10]
    return ParsedFeed(KEV, _text(document, "catalogVersion"), _day(released, name), values, due)


def _text(document: Mapping[str, Any], key: str) -> str:
    value = document.get(key)
    return value if isinstance(value, str) else ""


def _epss(text: str, name: str) -> ParsedFeed:
    head, _, rest = text.partition("\n")
    said = dict(re.findall(r"(\w+):([^,\s]+)", head))
    if not head.startswith("#") or "score_date" not in said:
        raise FeedError(
            f"{name} is neither a KEV catalogue (JSON) nor an EPSS table: its first line should "
            "name model_version and score_date"
        )
    values: dict[str, float | str] = {}
    for number, cve, probability in _lines(rest, name):
        if not _CVE.fullmatch(cve) or not 0.0 <= probability <= 1.0:
            raise FeedError(f"{name}: line {number} is no CVE with a probability from 0 to 1")
        values[cve] = probability
    if not values:
        raise FeedError(f"{name} names no vulnerability")
    return ParsedFeed(
        EPSS, said.get("model_version", ""), _day(said["score_date"][:10], name), values
    )


def _lines(text: str, name: str) -> Iterator[tuple[int, str, float]]:
    rows = csv.reader(io.StringIO(text))
    columns = next(rows, [])
    if columns[:2] != ["cve", "epss"]:
        raise FeedError(f"{name}: the columns should be cve,epss,percentile")
    for number, row in enumerate(rows, start=3):
        if not row:
            continue
        try:
            yield number, row[0], float(row[1])
        except (IndexError, ValueError):
            raise FeedError(f"{name}: line {number} cannot be read") from None


def _day(text: str, name: str) -> str:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise FeedError(f"{name} does not say of which day it is") from None
