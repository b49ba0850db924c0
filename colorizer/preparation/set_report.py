"""The report of a prepared set: rejected.csv, report.json, and one HTML page that opens offline."""

import base64
import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from PIL import Image

from colorizer.color import gamut
from colorizer.errors import ColorizerError
from colorizer.pictures.finding import Source
from colorizer.pictures.origin import MAX_PIXELS
from colorizer.preparation.chart import chroma_chart
from colorizer.preparation.doctor import REASONS, UNREADABLE
from colorizer.preparation.journal import Journal
from colorizer.preparation.keys import name_hash
from colorizer.preparation.normalize import MAX_ASPECT, decode_middle
from colorizer.preparation.shards import read_members, write_file
from colorizer.preparation.tally import SHOWN, Summary

__all__ = ["write_report"]

_PAIRED = ("also in evaluation", "duplicate", "near-duplicate")
_THUMBNAIL = 160  # pixels, of the longer side

Thumbnails = Mapping[str, str | None]


class _Tile(NamedTuple):
    """What is shown of a picture: itself and maybe its like, in base64, and two lines."""

    pictures: Sequence[str | None]
    name: str
    detail: str


def write_report(
    journal: Journal,
    summary: Summary,
    title: str,
    photos: Iterable[Source],
    evaluation: Iterable[Source],
) -> None:
    """Write the three files.

    Args:
        title: what the set is called.
        photos, evaluation: files of the set, and of that which it was compared with; those that
            are shown are read again.

    Raises:
        ColorizerError: the files cannot be written.
    """
    out = journal.out
    data = json.dumps(_data(journal, summary), indent=1)
    write_file(out / "report.json", data.encode("ascii"))
    write_file(out / "rejected.csv", _table(summary))
    page = _page(journal, summary, title, photos, evaluation).encode("utf-8", "backslashreplace")
    write_file(out / "report.html", page)


def _data(journal: Journal, summary: Summary) -> dict[str, object]:
    return {
        "settings": journal.settings,
        "kept": summary.kept,
        "kept_smaller_than_size": summary.smaller,
        "kept_cut_to_aspect": summary.cut,
        "shards": journal.shards,
        "rejected": summary.counts(),
        "no_pictures": summary.others,
        "chroma_histogram": {
            "bins": gamut.bins().astype(int).tolist(),
            "pixels": summary.histogram.tolist(),
        },
    }


def _table(summary: Summary) -> bytes:
    text = io.StringIO(newline="")
    rows = csv.writer(text)
    rows.writerow(("name", "reason", "detail"))
    rows.writerows((name, *finding) for name, finding in summary.rejected.items())
    return text.getvalue().encode("utf-8", "backslashreplace")


def _page(
    journal: Journal,
    summary: Summary,
    title: str,
    photos: Iterable[Source],
    evaluation: Iterable[Source],
) -> str:
    counts = summary.counts()
    shown = {reason: _shown(summary, reason) for reason in counts if reason != UNREADABLE}
    wanted = {name for entries in shown.values() for name, _ in entries}
    originals = {
        reason: {name: _original(reason, detail) for name, detail in shown.get(reason, [])}
        for reason in _PAIRED
    }
    wanted |= {original for reason in _PAIRED[1:] for original in originals[reason].values()}
    pictures = _thumbnails(photos, wanted)
    compared = _thumbnails(evaluation, set(originals[_PAIRED[0]].values()))
    sheets: dict[str, list[_Tile]] = {}
    for reason, entries in shown.items():
        others = compared if reason == _PAIRED[0] else pictures
        sheets[reason] = []
        for name, detail in entries:
            original = originals.get(reason, {}).get(name)
            both = [pictures.get(name)] + ([others.get(original)] if original else [])
            told = detail if original is None else f"= {original}"
            sheets[reason].append(_Tile(both, name, told))
    templates = Environment(
        loader=PackageLoader("colorizer.preparation", ""),
        autoescape=True,
        undefined=StrictUndefined,
    )
    templates.filters |= {
        "anchor": lambda reason: reason.replace(" ", "-"),
        "broken": lambda name: Markup("/<wbr>").join(name.split("/")),  # where a line may end
        "percent": _percent,
        "thousands": lambda count: f"{count:,}",
    }
    return templates.get_template("report.html").render(
        title=title,
        journal=journal,
        summary=summary,
        counts=counts,
        total=summary.kept + len(summary.rejected),
        aspect=MAX_ASPECT,
        reasons={"kept": "", **REASONS},
        chart=Markup(chroma_chart(summary.histogram)),
        examples=_examples(journal.out, summary),
        unreadable=_shown(summary, UNREADABLE),
        unreadable_reason=UNREADABLE,
        sheets=sheets,
    )


def _shown(summary: Summary, reason: str) -> list[tuple[str, str]]:
    """Name and detail of some pictures, an unbiased sample that stays the same."""
    found = [(name, detail) for name, (own, detail) in summary.rejected.items() if own == reason]
    return sorted(found, key=lambda entry: name_hash(entry[0]))[:SHOWN]


def _original(reason: str, detail: str) -> str:
    """The name of the picture that this one equals."""
    return detail.split(": ", 1)[1] if reason == _PAIRED[0] else detail


def _thumbnails(sources: Iterable[Source], names: set[str]) -> Thumbnails:
    """The pictures of these names, small; None for one that cannot be read any more."""
    found: dict[str, str | None] = {}
    for source in sources:
        if source.name in names:
            try:
                picture = decode_middle(source.read(), _THUMBNAIL, MAX_PIXELS).rgb
                found[source.name] = _jpeg(Image.fromarray(picture))
            except ColorizerError:
                found[source.name] = None
    return found


def _jpeg(image: Image.Image) -> str:
    """A small copy, in base64."""
    image.thumbnail((_THUMBNAIL, _THUMBNAIL), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    image.save(file, "jpeg", quality=80)
    return base64.b64encode(file.getvalue()).decode()


def _examples(out: Path, summary: Summary) -> Iterator[_Tile]:
    for shard in dict.fromkeys(example.shard for example in summary.examples):
        own = [example for example in summary.examples if example.shard == shard]
        members = read_members(out / shard, [example.member for example in own])
        for example in own:
            with Image.open(io.BytesIO(members[example.member])) as image:
                size = f"{image.width} x {image.height}"
                yield _Tile([_jpeg(image.convert("RGB"))], example.name, size)


def _percent(share: float) -> str:
    return "< 0.1 %" if 0 < share < 0.001 else f"{100 * share:.1f} %"
