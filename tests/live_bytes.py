"""How much memory tensors take, counted without looking at the machine."""

import weakref
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only

__all__ = ["LiveBytes"]


class LiveBytes(TorchDispatchMode):
    """Counts the bytes of the tensors made inside it that are alive; `peak` is the most.

    The same work gives the same number on every machine. What libraries take for themselves, such
    as the workspace of a convolution, is not seen.

    Attributes:
        bytes: of the tensors alive now.
        peak: of those alive at once.
    """

    def __init__(self) -> None:
        super().__init__()
        self._alive: set[int] = set()
        self.bytes = self.peak = 0

    def __torch_dispatch__(
        self, function: Any, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        result = function(*args, **(kwargs or {}))
        tree_map_only(torch.Tensor, self._count, result)
        return result

    def _count(self, tensor: torch.Tensor) -> None:
        storage = tensor.untyped_storage()
        key, size = storage._cdata, storage.nbytes()
        if key not in self._alive:
            self._alive.add(key)
            self.bytes += size
            self.peak = max(self.peak, self.bytes)
            weakref.finalize(storage, self._free, key, size)

    def _free(self, key: int, size: int) -> None:
        self._alive.discard(key)
        self.bytes -= size
