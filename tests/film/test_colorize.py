"""Films go through whole: luma, times, sound and the rest, checked by FFmpeg's own reading."""

import json
import shutil
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

av = pytest.importorskip("av")
pytest.importorskip("cv2")

from colorizer.cli import main  # noqa: E402
from colorizer.errors import ColorizerError, UsageError  # noqa: E402
from colorizer.film.codecs import CODECS  # noqa: E402
from colorizer.film.colorize import colorize_film  # noqa: E402
from colorizer.film.painter import Painter  # noqa: E402
from colorizer.film.source import frames, open_film  # noqa: E402
from colorizer.inference.network import working_size  # noqa: E402
from colorizer.inference.predict import Seen  # noqa: E402
from tests.film.films import packets_of, pan, read_film, write_film  # noqa: E402
from tests.model_folder import write_model_folder  # noqa: E402


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    return write_model_folder(tmp_path_factory.mktemp("film") / "model", "distribution", size=64)


def has_color(path):
    with av.open(path) as container:
        frame = next(container.decode(video=0))
    return np.ptp(frame.to_ndarray(format="rgb24").astype(int), axis=2).mean() > 4


@pytest.mark.parametrize(
    ("format", "bits", "full"),
    [
        ("yuv420p", 8, False),
        ("yuv422p10le", 10, False),
        ("yuv444p", 8, True),
        ("gray", 8, True),
        ("gray12le", 12, False),
    ],
)
def test_luma_is_kept_to_the_bit(tmp_path, model, format, bits, full):
    luma = pan(3).astype(np.uint16 if bits > 8 else np.uint8) << (bits - 8)
    film = write_film(tmp_path / "in.mkv", luma, format=format, full=full)
    colorize_film(film, tmp_path / "out.mkv", model, codec="ffv1")
    kept, times = read_film(tmp_path / "out.mkv", bits)
    assert np.array_equal(kept, luma)
    assert times == read_film(film, bits)[1]
    assert has_color(tmp_path / "out.mkv")
    with av.open(tmp_path / "out.mkv") as container:
        frame = next(container.decode(video=0))
        assert frame.color_range == (2 if full else 1)
        assert frame.colorspace == 6  # named, by the size


@pytest.mark.parametrize(
    ("source", "destination"),
    [(".mkv", ".mkv"), (".mp4", ".mp4"), (".mp4", ".mkv"), (".mkv", ".mov")],
)
def test_sound_subtitles_and_tags_pass_unchanged(tmp_path, model, source, destination):
    mkv = source == destination == ".mkv"
    codec = "ffv1" if source == ".mkv" else "libx264"
    film = write_film(
        tmp_path / f"in{source}", pan(30), codec=codec, sound=True, subtitles=mkv, extras=mkv
    )
    out = tmp_path / f"out{destination}"
    result = colorize_film(film, out, model)
    assert not result.damage
    audio = packets_of(film, "audio")
    kept = packets_of(out, "audio")
    assert [data for data, _ in kept] == [data for data, _ in audio]
    apart = [float(a - b) for (_, a), (_, b) in zip(kept, audio, strict=True)]
    assert np.abs(np.array(apart) - apart[0]).max() < 0.0011  # a tick of Matroska
    _, times = read_film(out)
    shift = [float(a - b) for a, b in zip(times, read_film(film)[1], strict=True)]
    assert np.abs(np.array(shift) - apart[0]).max() < 0.0021  # in step with the sound
    if not mkv:
        return
    assert packets_of(out, "subtitles") == packets_of(film, "subtitles")
    with av.open(out) as a, av.open(film) as b:
        assert a.chapters() == b.chapters()
        assert len(a.chapters()) == 2
        tags = {key.lower(): value for key, value in a.metadata.items()}
        assert tags["title"] == "A test"
        assert "tiny_distribution (weights sha256" in tags["comment"]
        held = [s for s in a.streams if s.type == "attachment"]
        assert [(s.data, s.metadata["filename"]) for s in held] == [(b"attached", "note.txt")]
        assert a.streams.subtitles[0].language == "fre"


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
def test_a_variable_frame_rate_is_kept(tmp_path, model, suffix):
    pts = [0, 40, 80, 200, 230, 1000, 1017]
    film = write_film(
        tmp_path / "in.mkv", pan(7), pts=pts, time_base=Fraction(1, 1000), codec="ffv1"
    )
    colorize_film(film, tmp_path / f"out{suffix}", model)
    assert read_film(tmp_path / f"out{suffix}")[1] == [Fraction(t, 1000) for t in pts]
    with pytest.raises(UsageError, match=r"\.mkv"):
        colorize_film(film, tmp_path / "out.avi", model)
    assert not (tmp_path / "out.avi").exists()


@pytest.mark.parametrize("codec", [*CODECS, None])
def test_every_codec(tmp_path, model, codec):
    film = write_film(tmp_path / "in.mkv", pan(9))
    out = tmp_path / ("out.mkv" if codec else "out.webm")
    colorize_film(film, out, model, codec=codec)
    luma, times = read_film(out)
    assert times == read_film(film)[1]
    assert np.abs(luma.astype(int) - pan(9)).mean() < 2
    assert has_color(out)
    with av.open(out) as container:
        assert container.streams.video[0].codec_context.name == (codec or "vp9")


def test_interlaced_films_are_deinterlaced_on_demand(tmp_path, model):
    options = {"flags": "+ildct", "top": "1"}
    film = write_film(tmp_path / "in.mkv", pan(6), codec="mpeg2video", options=options)
    colorize_film(film, tmp_path / "out.mkv", model, deinterlace=True)
    assert read_film(tmp_path / "out.mkv")[1] == read_film(film)[1]


def test_avi_tells_when_frames_are_decoded_and_they_are_shown_in_order(tmp_path, model):
    film = write_film(tmp_path / "in.avi", pan(14), codec="libx264", options={"bf": "3"})
    with av.open(film) as container:
        told = [frame.pts for frame in container.decode(video=0)]
    assert told != sorted(told)
    colorize_film(film, tmp_path / "out.mkv", model)
    times = read_film(tmp_path / "out.mkv")[1]
    assert np.diff(np.array(times, float)) == pytest.approx([0.04] * 13, abs=0.0011)


def test_rotation_and_pixel_aspect_are_kept_and_seen(tmp_path, model):
    luma = pan(3)
    plain = write_film(tmp_path / "plain.mp4", luma, codec="libx264")
    turned = write_film(
        tmp_path / "in.mp4", luma, codec="libx264", rotation=90, aspect=Fraction(4, 3)
    )
    colorize_film(plain, tmp_path / "plain-out.mp4", model)
    colorize_film(turned, tmp_path / "out.mp4", model)
    with av.open(turned) as a, av.open(tmp_path / "out.mp4") as b:
        assert b.streams.video[0].sample_aspect_ratio == Fraction(4, 3)
        assert next(a.decode(video=0)).rotation == next(b.decode(video=0)).rotation != 0


def test_colors_of_its_own_are_told(tmp_path, model):
    film = write_film(tmp_path / "in.mkv", pan(2))
    first = colorize_film(film, tmp_path / "out.mkv", model)
    assert not first.notes
    second = colorize_film(tmp_path / "out.mkv", tmp_path / "again.mkv", model)
    assert "colors of its own" in second.notes[0]


def test_frames_in_and_out(tmp_path, model):
    folder = tmp_path / "frames [1]*"
    folder.mkdir()
    for i, values in enumerate(pan(4)):
        av.VideoFrame.from_ndarray(values, "gray").save(folder / f"scan{i:02d}.png")
    (folder / "notes.txt").write_text("no frame")
    colorize_film(folder, tmp_path / "out.mkv", model, rate=12.5, codec="ffv1")
    kept, times = read_film(tmp_path / "out.mkv")
    assert np.array_equal(kept, pan(4))
    assert times == [Fraction(i * 2, 25) for i in range(4)]
    colorize_film(folder, tmp_path / "colored", model)
    assert sorted(p.name for p in (tmp_path / "colored").iterdir()) == [
        f"scan{i:02d}.png" for i in range(4)
    ]
    with av.open(tmp_path / "colored" / "scan00.png") as container:
        rgb = next(container.decode(video=0)).to_ndarray(format="rgb24").astype(int)
    assert np.ptp(rgb, axis=2).mean() > 4
    assert np.abs(rgb @ [0.299, 0.587, 0.114] - pan(4)[0]).max() < 1.01


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"transfer": 16}, "HDR"),
        ({"transfer": 18}, "HDR"),
        ({"matrix": 9}, "BT.2020"),
        ({"options": {"flags": "+ildct", "top": "1"}, "codec": "mpeg2video"}, "interlaced"),
    ],
)
def test_what_is_not_colored_rightly_is_refused(tmp_path, model, change, words):
    film = write_film(tmp_path / "in.mkv", pan(3), **{"codec": "libx264"} | change)
    with pytest.raises(ColorizerError, match=words):
        colorize_film(film, tmp_path / "out.mkv", model)
    assert list(tmp_path.iterdir()) == [film]


def test_bad_requests_are_refused_before_any_work(tmp_path, model):
    film = write_film(tmp_path / "in.mkv", pan(2), sound=True)
    (tmp_path / "taken.mkv").write_bytes(b"mine")
    (tmp_path / "text.mkv").write_text("no film")
    silent = tmp_path / "sound.mka"
    with av.open(film) as held, av.open(silent, "w", format="matroska") as container:
        stream = container.add_stream_from_template(held.streams.audio[0])
        for packet in held.demux(audio=0):
            if packet.size:
                packet.stream = stream
                container.mux(packet)
    before = sorted(tmp_path.iterdir())
    for source, out, words, options in (
        (film, "in.mkv", "the film itself", {}),
        (film, "taken.mkv", "--overwrite", {}),
        (film, "out.xyz", "xyz", {}),
        (film, "out.webm", ".mkv", {}),
        (film, "out.mkv", "unknown codec", {"codec": "h263"}),
        (film, "out.mkv", "crf", {"codec": "ffv1", "crf": 3}),
        (film, "no/out.mkv", "no folder", {}),
        (film, "out.mkv", "--rate", {"rate": 3.0}),
        (tmp_path / "none.mkv", "out.mkv", "no such film", {}),
        (tmp_path / "text.mkv", "out.mkv", "cannot be read", {}),
        (silent, "out.mkv", "no video", {}),
        (tmp_path, "out.mkv", "holds no pictures", {}),
    ):
        with pytest.raises(ColorizerError, match=words):
            colorize_film(source, tmp_path / out, model, **options)
    assert sorted(tmp_path.iterdir()) == before
    assert (tmp_path / "taken.mkv").read_bytes() == b"mine"


def test_damage_in_the_middle_is_told_and_the_rest_is_colored(tmp_path, model):
    film = write_film(
        tmp_path / "in.mkv", pan(30), codec="ffv1", options={"slicecrc": "1", "level": "3"}
    )
    data = bytearray(film.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 300] = bytes(300)
    film.write_bytes(data)
    result = colorize_film(film, tmp_path / "out.mkv", model)
    assert result.damage
    assert 20 <= result.frames <= 30
    assert len(read_film(tmp_path / "out.mkv")[1]) == result.frames


def test_shots_are_found_and_reported(tmp_path, model):
    luma = np.concatenate([pan(8), 255 - pan(8, seed=1), pan(8, seed=2) // 4])
    film = write_film(tmp_path / "in.mkv", luma)
    report = tmp_path / "report.json"
    colorize_film(film, tmp_path / "out.mkv", model, report=report)
    told = json.loads(report.read_text())
    places = [(shot["frame"], shot["time"]) for shot in told["shots"]]
    assert places == [(0, 0.0), (8, 0.32), (16, 0.64)]
    assert told["steadiness"]["chroma"] > 1
    assert told["seconds"]["coloring"] > 0


def test_a_preview_shows_both_sides(tmp_path, model):
    film = write_film(tmp_path / "in.mkv", pan(24))
    result = colorize_film(film, tmp_path / "out.mp4", model, preview=True, crf=1)
    with av.open(tmp_path / "out.mp4") as container:
        found = list(container.decode(video=0))
    assert len(found) == result.frames == 24
    rgb = found[0].to_ndarray(format="rgb24").astype(int)
    assert rgb.shape == (90, 320, 3)
    spread = np.ptp(rgb, axis=2)
    assert spread[:, :156].mean() < 2 < 4 < spread[:, 164:].mean()


def test_the_command_line(tmp_path, model, capsys):
    film = write_film(tmp_path / "in.mkv", pan(4))
    out = tmp_path / "out.mkv"
    command = ["video", str(film), str(out), "--model", str(model)]
    assert main([*command, "--vividness", "0.8", "--codec", "ffv1"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == str(out)
    assert main(command) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert main([*command, "--overwrite", "--steady", "2"]) == 2
    assert "steady is" in capsys.readouterr().err


def test_coloring_films_needs_no_torch():
    code = "import sys, colorizer.film; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.skipif(
    subprocess.run(["which", "ffprobe"], capture_output=True).returncode != 0,
    reason="ffprobe is not installed",
)
@pytest.mark.parametrize("suffix", [".mkv", ".mp4", ".avi", ".mov", ".ts"])
def test_ffprobe_agrees(tmp_path, model, suffix):
    film = write_film(
        tmp_path / f"in{suffix}", pan(12), codec="libx264", options={"bf": "0"}, sound=True
    )
    out = tmp_path / f"out{suffix}"
    colorize_film(film, out, model)

    def probe(path: Path) -> dict:
        command = ["ffprobe", "-v", "error", "-count_frames", "-show_streams", "-of", "json", path]
        done = subprocess.run(command, capture_output=True, check=True, text=True)
        assert not done.stderr
        return json.loads(done.stdout)

    was, now = probe(film)["streams"], probe(out)["streams"]
    same = ("codec_name", "codec_type", "width", "height", "nb_read_frames", "r_frame_rate")
    for a, b in zip(was, now, strict=True):
        assert [a.get(key) for key in same] == [b.get(key) for key in same]


def test_hevc_in_mp4_has_the_tag_that_all_players_know(tmp_path, model):
    film = write_film(tmp_path / "in.mkv", pan(3))
    colorize_film(film, tmp_path / "out.mp4", model, codec="hevc")
    with av.open(tmp_path / "out.mp4") as container:
        assert container.streams.video[0].codec_context.codec_tag == "hvc1"


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")
@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_the_network_sees_what_a_player_shows(tmp_path, rotation):
    film = open_film(write_film(tmp_path / "in.mp4", pan(1), codec="libx264", rotation=rotation))
    shown = tmp_path / "shown.png"
    subprocess.run(["ffmpeg", "-v", "error", "-i", film.path, shown], check=True)
    with av.open(shown) as container:
        player = next(container.decode(video=0)).to_ndarray(format="gray").astype(float)
    seen = []

    class Watcher:
        size = 90

        @staticmethod
        def look_size(sides):
            return working_size(sides.width, sides.height, 90)

        @staticmethod
        def see(small, sides, **_):
            seen.append(small)
            return Seen(small, *(np.zeros((*small.shape, 2), np.float32) for _ in "ab"))

        @staticmethod
        def steer(seen, hints):
            return seen.slope, seen.offset

    painter = Painter(film, Watcher())
    (frame,) = frames(film)
    painter.answer(painter.lightness(frame)[1])
    assert np.corrcoef(seen[0].ravel(), player.ravel())[0, 1] > 0.97
