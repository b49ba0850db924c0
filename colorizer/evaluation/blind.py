"""A blind test for people: a page of real and colored photos that counts who is fooled."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from tqdm import tqdm

from colorizer.data.photos import Photo
from colorizer.errors import ColorizerError
from colorizer.evaluation.contenders import BASELINES, Contender
from colorizer.evaluation.measure import colored
from colorizer.evaluation.report.pictures import embedded
from colorizer.support.files import write_whole

__all__ = ["write_blind"]

_LONGEST = 640  # pixels of a side: two are looked at beside each other, and one file holds all


def write_blind(
    path: Path,
    photos: Sequence[Photo],
    contenders: Sequence[Contender],
    protocol: str,
    names: Sequence[str],
    keep_gray: bool = False,
) -> list[str]:
    """Write the page: an HTML file that works offline and holds its pictures.

    Each photo is shown once, beside what one of the models made of it (or alone, as one of the
    two); the models take turns. Order and sides are drawn anew by the page each time it is opened.

    Args:
        path: the file.
        photos: to choose from; those that are unreadable, or not in color unless `keep_gray`, are
            left out.
        contenders: models, and the baselines, of which the original is shown.
        protocol: the size that is shown, at most 640 pixels a side.
        names: of the photos, for the answers.

    Returns:
        A sentence for each photo that was left out.

    Raises:
        ColorizerError: no photo can be shown, or the file cannot be written.
    """
    models = [contender for contender in contenders if contender.name not in BASELINES]
    order = np.random.default_rng(0).permutation(len(photos))
    trials: list[dict[str, Any]] = []
    notes = []
    for i in tqdm(order, unit="photo", disable=None):
        model = models[len(trials) % len(models)]
        pair = [contenders[0], model]
        try:
            (made,) = colored([photos[i]], pair, protocol, keep_gray)
        except ColorizerError as error:
            notes.append(f"left out: {names[i]}: {error}")
            continue
        trials.append(
            {
                "photo": names[i],
                "model": model.name,
                "real": _shown(made["original"]),
                "colored": _shown(made[model.name]),
            }
        )
    if not trials:
        raise ColorizerError(f"none of the {len(photos)} photos can be shown; {'; '.join(notes)}")
    environment = Environment(
        loader=PackageLoader("colorizer.evaluation", "."),
        autoescape=True,
        undefined=StrictUndefined,
    )
    page = environment.get_template("blind.html").render(trials=trials)
    try:
        write_whole(path, page)
    except OSError as error:
        raise ColorizerError(f"{path} cannot be written: {error.strerror}") from error
    return notes


def _shown(picture: np.ndarray) -> str:
    """Real and colored are coded alike."""
    return embedded(picture, _LONGEST, "webp", 92)
