"""The person's own settings: one TOML file where the platform keeps configuration."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from tui.saved_views import columns_path, read_views, views_path
from undercroft.model import Severity
from undercroft.triage.limits import (
    CRITICALITY_TAG,
    KEV,
    MAX_DAYS,
    UNCONFIRMED_DAYS,
    ServiceLevel,
)

if TYPE_CHECKING:
    from undercroft.risk.constants import RiskModel

__all__ = ["Settings", "SettingsError", "default_path", "load"]

_KNOWN = (
    "theme",
    "keys",
    "views",
    "actor",
    "criticality_tag",
    "service_level",
    "unconfirmed_days",
    "max_accept_days",
    "risk",
)
_MOST_DAYS = 3650
_CATALOGUE = "catalogue"
"""Instead of a number for ``kev``: the day that the catalogue itself names."""
_LEVELS = (*(severity.value for severity in Severity), KEV)


class SettingsError(ValueError):
    """The file cannot be used; the message names the file, the key and the nearest valid one."""


class Settings(NamedTuple):
    """What the file says; everything has a default."""

    theme: str = ""
    """Name of a theme; empty: our dark one, or the terminal's own colours under NO_COLOR."""
    keys: Mapping[str, str] = MappingProxyType({})
    """Binding id → keys, comma-separated: ``"finding.accept" = "A"``."""
    views: Mapping[str, str] = MappingProxyType({})
    """Saved views by name: ``"screen: filter"``, such as ``"findings: severity:critical"``."""
    columns: Mapping[str, str] = MappingProxyType({})
    """Chosen columns by table: ``"title=40 -account region"``; kept in a file of their own."""
    actor: str = ""
    """Who decides: name and mail, as it is written into each decision."""
    criticality_tag: str = CRITICALITY_TAG
    """Name of the tag that says how critical a service or resource is; empty: none does."""
    service_level: ServiceLevel = ServiceLevel()
    """Days in which findings are to be fixed, by severity, and for what is known to be exploited."""
    unconfirmed_days: int = UNCONFIRMED_DAYS
    """Days after which a finding that no scan could look at is listed as not to be confirmed."""
    max_accept_days: int = MAX_DAYS
    """The longest acceptance, in days."""
    risk: RiskModel | None = None
    """The risk model, with the constants that the file sets otherwise; None: as published."""
    path: Path | None = None
    """Where it was read from."""


def default_path() -> Path:
    """Where the file is looked for."""
    from platformdirs import user_config_path

    return user_config_path("undercroft", appauthor=False) / "config.toml"


def load(path: Path | None = None) -> Settings:
    """Read the settings; a file that is not there is as good as an empty one.

    Raises:
        SettingsError: For unreadable TOML, an unknown key or a value of the wrong kind.
    """
    path = path or default_path()
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return Settings(
            views=read_views(views_path(path)), columns=read_views(columns_path(path)), path=path
        )
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: {error}") from error
    import tomllib

    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path}: {error}") from error
    for key in data:
        if key not in _KNOWN:
            from difflib import get_close_matches

            near = get_close_matches(key, _KNOWN, 1)
            hint = f"; did you mean {near[0]}?" if near else f"; known: {', '.join(_KNOWN)}"
            raise SettingsError(f"{path}: unknown setting {key!r}{hint}")
    mine = _texts(path, data, "views")
    return Settings(
        theme=_text(path, data, "theme"),
        keys=_texts(path, data, "keys"),
        views={**read_views(views_path(path)), **mine},
        columns=read_views(columns_path(path)),
        actor=_text(path, data, "actor"),
        criticality_tag=_text(path, data, "criticality_tag", Settings().criticality_tag),
        service_level=_service_level(path, data),
        unconfirmed_days=_days(
            path, {"unconfirmed_days": UNCONFIRMED_DAYS, **data}, "unconfirmed_days"
        ),
        max_accept_days=_days(path, {"max_accept_days": MAX_DAYS, **data}, "max_accept_days"),
        risk=_risk(path, data),
        path=path,
    )


def _risk(path: Path, data: Mapping[str, object]) -> RiskModel | None:
    if "risk" not in data:
        return None
    from undercroft.risk.constants import ConstantsError, RiskModel

    try:
        return RiskModel.from_policy(data["risk"])
    except ConstantsError as error:
        raise SettingsError(f"{path}: {error}") from error


def _service_level(path: Path, data: Mapping[str, object]) -> ServiceLevel:
    table = data.get("service_level", {})
    if not isinstance(table, dict):
        raise SettingsError(f"{path}: service_level must be a table, [service_level]")
    for name in table:
        if name not in _LEVELS:
            known = ", ".join(_LEVELS)
            raise SettingsError(f"{path}: service_level.{name} is not known; known: {known}")
    catalogue = table.get(KEV) == _CATALOGUE
    return ServiceLevel(
        {
            name: _days(path, table, name, "service_level.")
            for name in table
            if not (name == KEV and catalogue)
        },
        catalogue,
    )


def _days(path: Path, data: Mapping[str, object], key: str, where: str = "") -> int:
    value = data[key]
    # A truth value is a whole number to Python, not to the person.
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value <= _MOST_DAYS:
        raise SettingsError(
            f"{path}: {where}{key} must be a number of days from 1 to {_MOST_DAYS:,}"
        )
    return value


def _text(path: Path, data: Mapping[str, object], key: str, default: str = "") -> str:
    value = data.get(key, default)
    if not isinstance(value, str):
        raise SettingsError(f"{path}: {key} must be a text in quotes")
    return value


def _texts(path: Path, data: Mapping[str, object], key: str) -> dict[str, str]:
    table = data.get(key, {})
    if not isinstance(table, dict):
        raise SettingsError(f"{path}: {key} must be a table, [{key}]")
    for name, value in table.items():
        if not isinstance(value, str):
            raise SettingsError(f'{path}: {key}."{name}" must be a text in quotes')
    return dict(table)
