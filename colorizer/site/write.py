"""`colorizer site OUT`: the folder that any web space can hold."""

import hashlib
import json
import os
import shutil
from base64 import b64encode
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from typing import Any

from markupsafe import escape

from colorizer.color import gamut
from colorizer.errors import ColorizerError, UsageError
from colorizer.inference.network import Network
from colorizer.inference.priors import variant_prior
from colorizer.model_folder import LIKENESS, WEIGHTS
from colorizer.options import DEFAULT_MODEL
from colorizer.page import STATIC
from colorizer.pictures.metadata.mark import SYSTEM
from colorizer.pictures.metadata.xmp import BESIDE, OLD
from colorizer.site import runtime
from colorizer.support.files import temporary
from colorizer.version import __version__

__all__ = ["write_site"]

OWN = Path(__file__).parent / "static"
LIST = "site.json"
"""Names what `write_site` has written, so that it may write it anew."""

VARIANTS = 6  # as the page shows
POLICY = (
    "default-src 'none'; script-src 'self'; worker-src 'self'; style-src 'self';"
    " img-src 'self' blob:; connect-src 'self'; manifest-src 'self'; base-uri 'none';"
    " form-action 'none'"
)
HEAD = f"""<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<meta name="description" content="Color old photographs in your own browser: nothing is sent.">
<link rel="manifest" href="manifest.webmanifest">
"""
FOOT = '<p class="quiet"><a class="link" href="licenses.html">Licenses</a></p>\n    '
MANIFEST = {
    "name": "Colorizer",
    "short_name": "Colorizer",
    "description": "Color old photographs in your own browser.",
    "start_url": "./",
    "display": "standalone",
    "background_color": "#f4f3f0",
    "theme_color": "#f4f3f0",
    "icons": [{"src": "static/icon.svg", "sizes": "any", "type": "image/svg+xml"}],
}


def write_site(
    out: str | os.PathLike[str], model: str | os.PathLike[str] = DEFAULT_MODEL
) -> dict[str, int]:
    """Write the page as static files; it appears whole, or not at all.

    Args:
        out: a folder that is new, empty, or was written so before; further files in it stay.
        model: a shipped model's name, or a model folder.

    Returns:
        The files, by their paths in the folder: name -> bytes.

    Raises:
        UsageError: something else is there. ColorizerError: a damaged model folder, or no space.
    """
    path = Path(out).resolve()
    kept = _further(path, out)
    made = _contents(Network(model, threads=1))
    if clash := sorted(set(made) & set(kept)):
        raise UsageError(f"{out} holds {clash[0]}, which is not of this site; move it away")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary(path, folder=True) as work, temporary(path, folder=True) as aside:
            for name, content in made.items():
                place = work / name
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(content)
            for name in kept:
                (work / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(path / name, work / name)
            work.chmod(0o755)
            if path.exists():
                path.rename(aside / "before")
            work.rename(path)
    except OSError as error:
        raise ColorizerError(f"{out} cannot be written: {error.strerror or error}") from error
    return {name: len(content) for name, content in made.items()}


def _further(path: Path, out: str | os.PathLike[str]) -> list[str]:
    """Files in the folder that are not ours; raises UsageError if it is no site."""
    if not path.exists():
        return []
    if not path.is_dir():
        raise UsageError(f"{out} is a file; give a new folder")
    found = [p.relative_to(path).as_posix() for p in path.rglob("*") if not p.is_dir()]
    if not found:
        return []
    try:
        own = json.loads((path / LIST).read_text(encoding="utf-8"))["colorizer"]["files"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"{out} holds other files, such as {min(found)}; give a new folder, or one that"
            " `colorizer site` has written"
        ) from error
    return sorted(set(found) - set(own) - {LIST})


def _contents(network: Network) -> dict[str, bytes]:
    """All files, by name."""
    small = {f"static/{path.name}": path.read_bytes() for path in _scripts(STATIC)}
    small |= {
        f"static/{path.relative_to(OWN).as_posix()}": path.read_bytes() for path in _scripts(OWN)
    }
    page = small.pop("static/index.html").decode()
    worker = small.pop("static/sw.js").decode()
    small[f"runtime/{runtime.SCRIPT}"] = runtime.script()
    program, weights = runtime.packed_wasm(), network.folder.weights.read_bytes()
    large = {
        _named("runtime/ort", program): program,
        _named("model/weights", weights): weights,
    }
    names = dict(zip(("runtime", "weights"), large, strict=True))
    graph = network.folder.graph.read_bytes()
    small["model/model.onnx"] = graph
    told = {
        key: {"name": name, "size": len(large[name]), "inside": WEIGHTS}
        for key, name in names.items()
    }
    told["graph"] = {"name": "model/model.onnx", "size": len(graph)}
    if network.has_prior and network.has_features and network.likeness is not None:
        likeness = (network.folder.path / LIKENESS).read_bytes()
        small[f"model/{LIKENESS}"] = likeness
        told["likeness"] = {"name": f"model/{LIKENESS}", "size": len(likeness)}
    small["model/about.json"] = _json(_about(network, told))
    small["index.html"] = _with(page).encode()
    small["manifest.webmanifest"] = _json(MANIFEST)
    small["licenses.html"] = _licenses(network).encode()
    digest = hashlib.sha256()
    for name in sorted(small):
        digest.update(name.encode() + b"\0" + hashlib.sha256(small[name]).digest())
    listed = {"version": digest.hexdigest()[:16], "small": sorted(small), "large": sorted(large)}
    head, end = worker.split("const { version, small, large } = ", 1)
    _, rest = end.split(" // LIST\n", 1)
    own = f"{head}const {{ version, small, large }} = {json.dumps(listed)};\n{rest}"
    made = small | large | {"sw.js": own.encode()}
    made[LIST] = _json({"colorizer": {"version": __version__, "files": sorted(made)}})
    return made


def _scripts(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _named(stem: str, content: bytes) -> str:
    """A name that another content would not have; of a kind that no server packs or unpacks."""
    return f"{stem}-{hashlib.sha256(content).hexdigest()[:12]}.bin"


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


def _about(network: Network, told: Mapping[str, Any]) -> dict[str, Any]:
    """What the scripts must know of the model, and of what Python alone can compute."""
    import pyvips

    can_hint = "likeness" in told
    takes = [
        name
        for name, there in (
            ("temperature", network.has_temperature),
            ("prior", network.has_prior),
            ("hints", can_hint),
        )
        if there
    ]
    variants = [variant_prior(n).tolist() for n in range(1, VARIANTS + 1)]
    profile = bytes(pyvips.Operation.call("profile_load", "srgb"))
    return {
        "model": network.name,
        "system": f"{SYSTEM} {network.name}, size {network.size}",
        "version": f"{__version__}, weights sha256 {network.weights_sha256}, in a browser",
        "size": network.size,
        "temperature": network.temperature,
        "takes": takes,
        "bins": gamut.bins().tolist(),
        "lean": (network.moderation * network.lean()).tolist() if can_hint else [],
        "typical": network.training_prior().tolist() if network.has_prior else [],
        "variants": variants if network.has_prior else [],
        "srgb": b64encode(profile).decode(),
        "xmp": {"old": OLD, "beside": BESIDE},
        "files": told,
    }


def _with(page: str) -> str:
    """The page's HTML, with what a page without a server needs beside."""
    for before, more in (
        ('<meta charset="utf-8">\n', HEAD),
        ('      <p class="quiet local"></p>\n    ', FOOT),
    ):
        if page.count(before) != 1:
            raise AssertionError(f"index.html has no {before!r}")
        page = page.replace(before, before + more)
    return page


def _licenses(network: Network) -> str:
    texts = {"Colorizer": _own_license()} | runtime.licenses()
    card = network.folder.texts().get("card.md")
    if card:
        texts[f"The weights: {network.name}"] = card
    parts = "\n".join(
        f"<h2>{escape(title)}</h2>\n<pre>{escape(text)}</pre>" for title, text in texts.items()
    )
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        "<title>Licenses of Colorizer</title>\n</head>\n<body>\n<h1>Licenses</h1>\n"
        f"{parts}\n</body>\n</html>\n"
    )


def _own_license() -> str:
    """The text of this package's license, beside the package or among what pip has written."""
    beside = Path(__file__).parents[2] / "LICENSE"
    if beside.is_file():
        return beside.read_text(encoding="utf-8")
    try:
        found = [one for one in files("photo-colorizer") or [] if one.name == "LICENSE"]
        return found[0].read_text(encoding="utf-8")
    except (PackageNotFoundError, IndexError, OSError) as error:
        raise ColorizerError("the license of this package is missing; install it again") from error
