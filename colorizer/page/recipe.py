"""What is said of the shots of a film, as files that `colorizer video` takes.

`shots.json` has a line for each shot, `references/` the key frames with hints or with
colors of another version, in color, and the photos whose colors are preferred lie beside them.
"""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from colorizer.errors import UsageError
from colorizer.film.progress import progress
from colorizer.film.references import has_colors
from colorizer.film.shot_list import STEERED, Shot
from colorizer.options import SteeringOptions
from colorizer.page.lenders import LENT
from colorizer.page.reel import Reel, ShownShot
from colorizer.page.studio import Studio
from colorizer.support.files import write_whole
from colorizer.support.told import shown

__all__ = ["Recipe", "reference_of", "shot_of", "write_recipe"]

_PLAIN = {field.name: field.default for field in fields(SteeringOptions) if field.name in STEERED}


@dataclass(frozen=True)
class Recipe:
    """What `--shots` and `--reference` are given; None where nothing is said.

    Attributes:
        shots: the list.
        references: the folder.
    """

    shots: Path | None
    references: Path | None


def write_recipe(
    folder: Path,
    reel: Reel,
    studio: Studio,
    said: Sequence[Mapping[str, Any]],
) -> Recipe:
    """Write what is said of all shots of a film; files that stay as they are are not touched.

    Args:
        folder: to write it into; what else is in it goes.
        reel: the film, which is read.
        studio: holds the key frames, and colors them.
        said: of each shot, as many as it has, `settings` and `hints` as for a photo, and `keep`.

    Raises:
        UsageError: a wrong setting. UnknownPhotoError: a lender is gone. ColorizerError: a key
            frame cannot be colored.
    """
    references, listed = folder / "references", folder / "shots.json"
    references.mkdir(parents=True, exist_ok=True)
    lines: list[str] = []
    used: set[Path] = set()
    is_plain = True
    with progress(len(said), "key frames") as bar:
        for part, one in zip(reel.shots, said, strict=True):
            shot = shot_of(one, studio, part)
            if (photo := shot.palette) is not None:
                shot.options["palette"] = _placed(Path(photo), folder, used).name
            place = references / f"{part.key:06d}.png"
            lent = set(LENT).intersection(one.get("settings") or {}) - {"palette"}  # a list has it
            by_hand = one.get("hints") or lent
            if not shot.keep and by_hand:
                if reference_of(part, studio, one, place):
                    used.add(place)
                else:  # all of it gray
                    shot.options["vividness"] = 0
            is_plain &= not (shot.options or shot.keep)
            told = Shot(dissolve=part.dissolve, keep=shot.keep, options=shot.options)
            line = told.told(part.first, 0)
            del line["time"]  # which files that were joined tell anew
            lines.append(json.dumps(line, ensure_ascii=False))
            bar.update()
    for path in {*folder.iterdir(), *references.iterdir()} - {references, listed} - used:
        path.unlink()
    has_references = any(references.iterdir())
    if is_plain and not has_references:
        listed.unlink(missing_ok=True)
        return Recipe(None, None)
    text = "[\n  " + ",\n  ".join(lines) + "\n]\n"
    if not listed.is_file() or listed.read_text(encoding="utf-8") != text:
        write_whole(listed, text)
    return Recipe(listed, references if has_references else None)


def shot_of(said: Mapping[str, Any], studio: Studio, part: ShownShot) -> Shot:
    """How a shot is to be colored; its palette is the photo's path.

    A title that is not left as it is has an option, without which it would stay gray.

    Raises: UsageError, UnknownPhotoError as `Studio.told_to`.
    """
    keep, settings = said.get("keep"), said.get("settings") or {}
    if keep is not None and not isinstance(keep, bool):
        raise UsageError(f"keep is {shown(keep)}; accepted are true and false")
    if keep:
        return Shot(keep=True)
    engine = studio.told_to(settings, said.get("hints"))
    if "result" in settings:
        raise UsageError("a shot has no `result`; leave it out")
    options = {name: getattr(engine.options, name) for name in STEERED if name in settings}
    options = {k: v for k, v in options.items() if v is not None and v != _PLAIN[k]}
    if part.title:
        options.setdefault("vividness", _PLAIN["vividness"])
    return Shot(options=options)


def reference_of(part: ShownShot, studio: Studio, said: Mapping[str, Any], place: Path) -> bool:
    """Color the key frame of a shot into a file; whether it has any colors.

    A file that holds the same already is left alone, so that work that depends on it goes on.
    """
    engine = studio.told_to(said.get("settings") or {}, said.get("hints"))
    made = place.with_name(f"{place.stem}-new.png")
    engine.colorize_file(studio.check(part.photo).file, made)
    if not has_colors(made):
        made.unlink()
        return False
    if place.is_file() and place.read_bytes() == made.read_bytes():
        made.unlink()
    else:
        made.replace(place)
    return True


def _placed(photo: Path, folder: Path, used: set[Path]) -> Path:
    """A copy of a photo in the folder, under its own name or one that is free."""
    names, number = {path.name.casefold() for path in used}, 1
    place = folder / photo.name
    for path in used:
        if path.suffix == photo.suffix and path.parent == folder and _is_same(path, photo):
            return path
    while place.name.casefold() in names or place.name == "shots.json":
        number += 1
        place = folder / f"{photo.stem}-{number}{photo.suffix}"
    if not (place.is_file() and _is_same(place, photo)):
        shutil.copy2(photo, place)
    used.add(place)
    return place


def _is_same(one: Path, other: Path) -> bool:
    return one.stat().st_size == other.stat().st_size and one.read_bytes() == other.read_bytes()
