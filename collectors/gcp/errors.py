"""What a failure of Google Cloud means for coverage, in words a reader can act on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from collectors.gcp.guard import Read
from undercroft.model import CoverageStatus

__all__ = ["CallError", "api_title", "details_of", "is_throttling", "no_answer", "retry_after"]

_TITLES = {
    "accesscontextmanager": "Access Context Manager",
    "aiplatform": "Vertex AI",
    "apikeys": "API Keys",
    "artifactregistry": "Artifact Registry",
    "bigquery": "BigQuery",
    "cloudasset": "Cloud Asset Inventory",
    "cloudkms": "Cloud KMS",
    "cloudresourcemanager": "Resource Manager",
    "compute": "Compute Engine",
    "container": "Kubernetes Engine",
    "containeranalysis": "Artifact Analysis",
    "dialogflow": "Dialogflow",
    "discoveryengine": "Agent Builder search",
    "iam": "IAM",
    "modelarmor": "Model Armor",
    "notebooks": "Workbench",
    "orgpolicy": "Organization Policy",
    "osconfig": "OS Config",
    "run": "Cloud Run",
    "serviceusage": "Service Usage",
    "storage": "Cloud Storage",
    "tpu": "Cloud TPU",
}
_DISABLED = frozenset({"SERVICE_DISABLED", "accessNotConfigured"})
_PERIMETER = frozenset({"SECURITY_POLICY_VIOLATED", "VPC_SERVICE_CONTROLS"})
_QUOTA_PROJECT = frozenset({"USER_PROJECT_DENIED", "CONSUMER_INVALID", "userProjectMissing"})
_INACTIVE = frozenset({"BILLING_DISABLED", "CONSUMER_SUSPENDED", "UREQ_PROJECT_BILLING_NOT_FOUND"})
_THROTTLED = frozenset(
    {"RATE_LIMIT_EXCEEDED", "RESOURCE_EXHAUSTED", "rateLimitExceeded", "userRateLimitExceeded"}
)
_NOT_OFFERED = ("unsupported location", "not supported in", "not available in", "not offered in")
_SIGN_IN = "sign in with 'gcloud auth application-default login' and scan again"
_LONGEST_MESSAGE = 300


class CallError(Exception):
    """One call failed, after retries.

    ``http_status`` is 0 without an answer, ``reason_code`` Google's own word (``SERVICE_DISABLED``,
    ``notFound``; may be empty); ``status`` and ``reason`` are what it means for coverage.
    """

    def __init__(
        self,
        service: str,
        read: Read | None,
        status: CoverageStatus,
        reason: str,
        *,
        http_status: int = 0,
        reason_code: str = "",
        permission: str = "",
    ) -> None:
        super().__init__(reason)
        self.service = service
        self.status = status
        self.reason = reason
        self.http_status = http_status
        self.reason_code = reason_code
        self.permission = permission or (read.permission if read else "")

    def __reduce__(self) -> tuple[Any, ...]:
        return (_again, (self.service, self.status, self.reason, self.http_status, self.permission))

    @property
    def unknown(self) -> str:
        """The reason for ``Resource.unknown``: ``denied: needs storage.buckets.getIamPolicy``."""
        return f"{self.status}: {self.reason}"

    @property
    def missing(self) -> bool:
        """Whether the answer was that there is no such thing."""
        return self.http_status == 404

    @property
    def not_offered(self) -> bool:
        """Whether a list does not exist in that location: there is nothing that could be read."""
        if self.http_status in {404, 501} or self.reason_code == "UNIMPLEMENTED":
            return True
        said = self.reason.lower()
        return self.http_status == 400 and any(text in said for text in _NOT_OFFERED)

    @classmethod
    def answered(
        cls, service: str, read: Read, http_status: int, body: Any, project: Sequence[str] = ()
    ) -> CallError:
        """From an error answer. ``project``: id and number of the project that was asked about."""
        error = _error(body)
        code, metadata = _reason(error)
        message = " ".join(str(error.get("message") or "").split())[:_LONGEST_MESSAGE]
        permission = str(metadata.get("permission") or read.permission)
        status, reason = _meaning(
            service, http_status, code, metadata, permission, message, set(project)
        )
        return cls(
            service,
            read,
            status,
            reason,
            http_status=http_status,
            reason_code=code,
            permission=permission,
        )


def _again(
    service: str, status: CoverageStatus, reason: str, http_status: int, permission: str
) -> CallError:
    return CallError(service, None, status, reason, http_status=http_status, permission=permission)


def api_title(service: str) -> str:
    """``Vertex AI`` for ``aiplatform``."""
    return _TITLES.get(service, service)


def no_answer(service: str, read: Read | None, cause: Exception) -> CallError:
    """From an exception on the way: no credentials, no network, no JSON."""
    from google.auth.exceptions import GoogleAuthError, TransportError
    from requests.exceptions import RequestException

    said = " ".join(str(cause).split())[:_LONGEST_MESSAGE]
    if isinstance(cause, GoogleAuthError) and not isinstance(cause, TransportError):
        reason = f"no usable credentials ({said}); {_SIGN_IN}"
        return CallError(service, read, CoverageStatus.DENIED, reason)
    what = api_title(service)
    if isinstance(cause, RequestException | TransportError):
        reason = f"{what}: no answer ({said}); check the network"
    else:
        reason = f"{what}: the answer could not be read as Google's protocol"
    return CallError(service, read, CoverageStatus.ERROR, reason)


def details_of(body: Any, kind: str) -> Mapping[str, Any]:
    """The error detail of a type (``ErrorInfo``, ``RetryInfo``), or an empty one."""
    for detail in _list(_error(body).get("details")):
        if isinstance(detail, Mapping) and str(detail.get("@type")).endswith(f"google.rpc.{kind}"):
            return detail
    return {}


def retry_after(body: Any) -> float | None:
    """Seconds that ``RetryInfo`` asks to wait, or None if it does not."""
    text = str(details_of(body, "RetryInfo").get("retryDelay") or "")
    try:
        return float(text.removesuffix("s")) if text else None
    except ValueError:
        return None


def is_throttling(http_status: int, body: Any) -> bool:
    """Whether this answer means "slow down"."""
    error = _error(body)
    code, _ = _reason(error)
    return http_status == 429 or code in _THROTTLED or error.get("status") == "RESOURCE_EXHAUSTED"


def _error(body: Any) -> Mapping[str, Any]:
    first = body[0] if isinstance(body, list) and body else body
    error = first.get("error") if isinstance(first, Mapping) else None
    return error if isinstance(error, Mapping) else {}


def _reason(error: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    """Google's own word for the reason, and what it says about it.

    Newer services say so in ErrorInfo, the older ones (storage, compute) in ``errors[]``.
    """
    info = details_of({"error": error}, "ErrorInfo")
    metadata = info.get("metadata")
    if info.get("reason"):
        return str(info["reason"]), metadata if isinstance(metadata, Mapping) else {}
    for entry in _list(error.get("errors")):
        if isinstance(entry, Mapping) and entry.get("reason"):
            return str(entry["reason"]), {}
    return str(error.get("status") or ""), {}


def _meaning(
    service: str,
    http_status: int,
    code: str,
    metadata: Mapping[str, Any],
    permission: str,
    message: str,
    project: set[str],
) -> tuple[CoverageStatus, str]:
    what = api_title(service)
    consumer = str(metadata.get("consumer") or "").removeprefix("projects/")
    if code in _DISABLED:
        if consumer and consumer not in project:
            # What is off is the API of the project that the call is charged to.
            return CoverageStatus.DENIED, (
                f"{what} is not enabled in project {consumer}, which the calls are charged to; "
                f"enable it there or name another quota project"
            )
        where = next((name for name in sorted(project) if not name.isdigit()), consumer)
        return CoverageStatus.NOT_ENABLED, f"{what} is not enabled in project {where}"
    if code in _PERIMETER:
        unique = str(metadata.get("uid") or metadata.get("vpcServiceControlsUniqueId") or "")
        shown = f" (unique id {unique})" if unique else ""
        return CoverageStatus.DENIED, f"{what}: blocked by a service perimeter{shown}"
    if code in _QUOTA_PROJECT:
        return CoverageStatus.DENIED, (
            f"{what}: the quota project was not accepted ({message}); "
            f"set one with 'gcloud auth application-default set-quota-project'"
        )
    if code in _INACTIVE:
        return CoverageStatus.SKIPPED, f"{what}: the project is not active ({code})"
    if http_status == 429 or code in _THROTTLED:
        return CoverageStatus.THROTTLED, (
            f"{what}: still throttled after all retries; scan again later or with fewer jobs"
        )
    if http_status == 401:
        return CoverageStatus.DENIED, f"credentials were not accepted; {_SIGN_IN}"
    if http_status == 403:
        return CoverageStatus.DENIED, f"needs {permission}" if permission else f"{what}: {message}"
    detail = f": {message}" if message else ""
    return CoverageStatus.ERROR, f"{what} answered {http_status} {code}".strip() + detail


def _list(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else ()
