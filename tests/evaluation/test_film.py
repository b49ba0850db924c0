"""Films are evaluated in order, each frame alone beside what is carried."""

import json

import numpy as np
import pytest

av = pytest.importorskip("av")
cv2 = pytest.importorskip("cv2")

from skimage import data  # noqa: E402

from colorizer.cli import main  # noqa: E402
from colorizer.errors import ColorizerError, UsageError  # noqa: E402
from colorizer.evaluation import evaluate  # noqa: E402
from tests.model_folder import write_model_folder  # noqa: E402


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_model_folder(tmp_path_factory.mktemp("film") / "tiny", "distribution", size=64)


def pan(count):
    still = cv2.resize(data.astronaut(), (320, 320), interpolation=cv2.INTER_AREA)
    rng = np.random.default_rng(0)
    for i in range(count):
        noise = rng.normal(0, 5, (90, 160, 1))
        yield np.rint(still[40:130, 60 + i : 220 + i] + noise).clip(0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    path = tmp_path_factory.mktemp("films") / "in.mkv"
    with av.open(path, "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": "10"})
        stream.width, stream.height, stream.pix_fmt = 160, 90, "yuv420p"
        for rgb in pan(8):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(rgb, "rgb24")))
        container.mux(stream.encode())
    return path


def test_a_film_in_color(tmp_path, model, film):
    result = evaluate([str(model)], str(film), tmp_path / "report")
    found = {name: {k: v["mean"] for k, v in of.items()} for name, of in result["models"].items()}
    assert list(found) == ["original", "gray", "tiny, each frame alone", "tiny"]
    assert result["pictures"] == 8
    assert found["gray"]["warp_error"] == found["gray"]["color_consistency"] == 0
    assert 0 < found["original"]["color_consistency"] < 0.05  # the floor
    assert found["original"]["psnr"] > 60
    assert found["tiny"]["warp_error"] < 0.8 * found["tiny, each frame alone"]["warp_error"]
    assert found["gray"]["colorfulness"] < found["tiny"]["colorfulness"]
    told = json.loads((tmp_path / "report" / "report.json").read_text())
    assert told["models"] == json.loads(json.dumps(result["models"]))


def test_a_folder_is_a_film_when_film_metrics_are_named(tmp_path, model, capsys):
    for i, rgb in enumerate(pan(3)):
        av.VideoFrame.from_ndarray(rgb, "rgb24").save(tmp_path / f"{i}.png")
    command = ["evaluate", "--model", str(model), "--data", str(tmp_path)]
    assert main([*command, "--metrics", "[warp_error, psnr]", "--limit", "2"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("2 pictures, film")
    assert "Warp error (Lab)" in printed
    with pytest.raises(UsageError, match="fid"):
        evaluate([str(model)], str(tmp_path), metrics=["warp_error", "fid"])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"protocol": "nonsense"}, "protocol 'nonsense'"),
        ({"device": "cuda"}, "device 'cuda'"),
        ({"alexnet": "nowhere.pth"}, "--alexnet is of a metric that is not measured"),
        ({"metrics": ["psnr"], "vgg16": "nowhere.pth"}, "--vgg16"),
    ],
)
def test_options_of_photos_are_refused(model, film, options, words):
    with pytest.raises(UsageError, match=words):
        evaluate([str(model)], str(film), **options)


def test_the_weights_of_a_metric_are_taken(model, film):
    with pytest.raises(ColorizerError, match=r"nowhere\.pth"):
        evaluate([str(model)], str(film), metrics=["lpips"], alexnet="nowhere.pth")
