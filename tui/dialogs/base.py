"""What all dialogs share: the frame, the keys, the message line, and small input widgets.

A dialog is a modal screen that returns a frozen result, or None when it was left. Enter always
means "do it", escape always means "leave everything as it is".
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from rich.cells import cell_len
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.geometry import Size
from textual.message import Message
from textual.reactive import reactive
from textual.screen import ModalScreen, Screen
from textual.suggester import Suggester
from textual.widget import Widget
from textual.widgets import Static, TextArea

from tui.text import content, shown
from tui.widgets.wrapping import wrapped

__all__ = [
    "Choice",
    "Choices",
    "Dialog",
    "KeyHints",
    "PathSuggester",
    "ReasonArea",
    "Suggest",
    "veil",
]

ResultT = TypeVar("ResultT")

_FAIR = 12
"""Cells: details are not broken into rows that are narrower."""


class KeyHints(Static):
    """The keys of the dialog, from its own bindings."""

    DEFAULT_CSS = "KeyHints { dock: bottom; height: 2; padding: 1 0 0 0; color: $muted; background: $surface; }"

    def on_mount(self) -> None:
        """Draw once, and again whenever what can be done changes."""
        self.screen.bindings_updated_signal.subscribe(self, lambda _: self.draw())
        self.draw()

    def draw(self) -> None:
        """Show key and description of each of the dialog's visible bindings."""
        shown: dict[str, Binding] = {}
        for active in self.screen.active_bindings.values():
            if active.node is self.screen and active.binding.show:
                shown.setdefault(active.binding.action, active.binding)
        said = {"submit": getattr(self.screen, "submit_word", "")}
        order = [binding.action for binding in self.screen.BINDINGS if isinstance(binding, Binding)]
        parts = [
            Content.assemble(
                (self.app.get_key_display(shown[action]), "$signature bold"),
                f" {said.get(action) or shown[action].description}",
            )
            for action in dict.fromkeys(order)
            if action in shown
        ]
        # The first and the last one (do it, leave it) stay in the narrowest terminal.
        while len(parts) > 2 and Content("   ").join(parts).cell_length > max(self.size.width, 1):
            del parts[-2]
        self.update(Content("   ").join(parts))

    def on_resize(self) -> None:
        """More or fewer keys fit."""
        self.draw()


def veil(screen: Screen[Any]) -> None:
    """Let the screen beneath show through, whatever the application's rule for screens says."""
    colour = screen.styles.background
    if colour.ansi is None:
        screen.styles.background = colour.with_alpha(0.6)


class Dialog(ModalScreen[ResultT | None]):
    """Base of all dialogs: subclasses give ``fields`` and ``result``."""

    DEFAULT_CSS = """
    Dialog {
        align: center middle;
        & > .dialog {
            width: 76; max-width: 100%; height: auto; max-height: 100%;
            padding: 1 2 0 2; background: $surface; border: round $border;
            border-title-color: $signature; border-title-style: bold;
            scrollbar-size-vertical: 1;
        }
        & .fields { height: auto; }
        & .dialog-subject { color: $muted; height: auto; margin-bottom: 1; }
        & .dialog-message { height: auto; margin-top: 1; color: $severity-high; display: none; }
        & .dialog-message.-shown { display: block; }
        & .label { color: $muted; height: 1; }
        & .hint { color: $muted; height: auto; }
        & .hint.-good { color: $good; }
        & .hint.-bad { color: $worse; }
        & .field { height: 1; margin-top: 1; }
        & .field > .label { width: 14; }
        & .field > Input { width: 1fr; }
        & Input { background: $panel; border: none; height: 1; padding: 0 1; }
        & Input:focus { background: $cursor-background; border: none; }
        & ReasonArea { background: $panel; border: none; height: 3; padding: 0 1; }
        & ReasonArea:focus { background: $cursor-background; border: none; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "submit", "do it", priority=True, id="dialog.submit"),
        Binding("escape", "cancel", "cancel", priority=True, id="dialog.cancel"),
    ]

    def __init__(self, title: str, subject: str = "") -> None:
        super().__init__()
        self._heading = title
        self._subject = subject
        self.submit_word = ""
        """What enter does now, where that is not what its binding says."""

    def compose(self) -> ComposeResult:
        """Title, what it is about, the fields, the message line and the keys."""
        with VerticalScroll(classes="dialog", can_focus=False) as frame:
            frame.border_title = self._heading
            if self._subject:
                yield Static(content(self._subject), classes="dialog-subject")
            with Vertical(classes="fields"):
                yield from self.fields()
            yield Static(classes="dialog-message")
            yield KeyHints()

    def on_mount(self) -> None:
        """What is beneath stays in sight."""
        veil(self)

    def fields(self) -> ComposeResult:
        """What stands between the subject and the message line."""
        yield from ()

    def result(self) -> ResultT | None:
        """The answer; None (after ``complain``) while it is not one yet."""
        raise NotImplementedError

    def complain(self, sentence: str, field: Widget | None = None) -> None:
        """Say what is missing, and put the cursor there."""
        line = self.query_one(".dialog-message", Static)
        line.update(content(sentence))
        line.set_class(bool(sentence), "-shown")
        if field is not None:
            field.focus()
        if sentence:
            line.scroll_visible(animate=False)

    def enter_does(self, word: str) -> None:
        """Say among the keys what enter does now; empty: what its binding says."""
        self.submit_word = word
        self.query_one(KeyHints).draw()

    def hint(self, selector: str, text: str, *, good: bool | None = None) -> None:
        """Set a line of explanation; ``good`` colours it."""
        line = self.query_one(selector, Static)
        line.update(content(text))
        line.set_class(good is True, "-good")
        line.set_class(good is False, "-bad")

    def action_submit(self) -> None:
        """Close with the result."""
        if not self.is_current:
            return  # pressed twice
        self.complain("")
        if (result := self.result()) is not None:
            self.dismiss(result)

    def action_cancel(self) -> None:
        """Close, leaving everything as it is."""
        self.dismiss(None)


class ReasonArea(TextArea):
    """A few lines of text in which enter belongs to the dialog."""

    def __init__(self, text: str = "", *, placeholder: str = "", id: str | None = None) -> None:  # noqa: A002  (Textual's own name)
        super().__init__(
            text,
            id=id,
            compact=True,
            soft_wrap=True,
            tab_behavior="focus",
            highlight_cursor_line=False,
            placeholder=Content(placeholder),
        )

    @property
    def reason(self) -> str:
        """What was typed, without space around it."""
        return self.text.strip()


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few alternatives."""

    value: str
    label: str
    detail: str = ""
    enabled: bool = True


class Choices(Widget, can_focus=True):
    """A short list of which exactly one is chosen: arrow keys choose, no extra key press."""

    DEFAULT_CSS = """
    Choices { height: auto; }
    Choices.-row { height: 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,right,j,l,space", "step(1)", "Next", show=False, id="choices.next"),
        Binding("up,left,k,h", "step(-1)", "Previous", show=False, id="choices.previous"),
    ]
    chosen: reactive[int] = reactive(0, layout=False)

    class Changed(Message):
        """Another one is chosen."""

        def __init__(self, choices: Choices, value: str) -> None:
            super().__init__()
            self.choices = choices
            self.value = value

        @property
        def control(self) -> Choices:
            """For ``@on`` selectors."""
            return self.choices

    def __init__(
        self,
        options: Sequence[Choice],
        *,
        chosen: int = 0,
        row: bool = False,
        id: str | None = None,  # noqa: A002  (Textual's own name)
    ) -> None:
        super().__init__(id=id, classes="-row" if row else "")
        self.options = tuple(options)
        self._row = row
        self.set_reactive(Choices.chosen, chosen)

    @property
    def value(self) -> str:
        """The chosen option's value; empty if there is none."""
        return self.options[self.chosen].value if self.options else ""

    def replace(self, options: Sequence[Choice]) -> None:
        """Offer other options."""
        self.options = tuple(options)
        self.chosen = 0
        self.refresh(layout=True)

    def render(self) -> Content:
        """All options, the chosen one with a filled dot."""
        between = "   " if self._row else "\n"
        return Content(between).join(self._drawn(self.content_size.width))

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:  # noqa: ARG002  (Textual's signature)
        """As many lines as the options take, with details that go over several."""
        if self._row:
            return 1
        return max(1, sum(one.plain.count("\n") + 1 for one in self._drawn(width)))

    def _drawn(self, width: int) -> list[Content]:
        """Each option; in a column, a long detail goes on beneath where it began."""
        widest = max((cell_len(option.label) for option in self.options), default=0)
        room = width - widest - 4
        drawn: list[Content] = []
        for index, option in enumerate(self.options):
            on = index == self.chosen
            style = "$signature" if on else "" if option.enabled else "$faint"
            if on and self.has_focus:
                style = "$signature bold reverse" if self._row else "$signature bold"
            label = content(option.label)
            if option.detail and not self._row:
                label = label.pad_right(max(widest - label.cell_length, 0))
            pieces = [Content("● " if on else "○ ").stylize(style), label.stylize(style)]
            if option.detail and not self._row:
                detail = shown(option.detail)
                if room >= _FAIR:
                    detail = f"\n{' ' * (widest + 4)}".join(wrapped(detail, room, room))
                pieces += [Content("  "), Content(detail).stylize("$muted")]
            drawn.append(Content("").join(pieces))
        return drawn

    def on_focus(self) -> None:
        """Show where the cursor is."""
        self.refresh()

    def on_blur(self) -> None:
        """Show that the cursor left."""
        self.refresh()

    def watch_chosen(self) -> None:
        """Tell the dialog."""
        self.post_message(self.Changed(self, self.value))

    def action_step(self, by: int) -> None:
        """To the next or previous option, round the end."""
        if self.options:
            self.chosen = (self.chosen + by) % len(self.options)

    def on_click(self, event: events.Click) -> None:
        """Choose what was clicked on."""
        if self._row:
            return
        drawn = self._drawn(self.content_size.width)
        at = [index for index, one in enumerate(drawn) for _ in one.plain.split("\n")]
        if event.y < len(at):
            self.chosen = at[event.y]


class Suggest(Suggester):
    """Completes from values given now or later, the first that begins alike."""

    def __init__(self, values: Callable[[], Iterable[str]]) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self._values = values

    async def get_suggestion(self, value: str) -> str | None:
        """What the text may become."""
        begun = value.casefold()
        return next((known for known in self._values() if known.casefold().startswith(begun)), None)


class PathSuggester(Suggester):
    """Completes folders and files; the disk is read off the event loop."""

    def __init__(self) -> None:
        super().__init__(use_cache=False, case_sensitive=True)

    async def get_suggestion(self, value: str) -> str | None:
        """The first entry that begins so; folders end in a slash."""
        return await asyncio.to_thread(self._complete, value)

    def _complete(self, value: str) -> str | None:
        folder, _, begun = value.rpartition("/")
        place = Path(folder + "/" if value.startswith("/") else folder or ".").expanduser()
        try:
            entries = sorted(place.iterdir())
        except OSError:
            return None
        for entry in entries:
            if begun and entry.name.startswith(begun) and entry.name != begun:
                tail = entry.name[len(begun) :] + ("/" if entry.is_dir() else "")
                return value + tail
        return None
