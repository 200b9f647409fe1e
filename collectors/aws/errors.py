"""What an AWS failure means for coverage, in words a reader can act on."""

from __future__ import annotations

import socket
from typing import Any

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    EndpointConnectionError,
    HTTPClientError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
    TokenRetrievalError,
    UnauthorizedSSOTokenError,
)
from botocore.exceptions import (
    ConnectionError as BotoConnectionError,
)
from botocore.parsers import ResponseParserError

from collectors.aws.guard import WriteRefusedError, iam_action
from undercroft.model import CoverageStatus

__all__ = [
    "CallError",
    "UnsupportedOperationError",
    "classify",
    "code_of",
    "http_status",
    "is_nameless",
    "is_throttling",
]

_ASSUME_ROLE = "sts:AssumeRole"

_DENIED = frozenset(
    {
        "403",
        "AccessDenied",
        "AccessDeniedException",
        "AuthorizationError",
        "AuthorizationErrorException",
        "ForbiddenException",
        "NotAuthorized",
        "UnauthorizedAccess",
        "UnauthorizedException",
        "UnauthorizedOperation",
    }
)
_CREDENTIALS = frozenset(
    {
        "AuthFailure",
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidToken",
        "MissingAuthenticationToken",
        "RequestExpired",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
_THROTTLED = frozenset(
    {
        "429",
        "BandwidthLimitExceeded",
        "EC2ThrottledException",
        "LimitExceededException",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
_NOT_ENABLED = frozenset(
    {"OptInRequired", "SubscriptionRequiredException", "RegionDisabledException"}
)
_NO_SUCH_NAME = frozenset(
    getattr(socket, name) for name in ("EAI_NONAME", "EAI_NODATA") if hasattr(socket, name)
)
_NO_CREDENTIALS = (
    NoCredentialsError,
    PartialCredentialsError,
    CredentialRetrievalError,
    TokenRetrievalError,
    UnauthorizedSSOTokenError,
    ProfileNotFound,
)


class CallError(ClientError):
    """One AWS call failed, after retries. A ``ClientError`` that also knows what it means.

    ``code`` is AWS's own error code (empty when no answer came), ``http_status`` 0 without an
    answer, ``status`` and ``reason`` are what ``classify`` made of it.
    """

    def __init__(self, service: str, region: str, operation: str, cause: Exception) -> None:
        response: Any = getattr(cause, "response", None) or {"Error": {"Message": str(cause)}}
        super().__init__(response, operation)
        self.service = service
        self.region = region
        self.operation = operation
        self.code = code_of(cause)
        self.http_status = http_status(cause)
        self.status, self.reason = _classify(cause, service, region, operation)

    @property
    def unknown(self) -> str:
        """The reason for ``Resource.unknown``: ``denied: needs s3:GetBucketPolicy``."""
        if self.status is CoverageStatus.DENIED:
            return f"denied: needs {iam_action(self.service, self.operation)}"
        return f"{self.status}: {self.reason}"


class UnsupportedOperationError(Exception):
    """The installed SDK does not know the operation."""


def classify(exc: BaseException) -> tuple[CoverageStatus, str]:
    """What ``exc`` means for coverage: a status and a reason in words, with what to do about it.

    Looks at AWS's error code and at the HTTP status, because proxies and some services answer with
    one and not the other.
    """
    if isinstance(exc, CallError):
        return exc.status, exc.reason
    return _classify(exc, "", "", getattr(exc, "operation_name", ""))


def code_of(exc: BaseException) -> str:
    """AWS's error code (``AccessDeniedException``), or an empty string."""
    if isinstance(exc, ClientError):
        return str(exc.response.get("Error", {}).get("Code") or "")
    return ""


def http_status(exc: BaseException) -> int:
    """The HTTP status of the answer, or 0 if there was none."""
    if isinstance(exc, ClientError):
        return int(exc.response.get("ResponseMetadata", {}).get("HTTPStatusCode") or 0)
    return 0


def is_nameless(exc: BaseException | None) -> bool:
    """Whether no answer came because the host name of the endpoint does not exist."""
    if not isinstance(exc, EndpointConnectionError):
        return False
    reason = getattr(exc.kwargs.get("error"), "__cause__", None)
    return isinstance(reason, socket.gaierror) and reason.errno in _NO_SUCH_NAME


def is_throttling(code: str, status: int) -> bool:
    """Whether this error code and HTTP status mean "slow down"."""
    return code in _THROTTLED or status == 429


def _classify(
    exc: BaseException, service: str, region: str, operation: str
) -> tuple[CoverageStatus, str]:
    named = service and operation
    what = iam_action(service, operation) if named else operation or service or "the call"
    if isinstance(exc, ClientError):
        return _answer(exc, what, region)
    if isinstance(exc, UnsupportedOperationError):
        return CoverageStatus.ERROR, f"{exc}; update boto3"
    if isinstance(exc, WriteRefusedError):
        # Directory buckets (S3 Express) are only opened by a session, which may also write.
        more = iam_action(exc.service, exc.operation)
        return CoverageStatus.SKIPPED, f"{what}: not read, since the SDK needs {more} for it"
    if isinstance(exc, _NO_CREDENTIALS):
        return CoverageStatus.DENIED, f"no usable credentials ({exc}); sign in and scan again"
    if isinstance(exc, ResponseParserError):
        return CoverageStatus.ERROR, f"{what}: the answer could not be read as AWS's protocol"
    if isinstance(exc, BotoConnectionError | HTTPClientError):
        return CoverageStatus.ERROR, f"{what}: no answer ({exc}); check network and region"
    if isinstance(exc, BotoCoreError):
        return CoverageStatus.ERROR, f"{what}: {_line(exc)}"
    return CoverageStatus.ERROR, f"{what}: {type(exc).__name__}: {_line(exc)}"


def _answer(exc: ClientError, what: str, region: str) -> tuple[CoverageStatus, str]:
    code, status = code_of(exc), http_status(exc)
    message = _line(exc.response.get("Error", {}).get("Message") or "")
    where = f" in {region}" if region and region != "-" else ""
    if code in _NOT_ENABLED:
        return CoverageStatus.NOT_ENABLED, f"{what}: not enabled{where} ({code})"
    if code in _CREDENTIALS:
        return (
            CoverageStatus.DENIED,
            f"credentials were not accepted{where} ({code}); sign in again, or enable the region",
        )
    if is_throttling(code, status):
        return (
            CoverageStatus.THROTTLED,
            f"{what}: still throttled after all retries; scan again later or with fewer jobs",
        )
    if what == _ASSUME_ROLE and code in _DENIED:
        role = "a role that exists there and trusts who signs in"
        how = "doctor aws --policy, with the same options, prints what that takes"
        return CoverageStatus.DENIED, f"needs {what} on {role} ({how})"
    if code in _DENIED or status in {401, 403}:
        return (
            CoverageStatus.DENIED,
            f"needs {what}; grant it to the scanning identity (SecurityAudit, or doctor's policy)",
        )
    if status == 501 or (status >= 500 and (not code or code.isdigit())):
        return CoverageStatus.ERROR, f"{what}: not implemented by this endpoint (HTTP {status})"
    if status >= 500:
        return CoverageStatus.ERROR, f"{what}: AWS answered {status} {code}; scan again"
    detail = f": {message}" if message else ""
    return CoverageStatus.ERROR, f"{what}: {code or status}{detail}"


def _line(text: object) -> str:
    """On one line: the SDK's own messages come in several."""
    return " ".join(str(text).split())
