"""Options as data: one field gives the flag, the keyword, the check and the note."""

import dataclasses

import numpy as np
import pytest
from jsonargparse import ArgumentParser
from PIL import Image

from colorizer import options
from colorizer.cli import main
from colorizer.errors import UsageError
from colorizer.inference.colorizer import Colorizer
from colorizer.support.fields import Options, option
from tests.model_folder import write_model_folder


@dataclasses.dataclass(frozen=True)
class WithContrast(options.ColorizeOptions):
    """A new option, and nothing else."""

    contrast: float = option(1.0, "factor on the contrast of chroma", low=0, high=2)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_model_folder(tmp_path_factory.mktemp("models") / "tiny")


def test_a_new_option_takes_one_field(model, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("colorizer.cli.coloring.ColorizeOptions", WithContrast)
    monkeypatch.setattr("colorizer.inference.steered.ColorizeOptions", WithContrast)
    photo, out = tmp_path / "photo.png", tmp_path / "out.jpg"
    Image.fromarray(np.full((40, 50), 90, np.uint8)).save(photo)
    command = ["colorize", str(photo), "--model", str(model), "-o", str(out)]
    assert main([*command, "--contrast", "1.5"]) == 0
    assert b", contrast 1.5" in out.read_bytes()
    assert main([*command, "--contrast", "3"]) == 2
    assert "contrast is 3.0; accepted are numbers from 0 to 2" in capsys.readouterr().err
    assert main(command) == 0
    assert b"contrast" not in out.read_bytes()
    colorizer = Colorizer(model, contrast=0.5)
    assert colorizer.with_options(vividness=2).options.contrast == 0.5
    with pytest.raises(UsageError, match="did you mean 'contrast'"):
        colorizer.with_options(contrasst=1)


@pytest.mark.parametrize("name", [n for n in options.__all__ if n.endswith("Options")])
def test_no_flag_and_a_flag_at_its_default_are_the_defaults(name):
    cls = getattr(options, name)
    parser = ArgumentParser(exit_on_error=False)
    cls.add_flags(parser)
    assert cls.of_flags(parser.parse_args([])) == cls()
    for field in dataclasses.fields(cls):
        flag = f"--{field.name.replace('_', '-')}"
        if field.default not in (None, False) and field.metadata["about"].flag:
            many = isinstance(field.default, tuple)
            args = parser.parse_args([flag, str(list(field.default) if many else field.default)])
            assert cls.of_flags(args) == cls()
        assert f"    {field.name}: {field.metadata['about'].help}." in cls.__doc__


@dataclasses.dataclass(frozen=True)
class Every(Options):
    """One of each kind."""

    count: int = option(3, "how many", low=1, high=9, unit="pieces")
    rate: float | None = option(None, "how fast", above=0, high=10)
    ends: int = option(0, "where", low=0)
    kind: str = option("a", "which", choices=("a", "b", "c"))
    whether: bool = option(False, "if at all")
    names: list[str] | None = option(None, "who")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"count": 0}, r"count is 0; accepted are whole numbers from 1 to 9 \(pieces\)"),
        ({"count": 2.0}, r"count is 2\.0; accepted are whole"),
        ({"count": True}, "count is True"),
        ({"count": None}, "count is None"),
        ({"rate": 0}, "rate is 0; accepted are numbers above 0, up to 10"),
        ({"rate": float("nan")}, "rate is nan"),
        ({"rate": "fast"}, "rate is 'fast'"),
        ({"ends": -1}, "accepted are whole numbers from 0 on"),
        ({"kind": "d"}, "kind is 'd'; accepted are a, b and c"),
        ({"whether": 1}, "whether is 1; accepted are True and False"),
        ({"cuont": 1}, "no option 'cuont'; did you mean 'count'"),
        ({"zzz": 1}, "known: count, rate"),
    ],
)
def test_what_is_wrong_is_said_with_what_is_accepted(values, message):
    with pytest.raises(UsageError, match=message):
        Every.of(values)


def test_flags_are_read_as_what_the_fields_are():
    parser = ArgumentParser(exit_on_error=False)
    Every.add_flags(parser)
    line = ["--count", "4", "--rate", "1e-1", "--kind", "b", "--whether", "--names"]
    found = Every.of_flags(parser.parse_args([*line, "[x, y]"]))
    assert found == Every(4, 0.1, 0, "b", True, ["x", "y"])
    assert found.noted() == ["count 4", "rate 0.1", "kind b", "whether True", "names ['x', 'y']"]
    assert Every.of_flags(parser.parse_args(["--names", "x"])).names == ["x"]
    with pytest.raises(UsageError, match="count is 'many'; accepted are whole numbers from 1 to 9"):
        Every.of_flags(parser.parse_args(["--count", "many"]))


def test_a_numpy_number_is_a_number():
    assert Every(count=np.int64(4), rate=np.float32(0.5)).count == 4
