"""The verbs that color, and the page: their flags, and their calls. They import no torch."""

import shlex
from collections.abc import Callable

from jsonargparse import Namespace

from colorizer.cli.flags import add_model
from colorizer.options import (
    ClusterOptions,
    ColorizeOptions,
    FilmFolderOptions,
    FilmOptions,
    FolderOptions,
    ServeOptions,
)
from colorizer.parser import Parser

__all__ = ["COLORING"]


def _colorize_parser() -> Parser:
    parser = Parser(description="color photos: one, several, or folders")
    parser.add_argument(
        "paths",
        nargs="*",
        metavar="PATH",
        help="a photo, a folder of photos or a tar shard; also of stores, such as s3://bucket/in/",
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="OUT",
        help="a file for one photo, a folder for several (default: PHOTO-colored.EXT beside each)",
    )
    add_model(parser)
    parser.add_argument(
        "--uncertainty",
        type=str | None,
        metavar="MAP",
        help="of one photo, write to MAP how undecided the model is: white (distribution head)",
    )
    ColorizeOptions.add_flags(parser)
    FolderOptions.add_flags(parser)
    ClusterOptions.add_flags(parser)
    return parser


def _colorize(args: Namespace) -> int:
    from colorizer.places.request import colorize

    folder = FolderOptions.of_flags(vars(args))
    options = ColorizeOptions.of_flags(vars(args), variant=folder.variants)  # whether the model can
    cluster = ClusterOptions.of_flags(vars(args))
    given = (args.paths, args.output, args.model)
    return colorize(*given, options, folder, cluster, args.uncertainty)


def _serve_parser() -> Parser:
    parser = Parser(description="open a local page: drop a photo, correct it, download it")
    add_model(parser)
    ServeOptions.add_flags(parser)
    return parser


def _serve(args: Namespace) -> int:
    from colorizer.page.serve import serve

    serve(args.model, ServeOptions.of_flags(vars(args)))
    return 0


def _site_parser() -> Parser:
    parser = Parser(description="write the page as static files, which color in the browser")
    parser.add_argument(
        "out", metavar="OUT", help="a new folder, or one that was written so before"
    )
    add_model(parser)
    return parser


def _site(args: Namespace) -> int:
    from colorizer.site import write_site

    written = write_site(args.out, args.model)
    size = sum(written.values()) / 1e6
    print(f"{args.out}: {len(written)} files, {size:.1f} MB; any web space can hold it")
    print(f"look at it: python3 -m http.server -d {shlex.quote(args.out)}")
    return 0


def _video_parser() -> Parser:
    parser = Parser(description="color a film; frame times, sound and subtitles are kept")
    parser.add_argument("film", metavar="IN", help="a film, a folder of frames, or one of films")
    parser.add_argument(
        "output",
        metavar="OUT",
        help="its extension selects the container; without: a folder of frames, or of films",
    )
    add_model(parser)
    FilmOptions.add_flags(parser)
    FilmFolderOptions.add_flags(parser)
    return parser


def _video(args: Namespace) -> int:
    from colorizer.film.verb import color

    options, many = FilmOptions.of_flags(vars(args)), FilmFolderOptions.of_flags(vars(args))
    return color(args.film, args.output, args.model, options, many)


def _report_parser() -> Parser:
    parser = Parser(description="merge the reports of a collection's runs and shares into one")
    parser.add_argument("folder", metavar="DIR", help="the output of `colorizer colorize`")
    return parser


def _report(args: Namespace) -> int:
    from colorizer.places.request import report

    return report(args.folder)


COLORING: dict[str, tuple[Callable[[], Parser], Callable[[Namespace], int]]] = {
    "colorize": (_colorize_parser, _colorize),
    "serve": (_serve_parser, _serve),
    "site": (_site_parser, _site),
    "video": (_video_parser, _video),
    "report": (_report_parser, _report),
}
