"""The arithmetic that suits a device."""

from typing import Literal

import torch

__all__ = ["Precision", "resolve_precision"]

Precision = Literal["bf16-mixed", "16-mixed", "32-true"]
"""As Lightning calls them."""


def resolve_precision(
    setting: Precision | Literal["auto"], accelerator: str, scalable: bool = True
) -> Precision:
    """Lightning's name for `trainer.precision`.

    Args:
        setting: "auto", or a name that is returned as it is.
        accelerator: `trainer.accelerator`.
        scalable: whether gradients can be scaled, which float16 needs.

    Returns:
        Of "auto": bfloat16 where the hardware has it; on other NVIDIA GPUs float16, if its
        gradients can be scaled; else float32.
    """
    if setting != "auto":
        return setting
    if accelerator in ("auto", "gpu") and torch.cuda.is_available():
        if torch.cuda.is_bf16_supported(including_emulation=False):
            return "bf16-mixed"
        return "16-mixed" if scalable else "32-true"
    on_processor = accelerator == "cpu" or not torch.backends.mps.is_available()
    return "bf16-mixed" if on_processor and _processor_has_bfloat16() else "32-true"


def _processor_has_bfloat16() -> bool:
    """Where it has not, oneDNN emulates it, which is slower than float32."""
    tests = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")  # private to torch.cpu
    return any(getattr(torch.cpu, name, bool)() for name in tests)
