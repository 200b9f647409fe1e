"""moto's server on a free loopback port, in a thread of this process."""

from __future__ import annotations

import os
import urllib.request
from functools import cache
from importlib import import_module
from typing import Any, Self
from unittest.mock import patch

from botocore import xform_name

from tests.cloud.loopback import Loopback
from tests.cloud.model_server import ModelCloud
from tests.cloud.moto_fidelity import ACCOUNT, ANSWERED, Fidelity

__all__ = ["AwsServer", "in_moto"]

_NEVER_MOTO = frozenset(
    {"bedrock", "bedrock-agent", "bedrock-agentcore-control", "bedrock-data-automation"}
)
"""Services of which moto has a part that forgets most of what it is told."""


def _answered(service: str, operation: str) -> bool:
    """Whether moto or what completes it answers an operation."""
    return (service == "sagemaker" and operation in ANSWERED) or in_moto(service, operation)


@cache
def in_moto(service: str, operation: str) -> bool:
    """Whether moto has an operation, and what it answers is worth having."""
    from moto.core.responses import BaseResponse

    if service in _NEVER_MOTO:
        return False
    try:
        module = import_module(f"moto.{_MODULES.get(service, service)}.responses")
    except ModuleNotFoundError:
        return False
    method = xform_name(operation)
    return any(
        isinstance(value, type) and issubclass(value, BaseResponse) and hasattr(value, method)
        for value in vars(module).values()
        if value is not BaseResponse
    )


_MODULES = {"lambda": "awslambda"}


def _managed_policies(iam: Any) -> list[Any]:
    """AWS's own policies, attached to nothing: read once, since there are more than a thousand.

    moto reads a switch before it makes them, which other users of moto here leave off.
    """
    if not _policies:
        with patch.dict(os.environ, {"MOTO_IAM_LOAD_MANAGED_POLICIES": "true"}):
            _policies.extend(iam._init_aws_policies())
    for policy in _policies:
        policy.attachment_count = 0
    return _policies


_policies: list[Any] = []


class AwsServer(Loopback):
    """A context manager: AWS at ``endpoint`` for as long as it is open."""

    def __init__(self, port: int = 0) -> None:
        from moto.moto_server.werkzeug_app import (
            DomainDispatcherApplication,
            MotoRequestHandler,
            create_backend_app,
        )
        from werkzeug.serving import make_server

        class Quiet(MotoRequestHandler):
            def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002
                """Say nothing: a test run has thousands of requests."""

        self._fidelity = Fidelity(DomainDispatcherApplication(create_backend_app))
        self.model = ModelCloud(self._fidelity, _answered)
        """Answers what moto lacks: nothing there, unless records say otherwise."""
        super().__init__(
            make_server("127.0.0.1", port, self.model, threaded=True, request_handler=Quiet)
        )

    def reset(self) -> None:
        """Empty every service."""
        from moto.iam.models import iam_backends

        self.post("/moto-api/reset")
        iam: Any = iam_backends[ACCOUNT]["aws"]
        iam.aws_managed_policies = _managed_policies(iam)
        iam.managed_policies = iam._init_managed_policies()
        self._fidelity.reset()
        self.model.reset()
        self.model.page = 100

    def post(self, path: str, body: bytes = b"") -> bytes:
        """Call one of moto's own switches."""
        # Otherwise it counts as a form, whose body nobody can read.
        plain = {"Content-Type": "text/plain"}
        request = urllib.request.Request(f"{self.endpoint}{path}", body, plain, method="POST")
        with urllib.request.urlopen(request) as answer:
            content: bytes = answer.read()
        return content

    def __enter__(self) -> Self:
        super().__enter__()
        self.reset()
        return self
