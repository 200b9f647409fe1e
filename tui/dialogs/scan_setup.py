"""Scan setup: what was found on this machine, which regions, and a permission check before it starts."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.widgets import Input, Static

from tui.dialogs.base import Choice, Choices, Dialog, Suggest
from tui.scanning import Discovery, Found, Preflight, ScanRequest
from tui.text import ago, content, styled
from tui.widgets.hanging import HangingText
from undercroft.clock import utc_now

__all__ = ["ScanSetupDialog", "split_regions"]

_REGION = re.compile(r"[a-z]{2,}(-[a-z0-9]+)+")
_REGIONS = (
    "us-east-1", "us-east-2", "us-west-2", "us-west-1", "eu-west-1", "eu-west-2", "eu-west-3",
    "eu-central-1", "eu-north-1", "ap-south-1", "ap-southeast-1", "ap-southeast-2",
    "ap-northeast-1", "ap-northeast-2", "ca-central-1", "sa-east-1",
)  # fmt: skip
"""For completion only; any other name may be typed."""
_WIDE = {
    "aws": ("the whole organisation", "Role there", "UndercroftRead, unless you name another"),
    "gcp": ("an organisation", "Its number", "gcloud organizations list"),
    "azure": ("a management group", "Its name", "az account management-group list"),
}
"""Provider → what else than the chosen can be read, what has to be said about it, and a hint."""
_WHOLE = frozenset({"azure"})
"""Providers whose lists are not by region: there is nothing to choose."""
_GOOGLE_REGIONS = (
    "us-central1", "us-east1", "us-east4", "us-east5", "us-west1", "europe-west1", "europe-west2",
    "europe-west3", "europe-west4", "europe-west9", "europe-north1", "asia-east1",
    "asia-northeast1", "asia-south1", "asia-southeast1", "australia-southeast1",
    "northamerica-northeast1", "southamerica-east1",
)  # fmt: skip


def split_regions(text: str) -> tuple[str, ...]:
    """Regions separated by commas or spaces, each once, in the order typed.

    Raises:
        ValueError: One of them does not look like a region; the message names it.
    """
    names = dict.fromkeys(part for part in re.split(r"[,\s]+", text.strip().lower()) if part)
    for name in names:
        if not _REGION.fullmatch(name):
            raise ValueError(f"“{name}” does not look like a region (such as eu-west-1).")
    return tuple(names)


class ScanSetupDialog(Dialog[ScanRequest]):
    """Returns the ``ScanRequest`` to start. Enter checks the permissions first, then starts."""

    DEFAULT_CSS = """
    ScanSetupDialog {
        & #found-box { height: auto; max-height: 6; }
        & #check-box { height: auto; max-height: 8; margin-top: 1; display: none; }
        & #check-box.-shown { display: block; }
        & .-indent { margin-left: 14; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "submit", "check, then start", priority=True, id="dialog.submit"),
        Binding("tab", "app.focus_next", "next field", id="dialog.next"),
        Binding("escape", "cancel", "cancel", priority=True, id="dialog.cancel"),
    ]

    class Discovered(Message):
        """What this machine could scan with."""

        def __init__(self, discovery: Discovery, error: str = "") -> None:
            super().__init__()
            self.discovery = discovery
            self.error = error

    class Checked(Message):
        """The permission check came back."""

        def __init__(self, request: ScanRequest, preflight: Preflight | None, error: str) -> None:
            super().__init__()
            self.request = request
            self.preflight = preflight
            self.error = error

    def __init__(
        self, discover: Callable[[], Discovery] | None, *, discovery: Discovery | None = None
    ) -> None:
        super().__init__("Scan", "Reads only: every call that could change something is refused.")
        self._discover = discover
        self._discovery = discovery
        self._checked: ScanRequest | None = None
        self._checking: ScanRequest | None = None

    def fields(self) -> ComposeResult:
        """Credentials, regions, name, and the result of the check."""
        yield Static("With  ↑↓", classes="label")
        with VerticalScroll(id="found-box", can_focus=False):
            yield Choices((), id="found")
            yield Static(content("looking for credentials on this machine…"), id="found-hint")
        with Horizontal(classes="field"):
            yield Static("Regions", classes="label")
            yield Input(
                id="regions",
                select_on_focus=False,
                placeholder="all that are enabled",
                suggester=Suggest(self._complete),
            )
        yield Static(
            "",
            classes="hint -indent",
            id="regions-hint",
        )
        with Horizontal(classes="field"):
            yield Static("Reads", classes="label")
            yield Choices((), row=True, id="reach")
        with Horizontal(classes="field", id="wide-field"):
            yield Static("", classes="label", id="wide-label")
            yield Input(id="wide")
        with Horizontal(classes="field", id="resume-field"):
            yield Static("Begins", classes="label")
            yield Choices(
                [Choice("resume", "where it was interrupted"), Choice("", "anew")],
                row=True,
                id="resume",
            )
        yield Static("", classes="hint -indent", id="resume-hint")
        with Horizontal(classes="field"):
            yield Static("Name", classes="label")
            yield Input(id="name", placeholder="optional, to find this scan again")
        with VerticalScroll(id="check-box", can_focus=False):
            yield HangingText(id="check")

    def on_mount(self) -> None:
        """Look around."""
        self.query_one("#found-hint", Static).add_class("hint")
        for name in ("#wide-field", "#resume-field", "#resume-hint"):
            self.query_one(name).display = False
        if self._discovery is not None:
            self.post_message(self.Discovered(self._discovery))
        elif self._discover is not None:
            self._look(self._discover)
        else:
            self.post_message(self.Discovered(Discovery()))

    def _complete(self) -> list[str]:
        """The last region of the list completed, with what stands before it."""
        text = self.query_one("#regions", Input).value
        head = text[: len(text) - len(re.split(r"[,\s]", text)[-1])]
        found = self._found
        known = _GOOGLE_REGIONS if found is not None and found.provider == "gcp" else _REGIONS
        return [head + region for region in known]

    @property
    def _found(self) -> Found | None:
        choices = self.query_one("#found", Choices)
        found = self._discovery.found if self._discovery else ()
        return found[choices.chosen] if found and choices.options else None

    @work(thread=True, exclusive=True, group="discover", exit_on_error=False)
    def _look(self, discover: Callable[[], Discovery]) -> None:
        try:
            discovery = discover()
        except Exception as error:  # noqa: BLE001  (said in the dialog)
            self.post_message(self.Discovered(Discovery(), str(error) or type(error).__name__))
        else:
            self.post_message(self.Discovered(discovery))

    @on(Discovered)
    def _offer(self, event: Discovered) -> None:
        self._discovery = event.discovery
        found = event.discovery.found
        choices = self.query_one("#found", Choices)
        if unfinished := event.discovery.unfinished:
            self.query_one("#resume-field").display = True
            hint = self.query_one("#resume-hint", Static)
            hint.display = True
            when = ago(unfinished, utc_now())
            hint.update(content(f"one was interrupted {when}; goes on if the same is asked for"))
        choices.replace(
            [
                Choice(
                    str(index),
                    one.title,
                    one.detail if one.ready else f"not ready: {one.hint}",
                    enabled=one.ready,
                )
                for index, one in enumerate(found)
            ]
        )
        choices.chosen = next((i for i, one in enumerate(found) if one.ready), 0)
        if event.error:
            self.hint("#found-hint", f"Looking for credentials failed: {event.error}", good=False)
        elif not found:
            self.hint(
                "#found-hint",
                "No credentials were found. Sign in with your provider's own command first"
                " (AWS: aws sso login; Google Cloud: gcloud auth application-default login;"
                " Azure: az login).",
                good=False,
            )
        else:
            self.query_one("#found-hint").display = False
        self.query_one("#regions").focus() if len(found) == 1 else choices.focus()
        self._propose_regions()

    @on(Choices.Changed, "#reach")
    def _ask_for_name(self) -> None:
        """What has to be said about more than the chosen account."""
        found = self._found
        words = _WIDE.get(found.provider) if found is not None else None
        wide = bool(self.query_one("#reach", Choices).value)
        self.query_one("#wide-field").display = wide and words is not None
        if words is not None:
            self.query_one("#wide-label", Static).update(words[1])
            self.query_one("#wide", Input).placeholder = words[2]
        self._forget()

    @on(Choices.Changed, "#found")
    def _propose_regions(self) -> None:
        """The regions that the configuration names, unless somebody typed others."""
        field, found = self.query_one("#regions", Input), self._found
        proposals = {",".join(one.locations) for one in (self._discovery or Discovery()).found}
        if found is not None and (not field.value or field.value in proposals):
            field.value = ",".join(found.locations)
        words = _WIDE.get(found.provider) if found is not None else None
        self.query_one("#reach", Choices).replace(
            [Choice("", "as chosen"), *([Choice("wide", words[0])] if words else [])]
        )
        self._ask_for_name()
        whole = found is not None and found.provider in _WHOLE
        field.disabled = whole
        if whole:
            field.value = ""
        hint = (
            "every region at once" if whole else "separated by commas; fewer regions, fewer calls"
        )
        self.query_one("#regions-hint", Static).update(content(hint))
        self._forget()

    @on(Input.Changed)
    def _forget(self) -> None:
        """What was checked is no longer what is asked for."""
        if self._checked is not None and self._request() != self._checked:
            self._checked = None
            self.enter_does("")
            self.query_one("#check-box").remove_class("-shown")

    def _request(self) -> ScanRequest | None:
        found = self._found
        if found is None:
            return None
        try:
            regions = split_regions(self.query_one("#regions", Input).value)
        except ValueError:
            return None
        name = self.query_one("#name", Input).value.strip()
        wide = bool(self.query_one("#reach", Choices).value)
        named = self.query_one("#wide", Input).value.strip() if wide else ""
        unfinished = bool(self._discovery and self._discovery.unfinished)
        resume = unfinished and bool(self.query_one("#resume", Choices).value)
        return ScanRequest(found.provider, found.label, regions, name, wide, named, resume)

    def result(self) -> ScanRequest | None:
        """Check the fields, then the permissions, then start."""
        found = self._found
        if found is None:
            self.complain("There is nothing to scan with yet.", self.query_one("#found"))
            return None
        if not found.ready:
            self.complain(f"{found.label} is not ready: {found.hint}", self.query_one("#found"))
            return None
        wide, named = self.query_one("#reach", Choices).value, self.query_one("#wide", Input)
        if wide and not named.value.strip() and found.provider != "aws":
            what = "number of the organisation" if found.provider == "gcp" else "management group"
            self.complain(f"Write the {what}.", named)
            return None
        try:
            split_regions(self.query_one("#regions", Input).value)
        except ValueError as error:
            self.complain(str(error), self.query_one("#regions", Input))
            return None
        request = self._request()
        check = self._discovery.check if self._discovery else None
        if request is None or check is None or request == self._checked:
            return request
        if self._checking != request:
            self._checking = request
            self._say(content("asking the provider who this is and what may be read…"))
            self._check(request, check)
        return None

    @work(thread=True, exclusive=True, group="preflight", exit_on_error=False)
    def _check(self, request: ScanRequest, check: Callable[[ScanRequest], Preflight]) -> None:
        try:
            preflight = check(request)
        except Exception as error:  # noqa: BLE001  (said in the dialog)
            self.post_message(self.Checked(request, None, str(error) or type(error).__name__))
        else:
            self.post_message(self.Checked(request, preflight, ""))

    @on(Checked)
    def _take_check(self, event: Checked) -> None:
        self._checking = None
        if event.request != self._request():
            return
        preflight = event.preflight
        if preflight is None or not preflight.ready:
            why = event.error or "; ".join(preflight.problems if preflight else ())
            self._say(styled(f"✗ It cannot be scanned: {why}", "$severity-high"))
            return
        self._checked = event.request
        self.enter_does("start the scan")
        lines = [
            styled("✓ This can be read, as", "$good"),
            styled(f"  {preflight.identity}", "$plain"),
        ]
        if preflight.account:
            lines.append(styled(f"  account: {preflight.account}", "$muted"))
        if preflight.locations:
            lines.append(styled("  regions: " + ", ".join(preflight.locations), "$muted"))
        if preflight.problems:
            lines.append(styled("  it would not see:", "$worse"))
            lines += [styled(f"  · {problem}", "$worse") for problem in preflight.problems]
        self._say(Content("\n").join(lines))

    def _say(self, text: Content) -> None:
        box = self.query_one("#check-box")
        box.add_class("-shown")
        self.query_one("#check", Static).update(text)
        self.call_after_refresh(box.scroll_visible, animate=False)
