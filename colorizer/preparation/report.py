"""The report of a prepared set: rejected.csv, report.json, and one HTML page that opens offline."""

import base64
import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path

from jinja2 import Template
from PIL import Image

from colorizer.color import gamut
from colorizer.errors import ColorizerError
from colorizer.pictures.opening import MAX_PIXELS
from colorizer.preparation.chart import chroma_chart
from colorizer.preparation.decode import MAX_ASPECT, decode
from colorizer.preparation.doctor import REASONS, UNREADABLE
from colorizer.preparation.journal import Journal
from colorizer.preparation.shards import read_members, write_file
from colorizer.preparation.sources import Source, relevance
from colorizer.preparation.summary import SHOWN, Summary

__all__ = ["write_report"]

_PAIRED = ("also in evaluation", "duplicate", "near-duplicate")
_THUMBNAIL = 160  # pixels, of the longer side

Thumbnails = Mapping[str, bytes | None]


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
    sheets = []
    for reason, entries in shown.items():
        others = compared if reason == _PAIRED[0] else pictures
        tiles = []
        for name, detail in entries:
            original = originals.get(reason, {}).get(name)
            both = [pictures.get(name)] + ([others.get(original)] if original else [])
            tiles.append(_tile(both, name, detail if original is None else f"= {original}"))
        sheets.append(_sheet(reason, counts[reason], tiles))
    parts = {
        "title": escape(title),
        "facts": _facts(journal, summary),
        "counts": _counts(summary),
        "chart": chroma_chart(summary.histogram),
        "examples": "".join(_examples(journal.out, summary)),
        "sheets": _unreadable(summary) + "".join(sheets),
        "settings": _settings(journal),
    }
    page = files("colorizer.preparation").joinpath("report.html").read_text(encoding="utf-8")
    return Template(page).render(parts)  # at once: a photo may be called {{sheets}}.jpg


def _shown(summary: Summary, reason: str) -> list[tuple[str, str]]:
    """Name and detail of some pictures, an unbiased sample that stays the same."""
    found = [(name, detail) for name, (own, detail) in summary.rejected.items() if own == reason]
    return sorted(found, key=lambda entry: relevance(entry[0]))[:SHOWN]


def _original(reason: str, detail: str) -> str:
    """The name of the picture that this one equals."""
    return detail.split(": ", 1)[1] if reason == _PAIRED[0] else detail


def _thumbnails(sources: Iterable[Source], names: set[str]) -> Thumbnails:
    """The pictures of these names, small; None for one that cannot be read any more."""
    found: dict[str, bytes | None] = {}
    for source in sources:
        if source.name in names:
            try:
                picture = decode(source.read(), _THUMBNAIL, MAX_PIXELS).rgb
                found[source.name] = _jpeg(Image.fromarray(picture))
            except ColorizerError:
                found[source.name] = None
    return found


def _jpeg(image: Image.Image) -> bytes:
    image.thumbnail((_THUMBNAIL, _THUMBNAIL), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    image.save(file, "jpeg", quality=80)
    return file.getvalue()


def _tile(pictures: Sequence[bytes | None], name: str, detail: str) -> str:
    images = "".join(
        f'<img src="data:image/jpeg;base64,{base64.b64encode(data).decode()}" alt="" loading=lazy>'
        for data in pictures
        if data
    )
    kind = " pair" if len(pictures) > 1 else ""
    return (
        f'<figure class="tile{kind}"><div>{images}</div><figcaption>{_broken(name)}'
        f"<small>{_broken(detail)}</small></figcaption></figure>"
    )


def _broken(name: str) -> str:
    """A name, escaped, that may be broken after a slash."""
    return escape(name).replace("/", "/<wbr>")


def _examples(out: Path, summary: Summary) -> Iterable[str]:
    for shard in dict.fromkeys(example.shard for example in summary.examples):
        own = [example for example in summary.examples if example.shard == shard]
        members = read_members(out / shard, [example.member for example in own])
        for example in own:
            with Image.open(io.BytesIO(members[example.member])) as image:
                size = f"{image.width} x {image.height}"
                yield _tile([_jpeg(image.convert("RGB"))], example.name, size)


def _sheet(reason: str, count: int, tiles: Sequence[str]) -> str:
    shown = f", {len(tiles)} of them here" if len(tiles) < count else ""
    return (
        f"<h3 id={_anchor(reason)}>{reason.capitalize()} ({count:,}{shown})</h3>"
        f"<p>{REASONS[reason].capitalize()}.</p><div class=tiles>{''.join(tiles)}</div>"
    )


def _unreadable(summary: Summary) -> str:
    entries = _shown(summary, UNREADABLE)
    if not entries:
        return ""
    rows = "".join(
        f"<tr><th>{_broken(name)}</th><td class=text>{escape(detail)}</td></tr>"
        for name, detail in entries
    )
    count = summary.counts()[UNREADABLE]
    return (
        _sheet(UNREADABLE, count, [])
        .replace(", 0 of them here", "")
        .replace("<div class=tiles></div>", f"<div class=scroll><table>{rows}</table></div>")
    )


def _anchor(reason: str) -> str:
    return reason.replace(" ", "-")


def _facts(journal: Journal, summary: Summary) -> str:
    total = summary.kept + len(summary.rejected)
    text = (
        f"<b>{summary.kept:,}</b> of <b>{total:,}</b> pictures are kept, in {journal.shards:,}"
        f" shard{'' if journal.shards == 1 else 's'}, at a short side of"
        f" {journal.settings['size']} pixels."
    )
    if summary.smaller:
        text += f" {summary.smaller:,} of them are smaller, and keep their size."
    if summary.cut:
        text += f" Of {summary.cut:,} longer than {MAX_ASPECT}:1 the middle is kept."
    return text


def _counts(summary: Summary) -> str:
    counts = summary.counts()
    total = max(1, summary.kept + len(summary.rejected))
    rows = [("kept", summary.kept, "", "kept")]
    rows += [(reason, count, REASONS[reason], "") for reason, count in counts.items()]
    html = "".join(
        f'<tr class="{kind}"><th>{_link(name, kind)}</th><td>{count:,}</td>'
        f"<td>{_percent(count / total)}</td>"
        f"<td class=bar><span><i style='width:{100 * count / total:.1f}%'></i></span></td>"
        f"<td class=text>{text}</td></tr>"
        for name, count, text, kind in rows
    )
    if summary.others:
        listed = [f"{count:,} {suffix}" for suffix, count in list(summary.others.items())[:12]]
        more = ", ..." if len(summary.others) > 12 else ""
        html += (
            f"<tr class=soft><th>no pictures</th><td>{sum(summary.others.values()):,}</td><td></td>"
            f"<td></td><td class=text>{escape(', '.join(listed))}{more}</td></tr>"
        )
    return html


def _link(name: str, kind: str) -> str:
    return name if kind else f"<a href='#{_anchor(name)}'>{name}</a>"


def _percent(share: float) -> str:
    return "&lt; 0.1 %" if 0 < share < 0.001 else f"{share:.1%}".replace("%", " %")


def _settings(journal: Journal) -> str:
    shown = {name.replace("_", " "): value for name, value in journal.settings.items()}
    return "".join(
        f"<tr><th>{escape(name)}</th><td class=text>{escape(str(value))}</td></tr>"
        for name, value in shown.items()
        if name != "version" and value is not None
    )
