"""Data sets of the Hugging Face hub, or in its form on disk, by the package `datasets`."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch.utils.data import Dataset

from colorizer.errors import ColorizerError, UsageError
from colorizer.registry import DATASETS

__all__ = ["HuggingFace"]

_SAVED = {"dataset_dict.json", "state.json"}  # in what `save_to_disk` has written


@DATASETS.register("hugging_face")
class HuggingFace(Dataset[Any]):
    """The pictures of a data set; no code of the data set's is run.

    Args:
        path: of the hub, such as "user/photos"; or a folder: of pictures, of Parquet files, or what
            `save_to_disk` has written.
        split: which part.
        column: that holds the pictures, as such or as the bytes of their files.
        revision: of the hub's: a branch, tag or commit.

    Raises:
        UsageError: the package `datasets` is missing, or there is no such column.
        ColorizerError: the data set cannot be had.
    """

    def __init__(
        self, path: str, split: str = "train", column: str = "image", revision: str | None = None
    ) -> None:
        try:
            import datasets  # ty: ignore[import-not-found]
        except ImportError as error:
            raise UsageError(
                "dataset 'hugging_face' needs its package: pip install datasets"
            ) from error
        place = Path(path).expanduser()
        if not place.exists() and (
            place.is_absolute() or path.startswith(".") or path.count("/") > 1
        ):
            raise UsageError(
                f"dataset {path!r}: there is no such folder, and the hub has no such name"
            )
        with _named_errors(path):
            if _SAVED & {file.name for file in place.glob("*.json")}:
                rows = datasets.load_from_disk(str(place))
                rows = rows[split] if isinstance(rows, dict) else rows
            else:
                rows = datasets.load_dataset(str(place), split=split, revision=revision)
        if column not in rows.column_names:
            known = ", ".join(rows.column_names)
            raise UsageError(f"dataset {path!r} has no column {column!r}; it has {known}")
        if not isinstance(rows.features[column], datasets.Image):
            with _named_errors(path):
                rows = rows.cast_column(column, datasets.Image())
        self._rows, self._column = rows, column

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> Any:
        """A picture of Pillow's."""
        return self._rows[index][self._column]


@contextmanager
def _named_errors(path: str) -> Iterator[None]:
    """Tell what the hub, the disk or the files raise, in their own ways, as a sentence."""
    try:
        yield
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise ColorizerError(f"dataset {path!r}: {type(error).__name__}: {reason}") from error
