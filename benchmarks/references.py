"""What a reference photo is worth: CIEDE2000 with it, beside automatic, gray and `--palette`.

Of frames also what `--colors-from` makes of the other one, where it takes it for the same view.

    python benchmarks/references.py --films walk.mp4 --albums albums/ --photos everyday.tar

Each picture is colored from its own lightness, its true colors are those to reach; the other one of
its pair lends its colors. Pairs are frames of a film half a second apart; photos that follow each
other, by name, in each folder of `albums/`; and of photos of a tar or folder, in the folders that
they lie in, each with the one most like it by lightness and what the decoder sees, and with any
other. Needs scikit-image.
"""

import argparse
import tarfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image
from skimage import color

from colorizer.errors import ColorizerError
from colorizer.inference.colorizer import Colorizer
from colorizer.inference.network import pad
from colorizer.pictures.resize import resize

METHODS = ("gray", "automatic", "palette", "reference")
PICTURES = {".png", ".jpg", ".jpeg", ".webp", ".avif"}
WORSE = 0.1  # CIEDE2000

Pair = tuple[np.ndarray, np.ndarray]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--films", type=Path, nargs="*", default=[])
    parser.add_argument("--albums", type=Path, help="a folder of folders of photos")
    parser.add_argument("--photos", type=Path, help="a tar of photos, or a folder of folders")
    parser.add_argument("--model", default="colornet_lite_cross")
    parser.add_argument("--limit", type=int, default=40, help="pairs of a kind, evenly spread")
    parser.add_argument("--sheet", type=Path, help="write some pairs to this picture")
    args = parser.parse_args()
    colorizer = Colorizer(args.model, threads=1)
    kinds: dict[str, list[Pair]] = {film.stem: frames(film, args.limit) for film in args.films}
    if args.albums:
        found = [pair for album in sorted(args.albums.iterdir()) for pair in neighbors(album)]
        kinds["of an album"] = spread(found, args.limit)
    if args.photos:
        kinds |= {kind: spread(found, args.limit) for kind, found in paired(colorizer, args.photos)}
    print("| | pairs | " + " | ".join(METHODS) + " | change | worse | nothing alike |")
    print("|---|---:|" + "---:|" * (len(METHODS) + 3))
    rows: list[np.ndarray] = []
    for kind, pairs in kinds.items():
        measured = [measure(colorizer, *pair) for pair in pairs]
        errors = np.array([errors for errors, _, _ in measured])
        means, off = errors.mean(0), errors[:, 3] - errors[:, 1]
        told = [f"{value:.2f}" for value in means] + [f"{means[3] / means[1] - 1:+.0%}"]
        told += [f"{(off > WORSE).mean():.0%}", f"{np.mean([none for _, none, _ in measured]):.0%}"]
        print(f"| {kind} | {len(pairs)} | {' | '.join(told)} |", flush=True)
        rows += spread([row for _, _, row in measured], 4)
    for film in args.films:
        print(f"\n--colors-from, {film.stem}: {as_version(colorizer, kinds[film.stem])}")
    if args.sheet:
        Image.fromarray(np.concatenate(rows)).save(args.sheet)


def measure(
    colorizer: Colorizer, photo: np.ndarray, reference: np.ndarray
) -> tuple[list[float], bool, np.ndarray]:
    """CIEDE2000 by each method; whether the reference shows nothing alike; a row of a sheet."""
    light = color.rgb2lab(photo)
    light[..., 1:] = 0
    gray = (color.lab2rgb(light) * 255).round().astype(np.uint8)
    made = [gray, colorizer.colorize(gray)]
    made += [colorizer.with_options(**{name: reference}).colorize(gray) for name in METHODS[2:]]
    truth = color.rgb2lab(photo)
    errors = [float(color.deltaE_ciede2000(truth, color.rgb2lab(one)).mean()) for one in made]
    shown = [tile(one) for one in (gray, made[1], reference, made[3], photo)]
    return errors, bool((made[3] == made[1]).all()), np.concatenate(shown, 1)


def as_version(colorizer: Colorizer, pairs: list[Pair]) -> str:
    """CIEDE2000 of the pairs that show the same view: gray, automatic, and with its colors."""
    rows = []
    for photo, other in pairs:
        truth = color.rgb2lab(photo)
        gray = (color.lab2rgb(truth * (1, 0, 0)) * 255).round().astype(np.uint8)
        try:
            made = colorizer.with_options(colors_from=other).colorize(gray)
        except ColorizerError:
            continue
        shown = (gray, colorizer.colorize(gray), made)
        rows.append([color.deltaE_ciede2000(truth, color.rgb2lab(one)).mean() for one in shown])
    means = " ".join(f"{value:.2f}" for value in np.mean(rows, 0)) if rows else ""
    return f"{means} of {len(rows)}, {len(pairs) - len(rows)} refused"


def tile(rgb: np.ndarray, width: int = 240, height: int = 180) -> np.ndarray:
    """A picture in a field of one size."""
    image = Image.fromarray(rgb)
    image.thumbnail((width, height))
    field = Image.new("RGB", (width, height), "white")
    field.paste(image, ((width - image.width) // 2, (height - image.height) // 2))
    return np.asarray(field)


def frames(film: Path, limit: int) -> list[Pair]:
    """Frames half a second apart."""
    import av

    with av.open(str(film)) as container:
        rate = float(container.streams.video[0].average_rate or 24)
        every = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    gap = max(1, round(rate / 2))
    return spread([(every[i], every[i + gap]) for i in range(len(every) - gap)], limit)


def neighbors(album: Path) -> list[Pair]:
    """Photos of a folder that follow each other."""
    found = [read(path.read_bytes()) for path in sorted(album.iterdir()) if is_photo(path)]
    return list(zip(found[::2], found[1::2], strict=False))


def paired(colorizer: Colorizer, photos: Path) -> Iterator[tuple[str, list[Pair]]]:
    """Each photo with the one most like it in its folder; and with any other."""
    folders, found = zip(*read_all(photos), strict=True)
    seen = np.stack([described(colorizer, rgb) for rgb in found])
    seen[:, :-144] -= seen[:, :-144].mean(0)
    alike = seen @ seen.T
    alike[np.array(folders)[:, None] != np.array(folders)] = -np.inf
    np.fill_diagonal(alike, -np.inf)
    best = alike.argmax(1)
    order = np.argsort(-alike.max(1))
    pairs = [tuple(sorted((int(i), int(best[i])))) for i in order]
    most = list(dict.fromkeys(pairs))[: len(found) // 8]
    yield "most alike of a folder", [(found[i], found[j]) for i, j in most]
    rng = np.random.default_rng(0)
    others = [rng.choice(len(found), 2, replace=False) for _ in range(len(found) // 4)]
    yield "any two", [(found[i], found[j]) for i, j in others]


def described(colorizer: Colorizer, rgb: np.ndarray) -> np.ndarray:
    """What is alike in alike photos, without their colors."""
    L = color.rgb2lab(rgb)[..., 0].astype(np.float32)
    scale = colorizer.size / min(L.shape)
    L = resize(L, *(round(side * scale) for side in L.shape))[..., 0]
    features = colorizer.network.features(pad(L)).transpose(1, 2, 0)
    features = features / (np.sqrt(np.square(features).mean(-1, keepdims=True)) + 1e-3)
    light = resize(L, 12, 12)
    light = (light - light.mean()) / (light.std() + 3)
    both = resize(features, 4, 4), 0.7 * light
    return np.concatenate([(one / np.linalg.norm(one)).ravel() for one in both])


def read_all(photos: Path) -> Iterator[tuple[str, np.ndarray]]:
    """Folder and pixels of each photo."""
    if photos.is_dir():
        for path in sorted(photos.rglob("*")):
            if is_photo(path):
                yield str(path.parent), read(path.read_bytes())
        return
    with tarfile.open(photos) as tar:
        for member in tar:
            file = tar.extractfile(member)
            if file is not None and is_photo(Path(member.name)):
                yield str(Path(member.name).parent), read(file.read())


def is_photo(path: Path) -> bool:
    return path.suffix.lower() in PICTURES


def read(data: bytes, longest: int = 512) -> np.ndarray:
    import pyvips

    image = pyvips.Image.thumbnail_buffer(data, longest, size="down").colourspace("srgb")
    return image.numpy()[..., :3]


def spread(found: list, limit: int) -> list:
    """At most so many, from all over the list."""
    return [found[i] for i in np.unique(np.linspace(0, len(found) - 1, limit).astype(int))]


if __name__ == "__main__":
    main()
