"""Credentials that can be told by their shape: a prefix and an alphabet that the issuer documents."""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["DETECTORS", "GUESSING", "Detector"]


@dataclass(frozen=True, slots=True)
class Detector:
    """One kind of credential that can be told by its shape."""

    id: str
    hints: tuple[str, ...]
    """The pattern is only tried on text that contains one of these (compared in lower case)."""
    pattern: re.Pattern[str]
    """Group ``v`` is the secret itself."""


def _shape(name: str, hints: str, pattern: str) -> Detector:
    return Detector(name, tuple(hints.split()), re.compile(pattern))


_B = r"(?<![A-Za-z0-9])"  # not in the middle of a longer word
_E = r"(?![A-Za-z0-9])"

DETECTORS: tuple[Detector, ...] = (
    _shape(
        "private-key",
        "private",
        r"(?P<v>-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
        r"(?:(?!-----END)[\s\S])*(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|\Z))",
    ),
    _shape("aws-access-key", "akia asia", rf"{_B}(?P<v>A[KS]IA[A-Z2-7]{{16}}){_E}"),
    _shape(
        "aws-secret-key",
        "secret akia asia",
        rf"{_B}A[KS]IA[A-Z2-7]{{16}}[\s:;,|/\"'\\]{{1,8}}(?P<w>[A-Za-z0-9/+]{{40}})(?![A-Za-z0-9/+=-])|"
        r"(?i:aws|amazon)?[\w.-]{0,24}(?i:secret)[\w.-]{0,24}\\{0,4}[\"']?\s{0,8}(?:=>|[=:,]|\s)\s{0,8}\\{0,4}[\"']?"
        r"(?P<v>[A-Za-z0-9/+]{40})(?![A-Za-z0-9/+=-])",
    ),
    _shape(
        "bedrock-api-key",
        "absk bedrock-api-key-",
        rf"{_B}(?P<v>(?:ABSK|bedrock-api-key-)[A-Za-z0-9+/]{{40,}}={{0,2}})",
    ),
    _shape(
        "github-token",
        "ghp_ gho_ ghu_ ghs_ ghr_ github_pat_",
        r"(?P<v>gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{22,})",
    ),
    _shape("gitlab-token", "glpat-", r"(?P<v>glpat-[A-Za-z0-9_-]{20,})"),
    _shape(
        "huggingface-token",
        "hf_ api_org_",
        r"(?P<v>(?:hf_|api_org_)[A-Za-z0-9]{30,})",
    ),
    _shape("anthropic-key", "sk-ant-", r"(?P<v>sk-ant-[A-Za-z0-9_-]{20,})"),
    _shape(
        "openai-key",
        "sk-",
        # Words joined by dashes have neither digits nor capitals; keys of this length have both.
        rf"{_B}(?P<v>sk-(?=[A-Za-z0-9_-]{{0,99}}[0-9])(?=[A-Za-z0-9_-]{{0,99}}[A-Z])[A-Za-z0-9_-]{{20,}})",
    ),
    _shape("google-api-key", "aiza", rf"{_B}(?P<v>AIza[A-Za-z0-9_-]{{35}})(?![A-Za-z0-9_-])"),
    _shape(
        "google-oauth",
        "ya29. gocspx-",
        rf"{_B}(?P<v>ya29\.[A-Za-z0-9._-]{{20,}}|GOCSPX-[A-Za-z0-9_-]{{20,}})",
    ),
    _shape(
        "azure-key",
        "accountkey= sharedaccesskey= sig=",
        r"(?i:AccountKey|SharedAccessKey|\bsig)=(?P<v>[A-Za-z0-9+/%]{30,}={0,2})",
    ),
    _shape(
        "slack-token",
        "xox xapp- hooks.slack.com",
        rf"{_B}(?P<v>xox[abeoprs]-[A-Za-z0-9-]{{10,}}|xapp-[A-Za-z0-9-]{{20,}})"
        r"|hooks\.slack\.com/(?:services|workflows)/(?P<w>[A-Za-z0-9/_-]{20,})",
    ),
    _shape(
        "webhook-url",
        "discord.com/api/webhooks/ discordapp.com/api/webhooks/ api.telegram.org/bot webhook.office.com/",
        r"(?:discord(?:app)?\.com/api/webhooks/\d{5,25}/|api\.telegram\.org/bot|webhook\.office\.com/)"
        r"(?P<v>[A-Za-z0-9:@/_-]{16,})",
    ),
    _shape(
        "signed-url",
        "signature= security-token= signature%3d security-token%3d",
        # Whoever holds such a link acts as the one who signed it.
        r"(?i:[?&]signature|%26signature|-signature|-security-token)(?:=|%3[Dd])"
        r"(?P<v>[^&\s\"'<>\\]{16,})",
    ),
    _shape(
        "putty-key",
        "private-lines:",
        r"(?P<v>Private-Lines:\s*\d{1,4}[\s\\rn]{1,8}(?:[A-Za-z0-9+/]{1,80}={0,2}(?:[\s\\]|\\[rn]){0,8}){1,400})",
    ),
    _shape(
        "provider-token",
        "npm_ pypi- dckr_pat_ _live_ _test_ sg. dapi r8_ gsk_ pplx- lsv2_ nvapi- pcsk_ hvs. tskey-",
        rf"{_B}(?P<v>npm_[A-Za-z0-9]{{36}}|pypi-[A-Za-z0-9_-]{{40,}}|dckr_pat_[A-Za-z0-9_-]{{20,}}"
        r"|[sr]k_(?:live|test)_[A-Za-z0-9]{16,}|SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}"
        r"|dapi[0-9a-f]{32}|r8_[A-Za-z0-9]{30,}|gsk_[A-Za-z0-9]{30,}|pplx-[A-Za-z0-9]{30,}"
        r"|lsv2_(?:pt|sk)_[A-Za-z0-9_]{30,}|nvapi-[A-Za-z0-9_-]{30,}|pcsk_[A-Za-z0-9_]{30,}"
        r"|hvs\.[A-Za-z0-9_-]{20,}|tskey-[A-Za-z0-9-]{20,})",
    ),
    _shape(
        "jwt",
        "eyj",
        rf"{_B}(?P<v>eyJ[A-Za-z0-9_-]{{4,1000}}\.eyJ[A-Za-z0-9_-]{{4,}}\.[A-Za-z0-9_-]{{8,}})",
    ),
    _shape(
        "url-credentials",
        "://",
        # A slash belongs to the password unless what is before it is a port.
        r"[A-Za-z][A-Za-z0-9+.-]{0,20}://[^\s/?#:@\"'<>]*:"
        r"(?P<v>[^\s/?#\"'<>]+|(?!\d{1,5}[/?#])[^\s\"'<>@]{1,200})@(?!sha\d)"
        r"|[A-Za-z][A-Za-z0-9+.-]{0,20}://"
        r"(?P<w>(?=[A-Za-z_.~-]{0,99}\d)(?=[A-Za-z0-9_.~-]{16})[A-Za-z0-9_.~-]{16,200})@(?!sha\d)",
    ),
    _shape(
        "authorization-header",
        "bearer basic",
        r"(?i:\bbearer|\bauthorization\\{0,4}[\"']?\s{0,8}[:=]\s{0,8}\\{0,4}[\"']?basic)\s{1,8}(?P<v>[A-Za-z0-9._~+/-]{16,}={0,2})",
    ),
    _shape(
        "command-line",
        "curl sshpass mysql login chpasswd redis-cli identified requirepass masterauth bindpw password",
        # Programs that take a password after a single letter, and files that have no sign between
        # the word and the value: .netrc, .pgpass, Redis, LDAP, SQL.
        r"(?i:\bcurl\b[^\n;|]{0,300}?\s(?:-u|--user|--proxy-user)(?:\s{1,4}|=)?[\"']?[^\s:\"']{1,80}:"
        r"|\b(?:sshpass|login)\b[^\n;|&]{0,200}?\s-p(?:\s{1,4}|=)?[\"']?"
        r"|\bmysql\w{0,8}\b[^\n;|&]{0,200}?\s-p[\"']?"
        r"|\bredis-cli\b[^\n;|&]{0,200}?\s-a\s{1,4}[\"']?"
        r"|\b(?:requirepass|masterauth|bindpw|identified\s{1,4}by)\s{1,8}[\"']?"
        r"|\blogin\s{1,4}\S{1,80}\s{1,8}password\s{1,8}[\"']?"
        r"|\bpassword\s{1,4}['\"])(?P<v>(?<=['\"])[^'\"\n]{4,200}|[^\s\"'\\]{4,200})"
        r"|[\"'\s][^\s:\"']{1,80}:(?P<w>[^\s\"'|]{4,200})[\"']?\s{0,8}\|\s{0,8}(?:sudo\s{1,4})?chpasswd",
    ),
    _shape(
        "pgpass-line",
        ":5432: :5433: :6432: :*:",
        r"(?m:^)[\w.*-]{1,80}:(?:\d{1,5}|\*):[^\s:]{1,64}:[^\s:]{1,64}:(?P<v>[^\s:]{8,200})(?m:$)",
    ),
)
"""In the order in which they name a place that several of them recognise."""

GUESSING = frozenset(
    {
        "authorization-header",
        "aws-secret-key",
        "command-line",
        "pgpass-line",
    }
)
"""Detectors that go by what stands around a word. Identifiers are only searched by the others."""
