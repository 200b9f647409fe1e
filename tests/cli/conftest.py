"""Runs commands in this process: the same function that the installed command calls."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.end_to_end.kit import Done, Shell
from tui.cli import cli
from tui.cli.errors import run

Command = Callable[..., Done]


def _command(
    shell: Shell, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Command:
    for name, value in shell.environment.items():
        monkeypatch.setenv(name, value)
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(shell.home)

    def command(*arguments: object, status: int = 0) -> Done:
        capsys.readouterr()
        ended = run(cli, [str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        assert ended == status, f"{arguments} ended with {ended}:\n{out}\n{err}"
        return Done(ended, out, err)

    return command


@pytest.fixture
def undercroft(
    shell: Shell, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Command:
    """The command, with a cache that holds one scan of the whole estate."""
    return _command(shell, capsys, monkeypatch)


@pytest.fixture
def fresh_undercroft(
    new_shell: Shell, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Command:
    """The command on a machine that has never run it."""
    return _command(new_shell, capsys, monkeypatch)
