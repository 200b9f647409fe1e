"""What an Azure failure means for coverage, in words a reader can act on."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

from azure.core.exceptions import (
    ClientAuthenticationError,
    DecodeError,
    DeserializationError,
    HttpResponseError,
    ServiceRequestError,
    ServiceResponseError,
)

from collectors.azure.credentials import refusals
from collectors.azure.guard import ForeignHostError
from undercroft.model import CoverageStatus

__all__ = ["ArmError", "action_of", "classify", "is_version_refusal", "unreadable"]

_VERSION = frozenset(
    {
        "InvalidApiVersionParameter",
        "InvalidResourceType",
        "NoRegisteredProviderFound",
        "UnsupportedApiVersion",
    }
)
_SIGN_IN = "sign in with 'az login' and scan again"
_NOT_USED = frozenset({"MissingSubscriptionRegistration", "SubscriptionNotRegistered"})
_GONE = frozenset({"ParentResourceNotFound", "ResourceGroupNotFound", "ResourceNotFound"})


class ArmError(Exception):
    """One read of Azure failed, after retries.

    ``code`` is Azure's own error code (empty when no answer came), ``http_status`` 0 without an
    answer; ``status`` and ``reason`` are what it means for coverage.
    """

    def __init__(
        self,
        status: CoverageStatus,
        reason: str,
        *,
        code: str = "",
        http_status: int = 0,
        action: str = "",
    ) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.code = code
        self.http_status = http_status
        self.action = action

    def __reduce__(self) -> tuple[Any, ...]:
        return (_rebuild, (self.status, self.reason, self.code, self.http_status, self.action))

    @property
    def unknown(self) -> str:
        """The reason for ``Resource.unknown``: ``denied: needs Microsoft.Search/…/read``."""
        if self.status is CoverageStatus.DENIED and self.action:
            return f"denied: needs {self.action}"
        return f"{self.status}: {self.reason}"

    @property
    def is_gone(self) -> bool:
        """Whether the thing itself (or what it is part of) is not there any more."""
        return self.http_status == 404 and (self.code in _GONE or self.code.endswith("NotFound"))


def _rebuild(
    status: CoverageStatus, reason: str, code: str, http_status: int, action: str
) -> ArmError:
    return ArmError(status, reason, code=code, http_status=http_status, action=action)


def is_version_refusal(error: ArmError) -> bool:
    """Whether another API version may be answered where this one was not."""
    return error.http_status in {400, 404} and error.code in _VERSION


def unreadable(url: str, what: str) -> ArmError:
    """An answer that is not what Resource Manager says: half a page, a proxy's error page."""
    return ArmError(CoverageStatus.ERROR, f"{action_of(url)}: {what}", action=action_of(url))


def action_of(url: str) -> str:
    """The permission that reading ``url`` takes: ``Microsoft.Search/searchServices/read``."""
    steps = [step for step in urlsplit(url).path.split("/") if step]
    lowered = [step.lower() for step in steps]
    if "providers" not in lowered:
        if lowered[:1] == ["subscriptions"]:
            return "Microsoft.Resources/subscriptions/read"
        return "the call"
    start = len(lowered) - 1 - lowered[::-1].index("providers")
    namespace, *rest = steps[start + 1 :] or ["the provider"]
    return "/".join([namespace, *rest[::2], "read"])


def classify(error: Exception, url: str) -> ArmError:
    """What ``error``, raised by a read of ``url``, means."""
    if isinstance(error, ArmError):
        return error
    action = action_of(url)
    if isinstance(error, ForeignHostError):
        return ArmError(
            CoverageStatus.TRUNCATED, f"{action}: the next page: {error}", action=action
        )
    if isinstance(error, HttpResponseError) and error.response is not None:
        return _answer(error, action)
    if isinstance(error, ClientAuthenticationError):
        told = refusals(str(error.message or error))
        why = f"no usable credentials{f' ({told})' * bool(told)}; {_SIGN_IN}"
        return ArmError(CoverageStatus.DENIED, why)
    if isinstance(error, DecodeError | DeserializationError):
        return unreadable(url, "the answer could not be read as Azure's protocol")
    if isinstance(error, ServiceRequestError | ServiceResponseError):
        reason = f"{action}: no answer ({_line(error)}); check network and endpoint"
        return ArmError(CoverageStatus.ERROR, reason, action=action)
    reason = f"{action}: {type(error).__name__}: {_line(error)}"
    return ArmError(CoverageStatus.ERROR, reason, action=action)


def _answer(error: HttpResponseError, action: str) -> ArmError:
    response: Any = error.response
    http_status = int(response.status_code or 0)
    code, message = _said(response)

    def made(status: CoverageStatus, reason: str) -> ArmError:
        return ArmError(status, reason, code=code, http_status=http_status, action=action)

    if http_status == 409 and code in _NOT_USED:
        return made(CoverageStatus.NOT_ENABLED, f"{action}: the provider is not in use here")
    if http_status == 401:
        why = f"credentials were not accepted ({code or http_status}); sign in again"
        if code == "InvalidAuthenticationTokenTenant":
            why = "the subscription belongs to another tenant; sign in there ('az login --tenant')"
        return made(CoverageStatus.DENIED, why)
    if http_status == 403:
        if code == "ReadOnlyDisabledSubscription":
            return made(CoverageStatus.DENIED, f"{action}: the subscription is disabled")
        why = f"needs {action}; grant it to the scanning identity (Reader, or doctor's role)"
        return made(CoverageStatus.DENIED, why)
    if http_status == 429:
        why = f"{action}: still throttled after all retries; scan again later or with fewer jobs"
        return made(CoverageStatus.THROTTLED, why)
    if http_status >= 500:
        return made(
            CoverageStatus.ERROR, f"{action}: Azure answered {http_status} {code}; scan again"
        )
    detail = f": {message}" if message else ""
    return made(CoverageStatus.ERROR, f"{action}: {code or http_status}{detail}")


def _said(response: Any) -> tuple[str, str]:
    """Code and message of an error answer; whatever cannot be read is left empty."""
    try:
        body = json.loads(response.text())
    except (ValueError, TypeError, AttributeError):
        return "", ""
    said = body.get("error", body) if isinstance(body, dict) else None
    if not isinstance(said, dict):
        return "", ""
    return str(said.get("code") or ""), _line(said.get("message") or "")[:300]


def _line(text: object) -> str:
    return " ".join(str(text).split())
