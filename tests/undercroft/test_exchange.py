"""What leaves the program: complete, deterministic, harmless to open."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import unicodedata
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TextIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.undercroft.store_kit import Clock, Estate, fail, notebook, save, tower_estate
from undercroft.exchange import (
    SERVICE_FORMATS,
    FileExistsRefusedError,
    Format,
    Head,
    export_findings,
    export_services,
    finding_document,
    findings_document,
    history_document,
    resource_document,
    scan_document,
    scans_document,
    write_whole,
)
from undercroft.exchange.cells import cell
from undercroft.exchange.markdown import escape
from undercroft.exchange.table import CSV_COLUMNS, DUE_COLUMNS
from undercroft.model import LAYERS, Coverage, CoverageStatus, Json, Layer, Presence, Severity
from undercroft.store import Store
from undercroft.store.encode import dump
from undercroft.triage.ageing import Ageing
from undercroft.triage.limits import ServiceLevel
from undercroft.views import (
    DecisionView,
    FindingRecord,
    FindingRow,
    Query,
    ResourceRef,
    ScanRow,
)

HOSTILE = "[bold red]x[/]\x1b[31m=cmd()"


SCAN = ScanRow(
    id=3,
    uid="s-1",
    name=HOSTILE,
    kind="live",
    state="partial",
    started_at="2026-11-01T00:00:00Z",
    finished_at="2026-11-01T00:05:00Z",
    scope={"provider": "aws"},
    services=1,
    resources=2,
    findings=1,
    gaps=1,
    calls=9,
    spared=1_200,
)
GAP = Coverage("aws", "1", "eu-west-1", "aws.kms", CoverageStatus.DENIED, "needs kms:DescribeKey")
HEAD = Head("0.1.0", SCAN, [GAP], "severity:high", "2026-11-02T00:00:00Z")


def record(name: str = HOSTILE, *, title: str = HOSTILE, number: int = 1) -> FindingRecord:
    row = FindingRow(
        id=f"f1-{number:08}",
        rule="aws-s3-public-read",
        title=title,
        severity=Severity.HIGH,
        status="accepted",
        cause="",
        unconfirmed=False,
        layer=Layer.STORAGE,
        provider="aws",
        account="1",
        region="-",
        resource_key=f"aws/aws/1/-/s3/bucket/{name}",
        resource_id=f"arn:aws:s3:::{name}",
        resource_name=name,
        resource_type="s3:bucket",
        score=51.26,
        cve=None,
        package=None,
        services=1,
        first_seen="2026-11-01T00:00:00Z",
        last_seen="2026-11-01T00:00:00Z",
        until="2026-12-31",
        owner=name,
        new=True,
    )
    service = ResourceRef(
        key=f"aws/aws/1/us-east-1/sagemaker/endpoint/{name}",
        native_id="",
        name=name,
        type="sagemaker:endpoint",
        layer=Layer.SERVICE,
        provider="aws",
        account="1",
        region="us-east-1",
        presence=Presence.READ,
        implied=False,
        service=True,
    )
    decision = DecisionView("accept", name, "2026-12-31", name, name, "2026-11-01T00:00:00Z", "e")
    proof = dump([["facts.public_read", True], ["config.Name", name]])
    return FindingRecord(row, dump({"port": name}), proof, "", decision, (service,))


def exported(form: Format, *records: FindingRecord, head: Head = HEAD) -> str:
    out = io.StringIO()
    export_findings(records, head, form, out)
    return out.getvalue()


def test_csv_has_no_formula_and_no_escape() -> None:
    text = exported(Format.CSV, record("=cmd()"), record("@SUM(A1)"), record("\t=1"), record())
    assert "\x1b" not in text
    rows = list(csv.DictReader(io.StringIO(text)))
    assert list(rows[0]) == [*CSV_COLUMNS, *DUE_COLUMNS]
    assert rows[0]["resource"] == "'=cmd()"
    assert rows[1]["resource"] == "'@SUM(A1)"
    assert rows[2]["resource"].startswith("'")
    assert rows[3]["resource"] == "[bold red]x[/]␛[31m=cmd()"
    assert rows[3]["score"] == "51.3"


@given(st.text())
def test_a_cell_never_starts_like_a_formula(text: str) -> None:
    written = cell(text)
    assert not written.startswith(("=", "+", "-", "@", "\t", "\r"))
    assert not any(unicodedata.category(char) in {"Cc", "Cs"} for char in written)


def test_json_is_the_same_document_streamed_or_built() -> None:
    streamed = json.loads(exported(Format.JSON, record(), record(number=2)))
    assert streamed == json.loads(json.dumps(findings_document(HEAD, [record(), record(number=2)])))
    assert json.loads(exported(Format.JSON))["findings"] == []


def test_json_keeps_the_true_value_and_is_plain_ascii() -> None:
    text = exported(Format.JSON, record())
    assert text.isascii()
    assert "\x1b" not in text
    finding = json.loads(text)["findings"][0]
    assert finding["resource"]["name"] == HOSTILE
    assert finding["services"] == [f"aws/aws/1/us-east-1/sagemaker/endpoint/{HOSTILE}"]
    assert finding["evidence"][0] == {"path": "facts.public_read", "value": True}
    assert finding["decision"]["until"] == "2026-12-31"
    assert json.loads(text)["scan"]["coverage"][0]["status"] == "denied"


def test_every_document_names_its_shape_and_scan(store: Store, clock: Clock) -> None:
    estate = tower_estate()
    scan = save(store, estate, clock)
    resource = store.resource(scan.id, estate.resources[0].key)
    documents = [
        scans_document([(scan, store.coverage(scan.id))]),
        scan_document(scan, store.coverage(scan.id)),
        resource_document(scan, resource),
        history_document(store.history()),
    ]
    assert [json.loads(json.dumps(each))["schema"] for each in documents] == [
        "undercroft/scans/1",
        "undercroft/scan/1",
        "undercroft/resource/1",
        "undercroft/history/1",
    ]
    assert documents[2]["findings"] == [finding.id for finding in resource.findings]


def test_services_are_written_whole(store: Store, clock: Clock) -> None:
    estate = Estate()
    nb = notebook(HOSTILE)
    estate.add(nb, fail(nb))
    scan = save(store, estate, clock)
    now = datetime(2026, 11, 20, 12, tzinfo=UTC)
    head = Head.of(store, scan, "", now)
    out = {form: io.StringIO() for form in SERVICE_FORMATS}
    for form, file in out.items():
        export_services(store.services(scan.id, Query()), head, form, file)

    document = json.loads(out[Format.JSON].getvalue())
    assert document["as_of"] == "2026-11-20T12:00:00.000000Z"
    assert [row["name"] for row in document["services"]] == [HOSTILE]
    (row,) = csv.DictReader(io.StringIO(out[Format.CSV].getvalue()))
    assert row["name"] == "[bold red]x[/]␛[31m=cmd()"
    assert list(row)[-len(LAYERS) :] == [layer.value for layer in LAYERS]
    assert (row["service"], row["network"], row["change"]) == ("high", "", "")


def test_jsonl_is_one_finding_a_line() -> None:
    lines = exported(Format.JSONL, record(), record(number=2)).splitlines()
    assert [json.loads(line)["id"] for line in lines] == ["f1-00000001", "f1-00000002"]
    assert json.loads(lines[0])["schema"] == "undercroft/finding/1"


def test_markdown_tells_what_could_not_be_read_before_the_findings() -> None:
    text = exported(Format.MARKDOWN, record())
    assert text.index("Could not be read") < text.index("High: 1 finding")
    assert "\x1b" not in text
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert all(len(re.findall(r"(?<!\\)\|", line)) == 7 for line in table)


AGED = Ageing(timedelta(days=9), timedelta(days=4), datetime(2026, 10, 24, tzinfo=UTC))
RECORDS = [
    record(),
    record(name="plain", title="a, b")._replace(decision=None, services=()),
    record("=1")._replace(ageing=AGED, kev=True, kev_due="2026-11-05"),
    record()._replace(row=record().row._replace(cve="CVE-1", package="deb/a", unconfirmed=True)),
]
EVIDENCE: list[list[Json]] = [
    [],
    [["facts.admin", True]],
    [["facts.admin", "=no quotes needed"]],
    [["config.Name", ""]],
    [["-a", 1]],
    [["a,b", [1, 2]]],
    [["config", {"a": [1.5, None, {"b": []}], "c": ",", "d": ":", "e": '"', "f": "\\,"}]],
    [["nested", [[1], ["],["], ["x"]]]],
    [["config.Name", "\x7f\x1b[31mé\ud800"]],
    [["one", {"a": 1}], ["two", ["b", "c"]]],
    [["key: x", {"k:": "v,"}]],
]


@pytest.mark.parametrize(
    "level",
    [ServiceLevel(), ServiceLevel({"high": 5}), ServiceLevel(catalogue=True)],
)
def test_lines_and_rows_are_what_the_records_say(level: ServiceLevel) -> None:
    """Both are written without making a record; here they are made from it."""
    head = replace(HEAD, level=level)
    found = [*RECORDS, *(RECORDS[1]._replace(proof=dump(value)) for value in EVIDENCE)]
    lines = "".join(json.dumps(finding_document(head, one)) + "\n" for one in found)
    assert exported(Format.JSONL, *found, head=head) == lines

    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([*CSV_COLUMNS, *DUE_COLUMNS])
    for one in found:
        told: dict[str, Any] = finding_document(head, one)
        where, decision, due = told["resource"], told["decision"] or {}, told["service_level"] or {}
        told |= {"resource": where["name"], "resource_type": where["type"]}
        told |= {"resource_id": where["id"], "resource_key": where["key"], "due": due.get("due")}
        told |= {"decision": decision.get("kind"), "reason": decision.get("reason")}
        told |= {"until": one.row.until, "owner": one.row.owner}
        told["services"] = " | ".join(sorted(each.name for each in one.services))
        told["unconfirmed"] = "yes" if told["unconfirmed"] else ""
        told["overdue"] = "yes" if due.get("overdue") else ""
        told["evidence"] = " | ".join(
            f"{item.path}={json.dumps(item.value, ensure_ascii=False)}" for item in one.evidence
        )
        values = (told[name] for name in (*CSV_COLUMNS, *DUE_COLUMNS))
        writer.writerow([cell("" if value is None else value) for value in values])
    assert exported(Format.CSV, *found, head=head) == out.getvalue()


@given(st.text())
def test_escaped_markdown_is_one_line_of_text(text: str) -> None:
    written = escape(text)
    assert "\n" not in written
    assert not re.search(r"(?<!\\)(?:\\\\)*[<\[`|*]", written)


def test_files_are_whole_and_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    write_whole(path, lambda file: file.write("one"))
    with pytest.raises(FileExistsRefusedError, match="--force"):
        write_whole(path, lambda file: file.write("two"))
    assert path.read_text() == "one"
    write_whole(path, lambda file: file.write("two") and None, force=True)
    assert path.read_text() == "two"

    def break_off(file: TextIO) -> None:
        file.write("half")
        raise ValueError("disk of clay")

    with pytest.raises(ValueError, match="clay"):
        write_whole(path, break_off, force=True)
    assert path.read_text() == "two"
    assert [file.name for file in tmp_path.iterdir()] == ["out.csv"]


def test_a_file_that_appears_meanwhile_is_kept_where_links_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "out.csv"

    def refused(source: str, target: Path) -> None:
        raise PermissionError("this file system has no hard links")

    monkeypatch.setattr(os, "link", refused)
    with pytest.raises(FileExistsRefusedError):
        write_whole(path, lambda file: (file.write("ours"), path.write_text("theirs")))
    assert path.read_text() == "theirs"
    path.unlink()
    write_whole(path, lambda file: file.write("ours"))
    assert path.read_text() == "ours"
