"""What coloring costs, and how well chroma keeps to its edges and to itself.

    python benchmarks/inference.py [pictures] [folders] [stages] [edges] [drift]
        [--model MODEL] [--megapixels 1 12 100 400] [--photos FOLDER] [--count 1000]

pictures: seconds and memory from the start of a process to the colored file, beside "plain", the
    same mathematics on whole arrays: Pillow decodes, resizes and encodes, NumPy does the rest in
    float32. Memory is the peak of the process.
folders: photos/s, cores kept busy and memory over many 1-megapixel photos, with one worker on
    one core, on all, and with more workers; growth is from the first tenth of the run to its end.
stages: where the time goes, within one process.
edges: error of true chroma after enlargement, near edges, in Lab units; writes edges.png.
drift: how far colors move when the input or the working size changes, in Lab units.

Photos are made here, but for `edges` and `drift`, which want photos in color (--photos).
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

SHAPES = {1: (1155, 866), 12: (4000, 3000), 100: (11547, 8660), 400: (23094, 17320)}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    what = {"pictures": pictures, "folders": folders, "stages": stages, "edges": edges}
    what["drift"] = drift
    parser.add_argument("what", nargs="*", help=" ".join(what))
    parser.add_argument("--model", default="colornet_lite_cross")
    parser.add_argument(
        "--megapixels", type=int, nargs="+", default=[1, 12, 100], choices=[*SHAPES]
    )
    parser.add_argument("--plain", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--photos", type=Path, default=Path("samples"))
    parser.add_argument("--count", type=int, default=1000, help="photos in the folder")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)  # way, source, destination
    options = parser.parse_args()
    if options.one:
        way, source, destination = options.one
        {"ours": color_ours, "plain": color_plain}[way](source, destination, options.model)
        return
    if unknown := set(options.what) - set(what):
        parser.error(f"unknown: {' '.join(unknown)}; there are {' '.join(what)}")
    for name in options.what or ["pictures"]:
        with tempfile.TemporaryDirectory() as folder:
            what[name](options, Path(folder))


def pictures(options: argparse.Namespace, folder: Path) -> None:
    print(f"{'megapixels':>10} {'way':>6} {'seconds':>8} {'CPU s':>7} {'memory MB':>10}")
    for megapixels in options.megapixels:
        photo = make_photo(folder, megapixels)
        for way in ["ours", "plain"] if options.plain else ["ours"]:
            figures = measure(way, photo, options.model)
            print(f"{megapixels:>10} {way:>6} " + "{:>8.2f} {:>7.2f} {:>10.0f}".format(*figures))


def folders(options: argparse.Namespace, folder: Path) -> None:
    (folder / "in").mkdir()
    photo = make_photo(folder, 1)
    for number in range(options.count):
        shutil.copy(photo, folder / "in" / f"{number:06d}.jpg")
    print(f"{'workers':>16} {'photos/s':>9} {'cores':>6} {'memory MB':>10} {'growth MB':>10}")
    ways = {"1, one thread": ["--workers", "1", "--threads", "1"]}
    ways |= {str(workers): ["--workers", str(workers)] for workers in options.workers}
    for workers, chosen in ways.items():
        out = folder / "out"
        command = [sys.executable, "-m", "colorizer.cli", "colorize", str(folder / "in")]
        command += ["-o", str(out), "--model", options.model, *chosen]
        used, start = os.times(), time.perf_counter()
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        memory = []
        while process.poll() is None:
            memory.append(resident(process.pid))
            time.sleep(0.1)
        seconds = time.perf_counter() - start
        if process.returncode:
            raise SystemExit(f"coloring the folder failed with {process.returncode}")
        part = max(1, len(memory) // 10)
        growth = np.median(memory[-part - 3 : -3]) - np.median(memory[part : 2 * part])
        rate, now = options.count / seconds, os.times()
        spent = now.children_user + now.children_system - used.children_user - used.children_system
        figures = f"{rate:>9.2f} {spent / seconds:>6.2f} {max(memory):>10.0f} {growth:>10.1f}"
        print(f"{workers:>16} {figures}", flush=True)
        shutil.rmtree(out)


def resident(pid: int) -> float:
    """Megabytes that a process has in memory now (Linux)."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def stages(options: argparse.Namespace, folder: Path) -> None:
    """Each stage alone; decoding and encoding overlap with composing when they run together."""
    from colorizer.inference import compose, predict
    from colorizer.inference import network as chroma
    from colorizer.pictures import lightness
    from colorizer.pictures.picture import Picture

    print(f"{'megapixels':>10} {'stage':>10} {'ms':>8} {'share':>6}")
    for megapixels in options.megapixels:
        photo = make_photo(folder, megapixels)
        clock = [time.perf_counter()]
        network = chroma.Network(options.model)
        clock.append(time.perf_counter())
        read = Picture.open(photo)
        size = chroma.working_size(read.width, read.height, network.size)
        small, _ = read.thumbnail(0, size)
        clock.append(time.perf_counter())
        padded = chroma.pad(small)
        ab = network(padded)
        clock.append(time.perf_counter())
        slope, offset = predict.predict_chroma(small, lambda _, ab=ab: ab)
        clock.append(time.perf_counter())
        decoded = read.image().copy_memory()
        clock.append(time.perf_counter())
        colored = compose.compose(lightness.lightness(decoded), slope, offset, bits=8)
        colored = colored.copy_memory()
        clock.append(time.perf_counter())
        colored.jpegsave(str(folder / "out.jpg"), Q=95)
        clock.append(time.perf_counter())
        names = ("load", "look", "network", "fit", "decode", "compose", "encode")
        spent = np.diff(clock)
        for name, seconds in zip(names, spent, strict=True):
            share = seconds / spent.sum()
            print(f"{megapixels:>10} {name:>10} {seconds * 1000:>8.0f} {share:>6.0%}")


def edges(options: argparse.Namespace, folder: Path) -> None:
    """True chroma, shrunk to the head's resolution and carried up again in three ways."""
    from PIL import Image

    line = "{:>20} {:>8.2f} {:>9.2f} {:>6.2f} {:>10.2f} {:>9.2f} {:>6.2f}"
    print(f"{'':>20} {'mean error near edges':>25} {'elsewhere':>27}")
    print(f"{'picture':>20} {'nearest':>8} {'bilinear':>9} {'ours':>6} ", end="")
    print(f"{'nearest':>9} {'bilinear':>9} {'ours':>6}")
    shown, photos = [], []
    for name, lab in [("shapes", draw_shapes()), *true_colors(options.photos)]:
        ways = enlarged(lab)
        near = near_edges(lab)
        errors = [np.linalg.norm(ab - lab[..., 1:], axis=-1) for ab in ways]
        means = [e[part].mean() for part in (near, ~near) for e in errors]
        photos += [means] if shown else []
        print(line.format(name, *means))
        if len(shown) < 3:
            crops = [crop(rgb_of(lab[..., :1], ab), near) for ab in (lab[..., 1:], *ways)]
            shown.append(np.concatenate(crops, 1))
    print(line.format(f"mean of {len(photos)} photos", *np.mean(photos, 0)))
    Image.fromarray(np.concatenate(shown)).save("edges.png")
    print("edges.png: true, nearest, bilinear, ours; enlarged")


def draw_shapes(height: int = 384, width: int = 512) -> np.ndarray:
    """(H, W, 3) Lab: discs with sharp edges, each of one color."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:height, :width]
    lab = np.full((height, width, 3), [70.0, 5.0, 15.0])
    for _ in range(40):
        center, radius = rng.uniform(0, [height, width]), rng.uniform(8, 60)
        inside = (y - center[0]) ** 2 + (x - center[1]) ** 2 < radius**2
        lab[inside] = [rng.uniform(25, 85), *rng.uniform(-35, 35, 2)]
    return lab


def true_colors(folder: Path) -> Iterator[tuple[str, np.ndarray]]:
    """The photos in color of a folder, in Lab, 512 pixels wide."""
    from skimage.color import rgb2lab

    for path in sorted(folder.iterdir()):
        if path.suffix.lower() not in (".jpg", ".png", ".webp"):
            continue
        lab = rgb2lab(small_rgb(path, 512))
        if np.abs(lab[..., 1:]).mean() > 2:
            yield path.name, lab


def small_rgb(path: Path, width: int) -> np.ndarray:
    from PIL import Image

    with Image.open(path) as photo:
        rgb = photo.convert("RGB")
        return np.asarray(rgb.resize((width, round(width * rgb.height / rgb.width))))


def enlarged(lab: np.ndarray) -> list[np.ndarray]:
    """Chroma at an eighth of the size, enlarged: nearest, bilinear, ours."""
    from colorizer.inference.compose import fit_chroma
    from colorizer.pictures.resize import resize

    height, width = (side // 8 for side in lab.shape[:2])
    ab = resize(lab[..., 1:], height, width)
    rows = np.arange(lab.shape[0]) * height // lab.shape[0]
    columns = np.arange(lab.shape[1]) * width // lab.shape[1]
    half = resize(lab[..., 0], lab.shape[0] // 2, lab.shape[1] // 2)[..., 0]  # the working size
    fit = fit_chroma(half, ab.transpose(2, 0, 1))
    slope, offset = (resize(part, *lab.shape[:2]) for part in fit)
    return [ab[rows][:, columns], resize(ab, *lab.shape[:2]), slope * lab[..., :1] + offset]


def near_edges(lab: np.ndarray) -> np.ndarray:
    """Pixels no more than 4 from a step in chroma of 10 or more."""
    step = np.zeros(lab.shape[:2], bool)
    for axis in (0, 1):
        change = np.linalg.norm(np.diff(lab[..., 1:], axis=axis), axis=-1) > 10
        step |= np.pad(change, [(0, 1), (0, 0)] if axis == 0 else [(0, 0), (0, 1)])
    for axis in (0, 1):
        step = np.any([np.roll(step, shift, axis) for shift in range(-4, 5)], 0)
    return step


def rgb_of(L: np.ndarray, ab: np.ndarray) -> np.ndarray:
    import pyvips

    from colorizer.inference.compose import compose

    image = pyvips.Image.new_from_array(np.ascontiguousarray(L[..., 0], np.float32))
    return compose(image, np.zeros_like(ab), ab, bits=8).numpy()


def crop(rgb: np.ndarray, near: np.ndarray) -> np.ndarray:
    """The 96 x 128 pixels with the most edges, twice as large."""
    corners = [
        (top, left)
        for top in range(0, rgb.shape[0] - 95, 16)
        for left in range(0, rgb.shape[1] - 127, 16)
    ]
    top, left = max(corners, key=lambda at: near[at[0] : at[0] + 96, at[1] : at[1] + 128].sum())
    return rgb[top : top + 96, left : left + 128].repeat(2, 0).repeat(2, 1)


def drift(options: argparse.Namespace, folder: Path) -> None:
    """Mean distance in ab to the colors of the photo as it is."""
    from skimage.color import rgb2lab

    from colorizer.inference.colorizer import Colorizer

    colorizer = Colorizer(options.model)
    cases = {
        "input at half the size": ({}, 256),
        "input at twice the size": ({}, 1024),
        "working size 3/4": ({"size": colorizer.size * 3 // 4}, 512),
        "working size 5/4": ({"size": colorizer.size * 5 // 4}, 512),
    }
    kinds = (".jpg", ".png", ".webp")
    paths = [path for path in sorted(options.photos.iterdir()) if path.suffix.lower() in kinds]
    print(f"{'what changes':>24} {'fast':>6} {'best':>6}")
    for name, (changed, width) in cases.items():
        moved = []
        for quality in ("fast", "best"):
            steady = colorizer.with_options(quality=quality)
            distances = []
            for path in paths:
                one = steady.colorize(small_rgb(path, 512))
                other = steady.with_options(**changed).colorize(small_rgb(path, width))
                sides = (min(len(one), len(other)) // 2, min(one.shape[1], other.shape[1]) // 2)
                a, b = (shrink(rgb2lab(rgb)[..., 1:], sides) for rgb in (one, other))
                distances.append(np.linalg.norm(a - b, axis=-1).mean())
            moved.append(np.mean(distances))
        print(f"{name:>24} " + "{:>6.2f} {:>6.2f}".format(*moved))


def shrink(values: np.ndarray, sides: tuple[int, int]) -> np.ndarray:
    from colorizer.pictures.resize import resize

    return resize(values, *sides)


def make_photo(folder: Path, megapixels: int) -> Path:
    """A gray photo-like JPEG: soft shapes with grain."""
    import pyvips

    width, height = SHAPES[megapixels]
    path = folder / f"{megapixels}.jpg"
    shapes = pyvips.Image.perlin(width, height, cell_size=max(width // 8, 1)) * 60 + 128
    grain = pyvips.Image.gaussnoise(width, height, mean=0, sigma=4)
    (shapes + grain).cast("uchar").copy(interpretation="b-w").jpegsave(str(path), Q=90)
    return path


def measure(way: str, photo: Path, model: str) -> tuple[float, float, float]:
    """Wall-clock seconds, processor seconds and peak megabytes of one run in a new process."""
    out = photo.with_name(f"{photo.stem}-{way}.jpg")
    command = [sys.executable, __file__, "--model", model, "--one", way, str(photo), str(out)]
    start = time.perf_counter()
    process = subprocess.Popen(command)
    _, status, usage = os.wait4(process.pid, 0)  # the usage of this child alone
    seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"the run of {way!r} on {photo.name} failed")
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / unit


def color_ours(source: str, destination: str, model: str) -> None:
    from colorizer.inference.colorizer import colorize_file

    colorize_file(source, destination, model)


def color_plain(source: str, destination: str, model: str) -> None:
    """The same steps on whole arrays."""
    from PIL import Image

    from colorizer.color.lab import RGB_TO_XYZ
    from colorizer.inference.compose import fit_chroma
    from colorizer.inference.network import Network, pad, working_size

    Image.MAX_IMAGE_PIXELS = None
    photo = Image.open(source).convert("L")
    coded = np.arange(256, dtype=np.float32) / 255
    Y = np.where(coded > 0.04045, ((coded + 0.055) / 1.055) ** 2.4, coded / 12.92)
    table = np.where(Y > 0.008856, 116 * np.cbrt(Y) - 16, 903.292 * Y).astype(np.float32)
    L = table[np.asarray(photo)]

    network = Network(model)
    size = working_size(*photo.size, network.size)
    small = np.asarray(Image.fromarray(L).resize(size, Image.Resampling.BILINEAR))
    slope, offset = fit_chroma(pad(small), network(pad(small)))

    def enlarge(values):
        values = values[: small.shape[0], : small.shape[1]]
        return np.asarray(Image.fromarray(values).resize(photo.size, Image.Resampling.BILINEAR))

    a, b = (enlarge(slope[..., i]) * L + enlarge(offset[..., i]) for i in (0, 1))
    fy = (L + 16) / 116
    f = np.stack([fy + a / 500, fy, fy - b / 200], -1)
    xyz = np.where(f > 0.2068966, f**3, (f - 16 / 116) / 7.787) * RGB_TO_XYZ.sum(1)
    linear = (xyz @ np.linalg.inv(RGB_TO_XYZ).T).astype(np.float32)
    Y = xyz[..., 1:2].astype(np.float32)
    away = linear - Y
    above, below = away.max(-1, keepdims=True), -away.min(-1, keepdims=True)
    share = np.minimum((1 - Y) / np.maximum(above, 1e-9), Y / np.maximum(below, 1e-9)).clip(0, 1)
    linear = (Y + share * away).clip(0, 1)
    rgb = np.where(linear > 0.0031308, 1.055 * linear ** (1 / 2.4) - 0.055, 12.92 * linear)
    Image.fromarray(np.rint(rgb * 255).astype(np.uint8)).save(destination, quality=95)


if __name__ == "__main__":
    main()
