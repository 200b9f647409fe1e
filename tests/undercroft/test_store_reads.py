"""What readers get: windows, orders, filters, groups, towers, details, suggestions."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from tests.undercroft.store_kit import (
    RULES,
    Clock,
    Estate,
    accept,
    bucket,
    covered,
    fail,
    notebook,
    only,
    role,
    save,
    thing,
    tower_estate,
    undo,
)
from undercroft import risk
from undercroft.filter import KEYS, FilterError
from undercroft.graph import Graph
from undercroft.model import LAYERS, CoverageStatus, Layer, Presence, Severity
from undercroft.relations import Relation
from undercroft.store import AmbiguousError, NotFoundError, Store, StoreError
from undercroft.store.choosing import SORTS as FINDING_SORTS
from undercroft.store.read_services import _SORTS as SERVICE_SORTS
from undercroft.store.recall import Again
from undercroft.views import Query, ScanRow

ODD = "[bold red]x[/]\x1b[31m=cmd()%_\\"


def estate() -> Estate:
    """Three services that share a role, an image with vulnerabilities and a bucket."""
    found = Estate(coverage=(covered(), covered("aws.s3", CoverageStatus.DENIED, "no")))
    shared = role("shared-role")
    image = thing("container:image", "pytorch", Layer.CONTAINER)
    data = bucket(ODD, tags={"team": "data", "env": "prod"}, unknown={"config.Policy": "denied"})
    found.add(shared, fail(shared, "role-admin", Severity.HIGH))
    found.add(
        image,
        *(
            fail(
                image,
                "cve",
                severity,
                cve=f"CVE-2024-{number}",
                at={"package": f"deb/{package}"},
                title=f"CVE-2024-{number} in {package}",
            )
            for number, (severity, package) in enumerate(
                [(Severity.CRITICAL, "curl"), (Severity.LOW, "zlib"), (Severity.MEDIUM, "curl")]
            )
        ),
    )
    found.add(data, fail(data, "bucket-public", Severity.CRITICAL, traits=("exposed",)))
    for number, name in enumerate(("alpha", "beta", "gamma")):
        service = notebook(
            name,
            region="eu-west-1" if number == 2 else "us-east-1",
            tags={"owner": "ml-team"} if number else {"Owner": "fraud"},
        )
        found.add(service, *([fail(service)] if number == 0 else []))
        found.link(service, shared, Relation.USES_IDENTITY, "config.RoleArn")
        if number < 2:
            found.link(service, image, Relation.RUNS_IMAGE, "config.Image")
    found.link(found.resources[3], data, Relation.READS_DATA_FROM)
    found.link(data, shared, Relation.PRODUCES)
    return found


def names(store: Store, scan: ScanRow, text: str) -> list[str]:
    return [row.name for row in store.services(scan.id, Query(filter=text))]


def rules(store: Store, scan: ScanRow, text: str) -> set[str]:
    return {row.cve or row.rule for row in store.findings(scan.id, Query(filter=text))}


ALL = {"role-admin", "CVE-2024-0", "CVE-2024-1", "CVE-2024-2", "bucket-public", "nb-root"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ALL),
        ("severity:critical", {"CVE-2024-0", "bucket-public"}),
        ("severity>=high -layer:identity", {"CVE-2024-0", "bucket-public", "nb-root"}),
        ("status:active", ALL),
        ("status:fixed", set()),
        ("layer:container,identity", {"CVE-2024-0", "CVE-2024-1", "CVE-2024-2", "role-admin"}),
        ("cloud:aws", ALL),
        ("cloud:gcp", set()),
        ("account:1111*", ALL),
        ("region:eu-*", set()),
        ("service:gamma", {"role-admin"}),
        ("service:beta", {"role-admin", "CVE-2024-0", "CVE-2024-1", "CVE-2024-2"}),
        ("resource:pytorch", {"CVE-2024-0", "CVE-2024-1", "CVE-2024-2"}),
        ("type:s3:*", {"bucket-public"}),
        ("rule:nb-*", {"nb-root"}),
        ("cve:CVE-2024-1", {"CVE-2024-1"}),
        ("cve:cve-2024-*", {"CVE-2024-0", "CVE-2024-1", "CVE-2024-2"}),
        ("package:deb/curl", {"CVE-2024-0", "CVE-2024-2"}),
        ("kev:yes", set()),
        ("epss>=0", set()),
        ("tag.env:prod", {"bucket-public"}),
        ("tag.TEAM:data", {"bucket-public"}),
        ("owner:fraud", {"nb-root"}),
        ("new:yes", ALL),
        ("since:1d", ALL),
        ("since:2027-01-01", set()),
        ("combination:yes", set()),
        ("curl", {"CVE-2024-0", "CVE-2024-2"}),
        ('"[bold red]"', {"bucket-public"}),
        ("or-not-there or nb-root", {"nb-root"}),
        ("%", {"bucket-public"}),
        ("score>45", {"bucket-public"}),
        ("unconfirmed:yes", set()),
        ("framework:cis_aws", {"nb-root"}),
        ("framework:llm03*", {"CVE-2024-0", "CVE-2024-1", "CVE-2024-2"}),
        ("framework:cis_aws:5.0:2.1.4", {"nb-root"}),
        ("framework:iso*", set()),
        ("-framework:*", {"role-admin", "bucket-public"}),
    ],
)
def test_filters_of_findings(store: Store, clock: Clock, text: str, expected: set[str]) -> None:
    scan = save(store, estate(), clock)
    assert rules(store, scan, text) == expected
    assert store.count_findings(scan.id, Query(filter=text)) == len(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ["alpha", "beta", "gamma"]),
        ("region:eu-*", ["gamma"]),
        ("service:beta", ["beta"]),
        ("owner:ml-team", ["beta", "gamma"]),
        ("tag.owner:fraud", ["alpha"]),
        ("severity:critical", ["alpha", "beta"]),
        ("rule:bucket-public", ["alpha"]),
        ("layer:identity", ["alpha", "beta", "gamma"]),
        ("cve:CVE-2024-1", ["alpha", "beta"]),
        ("-cve:CVE-2024-1", ["gamma"]),
        ("resource:pytorch", ["alpha", "beta"]),
        ("combination:yes", []),
        ("status:accepted", []),
        ("alp", ["alpha"]),
        ("score>0", ["alpha", "beta", "gamma"]),
        ("type:sagemaker:*", ["alpha", "beta", "gamma"]),
    ],
)
def test_filters_of_services(store: Store, clock: Clock, text: str, expected: list[str]) -> None:
    scan = save(store, estate(), clock)
    assert names(store, scan, text) == expected
    assert store.count_services(scan.id, Query(filter=text)) == len(expected)


def test_every_key_of_the_language_can_be_asked_of_both_lists(store: Store, clock: Clock) -> None:
    scan = save(store, estate(), clock)
    for entry in KEYS.values():
        query = Query(filter=entry.example)
        assert store.count_findings(scan.id, query) == len(store.findings(scan.id, query))
        assert store.count_services(scan.id, query) == len(store.services(scan.id, query))


def test_a_filter_that_is_wrong_says_so(store: Store, clock: Clock) -> None:
    scan = save(store, estate(), clock)
    for read in (store.findings, store.services, store.count_findings, store.count_services):
        with pytest.raises(FilterError):
            read(scan.id, Query(filter="sevrity:high"))


def test_a_framework_that_nothing_is_known_of_is_no_silent_nothing(
    store: Store, clock: Clock
) -> None:
    with store.write_scan(name="", kind="live", scope={}, rules=RULES, pack="p") as writer:
        writer.add(estate().resources)
        scan = writer.commit(calls=0, throttled=0, now=clock.now)
    for read in (store.findings, store.services, store.count_findings):
        with pytest.raises(FilterError, match="which frameworks its rules map to: scan again"):
            read(scan.id, Query("framework:cis_aws"))


def test_windows_and_streams_agree(store: Store, clock: Clock) -> None:
    scan = save(store, estate(), clock)
    for sort in ("", *FINDING_SORTS):
        for descending in (True, False):
            query = Query(sort=sort, descending=descending)
            every = store.findings(scan.id, query)
            assert len({row.id for row in every}) == len(every) == 6
            windows = [row for at in range(6) for row in store.findings(scan.id, query, at, 1)]
            assert windows == every
            assert list(store.iter_findings(scan.id, query)) == every
            if sort:
                values = [getattr(row, sort) for row in every]
                values = [v.rank if isinstance(v, Severity) else v for v in values]
                values = [LAYERS.index(v) if isinstance(v, Layer) else v for v in values]
                present = [v for v in values if v is not None]
                assert present == sorted(present, reverse=descending)
                assert values[len(present) :] == [None] * (len(values) - len(present))
    with pytest.raises(StoreError, match="cannot be sorted by 'colour'"):
        store.findings(scan.id, Query(sort="colour"))


def test_the_default_order_is_worst_first_and_then_by_id(store: Store, clock: Clock) -> None:
    many = Estate()
    for number in range(40):
        nb = notebook(f"nb-{number}")
        many.add(nb, fail(nb, severity=Severity.HIGH if number % 2 else Severity.LOW))
    scan = save(store, many, clock)
    rows = store.findings(scan.id, Query())
    assert rows == sorted(rows, key=lambda row: (-row.score, row.id))
    assert store.findings(scan.id, Query(sort="score")) == rows
    assert store.findings(scan.id, Query(descending=False)) == rows[::-1]


def test_services_sort_by_every_column(store: Store, clock: Clock) -> None:
    save(store, estate(), clock)
    scan = save(store, estate(), clock)
    default = [row.name for row in store.services(scan.id, Query())]
    assert default == ["alpha", "beta", "gamma"]
    for sort in SERVICE_SORTS:
        for descending in (True, False):
            rows = store.services(scan.id, Query(sort=sort, descending=descending))
            assert sorted(row.name for row in rows) == default
    by_name = store.services(scan.id, Query(sort="name"), 1, 1)
    assert [row.name for row in by_name] == ["beta"]
    with pytest.raises(StoreError, match="cannot be sorted by 'colour'"):
        store.services(scan.id, Query(sort="colour"))


def test_findings_of_a_service_and_a_layer(store: Store, clock: Clock) -> None:
    scan = save(store, estate(), clock)
    beta = store.resolve_resource(scan.id, "beta")
    query = Query(service=beta, layer=Layer.CONTAINER)
    assert {row.cve for row in store.findings(scan.id, query)} == {
        "CVE-2024-0",
        "CVE-2024-1",
        "CVE-2024-2",
    }
    assert store.count_findings(scan.id, Query(service=beta)) == 4
    with pytest.raises(NotFoundError):
        store.findings(scan.id, Query(service="nowhere"))
    assert [row.name for row in store.services(scan.id, Query(layer=Layer.CONTAINER))] == [
        "alpha",
        "beta",
    ]
    assert len(store.services(scan.id, Query(service=beta))) == 1


def test_t15_a_shared_finding_is_counted_once(store: Store, clock: Clock) -> None:
    scan = save(store, estate(), clock)
    shared = only(store.findings(scan.id, Query()), "role-admin")
    assert shared.services == 3
    assert [ref.name for ref in store.services_of(scan.id, [shared.id])] == [
        "alpha",
        "beta",
        "gamma",
    ]
    groups = {
        by: {row.value: row for row in store.group_findings(scan.id, Query(), by)}
        for by in (
            "rule",
            "resource",
            "service",
            "account",
            "layer",
            "package",
            "severity",
            "status",
        )
    }
    assert groups["rule"]["cve"].findings == 3
    assert groups["rule"]["cve"].services == 2
    assert groups["layer"]["container"].worst is Severity.CRITICAL
    assert groups["package"]["deb/curl"].findings == 2
    assert groups["severity"]["critical"].findings == 2
    assert groups["status"]["open"].findings == 6
    assert groups["status"]["open"].services == 3
    assert groups["account"]["111122223333"].findings == 6
    by_name = {row.label: row.findings for row in groups["service"].values()}
    assert by_name == {"alpha": 6, "beta": 4, "gamma": 1}
    with pytest.raises(StoreError, match="cannot be grouped"):
        store.group_findings(scan.id, Query(), "colour")


def test_the_tower_shows_the_way_down(store: Store, clock: Clock) -> None:
    scan = save(store, estate(), clock)
    tower = store.tower(scan.id, store.resolve_resource(scan.id, "alpha"))
    assert [layer.layer for layer in tower.layers] == list(LAYERS)
    storage = tower.layers[LAYERS.index(Layer.STORAGE)]
    assert (storage.worst, storage.open) == (Severity.CRITICAL, 1)
    found = storage.resources[0]
    assert found.ref.name == ODD
    assert [(step.src_name, step.via, step.dst_name) for step in found.path] == [
        ("alpha", "config.X", ODD)
    ]
    assert found.attenuation == pytest.approx(0.8)
    assert found.unread == (("config.Policy", "denied"),)
    assert sum(line.points for line in tower.contributions) == pytest.approx(tower.service.score)
    points = [line.points for line in tower.contributions]
    assert points == sorted(points, reverse=True)
    assert len(points) == tower.service.open == 6
    assert tower.service.unread == 1
    with pytest.raises(NotFoundError):
        store.tower(scan.id, "nowhere")


def test_a_finding_of_another_layer_brings_its_resource_along(store: Store, clock: Clock) -> None:
    mixed = Estate()
    nb = notebook()
    mixed.add(nb, fail(nb), fail(nb, "nb-open", layer=Layer.NETWORK))
    scan = save(store, mixed, clock)
    tower = store.tower(scan.id, nb.key)
    counts = {layer.layer: [r.open for r in layer.resources] for layer in tower.layers}
    assert counts[Layer.SERVICE] == [1]
    assert counts[Layer.NETWORK] == [1]
    assert counts[Layer.VM] == []


def test_a_resource_with_its_surroundings(store: Store, clock: Clock) -> None:
    first = save(store, estate(), clock)
    changed = estate()
    changed.resources[1] = thing(
        "container:image", "pytorch", Layer.CONTAINER, config={"digest": "b"}
    )
    second = save(store, changed, clock)
    image = store.resolve_resource(second.id, "pytorch")
    detail = store.resource(second.id, image)
    assert detail.resource.config == {"digest": "b"}
    assert [ref.name for ref, _ in detail.services] == ["alpha", "beta"]
    assert [[step.dst_name for step in path] for _, path in detail.services] == [["pytorch"]] * 2
    assert [(edge.via, ref.name) for edge, ref in detail.dependants] == [
        ("config.Image", "alpha"),
        ("config.Image", "beta"),
    ]
    assert detail.beneath == ()
    assert [row.cve for row in detail.findings] == ["CVE-2024-0", "CVE-2024-2", "CVE-2024-1"]
    assert [(scan.id, word) for scan, word in detail.history] == [
        (second.id, "changed"),
        (first.id, "first"),
    ]
    alpha = store.resource(second.id, store.resolve_resource(second.id, "alpha"))
    assert {ref.name for _, ref in alpha.beneath} == {"pytorch", "shared-role", ODD}
    assert alpha.services[0][1] == ()
    with pytest.raises(NotFoundError):
        store.resource(second.id, "nowhere")


def test_what_was_saved_reads_back(store: Store, clock: Clock) -> None:
    full = notebook(
        ODD,
        config={"a": [1, 2.5, None, {"b": "é\ud800"}], "RootAccess": "Enabled"},
        tags={"owner": "x", "näme": "ü"},
        unknown={"config.Policy": "denied"},
        incarnation="2026-01-01",
        collected_at="2026-11-20T09:59:00Z",
    )
    found = Estate()
    found.add(full)
    scan = save(store, found, clock)
    assert store.resource(scan.id, full.key).resource == full


def test_details_of_a_finding(store: Store, clock: Clock) -> None:
    scan = save(store, estate(), clock)
    row = only(store.findings(scan.id, Query()), "bucket-public")
    event = accept(store, row.id, clock)
    detail = store.finding(scan.id, row.id)
    assert detail.decision is not None
    assert (detail.decision.kind, detail.decision.owner) == ("accept", "platform")
    assert detail.row.until == "2026-12-31"
    assert detail.traits == ("exposed",)
    assert detail.evidence[0].path == "config.RootAccess"
    product = 1.0
    for value, _ in detail.hazard.values():
        product *= value
    assert risk.finding_score(product) == pytest.approx(detail.row.score)
    assert [ref.name for ref in detail.services] == ["alpha"]
    assert [entry.live for entry in detail.events] == [True]

    undo(store, event.id, clock)
    detail = store.finding(scan.id, row.id)
    assert (detail.row.status, detail.decision) == ("open", None)
    assert [entry.live for entry in detail.events] == [False]
    assert [(line.type, line.live) for line in store.history()] == [
        ("undo", True),
        ("accept", False),
    ]
    assert store.history(limit=1)[0].target == event.id
    assert [line.type for line in store.history(text="RISK IS KNOWN")] == ["accept"]
    assert [line.type for line in store.history(text="risk or -kind:accept")] == ["undo", "accept"]
    assert store.history_suggestions("who", "") == [event.actor]
    assert store.history_suggestions("finding", row.id[3:8]) == [row.id]
    assert store.history_suggestions("resource", row.resource_name[:2]) == [row.resource_name]
    assert store.history_suggestions("resource", "another") == []
    assert store.history_suggestions("batch", "") == []
    assert store.history_suggestions("kind", "") == []
    with pytest.raises(NotFoundError):
        store.finding(scan.id, "f1-nothing")


def test_undoing_a_batch_and_the_undo(store: Store, clock: Clock) -> None:
    scan = save(store, estate(), clock)
    ids = [row.id for row in store.findings(scan.id, Query())]
    for fid in ids:
        accept(store, fid, clock, batch="b-1")
    gone = store.services(scan.id, Query())
    assert {row.score for row in gone} == {0.0}
    back = undo(store, "b-1", clock)
    assert store.count_findings(scan.id, Query(filter="status:active")) == 6
    undo(store, back.id, clock)
    assert store.count_findings(scan.id, Query(filter="status:accepted")) == 6


def test_finding_things_by_what_people_type(store: Store, clock: Clock) -> None:
    scan = save(store, estate(), clock)
    ids = sorted(row.id for row in store.findings(scan.id, Query()))
    for fid in ids:
        assert store.resolve_finding(fid) == fid
        assert store.resolve_finding(fid[3:15].upper()) == fid
    many = Estate()
    for number in range(60):
        nb = notebook(f"nb-{number}")
        many.add(nb, fail(nb))
    scan = save(store, many, clock)
    every = [row.id for row in store.findings(scan.id, Query())]
    first = max("abcdefghijklmnopqrstuvwxyz234567", key=lambda c: sum(e[3] == c for e in every))
    with pytest.raises(AmbiguousError) as caught:
        store.resolve_finding(first)
    assert len(caught.value.candidates) > 1
    assert all(candidate.startswith(f"f1-{first}") for candidate in caught.value.candidates)
    for text in ("", "f1-", "f1-1", "%", "zzzzzzzzzzzz"):
        with pytest.raises(NotFoundError):
            store.resolve_finding(text)


def test_a_service_wins_over_others_of_its_name(store: Store, clock: Clock) -> None:
    twins = Estate()
    nb = twins.add(notebook("fraud"))
    twins.add(role("fraud"))
    twins.add(bucket("logs", region="eu-west-1"))
    twins.add(bucket("logs"))
    scan = save(store, twins, clock)
    for text in ("fraud", "FRAUD", nb.key, nb.native_id):
        assert store.resolve_resource(scan.id, text) == nb.key
    with pytest.raises(AmbiguousError):
        store.resolve_resource(scan.id, "logs")
    for text in ("", "nothing"):
        with pytest.raises(NotFoundError):
            store.resolve_resource(scan.id, text)


def test_suggestions_are_values_that_occur(store: Store, clock: Clock) -> None:
    scan = save(store, estate(), clock)

    def offered(key: str, typed: str = "") -> list[str]:
        return store.suggestions(scan.id, key, typed)

    assert offered("region") == ["eu-west-1", "us-east-1"]
    assert offered("region", "us") == ["us-east-1"]
    assert offered("service", "a") == ["alpha", "beta", "gamma"]
    assert offered("rule", "cve") == ["cve"]
    assert offered("cve", "2024-1") == ["CVE-2024-1"]
    assert offered("package") == ["deb/curl", "deb/zlib"]
    assert offered("tag") == ["Owner", "env", "owner", "team"]
    assert offered("tag.env") == ["prod"]
    assert offered("owner", "ml") == ["ml-team"]
    assert offered("severity", "c") == ["critical"]
    assert offered("resource", "%_") == [ODD]
    assert offered("resource", "100%") == []
    assert offered("nothing") == []
    assert (
        store.suggestions(scan.id, "resource", "", limit=2)
        == store.suggestions(scan.id, "resource", "", limit=50)[:2]
    )


def test_today_and_coverage(store: Store, clock: Clock) -> None:
    scan = save(store, estate(), clock)
    assert (scan.state, scan.gaps, scan.calls) == ("partial", 2, 7)
    assert (scan.services, scan.resources, scan.findings) == (3, 6, 6)
    today = store.today(scan.id)
    assert (today.new, today.reopened, today.lapsing, today.unconfirmed) == (6, 0, 0, 0)
    assert [gap.collector for gap in today.gaps] == ["aws.s3"]
    assert len(store.coverage(scan.id)) == 2


def test_the_change_of_a_service_is_against_the_scan_before_that_has_it(
    store: Store, clock: Clock
) -> None:
    first = save(store, tower_estate(), clock)
    assert store.services(first.id, Query())[0].change is None
    save(store, Estate(coverage=(covered("aws.s3", lists=()),)), clock)
    third = save(store, tower_estate(), clock)
    assert store.services(third.id, Query())[0].change == pytest.approx(0)
    accept(store, only(store.findings(third.id, Query()), "nb-root").id, clock)
    # The decision holds in both scans, so nothing has changed between them.
    assert store.services(third.id, Query())[0].change == pytest.approx(0)


@pytest.mark.parametrize(
    ("coverage", "resources", "state"),
    [
        ((covered(),), True, "complete"),
        ((covered(status=CoverageStatus.DENIED),), True, "partial"),
        ((covered(status=CoverageStatus.DENIED),), False, "failed"),
        ((covered(),), False, "complete"),
        ((covered(), covered("aws.ec2", status=CoverageStatus.ERROR)), False, "partial"),
        ((covered(status=CoverageStatus.NOT_ENABLED),), False, "complete"),
    ],
)
def test_the_state_of_a_scan(
    store: Store, clock: Clock, coverage: tuple[object, ...], resources: bool, state: str
) -> None:
    found = Estate(coverage=coverage)  # type: ignore[arg-type]
    if resources:
        found.add(notebook())
    assert save(store, found, clock).state == state


def test_words_on_one_unit_add_up_to_the_worse(store: Store, clock: Clock) -> None:
    found = Estate(
        coverage=(
            covered(status=CoverageStatus.DENIED, reason="one"),
            covered(lists=("sagemaker:model",)),
            covered(status=CoverageStatus.ERROR, reason="two"),
        )
    )
    [unit] = store.coverage(save(store, found, clock).id)
    assert unit.status is CoverageStatus.ERROR
    assert unit.reason == "one; two"


def test_a_stub_never_replaces_what_was_read(store: Store, clock: Clock) -> None:
    with store.write_scan(name="", kind="live", scope={}, rules={}, pack="p") as writer:
        writer.add([role(presence=Presence.STUB)])
        assert [found.presence for found in writer.resources()] == [Presence.STUB]
        writer.add([role()])
        writer.add([role(presence=Presence.STUB)])
        assert [found.presence for found in writer.resources()] == [Presence.READ]
        with pytest.raises(NotFoundError, match="no resource"):
            writer.observe("nowhere", ())
        writer.commit(calls=0, throttled=0, now=clock.now)
        with pytest.raises(StoreError, match="already"):
            writer.commit(calls=0, throttled=0, now=clock.now)


def test_an_answer_is_used_again_only_for_the_same_body_and_pack(
    store: Store, clock: Clock
) -> None:
    nb = notebook(config={"RootAccess": "Enabled"})

    def judged(resource: object, pack: str) -> bool:
        with store.write_scan(name="", kind="live", scope={}, rules={}, pack=pack) as writer:
            writer.add([resource])  # type: ignore[list-item]
            known = bool(writer.recall([(resource, Again())]))  # type: ignore[list-item]
            if not known:
                writer.observe(nb.key, [fail(nb)])
            row = writer.commit(calls=0, throttled=0, now=clock.now)
        assert store.count_findings(row.id, Query(filter="status:open")) == 1
        return known

    assert [judged(nb, "p1"), judged(nb, "p1"), judged(nb, "p2")] == [False, True, False]
    assert judged(notebook(config={"RootAccess": "Enabled", "x": 1}), "p2") is False
    assert judged(nb, "p1") is True


def test_keys_that_no_file_can_hold_do_not_stop_a_scan(store: Store, clock: Clock) -> None:
    keys = ["nb\ud800", "nb\ud801", "plain"]
    with store.write_scan(name="", kind="live", scope={}, rules={}, pack="p") as writer:
        writer.add([replace(notebook(config={"n": key[:2]}), key=key) for key in keys])
        for key in keys:
            found = writer.resource(key)
            assert found is not None
            assert found.config["n"] == key[:2]
            assert found.config == {"n": key[:2]}
            assert (repr(found.facts), len(found.config)) == ("{}", 1)
        assert writer.resource("nowhere") is None
        assert writer.commit(calls=0, throttled=0, now=clock.now).resources == 2


def test_answers_given_one_by_one_add_up(store: Store, clock: Clock) -> None:
    nb = notebook()
    found = [fail(nb, at={"n": str(number)}) for number in range(3)]
    for pack in ("p1", "p1"):
        with store.write_scan(name="", kind="live", scope={}, rules={}, pack=pack) as writer:
            writer.add([nb])
            for observation in found:
                writer.observe(nb.key, [observation])
                list(writer.edges())  # writes what is waiting
            row = writer.commit(calls=0, throttled=0, now=clock.now)
        assert store.count_findings(row.id, Query(filter="status:open")) == 3


def test_combinations_are_not_part_of_an_answer_that_is_used_again(
    store: Store, clock: Clock
) -> None:
    nb = notebook()
    expected = [("open", True), ("open", True), ("fixed", False)]
    for toxic, (status, given) in zip((True, True, False), expected, strict=True):
        with store.write_scan(name="", kind="live", scope={}, rules=RULES, pack="p") as writer:
            writer.add([nb])
            if not writer.recall([(nb, Again())]):
                writer.observe(nb.key, [fail(nb)])
            if toxic:
                writer.observe(nb.key, [fail(nb, "toxic")], combined=True)
            row = writer.commit(calls=0, throttled=0, now=clock.now)
        found = {entry.rule: entry.status for entry in store.findings(row.id, Query())}
        assert found == {"nb-root": "open", "toxic": status}
        assert store.services(row.id, Query())[0].combinations == int(given)
        clock.forward(hours=1)


def test_records_for_exports(store: Store, clock: Clock) -> None:
    scan = save(store, estate(), clock)
    rows = store.findings(scan.id, Query())
    accept(store, rows[0].id, clock)
    records = list(store.iter_records(scan.id, Query()))
    assert [record.row for record in records] == store.findings(scan.id, Query())
    for record in records:
        detail = store.finding(scan.id, record.row.id)
        assert (record.at, record.evidence) == (detail.at, detail.evidence)
        assert (record.decision, record.services) == (detail.decision, detail.services)


def test_counts_and_scores_are_what_walking_would_give(store: Store, clock: Clock) -> None:
    rng = random.Random(7)
    for _ in range(4):
        random_estate = _random_estate(rng)
        scan = save(store, random_estate, clock)
        rows = store.findings(scan.id, Query())
        for row in rng.sample(rows, len(rows) // 3):
            event = accept(store, row.id, clock)
            if rng.random() < 0.3:
                undo(store, event.id, clock)
        for saved in store.scans():
            _check(store, saved, random_estate if saved.id == scan.id else None)


def _random_estate(rng: random.Random) -> Estate:
    found = Estate()
    services = [notebook(f"s{number}") for number in range(8)]
    others = [
        thing("iam:role", f"r{number}", rng.choice(LAYERS[1:]), collector="aws.iam")
        for number in range(20)
    ]
    for resource in (*services, *others):
        found.add(
            resource,
            *(
                fail(
                    resource,
                    rng.choice(["nb-root", "role-admin", "bucket-public"]),
                    rng.choice(list(Severity)),
                    at={"n": str(number)},
                )
                for number in range(rng.randrange(4))
            ),
        )
    for _ in range(60):
        src = rng.choice([*services, *others])
        found.link(src, rng.choice(others), rng.choice(list(Relation)))
    return found


def _check(store: Store, scan: ScanRow, estate: Estate | None) -> None:
    rows = store.findings(scan.id, Query())
    for service in store.services(scan.id, Query()):
        own = store.findings(scan.id, Query(service=service.key))
        active = [row for row in own if row.status in ("open", "reopened", "fix_claimed")]
        assert service.open == len(active) == sum(t.open for t in service.layers.values())
        assert service.accepted == sum(row.status == "accepted" for row in own)
        assert service.worst == max((r.severity for r in active), key=_rank, default=None)
        for layer, totals in service.layers.items():
            assert totals.open == sum(row.layer == layer for row in active)
        if estate is None:
            continue
        reach = Graph(estate.edges).beneath(service.key)
        assert {row.id for row in own} == {row.id for row in rows if row.resource_key in reach}

        def hazard(row: object, reach: dict[str, float] = reach) -> tuple[str, str, float]:
            detail = store.finding(scan.id, row.id)  # type: ignore[attr-defined]
            product = 1.0
            for value, _ in detail.hazard.values():
                product *= value
            return (detail.row.id, detail.row.layer, product * reach[detail.row.resource_key])

        assert service.score == pytest.approx(
            risk.service_score(hazard(row) for row in active).value
        )
        standing = [row for row in own if row.status != "fixed" and row.status != "gone"]
        assert service.inherent == pytest.approx(
            risk.service_score(hazard(row) for row in standing).value
        )


def _rank(severity: Severity) -> int:
    return severity.rank
