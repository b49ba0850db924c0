"""ONNX Runtime Web, as it ships with the package: the files of its npm package, packed.

They take 2.3 MB in the wheel, a sixth of what the weights take; so that who has the package has all
of the site, without npm, without a network, and with exactly the version that was tested.
`tests/site/test_write.py` compares them with those of npm.
"""

import gzip
import lzma
from pathlib import Path

__all__ = ["SCRIPT", "VERSION", "licenses", "packed_wasm", "script"]

VERSION = "1.30.0"
"""Of onnxruntime-web."""

SCRIPT = "ort.wasm.bundle.min.mjs"
"""The name of its script; all of it that runs WebAssembly on the processor."""

WASM = "ort-wasm-simd-threaded.wasm"
_HERE = Path(__file__).parent / "onnxruntime_web"


def script() -> bytes:
    """The script that loads the program."""
    return (_HERE / SCRIPT).read_bytes()


def wasm() -> bytes:
    """The program, as npm has it: 14 MB."""
    return lzma.decompress((_HERE / f"{WASM}.xz").read_bytes())


def packed_wasm() -> bytes:
    """The program, packed by gzip for the way: 3.7 MB, whatever a web space packs by itself."""
    return gzip.compress(wasm(), 9, mtime=0)


def licenses() -> dict[str, str]:
    """The license of ONNX Runtime, and those of what is in it; title -> text."""
    notices = lzma.decompress((_HERE / "ThirdPartyNotices.txt.xz").read_bytes())
    return {
        f"ONNX Runtime Web {VERSION}": (_HERE / "LICENSE").read_text(encoding="utf-8"),
        "What ONNX Runtime contains": notices.decode(errors="replace"),
    }
