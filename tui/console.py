"""Where a resource is in its cloud's own web console."""

from __future__ import annotations

from urllib.parse import quote

__all__ = ["console_url"]

_AWS_HOSTS = {
    "aws": "console.aws.amazon.com",
    "aws-cn": "console.amazonaws.cn",
    "aws-us-gov": "console.amazonaws-us-gov.com",
}


def console_url(provider: str, native_id: str, account: str = "") -> str:
    """The page of a resource, or an empty text where none is known.

    ``native_id`` is an ARN, a full resource name or an Azure resource id; it is quoted whole, so
    that nothing in it can change where the link leads.
    """
    if provider == "aws" and native_id.startswith("arn:"):
        host = _AWS_HOSTS.get(native_id.split(":", 2)[1])
        return f"https://{host}/go/view?arn={quote(native_id, safe='')}" if host else ""
    if provider == "azure" and native_id.startswith("/"):
        return f"https://portal.azure.com/#@/resource{quote(native_id, safe='/')}"
    if provider == "gcp" and native_id:
        project = f"&project={quote(account, safe='')}" if account else ""
        return f"https://console.cloud.google.com/search?q={quote(native_id, safe='')}{project}"
    return ""
