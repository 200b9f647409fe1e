"""YAML files → a pack of rules; whatever is wrong is said with file, rule and key.

Loading is strict: an unknown key, a wrong type or an expression that does not compile refuses the
pack, because a rule that silently does nothing is a pass that nobody earned.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from rules.entries import read_entry, retired_id
from rules.schema import Combination, Pack, PackError, Rule
from rules.version import logic_version, pack_version

__all__ = ["load_files", "load_pack", "load_text"]

_BUNDLED = Path(__file__).parent


class _Loader(yaml.CSafeLoader):
    """Safe YAML in which ``on`` is a word and a key may occur once."""


# YAML 1.1 reads on/off/yes/no as booleans; `on:` is one of our keys.
_Loader.yaml_implicit_resolvers = {
    first: [
        (tag, pattern)
        for tag, pattern in resolvers
        if tag != "tag:yaml.org,2002:bool" or first in "tTfF"
        if tag != "tag:yaml.org,2002:timestamp"
    ]
    for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: set[str] = set()
    for key, _ in node.value:
        if key.value in seen:
            raise yaml.constructor.ConstructorError(
                None, None, f'"{key.value}" is given twice', key.start_mark
            )
        seen.add(key.value)
    return loader.construct_mapping(node, deep=True)


_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)


def load_pack(extra_dirs: Iterable[Path | str] = ()) -> Pack:
    """The bundled rules and those of ``extra_dirs`` (every ``*.yaml`` beneath them).

    Raises ``PackError``.
    """
    return load_files(file for root in (_BUNDLED, *extra_dirs) for file in _yaml_files(Path(root)))


def load_files(files: Iterable[Path]) -> Pack:
    """A pack of exactly these files. Raises ``PackError``."""
    entries: list[Rule | Combination | str] = []
    for file in files:
        try:
            text = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise PackError(f"cannot be read: {error}", file=str(file)) from None
        entries += _entries(text, _shown(file))
    return _pack(entries)


def load_text(text: str, *, file: str = "<text>") -> Pack:
    """A pack of the rules in ``text``. Raises ``PackError``."""
    return _pack(_entries(text, file))


def _yaml_files(root: Path) -> list[Path]:
    if not root.is_dir():
        raise PackError("is not a folder of rules", file=str(root))
    return sorted(root.rglob("*.yaml"))


def _shown(file: Path) -> str:
    return str(file.relative_to(_BUNDLED)) if file.is_relative_to(_BUNDLED) else str(file)


def _entries(text: str, file: str) -> Iterator[Rule | Combination | str]:
    try:
        document = yaml.load(text, Loader=_Loader)  # noqa: S506  (a CSafeLoader)
    except yaml.YAMLError as error:
        raise PackError(_yaml_problem(error), file=file) from None
    if document is None:
        return
    if not isinstance(document, list):
        raise PackError("must be a list of rules", file=file)
    for position, entry in enumerate(document, start=1):
        if not isinstance(entry, dict):
            raise PackError(f"entry {position} must be a mapping", file=file)
        if set(entry) == {"retired"}:
            yield retired_id(entry, file, position)
        else:
            yield read_entry(entry, file, position)


def _yaml_problem(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error)
    return f"line {mark.line + 1}: {problem}" if mark else str(problem)


def _pack(entries: Iterable[Rule | Combination | str]) -> Pack:
    """``entries``: rules and combinations, and the ids of retired ones."""
    retired: list[str] = []
    rules: list[Rule] = []
    combinations: list[Combination] = []
    files: dict[str, str] = {}
    for entry in entries:
        if isinstance(entry, str):
            retired.append(entry)
            continue
        if entry.id in files:
            raise PackError(f"is also defined in {files[entry.id]}", file=entry.file, rule=entry.id)
        files[entry.id] = entry.file
        versioned = replace(entry, logic_version=logic_version(entry))
        if isinstance(versioned, Rule):
            rules.append(versioned)
        else:
            combinations.append(versioned)
    _check_needs(combinations, {rule.id for rule in rules})
    for rule_id in retired:
        if rule_id in files:
            raise PackError("is retired and still there", file=files[rule_id], rule=rule_id)
    pack = Pack(tuple(rules), tuple(combinations), "", tuple(retired))
    return replace(pack, version=pack_version(pack.logic_versions()))


def _check_needs(combinations: Iterable[Combination], rules: set[str]) -> None:
    for combination in combinations:
        for need in combination.needs:
            for name in (*need.any_of, *need.also):
                if not name.startswith("trait:") and name not in rules:
                    raise PackError(
                        f'"{name}" is no rule of this pack',
                        file=combination.file,
                        rule=combination.id,
                        key="needs",
                    )
