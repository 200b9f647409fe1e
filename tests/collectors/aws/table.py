"""The table in docs/aws.md, made from the collectors and rules themselves.

``python -m tests.collectors.aws.table`` writes it; a test holds the page to it.
"""

from __future__ import annotations

import re
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from botocore import xform_name

from collectors.aws import collectors
from collectors.aws.catalogue import EVERY
from collectors.aws.guard import READS
from collectors.aws.kinds import Kind
from collectors.aws.listed import KindList, KindNamed, SageMakerReferenced
from collectors.aws.unchanged import DESCRIBED_ANYWAY, SAFE
from collectors.aws.units import AwsCollector
from rules import load_pack
from tests.cloud.model_server import load_records
from tests.cloud.moto_fidelity import ANSWERED
from undercroft.text import count

__all__ = ["PAGE", "Row", "page", "rows"]

_ROOT = Path(__file__).parents[3]
PAGE = _ROOT / "docs" / "aws.md"
_RECORDS = _ROOT / "tests" / "cloud" / "records"
_BEGIN, _END = "<!-- begin of the generated table -->\n", "<!-- end of the generated table -->\n"
_LITERAL = re.compile(r'"((?:describe|get|list|batch_get|head)_[a-z0-9_]+)"')
_METHODS = frozenset(xform_name(name) for names in READS.values() for name in names)
_FIDELITY = frozenset(xform_name(name) for name in ANSWERED)
_FOLDERS = {"lambda": "awslambda"}
_CODE = "in code"


class Row(NamedTuple):
    """One resource type, as one collector reads it."""

    type: str
    calls: tuple[str, ...]
    edges: str
    again: str
    """What a second scan does about it."""
    tested: str

    @property
    def rules(self) -> int:
        """How many rules are asked of the type."""
        return sum(any(fnmatchcase(self.type, p) for p in on) for on in _asked_of())


def rows() -> list[Row]:
    """Every type that is read: kinds as their tables have them, then those with their own code."""
    found = [Row(k.type, _calls(k), _edges(k), _again(k), _tested(k)) for k in EVERY]
    tabled = {row.type for row in found}
    coded = [
        collector
        for collector in collectors()
        if isinstance(collector, AwsCollector)
        and not isinstance(collector, KindList | KindNamed | SageMakerReferenced)
    ]
    owners = {_stem(collector) for collector in coded}
    for collector in coded:
        found += [row for row in _by_code(collector, owners) if row.type not in tabled]
    return sorted(found, key=lambda row: (row.type.partition(":")[0], row.type, row.calls))


def page(text: str) -> str:
    """The page with the table as it is now."""
    before, _, rest = text.partition(_BEGIN)
    after = rest.partition(_END)[2]
    lines = [
        "| type | calls | edges | rules | in the next scan | tested on |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    lines += [
        f"| {row.type} | {', '.join(row.calls)} | {row.edges} | {row.rules or '–'} | {row.again} "
        f"| {row.tested} |"
        for row in rows()
    ]
    table = "\n".join(lines)
    return f"{before}{_BEGIN}\n{table}\n\n{_END}{after}"


@cache
def _asked_of() -> tuple[tuple[str, ...], ...]:
    return tuple(rule.on for rule in load_pack().rules)


def _calls(kind: Kind) -> tuple[str, ...]:
    further = [(read.operation, *(each.operation for each in read.each)) for read in kind.reads]
    tags = [kind.tags.operation] if kind.tags and kind.service else []
    named = [kind.list_operation, kind.describe_operation, *(o for ops in further for o in ops)]
    return tuple(filter(None, [*named, *tags]))


def _edges(kind: Kind) -> str:
    relations = sorted({ref.relation.value for ref in kind.references})
    fields = count(len(kind.references), "field")
    parts = [f"{fields} ({', '.join(relations)})"] if relations else []
    parts += ["hosts"] if kind.hosts else []
    parts += ["worked out"] if kind.more else []
    parts += [f"parts ({', '.join(c.kind.name for c in kind.children)})"] if kind.children else []
    parts += ["settings"] if kind.settings else []
    return "; ".join(parts) or "–"


def _again(kind: Kind) -> str:
    name = f"{kind.family}.{kind.name}"
    if not kind.describe_operation:
        return "read again"
    if name in SAFE:
        return f"described if {SAFE[name].by} moved"
    why = DESCRIBED_ANYWAY.get(name)
    return f"described again: {why}" if why else "described again"


def _tested(kind: Kind) -> str:
    operation = kind.describe_operation or kind.list_operation
    return _answers(kind.client, operation or next((r.operation for r in kind.reads), ""))


def _answers(service: str, *operations: str) -> str:
    """What answers in tests: records of the model-driven cloud, moto, or the SDK's shapes alone."""
    found = set()
    for operation in operations:
        if not _nouns(operation).isdisjoint(_recorded()[service]):
            found.add("model")
        if operation in _moto(service) or (service == "sagemaker" and operation in _FIDELITY):
            found.add("moto")
    return ", ".join(sorted(found)) or "shapes"


def _nouns(operation: str) -> set[str]:
    noun = re.sub(r"^(describe|get|list|batch_get)_", "", operation).replace("_", "").lower()
    nouns = {noun, noun.removesuffix("v2"), noun.removesuffix("s"), noun.removesuffix("es")}
    return {*nouns, re.sub("ies$", "y", noun)}


@cache
def _recorded() -> Mapping[str, set[str]]:
    """Service → nouns of the records there are."""
    found = defaultdict[str, set[str]](set)
    for file in _RECORDS.glob("*.yaml"):
        for record in load_records(file.stem):
            found[record.service].add(record.noun.lower())
    return found


@cache
def _moto(service: str) -> frozenset[str]:
    """The methods that moto's answers for a service have, without importing them."""
    spec = find_spec("moto")
    folder = Path(spec.submodule_search_locations[0]) if spec else _ROOT  # type: ignore[index]
    name = _FOLDERS.get(service, service).replace("-", "")
    files = [folder / name / "responses.py", *(folder / name / "responses").glob("*.py")]
    text = "".join(file.read_text("utf-8") for file in files if file.is_file())
    return frozenset(re.findall(r"def ((?:describe|get|list|batch_get|head)_\w+)\(", text))


def _stem(collector: AwsCollector) -> str:
    return Path(str(sys.modules[type(collector).__module__].__file__)).stem


def _by_code(collector: AwsCollector, owners: set[str]) -> Iterator[Row]:
    """``owners``: modules of collectors; what else there is belongs to the one it is named after."""
    stem = _stem(collector)

    def owner(module: str) -> str:
        named = (name for name in owners if module == name or module.startswith(f"{name}_"))
        return max(named, key=len, default="")

    folder = Path(str(sys.modules[type(collector).__module__].__file__)).parent
    text = "".join(
        file.read_text("utf-8") for file in sorted(folder.glob("*.py")) if owner(file.stem) == stem
    )
    calls = tuple(name for name in dict.fromkeys(_LITERAL.findall(text)) if name in _METHODS)
    made = [
        (service, call)
        for service, names in READS.items()
        for call in calls
        if call in {xform_name(name) for name in names}
    ]
    told = {answer for service, call in made for answer in _answers(service, call).split(", ")}
    tested = ", ".join(sorted(told - {"shapes"})) or "shapes"
    for name in dict.fromkeys((*collector.reads, *collector.lists, *collector.with_them)):
        yield Row(name, calls, _CODE, "read again", tested)


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text("utf-8")), "utf-8")
