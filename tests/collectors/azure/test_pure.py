"""What is worked out without a call: roles, ports, ranges, packages, names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from collectors.azure.errors import action_of
from collectors.azure.facts import posture, unpinned_packages
from collectors.azure.ids import parse_id, title_of
from collectors.azure.network import open_ports
from collectors.azure.references import storage_name
from collectors.azure.roles import allows, scope_kind
from collectors.azure.units import Node

BLOB = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read"
RG = "/subscriptions/s/resourceGroups/g/providers"


@pytest.mark.parametrize(
    ("permission", "action", "data", "wanted"),
    [
        ({"actions": ["*"]}, "*/write", False, True),
        ({"actions": ["*/read"]}, "*/write", False, False),
        ({"actions": ["*"], "notActions": ["Microsoft.Authorization/*/Write"]}, "Microsoft.Authorization/roleAssignments/write", False, False),
        ({"actions": ["*"], "notActions": ["Microsoft.Authorization/*/Write"]}, "*/write", False, True),
        ({"actions": ["Microsoft.Authorization/roleAssignments/*"]}, "Microsoft.Authorization/roleAssignments/write", False, True),
        ({"actions": ["*"]}, BLOB, True, False),
        ({"dataActions": ["Microsoft.Storage/*"]}, BLOB, True, True),
        ({"dataActions": ["*"], "notDataActions": [BLOB]}, BLOB, True, False),
        ({"actions": "*"}, "*", False, False),
        ({}, "*", False, False),
    ],
)  # fmt: skip
def test_what_a_role_allows(
    permission: Mapping[str, Any], action: str, data: bool, wanted: bool
) -> None:
    assert allows([permission], action, data=data) is wanted


def test_one_permission_does_not_take_away_what_another_grants() -> None:
    assert allows([{"actions": ["*"], "notActions": ["*"]}, {"actions": ["a/write"]}], "a/write")


@pytest.mark.parametrize(
    ("scope", "kind"),
    [
        ("/", "root"),
        ("", "root"),
        ("/providers/Microsoft.Management/managementGroups/top", "managementGroup"),
        ("/subscriptions/x", "subscription"),
        ("/SUBSCRIPTIONS/x/resourcegroups/Y", "resourceGroup"),
        ("/subscriptions/x/resourceGroups/y/providers/a/b/c", "resource"),
    ],
)
def test_how_far_a_scope_reaches(scope: str, kind: str) -> None:
    assert scope_kind(scope) == kind


def machine(
    *rules: dict[str, Any],
    group: bool = True,
    sku: str = "Standard",
    subnet_rules: list[dict[str, Any]] | None = None,
) -> tuple[bool, list[int]]:
    things: dict[str, Any] = {
        "nic": {"properties": {"networkSecurityGroup": {"id": "nsg"} if group else None, "ipConfigurations": [{"properties": {"publicIPAddress": {"id": "ip"}, "subnet": {"id": "net/subnets/a"}}}]}},
        "ip": {"sku": {"name": sku}},
        "nsg": {"properties": {"securityRules": [{"properties": rule} for rule in rules]}},
        "net": {"properties": {"subnets": [{"id": "NET/subnets/a", "properties": {"networkSecurityGroup": {"id": "second"} if subnet_rules is not None else None}}]}},
        "second": {"properties": {"securityRules": [{"properties": rule} for rule in subnet_rules or []]}},
    }  # fmt: skip
    vm = {"properties": {"networkProfile": {"networkInterfaces": [{"id": "nic"}]}}}
    return open_ports(vm, things.__getitem__)


def rule(
    ports: str, access: str = "Allow", priority: int = 100, source: str = "*", **more: Any
) -> dict[str, Any]:
    return {
        "direction": "Inbound",
        "access": access,
        "priority": priority,
        "protocol": "Tcp",
        "sourceAddressPrefix": source,
        "destinationPortRange": ports,
        **more,
    }


def test_the_first_rule_about_anybody_decides() -> None:
    assert machine(rule("22")) == (True, [22])
    assert machine(rule("22", "Deny", 90), rule("20-30", priority=100)) == (True, [])
    assert machine(rule("22", "Deny", 110), rule("20-30", priority=100)) == (True, [22])
    assert machine(rule("22", source="10.0.0.0/8")) == (True, [])
    assert machine(rule("22", protocol="Udp")) == (True, [])
    assert machine(rule("22", direction="Outbound")) == (True, [])
    assert machine(rule("", destinationPortRanges=["8888", "11434"], source="Internet"))[1] == [
        8888,
        11434,
    ]


def test_both_groups_must_let_it_through() -> None:
    assert machine(rule("22"), subnet_rules=[]) == (True, [])
    assert machine(rule("22"), subnet_rules=[rule("*")]) == (True, [22])


def test_without_a_group_only_a_basic_address_is_open() -> None:
    assert machine(group=False)[1] == []
    assert 22 in machine(group=False, sku="Basic")[1]


def test_a_part_that_cannot_be_had_is_no_answer() -> None:
    nothing: dict[str, dict[str, Any]] = {}
    vm = {"properties": {"networkProfile": {"networkInterfaces": [{"id": "x"}]}}}
    with pytest.raises(LookupError):
        open_ports(vm, nothing.__getitem__)


@pytest.mark.parametrize(
    ("text", "packages", "elsewhere"),
    [
        ("dependencies:\n- python=3.11\n- pip:\n  - numpy==2.0\n", [], False),
        ("dependencies:\n- numpy\n- pip:\n  - torch>=2\n", ["numpy", "torch"], False),
        ("dependencies:\n- pip:\n  - --extra-index-url https://x\n  - a==1\n", [], True),
        ("dependencies:\n- pip:\n  - git+https://github.com/a/b\n", ["git+https://github.com/a/b"], True),
        ("[unclosed", [], False),
        ("just text", [], False),
        (None, [], False),
    ],
)  # fmt: skip
def test_packages_without_a_version(text: Any, packages: list[str], elsewhere: bool) -> None:
    assert unpinned_packages(text) == (packages, elsewhere)


@pytest.mark.parametrize("text", ["0.0.0.0/0", "*", "Internet", "0.0.0.0", "128.0.0.0/1", "::/0"])
def test_wide_ranges(text: str) -> None:
    assert _wide(text) == [text]


@pytest.mark.parametrize("text", ["203.0.113.0/24", "203.0.113.9", "10.0.0.0/9", "nonsense", ""])
def test_narrow_ranges(text: str) -> None:
    assert _wide(text) == []


def _wide(text: str) -> Any:
    arm = parse_id(f"{RG}/Microsoft.Search/searchServices/a")
    assert arm is not None
    node = Node(arm, {"properties": {"networkRuleSet": {"ipRules": [{"value": text}]}}}, "x")
    posture(node)
    return node.facts["wide_ranges"]


@pytest.mark.parametrize(
    ("text", "kind", "title"),
    [
        (f"{RG}/Microsoft.Keyvault/vaults/v", "Microsoft.KeyVault/vaults", "v"),
        (f"{RG}/microsoft.machinelearningservices/WORKSPACES/w/computes/c", "Microsoft.MachineLearningServices/workspaces/computes", "c"),
        (f"{RG}/Microsoft.MachineLearningServices/workspaces/w/environments/e/versions/3", "Microsoft.MachineLearningServices/workspaces/environments/versions", "e/3"),
        (f"{RG}/Microsoft.Storage/storageAccounts/s/blobServices/default/containers/c", "Microsoft.Storage/storageAccounts/blobServices/containers", "s/c"),
        (f"{RG}/Microsoft.Search/searchServices/s/providers/Microsoft.ManagedIdentity/identities/default", "Microsoft.ManagedIdentity/identities", "s (system-assigned)"),
    ],
)  # fmt: skip
def test_ids_in_one_spelling(text: str, kind: str, title: str) -> None:
    arm = parse_id(text)
    assert arm is not None
    assert (arm.type, title_of(arm)) == (kind, title)


@pytest.mark.parametrize(
    "text",
    ["", "/", "/subscriptions/s", f"{RG}/a", f"{RG}/a/b", f"{RG}/a/b//c", "x/y", None, 7, {}],
)
def test_what_is_no_id(text: object) -> None:
    assert parse_id(text) is None


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("https://acct.blob.core.windows.net/train/a", ("acct", "train")),
        ("abfss://fs@acct.dfs.core.windows.net/a", ("acct", "fs")),
        ("wasbs://c@acct.blob.core.chinacloudapi.cn/", ("acct", "c")),
        ("https://acct.blob.core.windows.net.evil.example/x", ("", "")),
        ("https://example.org/x", ("", "")),
        ("azureml://datastores/a/paths/b", ("", "")),
    ],
)
def test_storage_that_an_address_names(text: str, wanted: tuple[str, str]) -> None:
    assert storage_name(text) == wanted


@pytest.mark.parametrize(
    ("path", "action"),
    [
        ("/subscriptions", "Microsoft.Resources/subscriptions/read"),
        ("/subscriptions/s/providers/Microsoft.Search/searchServices", "Microsoft.Search/searchServices/read"),
        (f"{RG}/Microsoft.Search/searchServices/a", "Microsoft.Search/searchServices/read"),
        (f"{RG}/a.b/c/d/providers/Microsoft.Insights/diagnosticSettings", "Microsoft.Insights/diagnosticSettings/read"),
        ("/providers/Microsoft.ResourceGraph/resources?x=1", "Microsoft.ResourceGraph/resources/read"),
        (f"{RG}/Microsoft.Storage/storageAccounts/a/blobServices/default/containers", "Microsoft.Storage/storageAccounts/blobServices/containers/read"),
    ],
)  # fmt: skip
def test_the_permission_that_a_read_takes(path: str, action: str) -> None:
    assert action_of(path) == action
