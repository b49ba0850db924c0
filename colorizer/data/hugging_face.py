"""Data sets of the Hugging Face hub, or in its form on disk, by the package `datasets`."""

from typing import Any

from torch.utils.data import Dataset

from colorizer.errors import ColorizerError, UsageError
from colorizer.registry import DATASETS

__all__ = ["HuggingFace"]


@DATASETS.register("hugging_face")
class HuggingFace(Dataset[Any]):
    """The pictures of a data set; no code of the data set's is run.

    Args:
        path: of the hub, such as "user/photos", or a folder of pictures or Parquet files.
        split: which part.
        column: that holds the pictures.
        revision: of the hub's: a branch, tag or commit.

    Raises:
        UsageError: the package `datasets` is missing, or there is no such column.
        ColorizerError: the data set cannot be had.
    """

    def __init__(
        self, path: str, split: str = "train", column: str = "image", revision: str | None = None
    ) -> None:
        try:
            from datasets import load_dataset  # ty: ignore[import-not-found]
        except ImportError as error:
            raise UsageError(
                "dataset 'hugging_face' needs its package: pip install datasets"
            ) from error
        try:
            self._rows = load_dataset(path, split=split, revision=revision)
        except Exception as error:  # of the hub, the disk, the files, in their own ways
            reason = " ".join(str(error).split())[:200]
            raise ColorizerError(f"dataset {path!r}: {type(error).__name__}: {reason}") from error
        if column not in self._rows.column_names:
            known = ", ".join(self._rows.column_names)
            raise UsageError(f"dataset {path!r} has no column {column!r}; it has {known}")
        self._column = column

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> Any:
        """A picture of Pillow's."""
        return self._rows[index][self._column]
