"""Which part of ONNX Runtime runs the network: the processor, or a named accelerator in truth."""

from typing import TYPE_CHECKING, Any

from colorizer.errors import ColorizerError

if TYPE_CHECKING:
    import onnxruntime

__all__ = ["check_in_use", "prepare", "providers_of"]

_CPU = "CPUExecutionProvider"
_PROVIDERS: dict[str, tuple[str, dict[str, str], str]] = {
    "cuda": ("CUDAExecutionProvider", {"use_tf32": "0"}, "onnxruntime-gpu"),
    "coreml": ("CoreMLExecutionProvider", {}, "onnxruntime (on macOS)"),
    "directml": ("DmlExecutionProvider", {}, "onnxruntime-directml"),
    "openvino": (
        "OpenVINOExecutionProvider",
        {"device_type": "CPU", "precision": "ACCURACY"},  # else it computes in bfloat16
        "onnxruntime-openvino",
    ),
}


def providers_of(device: str) -> list[Any]:
    """The providers to ask ONNX Runtime for, the wanted one first.

    Args:
        device: cpu, the processor; or cuda, coreml, directml, openvino.

    Raises:
        ColorizerError: this ONNX Runtime was built without it; the message says how to install it.
    """
    if device == "cpu":
        return [_CPU]
    import onnxruntime

    provider, options, package = _PROVIDERS[device]
    if provider not in onnxruntime.get_available_providers():
        raise ColorizerError(
            f"device {device}: this ONNX Runtime has no {provider}; pip uninstall onnxruntime, then"
            f" pip install {package} (side by side they leave it out), or take --device cpu"
        )
    return [(provider, options), _CPU]


def prepare(options: "onnxruntime.SessionOptions", device: str) -> None:
    """Set the session options that a device needs."""
    if device == "directml":  # which works with neither
        import onnxruntime

        options.enable_mem_pattern = False
        options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL


def check_in_use(session: "onnxruntime.InferenceSession", device: str) -> None:
    """Raise ColorizerError if ONNX Runtime has silently fallen back to the processor."""
    if device == "cpu":
        return
    provider = _PROVIDERS[device][0]
    if provider not in session.get_providers():
        raise ColorizerError(
            f"device {device}: {provider} is installed but does not start, so that the processor"
            " would be used; check its driver and libraries, or take --device cpu"
        )
