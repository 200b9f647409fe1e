"""``python -m screenshots``: draw the pictures, or say which are stale."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

from screenshots.pictures import PICTURES, take
from screenshots.stage import Stage
from screenshots.svg import draw, monospace_font, write_png

FOLDER = Path(__file__).parent
README_PICTURE = "services"


def main(arguments: list[str] | None = None) -> int:
    """Draw or check; 1 if something is stale."""
    parser = argparse.ArgumentParser(prog="python -m screenshots", description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare only; 1 if one is stale")
    parser.add_argument("--only", metavar="NAME", action="append", help="this picture (repeatable)")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where they are kept")
    options = parser.parse_args(arguments)
    wanted = [one for one in PICTURES if not options.only or one.name in options.only]
    if missing := set(options.only or ()) - {one.name for one in PICTURES}:
        known = ", ".join(one.name for one in PICTURES)
        parser.error(f"there is no picture {', '.join(sorted(missing))}; there are {known}")
    folder: Path = options.folder.resolve()
    with Stage.build() as stage:
        drawn = {one.name: draw(asyncio.run(take(one, stage)), one.words) for one in wanted}
    old = {name: _old(folder / f"{name}.svg") for name in drawn}
    stale = [name for name, picture in drawn.items() if old[name] != picture]
    gone = [] if options.only else _unknown(folder)
    if options.check:
        for name in stale:
            print(f"stale: {name}")
        for path in gone:
            print(f"no longer drawn: {path.name}")
        return 1 if stale or gone else 0
    folder.mkdir(parents=True, exist_ok=True)
    for path in gone:
        path.unlink()
    for name in stale:
        (folder / f"{name}.svg").write_text(drawn[name], encoding="utf-8")
        print(f"drawn: {name}")
    print(f"{len(drawn)} pictures, {len(stale)} of them new or changed.")
    _draw_png(folder, drawn, changed=README_PICTURE in stale)
    return 0


def _old(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


def _unknown(folder: Path) -> list[Path]:
    """Pictures in the folder that nothing draws any more."""
    names = {one.name for one in PICTURES}
    return [path for path in sorted(folder.glob("*.svg")) if path.stem not in names]


def _draw_png(folder: Path, drawn: dict[str, str], *, changed: bool) -> None:
    """The README's picture; drawn again only if what it shows changed: fonts differ by machine."""
    path = folder / f"{README_PICTURE}.png"
    if README_PICTURE not in drawn or (path.exists() and not changed):
        return
    font = monospace_font()
    if not font:
        print(f"{path.name} was left as it is: no monospace font was found on this machine.")
        return
    write_png(drawn[README_PICTURE], path, font)


if __name__ == "__main__":
    sys.exit(main())
