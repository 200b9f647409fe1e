"""Secrets leave no trace but their marker; what only looks random stays as it was."""

from __future__ import annotations

import base64
import gzip
import json
import string
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from undercroft.detectors import DETECTORS
from undercroft.model import Coverage, CoverageStatus, Edge, Layer, Presence, Resource
from undercroft.redact import redact, redact_item, redact_text, secrets_in_script
from undercroft.relations import Relation
from undercroft.secrets import entropy, find, fingerprint, is_reference, is_secret_name, marker

SALT = b"salt of this cache"
ALNUM = string.ascii_letters + string.digits


def _chars(alphabet: str, least: int, most: int | None = None) -> st.SearchStrategy[str]:
    return st.text(alphabet, min_size=least, max_size=most or least)


def _made(template: str, *parts: st.SearchStrategy[str]) -> st.SearchStrategy[tuple[str, str]]:
    """(text, the secret in it); ``{}`` in the template is where the parts go, joined."""
    made = st.tuples(*parts).map(lambda p: (template.format("".join(p)), "".join(p)))
    # "xxxx" or "undefined" in that place is no secret, by definition.
    return made.filter(lambda pair: not is_reference(pair[1]))


_BASE64 = ALNUM + "+/"
# One strategy per detector: text as it would stand in a configuration, and the secret part of it.
PLANTED: dict[str, st.SearchStrategy[tuple[str, str]]] = {
    "private-key": _made(
        "-----BEGIN RSA PRIVATE KEY-----\n{}\n-----END RSA PRIVATE KEY-----",
        _chars(_BASE64, 64, 80),
    ),
    "aws-access-key": _made("{}", st.sampled_from(["AKIA", "ASIA"]), _chars("ABCDEFG234567", 16)),
    "aws-secret-key": _made("aws_secret_access_key = {}", _chars(_BASE64, 40)),
    "bedrock-api-key": _made("{}", st.just("ABSK"), _chars(_BASE64, 60, 120)),
    "github-token": _made("{}", st.sampled_from(["ghp_", "ghs_"]), _chars(ALNUM, 36)),
    "gitlab-token": _made("{}", st.just("glpat-"), _chars(ALNUM, 20)),
    "huggingface-token": _made("{}", st.just("hf_"), _chars(ALNUM, 34)),
    "anthropic-key": _made("{}", st.just("sk-ant-api03-"), _chars(ALNUM, 40)),
    "openai-key": _made("{}", st.just("sk-proj-A1"), _chars(ALNUM, 40)),
    "google-api-key": _made("{}", st.just("AIza"), _chars(ALNUM, 35)),
    "google-oauth": _made("{}", st.just("ya29."), _chars(ALNUM, 40)),
    "azure-key": _made("AccountName=x;AccountKey={};", _chars(_BASE64, 86), st.just("==")),
    "slack-token": _made("{}", st.just("xoxb-"), _chars(string.digits + "-", 20, 30)),
    "provider-token": _made("{}", st.sampled_from(["npm_", "gsk_"]), _chars(ALNUM, 36)),
    "jwt": _made("{}", st.just("eyJhbGciOi.eyJzdWIi."), _chars(ALNUM, 20)),
    "url-credentials": _made(
        "postgresql://svc:{}@db.internal:5432/x", st.just("q7"), _chars(ALNUM, 6, 18)
    ),
    "authorization-header": _made("Authorization: Bearer {}", _chars(ALNUM, 24, 40)),
    "password-assignment": _made("export DB_PASSWORD='{}'", st.just("q7"), _chars(ALNUM, 6, 20)),
}

# Ways in which a text gets into a resource.
PLACES: dict[str, Any] = {
    "plain": lambda text: {"Environment": {"SETTING": text}},
    "list": lambda text: {"ContainerArguments": ["--verbose", text]},
    "deep": lambda text: {"A": [{"B": {"C": [{"D": f"before {text} after"}]}}]},
    "script": lambda text: {"OnCreate": [{"Content": _b64(f"#!/bin/sh\n{text}\n")}]},
    "user data": lambda text: {"UserData": {"Value": _b64(f"#!/bin/sh\n{text}\n")}},
    "gzip": lambda text: {
        "UserData": base64.b64encode(gzip.compress(f"#!\n{text}\n".encode(), mtime=0)).decode()
    },
    "json": lambda text: {"HyperParameters": {"config": json.dumps({"line": text})}},
    "hidden": lambda text: {"Environment": {"BLOB": _b64(f"some text\n{text}\n")}},
    "nested": lambda text: {
        "UserData": _b64("write_files:\n- content: " + _b64(f"first line\n{text}\nlast line\n"))
    },
    "prompt": lambda text: {"Instructions": f"You are helpful.\n{text}\nAnswer in English."},
    "key": lambda text: {"Environment": {text: "value"}},
}


def _b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _resource(config: Mapping[str, Any] | None = None, **more: Any) -> Resource:
    return Resource(
        "aws/aws/1/-/t/t/n", "aws", "1", "-", "t", Layer.SERVICE, "n", config=config or {}, **more
    )


def _json(resource: Resource) -> str:
    return json.dumps(asdict(resource), ensure_ascii=False)


def _secrets(resource: Resource) -> list[dict[str, str]]:
    secrets: Any = resource.facts["secrets"]
    return list(secrets)


def test_every_detector_is_planted() -> None:
    planted = PLANTED.keys() | GIVEN.keys()
    assert {detector.id for detector in DETECTORS} | {"password-assignment"} == planted


GIVEN = {
    "putty-key": (
        "Private-Lines: 2\nAAAAB3NzaC1yc2EAAAADAQABAAABgQC7\nq8ZkPz0x1mJw9vQe4T==\n",
        "AAAAB3NzaC1yc2EAAAADAQABAAABgQC7",
    ),
    "signed-url": (
        "https://b.s3.amazonaws.com/k?X-Amz-Signature=9f86d081884c7d659a2feaa0c55ad015a3bf4f1b",
        "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b",
    ),
    "webhook-url": (
        "https://discord.com/api/webhooks/123456789012345678/Zx8kQ2mN7vB4cR1tY6uI",
        "Zx8kQ2mN7vB4cR1tY6uI",
    ),
    "command-line": ("curl -u deploy:tr0ub4dor-and-3 https://ci.internal/x", "tr0ub4dor-and-3"),
    "pgpass-line": ("db.internal:5432:app:svc:c0rrect-horse-9", "c0rrect-horse-9"),
}
"""Detector → a text with a secret, and the secret: shapes that have little to vary."""


@pytest.mark.parametrize("detector", GIVEN)
def test_given_secrets_do_not_survive(detector: str) -> None:
    text, secret = GIVEN[detector]
    after = redact(_resource({"Environment": {"NOTE": text}, "Text": text}), SALT)
    assert secret not in json.dumps(after.config)
    secrets = after.facts["secrets"]
    assert isinstance(secrets, list)
    assert detector in {found["detector"] for found in secrets}


@pytest.mark.parametrize("detector", PLANTED)
@settings(max_examples=25)
@given(data=st.data())
def test_planted_secrets_never_survive(detector: str, data: st.DataObject) -> None:
    text, secret = data.draw(PLANTED[detector])
    config = {place.title(): plant(text) for place, plant in PLACES.items()}
    before = _resource(config, tags={"note": text}, facts={"copied": [text]}, unknown={"x": text})
    after = redact(before, SALT)
    for place in config:
        shown = json.dumps(after.config[place], ensure_ascii=False)
        assert secret not in shown, place
        if place != "Key":
            assert any(
                e["path"].startswith(f"config.{place}.")
                or e["path"].startswith(f'config["{place}"].')
                for e in _secrets(after)
            ), place
    assert secret not in _json(after)
    assert "tags.note" in {entry["path"] for entry in _secrets(after)}
    assert redact(after, SALT) == after


@given(st.sampled_from(sorted(PLANTED)), st.data())
def test_free_texts_are_cleaned_too(detector: str, data: st.DataObject) -> None:
    text, secret = data.draw(PLANTED[detector])
    edge = Edge("a", "b", Relation.RUNS_ON, f"via {text}", detail=text)
    coverage = Coverage("aws", "1", "-", "c", CoverageStatus.ERROR, f"failed near {text}")
    assert secret not in redact_text(f"boom: {text}", SALT)
    assert secret not in str(redact_item(edge, SALT))
    assert secret not in str(redact_item(coverage, SALT))


@given(st.binary(min_size=16, max_size=64), st.integers(0, 10**12 - 1))
def test_what_only_looks_random_stays(raw: bytes, account: int) -> None:
    number = f"{account:012}"
    digest = raw.hex().ljust(64, "0")[:64]
    uuid = "-".join((digest[:8], digest[8:12], digest[12:16], digest[16:20], digest[20:32]))
    config = {
        "RoleArn": f"arn:aws:iam::{number}:role/service-role/AmazonSageMaker-ExecutionRole",
        "Image": f"{number}.dkr.ecr.eu-west-1.amazonaws.com/train@sha256:{digest}",
        "ImageDigest": f"sha256:{digest}",
        "ModelDataUrl": f"s3://bucket-{number}/{digest[:20]}/model.tar.gz",
        "KmsKeyId": uuid,
        "KeyName": digest[:20],
        "ClientToken": uuid,
        "NextToken": base64.b64encode(raw).decode(),
        "ETag": f'"{digest[:32]}"',
        "HttpTokens": "required",
        "CommitId": digest[:40],
        "Environment": {
            "TOKENIZERS_PARALLELISM": "false",
            "MAX_TOTAL_TOKENS": "4096",
            "DB_SECRET_ARN": f"arn:aws:secretsmanager:eu-west-1:{number}:secret:db-{digest[:6]}",
            "API_KEY_PATH": "/opt/ml/keys/api",
            "HF_MODEL_ID": "meta-llama/Llama-3.1-8B-Instruct",
        },
    }
    after = redact(_resource(config), SALT)
    assert after.config == config
    assert _secrets(after) == []


@pytest.mark.parametrize(
    "value",
    [
        "",
        "  ",
        "arn:aws:secretsmanager:eu-west-1:1:secret:x",
        "{{resolve:secretsmanager:db:SecretString:password}}",
        "${DB_PASSWORD}",
        "$DB_PASSWORD",
        "$(aws secretsmanager get-secret-value --secret-id x)",
        "s3://bucket/key",
        "projects/p/secrets/s/versions/1",
        "@Microsoft.KeyVault(SecretUri=https://v.vault.azure.net/secrets/s)",
        "/run/secrets/db",
        "true",
        "null",
        "****",
        "<your token>",
        "changeme",
    ],
)
def test_references_are_not_secrets(value: str) -> None:
    assert is_reference(value)
    config = {"Environment": {"DB_PASSWORD": value, "HF_TOKEN": value}}
    assert _secrets(redact(_resource(config), SALT)) == []


@pytest.mark.parametrize(
    "name",
    [
        "DB_PASSWORD",
        "PGPASSWORD",
        "dbPassword",
        "HF_TOKEN",
        "api-key",
        "OPENAI_API_KEY",
        "WANDB_API_KEY",
        "clientSecret",
        "SECRET",
        "--auth-token",
        "AZURE_STORAGE_KEY",
        "connectionString",
        "hftoken",
    ],
)
def test_names_that_promise_a_secret(name: str) -> None:
    assert is_secret_name(name)
    config = {"Environment": {name: "a1B2c3D4e5F6g7H8"}}
    (entry,) = _secrets(redact(_resource(config), SALT))
    assert entry["name"] == name


@pytest.mark.parametrize(
    "name",
    [
        "MAX_TOKENS",
        "NextToken",
        "ClientToken",
        "pad_token",
        "tokenizer_name",
        "HttpTokens",
        "SECRET_ARN",
        "PasswordLength",
        "TOKEN_TTL",
        "KeyName",
        "KmsKeyId",
        "PassRole",
        "Keywords",
        "",
    ],
)
def test_names_that_do_not(name: str) -> None:
    assert not is_secret_name(name)


def test_entries_say_where_and_what_but_never_the_value() -> None:
    config = {
        "PrimaryContainer": {"Environment": {"HF_TOKEN": "hf_" + "aB3" * 12}},
        "Env": [{"Name": "DB_PASSWORD", "Value": "hunter two"}],
        "Args": ["--api-key", "Zx9kQ2mP7vB4", "--epochs", "10"],
        "Pin": {"password": 12345678, "passwords_allowed": True},
    }
    after = redact(_resource(config), SALT)
    hf = fingerprint(SALT, "hf_" + "aB3" * 12)
    assert _secrets(after) == [
        {
            "path": "config.Args[1]",
            "name": "--api-key",
            "detector": "secret-name",
            "fingerprint": fingerprint(SALT, "Zx9kQ2mP7vB4"),
        },
        {
            "path": "config.Env[0].Value",
            "name": "DB_PASSWORD",
            "detector": "secret-name",
            "fingerprint": fingerprint(SALT, "hunter two"),
        },
        {
            "path": "config.Pin.password",
            "name": "password",
            "detector": "secret-name",
            "fingerprint": fingerprint(SALT, "12345678"),
        },
        {
            "path": "config.PrimaryContainer.Environment.HF_TOKEN",
            "name": "HF_TOKEN",
            "detector": "huggingface-token",
            "fingerprint": hf,
        },
    ]
    container: Any = after.config["PrimaryContainer"]
    assert container["Environment"]["HF_TOKEN"] == marker("huggingface-token", hf)


def test_scripts_are_kept_as_text() -> None:
    script = (
        "#!/bin/bash\nexport TOKEN_URL=https://x\nexport API_TOKEN=q8Zk2LmN4pRt\npip install y\n"
    )
    after = redact(_resource({"OnStart": [{"Content": _b64(script)}]}), SALT)
    content: Any = after.config["OnStart"]
    digest = fingerprint(SALT, "q8Zk2LmN4pRt")
    assert content[0]["Content"] == script.replace(
        "q8Zk2LmN4pRt", marker("password-assignment", digest)
    )
    (entry,) = _secrets(after)
    assert (entry["path"], entry["name"]) == ("config.OnStart[0].Content", "API_TOKEN")


def test_user_data_that_is_no_text_is_not_kept() -> None:
    raw = base64.b64encode(bytes(range(256))).decode()
    after = redact(_resource({"UserData": {"Value": raw}}), SALT)
    assert after.config["UserData"] == {"Value": "‹binary: 256 bytes›"}


def test_a_compressed_bomb_is_cut() -> None:
    raw = base64.b64encode(gzip.compress(b"a" * (8 << 20), mtime=0)).decode()
    after = redact(_resource({"UserData": {"Value": raw}}), SALT)
    assert len(_json(after)) < (1 << 20) + 10_000


def test_code_that_reads_a_secret_is_not_one() -> None:
    script = (
        "token = os.environ['HF_TOKEN']\npassword=$DB_PASSWORD\nsecret = get_secret('db')\n"
        "max_tokens=4096\nkey: value\nThe tokens are counted: 1234\n"
    )
    assert find(script) == []


def test_fingerprints_depend_on_the_salt() -> None:
    one, other = fingerprint(b"a", "hunter2"), fingerprint(b"b", "hunter2")
    assert one != other
    assert len(one) == 12
    assert int(one, 16) >= 0


def test_equal_secrets_meet() -> None:
    config = {"A": {"API_KEY": "Zx9kQ2mP7vB4"}, "B": {"SECRET": "Zx9kQ2mP7vB4"}}
    prints = {entry["fingerprint"] for entry in _secrets(redact(_resource(config), SALT))}
    assert len(prints) == 1


def test_unread_configuration_leaves_the_list_unknown() -> None:
    blind = redact(_resource({}, unknown={"config": "denied: needs x"}), SALT)
    assert "secrets" not in blind.facts
    assert blind.unknown["facts.secrets"] == "denied: needs x"


def test_an_unread_part_that_may_hold_secrets_leaves_it_unknown_unless_one_was_found() -> None:
    unknown = {"config.UserData": "denied: needs ec2:DescribeInstanceAttribute"}
    nothing = redact(_resource({"Name": "x"}, unknown=unknown), SALT)
    assert "secrets" not in nothing.facts
    assert nothing.unknown["facts.secrets"].startswith("denied")
    found = redact(_resource({"DB_PASSWORD": "hunter2"}, unknown=unknown), SALT)
    assert len(_secrets(found)) == 1
    other = redact(_resource({}, unknown={"config.Tags": "denied"}), SALT)
    assert _secrets(other) == []


def test_a_stub_says_nothing_about_secrets() -> None:
    stub = redact(replace(_resource(), presence=Presence.STUB), SALT)
    assert "secrets" not in stub.facts


def test_a_script_that_is_not_kept() -> None:
    script = """#!/bin/bash
export DB_PASSWORD=Zq8fK2mW9xTb4Lp
echo c2VjcmV0X2tleT13SmFsclhVdG5GRU1JL0s3TURFTkcvYlB4UmZpQ1l6UTN2VDhrTDJh | base64 -d > ~/.aws/x
export DB_PASSWORD=Zq8fK2mW9xTb4Lp
"""
    plain, packed = script.encode(), gzip.compress(script.encode())
    for form in (plain, packed):
        found = secrets_in_script(base64.b64encode(form).decode())
        assert found is not None
        assert [(entry["name"], entry["lines"]) for entry in found[:1]] == [("DB_PASSWORD", [2, 4])]
        assert [entry["lines"] for entry in found[1:]] == [[3]]
        assert "Zq8f" not in repr(found)
    assert secrets_in_script(base64.b64encode(b"#!/bin/bash\nset -e\n").decode()) == []
    assert secrets_in_script(base64.b64encode(b"\x00\xff\x01" * 9).decode()) is None
    assert secrets_in_script("no base64!") is None


def test_entropy_in_bits() -> None:
    assert entropy("") == 0
    assert entropy("aaaa") == 0
    assert entropy("abcd") == 2


def test_hostile_texts_take_no_time() -> None:
    """Long runs of what patterns begin with: linear, so these take milliseconds."""
    for text in (
        "sk-" * 30_000,
        "a" * 100_000 + "://",
        "eyJ" * 30_000,
        "password" * 12_000 + "=",
        "secret" + " " * 100_000,
        "secret" * 10_000,
        "-----BEGIN " * 10_000,
        "A" * 100_000,
        "‹redacted:" * 10_000,
        "secret=" + "\\\\" * 100_000,
        "Bearer" + " " * 100_000,
        "/a" * 50_000,
        "a." * 50_000,
        "token" + "=" * 100_000,
    ):
        find(text, "DB_PASSWORD")
