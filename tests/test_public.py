"""The public surface: names, light imports, and the two entries."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import colorizer
from colorizer.cli import main
from colorizer.historic import historic
from tests.drawn import landscape
from tests.model_folder import write_model_folder

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model_folder(tmp_path_factory.mktemp("model") / "tiny", "distribution")


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    Image.fromarray(landscape(0, 60, 80)).convert("L").save(path)
    return path


def python(code: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True
    )
    return done.stdout


def test_every_public_name_exists() -> None:
    for name in colorizer.__all__:
        assert getattr(colorizer, name) is not None
    assert dir(colorizer) == sorted(colorizer.__all__)
    with pytest.raises(AttributeError, match=r"colourize"):
        _ = colorizer.colourize


def test_coloring_leaves_torch_alone(photo: Path, model: Path) -> None:
    code = """if True:
        import sys
        import colorizer, colorizer.cli
        assert colorizer.cli.main(["colorize", sys.argv[1], "--model", sys.argv[2]]) == 0
        print(*sorted(sys.modules), sep="\\n")
    """
    loaded = python(code, str(photo), str(model)).splitlines()
    heavy = {"torch", "timm", "lightning", "torchmetrics", "matplotlib", "onnx"}
    assert heavy.isdisjoint(loaded)
    assert "onnxruntime" in loaded


def test_importing_loads_next_to_nothing() -> None:
    loaded = python("import sys, colorizer; print(*sys.modules, sep='\\n')").splitlines()
    assert {"numpy", "onnxruntime", "pyvips", "PIL"}.isdisjoint(loaded)


def test_a_missing_extra_is_one_sentence_with_the_command() -> None:
    code = """if True:
        import sys
        sys.modules["torch"] = None
        from colorizer.cli import main
        sys.exit(0 if main(["list", "models"]) == 1 else "wrong status")
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install -e '.[train]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_all_entries_give_the_same_pixels(photo: Path, model: Path, tmp_path: Path) -> None:
    assert main(["colorize", str(photo), "--model", str(model), "-o", str(tmp_path / "1.png")]) == 0
    config = tmp_path / "config.py"
    config.write_text(
        "from colorizer.config import Settings\nsettings = Settings()\n"
        f"settings.inference.model = {str(model)!r}\nsettings.inference.output = 'out/2.png'\n"
    )
    assert historic(config, ["--mode=inference", f"--image_path={photo}"]) == 0
    colorizer.colorize_file(photo, tmp_path / "3.png", model)
    array = colorizer.Colorizer(model).colorize(photo)
    for path in ("1.png", "out/2.png", "3.png"):
        np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / path)), array)


def test_the_checkout_has_working_settings() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "colorize.py", "--mode=train"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "data.train" in done.stderr
    assert "Traceback" not in done.stderr


def bad_inputs() -> list[tuple[list[str], int, str]]:
    return [
        (["colorize", "missing.jpg"], 1, "missing.jpg"),
        (["colorize", "text.jpg"], 1, "text.jpg"),
        (["colorize", "empty.png"], 1, "empty.png"),
        (["colorize", "cut.jpg"], 1, "cut.jpg"),
        (["colorize", "good.png", "-o", "out.xyz"], 2, "xyz"),
        (["colorize", "good.png", "-o", "text.jpg/out.png"], 1, "text.jpg"),
        (["colorize", "good.png", "--model", "colornet"], 2, "colornet"),
        (["colorize", "good.png", "--vividness", "3"], 2, "0 to 2"),
        (["train"], 2, "data.train"),
        (["train", "--data.trian", "x"], 2, "trian"),
        (["train", "--trainer.epochs", "x"], 2, "epochs"),
        (["train", "--optimizer.name", "adammw"], 2, "'adamw'"),
        (["train", "--data.train", "missing"], 1, "missing"),
        (["train", "--data.train", "nothing"], 1, "no photos"),
        (["train", "--data.train", "text.jpg"], 1, "one photo"),
        (["train", "--data.train", "bad"], 1, "can be used"),
        (["train", "--data.train", "bad", "--model.name", "colornt18"], 2, "'colornet18'"),
        (["train", "--data.train", "bad", "--loss.hubber", "1"], 2, "'huber'"),
        (["train", "--data.train", "bad", "--metrics", "[psnrr]"], 2, "'psnr'"),
        (["train", "--resume", "nothing"], 2, "settings.yaml"),
        (["export", "missing.pth", "out"], 1, "missing.pth"),
        (["export", "text.jpg", "out"], 1, "text.jpg"),
        (["average", "colornet18", "-o", "out"], 2, "two model folders"),
        (["average", "colornet18", "colornet_lite_cross", "-o", "out"], 2, "another model"),
        (["average", "colornet18", "nothing", "-o", "out"], 2, "no model folder"),
        (["list", "modles"], 2, "models"),
        (["list", "models", "*resnet*"], 2, "no model's name matches '*resnet*'; known: cic"),
        ([], 2, "colorize"),
    ]


@pytest.mark.parametrize(("arguments", "status", "message"), bad_inputs())
def test_bad_input_gets_a_sentence_and_its_status(
    arguments: list[str],
    status: int,
    message: str,
    tmp_path: Path,
    model: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("text.jpg").write_text("this is no picture")
    Path("empty.png").touch()
    Image.fromarray(landscape(0, 200, 200)).save("whole.jpg")
    Path("cut.jpg").write_bytes(Path("whole.jpg").read_bytes()[:2000])
    Image.fromarray(landscape(0, 40, 40)).save("good.png")
    Path("nothing").mkdir()
    Path("bad").mkdir()
    for name in ("1.jpg", "2.jpg"):
        Path("bad", name).write_text("no picture either")
    if arguments[:1] == ["colorize"] and "--model" not in arguments:
        arguments = [*arguments, "--model", str(model)]
    if arguments[:1] == ["train"] and "--model.name" not in arguments:
        arguments = [*arguments, "--model.pretrained", "false"]
    before = sorted(Path().rglob("*"))
    try:
        found = main(arguments)
    except SystemExit as stop:
        found = stop.code
    said = capsys.readouterr()
    assert found == status, said.err
    assert message in said.err
    assert "Traceback" not in said.err
    assert sorted(Path().rglob("*")) == before


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["--mode=inference"], 2, "image_path"),
        (["--mode=inference", "--image_path=nowhere.jpg"], 1, "nowhere.jpg"),
        (["--mode=inference", "--image_path=."], 1, "folder"),
        (["--mode=train", "--image_path=x.jpg"], 2, "--mode=inference"),
        (["--mode=infer", "--image_path=x.jpg"], 2, "inference"),
        (["--mode=inference", "--image_path=x.jpg", "--state_dict_path=no.pth"], 1, "no.pth"),
    ],
)
def test_the_historic_entry_refuses_bad_input(
    arguments: list[str],
    status: int,
    message: str,
    tmp_path: Path,
    model: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    config = tmp_path / "config.py"
    config.write_text(
        "from colorizer.config import Settings\nsettings = Settings()\n"
        f"settings.inference.model = {str(model)!r}\nsettings.inference.output = 'out.png'\n"
    )
    try:
        found = historic(config, arguments)
    except SystemExit as stop:
        found = stop.code
    said = capsys.readouterr()
    assert found == status, said.err
    assert message in said.err
    assert not (tmp_path / "out.png").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("settings = 3", "settings = Settings()"),
        ("settings = (", "SyntaxError"),
        (
            "from colorizer.config import Settings\nsettings = Settings()\n"
            "settings.trainer.epoch = 3",
            "'epochs'",
        ),
    ],
)
def test_a_broken_config_is_named(
    text: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "config.py"
    config.write_text(text)
    assert historic(config, ["--mode=train"]) == 2
    error = capsys.readouterr().err
    assert "config.py" in error
    assert message in error


def test_no_command_installs_a_strangers_package():
    """On PyPI `colorizer` is another's, so that nothing may tell a user to install it."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    texts = [
        ROOT / name
        for name in listed.stdout.split()
        if name.endswith((".md", ".py", ".toml", ".yml", ".txt"))
    ]
    assert texts or not (ROOT / ".git").exists()
    for path in texts:
        told = re.findall(r"(?:pip|uv|pipx) [^\n`]*", path.read_text(encoding="utf-8"))
        wrong = [each for each in told if re.search(r"(?<![\w./-])colorizer(\[|'|\"|\s|$)", each)]
        assert not [each for each in wrong if "install" in each], path
