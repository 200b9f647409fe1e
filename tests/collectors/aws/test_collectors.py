"""The AWS package as the scan sees it."""

from __future__ import annotations

import pickle
import subprocess
import sys
from typing import Any

from collectors.aws import collectors, preflight
from tests.collectors.aws.conftest import ACCOUNT, REGION, Answer, Proxy
from undercroft.protocols import Scope


def test_names_and_stages(aws: Proxy) -> None:
    found = collectors({})
    names = [collector.name for collector in found]
    assert len(names) == len(set(names))
    assert {"aws.ec2", "aws.ecr", "aws.iam", "aws.s3", "aws.kms"} <= set(names)
    stages = {collector.name: collector.stage for collector in found}
    assert stages["aws.sagemaker.model"] == 0
    later = stages["aws.sagemaker.referenced"]
    for name in ("aws.s3", "aws.iam", "aws.ecr", "aws.ec2.volume"):
        assert stages[name] > later
    for name in ("aws.kms", "aws.ec2.network"):
        assert stages[name] > stages["aws.ec2.volume"]


def test_targets_and_collectors_travel(aws: Proxy) -> None:
    for collector in collectors({"regions": [REGION]}):
        assert pickle.loads(pickle.dumps(collector)).name == collector.name
        for target in collector.targets(Scope("aws"), ()):
            assert pickle.loads(pickle.dumps(target)) == target


def test_preflight(aws: Proxy, monkeypatch: Any) -> None:
    ready = preflight({})
    assert (ready.account, ready.partition, ready.regions) == (ACCOUNT, "aws", (REGION,))
    assert ready.problems == ()
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    (problem,) = preflight({}).problems
    assert "no region is configured" in problem


def test_preflight_says_what_is_wrong(aws: Proxy, monkeypatch: Any) -> None:
    aws.always["GetCallerIdentity"] = Answer.xml_error("ExpiredToken", 403)
    refused = preflight({})
    assert refused.account == ""
    assert "sign in again" in refused.problems[0]
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    (problem,) = preflight({}).problems
    assert "no usable credentials" in problem
    (problem,) = preflight({"profile": "nobody"}).problems
    assert "nobody" in problem


SCRIPT = """
import sys
before = set(sys.modules)
import collectors.aws
assert not {"boto3", "botocore"} & set(sys.modules), "the package itself imports the SDK"
collectors.aws.collectors({})
assert "boto3" in sys.modules
foreign = [name for name in set(sys.modules) - before if name.split(".")[0] in {"google", "azure", "textual"}]
assert not foreign, foreign
"""


def test_no_other_sdk_is_imported(aws: Proxy) -> None:
    subprocess.run([sys.executable, "-c", SCRIPT], check=True)
