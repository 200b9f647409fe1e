"""What a person has of their own: saved views, columns, and when they were here last."""

from __future__ import annotations

from tui.deciding import DecidingApp
from tui.opening import Lapses
from tui.saved_views import (
    columns_path,
    read_views,
    views_path,
    write_views,
)
from tui.settings import Settings, default_path
from tui.text import shown
from undercroft.views import FindingRow

__all__ = ["ViewingApp"]


class ViewingApp(DecidingApp):
    """Knows the settings and the saved views."""

    settings: Settings

    def __init__(self) -> None:
        super().__init__()
        self.lapses = Lapses()
        """What has lapsed since this person was here."""

    def lapsed_lately(self, row: FindingRow) -> bool:
        """Whether the acceptance of a finding ended since this person was here."""
        return row.cause == "expired" and row.id in self.lapses.findings

    def go(self, name: str, filter: str = "") -> None:  # noqa: A002  (the command line's word)
        """To a screen by name."""
        raise NotImplementedError

    def save_view(self, screen: str, filter: str) -> None:  # noqa: A002  (the command line's word)
        """Ask for a name, and keep the view under it."""
        from tui.dialogs.prompts import PromptDialog

        view = f"{screen}: {filter}".strip()

        def named(name: str | None) -> None:
            if name:
                self._keep_view(name, view)

        self.push_screen(PromptDialog("Save this view", view, placeholder="a name"), named)

    def _keep_view(self, name: str, view: str) -> None:
        path = views_path(self.settings.path or default_path())
        views = {**read_views(path), name: view}
        try:
            write_views(path, views)
        except OSError as error:
            self.say_why(f"The view could not be saved: {error}")
            return
        self.settings = self.settings._replace(views={**self.settings.views, **views})
        self.notify(
            f"Saved as {shown(name)}; {self.key_of('view.go', '′')} goes to it.", markup=False
        )

    def keep_columns(self, table: str, text: str) -> None:
        """Remember the columns of a table, from one session to the next."""
        path = columns_path(self.settings.path or default_path())
        columns = {**read_views(path), table: text}
        self.settings = self.settings._replace(columns={**self.settings.columns, table: text})
        try:
            write_views(path, columns)
        except OSError as error:
            self.say_why(f"The columns hold for this session only: {error}")

    def go_view(self) -> None:
        """Choose a saved view, and go there."""
        from tui.dialogs.base import Choice
        from tui.dialogs.prompts import ChooseDialog

        views = self.settings.views
        if not views:
            save = self.key_of("view.save", "m")
            self.say_why(f"No view is saved yet; {save} saves the one on screen under a name.")
            return

        def chosen(name: str | None) -> None:
            if name:
                screen, _, text = views[name].partition(":")
                self.go(screen.strip() or "findings", filter=text.strip())

        choices = [Choice(name, name, view) for name, view in views.items()]
        self.push_screen(ChooseDialog("Go to a saved view", "", choices), chosen)
