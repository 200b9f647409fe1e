"""Which pictures there are, and the keys that lead to each."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from screenshots.grid import Grid
from screenshots.running import HeldScan
from screenshots.stage import Stage, grid_of, press, settle

__all__ = ["PICTURES", "Picture", "take"]

FRAUD = ("/", "=fraud-scoring", "enter")
OPEN_FRAUD = (*FRAUD, "enter")
FINDING = ("F", "/", "=rule:aws-iam-role-admin", "enter")


@dataclass(frozen=True, slots=True)
class Picture:
    """A terminal size, where it starts, and the keys pressed one after another."""

    name: str
    words: str
    """What it shows, as the title of its window."""
    keys: tuple[str, ...] = ()
    size: tuple[int, int] = (120, 36)
    place: str = ""
    """The screen in ``tui.places.PLACES`` that it shows, if it shows one."""
    theme: str = ""
    colour: bool = True
    empty: bool = False
    scanning: bool = False
    """Whether a scan is under way, held half-way."""


PICTURES: tuple[Picture, ...] = (
    Picture("services", "AI services, worst first", place="services"),
    Picture("services-80x24", "AI services on 80×24", size=(80, 24)),
    Picture("services-200x60", "AI services on 200×60", size=(200, 60)),
    Picture("services-light", "AI services, light theme", theme="undercroft-light"),
    Picture("services-no-colour", "AI services without colour", colour=False),
    Picture("services-filter", "Filtering, with completion", ("/", "=cloud:aws owner:")),
    Picture("services-no-match", "A filter that nothing matches", ("/", "=cloud:aws nosuch", "enter")),
    Picture("service", "One service: tower, layer, finding", (*OPEN_FRAUD, "5"), size=(140, 40)),
    Picture("service-80x24", "One service on 80×24", OPEN_FRAUD, size=(80, 24)),
    Picture("service-layer-80x24", "One layer on 80×24", (*OPEN_FRAUD, "5"), size=(80, 24)),
    Picture("service-200x60", "One service on 200×60", (*OPEN_FRAUD, "5"), size=(200, 60)),
    Picture("service-container", "Vulnerabilities of a container", (*OPEN_FRAUD, "2", "j", "j"), size=(140, 40)),
    Picture("findings", "Findings, filtered", ("F", "/", "=severity>=high -layer:container", "enter"), size=(140, 40), place="findings"),
    Picture("findings-80x24", "Findings on 80×24", ("F",), size=(80, 24)),
    Picture("findings-by-rule", "Findings by rule", ("F", "z"), size=(140, 40)),
    Picture("findings-selected", "Several findings selected", ("F", "space", "space", "space")),
    Picture("columns", "Which columns a table shows", ("F", "vertical_line", "j", "j", "K", "j", "j", "space")),
    Picture("resource", "A resource's configuration", (*FINDING, "r"), size=(140, 40)),
    Picture("resource-80x24", "A resource on 80×24", (*FINDING, "r"), size=(80, 24)),
    Picture("resource-beneath", "What lies beneath a resource", (*OPEN_FRAUD, "1", "g", "enter", "tab")),
    Picture("resource-above", "Blast radius: what stands on a resource", (*FINDING, "b")),
    Picture("overview", "Every service by layer, and the trend", ("O",), size=(140, 40), place="overview"),
    Picture("overview-80x24", "Every service by layer on 80×24", ("O",), size=(80, 24)),
    Picture("bill", "The whole bill behind a score", ("/", "=fraud-scoring", "enter", "i"), size=(120, 36)),
    Picture("combinations", "Toxic combinations as attack paths", ("T",), size=(140, 40), place="combinations"),
    Picture("combinations-80x24", "Toxic combinations on 80×24", ("T", "j"), size=(80, 24)),
    Picture("fix-first", "What to repair first", ("W",), size=(140, 40), place="fix_first"),
    Picture("fix-first-80x24", "What to repair first on 80×24", ("W", "j"), size=(80, 24)),
    Picture("what-if", "Two repairs planned, every score as it would be", ("W", "space", "space"), size=(140, 40)),
    Picture("scans", "Saved scans, and what they could not read", ("C",), place="scans"),
    Picture("scan-progress", "A scan that runs", size=(120, 36), place="scan_progress", scanning=True),
    Picture("scan-background", "Triage while a scan runs", ("F",), scanning=True),
    Picture("first-run", "The first run", empty=True, place="first_run"),
    Picture("changes", "Two scans side by side", ("X",), place="changes"),
    Picture("changes-80x24", "Changed configuration on 80×24", ("X", "z"), size=(80, 24)),
    Picture("today", "What calls for action today", ("t",)),
    Picture("accepted-rules", "Rules accepted as a whole", ("D", "L"), place="accepted_rules"),
    Picture("undo", "What an undo would change", ("D", "U")),
    Picture("history", "Every decision", ("D",), place="history"),
    Picture("rules", "What is looked for", ("R",), size=(140, 40), place="rules"),
    Picture("rule-off", "Switch a rule off for a while", ("R", "x"), size=(100, 34)),
    Picture("rule-rated", "Rate a rule otherwise", ("R", "!"), size=(100, 34)),
    Picture("help", "Keys", ("F", "question_mark")),
    Picture("palette", "Everything by name", ("colon",)),
    Picture("palette-search", "Everything by name", ("colon", "=frau")),
    Picture("accept", "Accept for a while", (*FINDING, "a", "=Bounded by the permission boundary until the role is split")),
    Picture("accept-80x24", "Accept on 80×24", ("F", "a"), size=(80, 24)),
    Picture("accepted", "Accepted, and how to undo it", ("F", "/", "=severity:medium", "enter", "space", "space", "a", "=Reviewed with the platform team", "tab", "tab", "=fraud-ml", "enter")),
    Picture("false-positive", "A false positive", (*FINDING, "p")),
    Picture("fixed", "Claim a fix", (*FINDING, "f")),
    Picture("note", "A note", (*FINDING, "c")),
    Picture("assign", "Assign", (*FINDING, "@")),
    Picture("rate", "Rate otherwise", (*FINDING, "!")),
    Picture("reopen", "Reopen", ("F", "/", "=status:accepted", "enter", "o")),
    Picture("export", "Export what is shown", ("F", "/", "=severity:critical", "enter", "e")),
    Picture("scan-setup", "Set up a scan", ("C", "n", "enter")),
)  # fmt: skip


async def take(picture: Picture, stage: Stage) -> Grid:
    """What is on the terminal once the picture's keys were pressed."""
    held = HeldScan(stage.copy()) if picture.scanning else None
    app = stage.app(
        theme=picture.theme,
        colour=picture.colour,
        empty=picture.empty,
        starter=held.start if held else None,
    )
    try:
        async with app.run_test(size=picture.size, notifications=True) as pilot:
            await settle(pilot)
            if held is not None:
                for keys in ("C", "n", "enter"):
                    await press(pilot, keys)
                await pilot.press("enter")
                await asyncio.to_thread(held.wait)
                await settle(pilot)
            for keys in picture.keys:
                await press(pilot, keys)
            grid = grid_of(app)
            if held is not None:
                held.let_go()
            return grid
    finally:
        if held is not None:
            held.let_go()
