"""Names, nearest names, and options checked against signatures."""

from typing import Literal

import pytest

from colorizer.errors import ColorizerError, UnknownNameError, UsageError
from colorizer.registry import Registry


class Thing:
    """A thing.

    Args:
        size: how large.
        kind: which.
        weights: by name.
    """

    def __init__(
        self,
        size: float = 1.0,
        kind: Literal["x", "y"] = "x",
        weights: dict[str, float] | None = None,
    ) -> None:
        self.size, self.kind, self.weights = size, kind, weights


@pytest.fixture
def registry():
    registry = Registry("thing")
    registry.register("thing")(Thing)
    registry.register("another")(lambda: "made")
    return registry


def test_is_a_sorted_mapping(registry):
    assert list(registry) == ["another", "thing"]
    assert len(registry) == 2
    assert "thing" in registry
    assert registry["thing"] is Thing


def test_register_gives_the_class_back_and_takes_a_name_once(registry):
    assert registry.register("second")(Thing) is Thing
    assert registry.register("thing")(Thing) is Thing  # as a notebook's cell does, run twice
    with pytest.raises(UsageError, match=r"'thing' is registered already, by .*Thing: choose"):
        registry.register("thing")(dict)


def test_create_passes_options(registry):
    thing = registry.create("thing", size=2, kind="y", weights={"a": 0.5})
    assert (thing.size, thing.kind, thing.weights) == (2.0, "y", {"a": 0.5})
    assert registry.create("thing").kind == "x"
    assert registry.create("another") == "made"


def test_unknown_name_offers_the_nearest(registry):
    with pytest.raises(UnknownNameError, match=r"unknown thing 'thingy'; did you mean 'thing'\?"):
        registry.create("thingy")
    with pytest.raises(UnknownNameError, match="known: another, thing"):
        registry["zzz"]
    assert issubclass(UnknownNameError, UsageError)
    assert issubclass(UsageError, ColorizerError)


@pytest.mark.parametrize(
    "options", [{"sise": 1}, {"size": "large"}, {"kind": "z"}, {"weights": {"a": "b"}}]
)
def test_wrong_options_are_named_with_what_is_accepted(registry, options):
    with pytest.raises(UsageError, match=r"thing 'thing': .*takes size, kind, weights") as caught:
        registry.create("thing", **options)
    assert next(iter(options)) in str(caught.value)


def test_a_former_name_is_taken_with_a_warning_and_not_listed(registry):
    @registry.register("banana", formerly=("plantain",))
    class Banana: ...

    with pytest.warns(FutureWarning, match="'plantain' is called 'banana' now"):
        assert registry["plantain"] is Banana
    assert "plantain" not in registry.names()
