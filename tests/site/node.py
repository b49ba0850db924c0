"""Functions of the site's scripts, called from Python by way of Node."""

import json
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

HERE = Path(__file__).parent
WORKER = HERE.parents[1] / "colorizer/site/static/worker"
NODE = shutil.which("node")
needs_node = pytest.mark.skipif(not NODE, reason="there is no node, so no script can be called")

_TYPES = {"float32": "Float32Array", "float64": "Float64Array", "uint8": "Uint8Array"}
_DTYPES = {name: dtype for dtype, name in _TYPES.items()} | {
    "Int32Array": "int32",
    "Uint8ClampedArray": "uint8",
    "Uint32Array": "uint32",
}


def call(module: str, function: str, *arguments: Any, folder: Path = WORKER) -> Any:
    """What a function of a module returns; arrays and bytes become typed arrays, and back."""
    with tempfile.TemporaryDirectory() as work:
        files = iter(range(1000))

        def given(value: Any) -> Any:
            if isinstance(value, bytes):
                value = np.frombuffer(value, np.uint8)
            if isinstance(value, np.ndarray):
                name = f"argument-{next(files)}"
                Path(work, name).write_bytes(np.ascontiguousarray(value).tobytes())
                return {"file": name, "type": _TYPES[str(value.dtype)]}
            if isinstance(value, dict):
                return {key: given(one) for key, one in value.items()}
            return [given(one) for one in value] if isinstance(value, list | tuple) else value

        def taken(value: Any) -> Any:
            if isinstance(value, dict) and "file" in value:
                return np.fromfile(Path(work, value["file"]), _DTYPES[value["type"]])
            if isinstance(value, dict):
                return {key: taken(one) for key, one in value.items()}
            return [taken(one) for one in value] if isinstance(value, list) else value

        Path(work, "arguments.json").write_text(json.dumps(given(list(arguments))))
        command = [str(NODE), str(HERE / "call.mjs"), str(folder / module), function, work]
        done = subprocess.run(command, capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, done.stderr[-2000:]
        return taken(json.loads(Path(work, "result.json").read_text()))
