"""The rooms of the house: imports run one way, and the light side knows nothing of torch."""

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "colorizer"

LAYERS = [
    {"errors", "version"},
    {"extras"},
    {"support"},
    {"registry", "color", "parser"},
    {"pictures"},
    {"options"},
    {"config"},
    {"model_folder", "backbones"},
    {"inference", "models", "losses", "metrics", "data"},
    {"places", "preparation", "export"},
    {"film"},
    {"page"},
    {"site"},
    {"portable"},
    {"weights"},
    {"parts"},
    {"training", "evaluation"},
    {"cli"},
    {"historic", "__init__"},
]
"""Each knows the rooms above it in this list only, and not its neighbors."""

LIGHT = {
    *("errors", "version", "extras", "support", "registry", "options", "config", "pictures"),
    *("model_folder", "parser", "inference", "film", "page", "places", "preparation", "site"),
    *("cli", "historic", "__init__"),
}
HEAVY = {"torch", "torchvision", "torchmetrics", "lightning", "timm", "onnx", "matplotlib"}


def files(room: str) -> list[Path]:
    return sorted((ROOT / room).rglob("*.py")) or [ROOT / f"{room}.py"]


def imported(nodes: Iterator[ast.AST]) -> set[str]:
    names = set()
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:  # a module of that package, or a name that it has
                full = f"{node.module}.{alias.name}"
                place = ROOT.parent / full.replace(".", "/")
                module = place.is_dir() or place.with_suffix(".py").is_file()
                names.add(full if module else node.module)
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return names


def test_every_room_has_its_place() -> None:
    rooms = {path.stem for path in ROOT.iterdir() if path.suffix == ".py" or any(path.glob("*.py"))}
    assert rooms <= set().union(*LAYERS)


@pytest.mark.parametrize("room", sorted(set().union(*LAYERS)))
def test_imports_run_one_way(room: str) -> None:
    own = next(i for i, layer in enumerate(LAYERS) if room in layer)
    allowed = set().union(*LAYERS[:own], {room})
    for path in filter(Path.exists, files(room)):
        modules = imported(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
        known = {
            # What is imported from the root itself is of the root.
            name.partition(".")[2].partition(".")[0] or "__init__"
            for name in modules
            if name.partition(".")[0] == "colorizer"
        }
        assert known <= allowed, f"{path} imports {', '.join(sorted(known - allowed))}"


@pytest.mark.parametrize("room", sorted(LIGHT))
def test_the_light_side_stands_without_torch(room: str) -> None:
    for path in filter(Path.exists, files(room)):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        packages = {name.split(".")[0] for name in imported(iter(tree.body))}
        assert packages.isdisjoint(HEAVY), f"{path} imports {', '.join(packages & HEAVY)}"


def test_no_two_modules_know_each_other() -> None:
    """No circle, be it by an import within a function: types alone may be named both ways."""
    known: dict[str, set[str]] = {}
    for path in ROOT.rglob("*.py"):
        name = ".".join(path.relative_to(ROOT.parent).with_suffix("").parts)
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):  # what is imported for types alone is known to no one
            if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING":
                node.body = []
        known[name.removesuffix(".__init__")] = imported(ast.walk(tree)) - {"colorizer"}
    for name, others in known.items():
        for other in others & known.keys():
            assert name not in known[other], f"{name} and {other} import each other"


def test_no_two_modules_have_one_name() -> None:
    paired = {"pixel", "perceptual"}  # a loss and a metric of each
    names = Counter(path.stem for path in ROOT.rglob("*.py") if not path.stem.startswith("__"))
    assert [name for name, times in names.items() if times > 1 and name not in paired] == []


def test_no_two_classes_have_one_name() -> None:
    names = Counter(
        node.name
        for path in ROOT.rglob("*.py")
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ClassDef)
    )
    assert [name for name, times in names.items() if times > 1] == []
