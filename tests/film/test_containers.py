"""What films hold beside their pictures, in the containers that people have."""

import json
import shutil
import subprocess
from fractions import Fraction

import numpy as np
import pytest

av = pytest.importorskip("av")
pytest.importorskip("cv2")

from colorizer.errors import ColorizerError, UsageError  # noqa: E402
from colorizer.film.colorize import colorize_film  # noqa: E402
from tests.film.films import packets_of, pan, read_film, write_film  # noqa: E402
from tests.model_folder import write_model_folder  # noqa: E402

MIRROR = [-65536, 0, 0, 0, 65536, 0, 160 << 16, 0, 1 << 30]


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    return write_model_folder(tmp_path_factory.mktemp("film") / "model", "distribution", size=64)


def kinds(path):
    with av.open(path) as container:
        return [stream.type for stream in container.streams]


def rates(path):
    with av.open(path) as container:
        return container.streams.video[0].average_rate, container.duration / av.time_base


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_chapters_of_mp4_stay_chapters(tmp_path, model, suffix):
    film = write_film(
        tmp_path / "in.mp4", pan(20), codec="libx264", sound=True, chapters=2, tags={"title": "T"}
    )
    assert kinds(film) == ["video", "audio", "data"]  # the last are the names of the chapters
    result = colorize_film(film, tmp_path / f"out{suffix}", model)
    assert not result.notes
    with av.open(result.path) as container:
        assert [c["metadata"]["title"] for c in container.chapters()] == ["Chapter 0", "Chapter 1"]


@pytest.mark.parametrize(
    ("suffix", "kept"), [(".mov", True), (".mp4", True), (".mkv", True), (".avi", False)]
)
def test_the_timecode_is_kept_or_told(tmp_path, model, suffix, kept):
    film = write_film(
        tmp_path / "in.mov", pan(5), codec="libx264", video_tags={"timecode": "01:00:00:00"}
    )
    assert kinds(film) == ["video", "data"]
    result = colorize_film(film, tmp_path / f"out{suffix}", model)
    with av.open(result.path) as container:
        tags = {k.lower(): v for k, v in container.streams.video[0].metadata.items()}
    assert (tags.get("timecode") == "01:00:00:00") is kept
    assert any("timecode" in note for note in result.notes) is not kept


@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
def test_pcm_without_a_layout_gets_the_usual_one(tmp_path, model, suffix):
    film = write_film(tmp_path / "in.avi", pan(5), codec="mjpeg", format="yuvj420p", sound=True,
                      audio="pcm_s16le")  # fmt: skip
    result = colorize_film(film, tmp_path / f"out{suffix}", model)
    with av.open(result.path) as container:
        assert container.streams.audio[0].layout.name == "stereo"
    sound = b"".join(data for data, _ in packets_of(film, "audio"))
    assert b"".join(data for data, _ in packets_of(result.path, "audio")) == sound


@pytest.mark.parametrize("suffix", [".vob", ".mpg", ".gif", ".xyz"])
def test_what_cannot_be_written_is_refused_before_the_work(tmp_path, model, suffix, monkeypatch):
    film = write_film(tmp_path / "in.mkv", pan(2))
    monkeypatch.setattr("colorizer.film.colorize._work", None)
    with pytest.raises(UsageError, match=r"the output the extension \.mkv"):
        colorize_film(film, tmp_path / f"out{suffix}", model)
    assert list(tmp_path.iterdir()) == [film]


@pytest.mark.parametrize("kind", ["audio", "video"])
def test_coding_that_nobody_knows_is_refused_before_the_work(tmp_path, model, kind):
    codec = "ffv1" if kind == "video" else "mpeg4"
    film = write_film(tmp_path / "in.avi", pan(4), codec=codec, sound=True, audio="libmp3lame")
    data = bytearray(film.read_bytes())
    if kind == "audio":
        place = data.index(b"strf", data.index(b"auds")) + 8
        data[place : place + 2] = b"\x99\x7f"
    film.write_bytes(bytes(data).replace(b"FFV1", b"QZX7"))
    words = {"audio": "leave it out by --drop audio", "video": "knows no decoder for its pictures"}
    with pytest.raises(ColorizerError, match=words[kind]):
        colorize_film(film, tmp_path / "out.mkv", model)
    assert not (tmp_path / "out.mkv").exists()


def test_what_is_not_wanted_is_dropped_and_what_is_refused_is_named(tmp_path, model):
    film = write_film(
        tmp_path / "in.mkv", pan(20), sound=True, subtitles=True, extras=True, codec="ffv1"
    )
    with pytest.raises(UsageError, match=r"subtitle stream 2 .*--drop subtitles"):
        colorize_film(film, tmp_path / "out.mp4", model)
    drop = ["subtitles", "attachments"]
    result = colorize_film(film, tmp_path / "out.mp4", model, drop=drop)
    assert not result.notes
    assert kinds(result.path) == ["video", "audio", "data"]
    result = colorize_film(film, tmp_path / "out.mkv", model, drop=["audio"])
    assert kinds(result.path) == ["video", "subtitle", "attachment"]
    with pytest.raises(UsageError, match="accepted are audio, subtitles"):
        colorize_film(film, tmp_path / "no.mkv", model, drop=["chapters"])


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".avi"])
def test_tags_of_any_name_are_kept_or_told(tmp_path, model, suffix):
    place = "com.apple.quicktime.location.ISO6709"
    tags = {"title": "Familie", place: "+48.0+011.0/", "Archive Number": "B-17"}
    film = write_film(
        tmp_path / "in.mov", pan(3), codec="libx264", tags=tags,
        container_options={"movflags": "use_metadata_tags"},
    )  # fmt: skip
    result = colorize_film(film, tmp_path / f"out{suffix}", model)
    with av.open(result.path) as container:
        found = {k.lower().replace("_", " "): v for k, v in container.metadata.items()}
    for key, value in tags.items():
        told = any(key in note for note in result.notes)
        assert (found.get(key.lower()) == value) is not told
        assert not (told and suffix != ".avi")


def test_tags_of_the_old_coding_go(tmp_path, model):
    stale = {"BPS": "1", "NUMBER_OF_BYTES-eng": "1", "_STATISTICS_TAGS": "BPS", "CAMERA": "Bolex"}
    film = write_film(tmp_path / "in.mkv", pan(3), video_tags=stale)
    result = colorize_film(film, tmp_path / "out.mkv", model)
    with av.open(result.path) as container:
        tags = container.streams.video[0].metadata
    assert not set(tags) & {"BPS", "NUMBER_OF_BYTES-eng", "NUMBER_OF_BYTES", "_STATISTICS_TAGS"}
    assert tags["CAMERA"] == "Bolex"
    assert not result.notes


def test_the_comment_tells_what_the_bytes_depend_on_and_nothing_else(tmp_path, model):
    film = write_film(tmp_path / "in.mkv", pan(6))
    plain = colorize_film(film, tmp_path / "a.mkv", model, threads=1, vividness=0.5)
    private = tmp_path / "private.json"
    (tmp_path / "b.mkv").write_bytes(b"old")
    other = colorize_film(
        film, tmp_path / "b.mkv", model, threads=2, vividness=0.5, overwrite=True, report=private
    )
    assert plain.path.read_bytes() == other.path.read_bytes()
    with av.open(other.path) as container:
        comment = container.metadata["COMMENT"]
    assert "size 64, vividness 0.5)" in comment
    assert "private" not in comment


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_a_mirrored_film_stays_mirrored(tmp_path, model, suffix):
    film = write_film(tmp_path / "in.mp4", pan(2), codec="libx264", display=MIRROR)
    out = colorize_film(film, tmp_path / f"out{suffix}", model).path
    with av.open(film) as a, av.open(out) as b:
        first, second = (
            np.frombuffer(bytes(next(c.decode(video=0)).side_data["DISPLAYMATRIX"]), "=i4")
            for c in (a, b)
        )
    assert np.array_equal(first[[0, 1, 3, 4]], second[[0, 1, 3, 4]])
    assert list(second[[0, 1, 3, 4]]) == [-65536, 0, 0, 65536]


def test_a_container_that_cannot_mirror_is_refused(tmp_path, model):
    film = write_film(tmp_path / "in.mp4", pan(2), codec="libx264", display=MIRROR)
    with pytest.raises(UsageError, match="turn or mirror"):
        colorize_film(film, tmp_path / "out.avi", model)


@pytest.mark.parametrize("codec", [None, "hevc", "vp9", "ffv1"])
@pytest.mark.parametrize("shape", [(91, 160), (90, 161), (91, 161)])
def test_odd_sizes(tmp_path, model, codec, shape):
    luma = pan(2, width=shape[1], height=shape[0])
    film = write_film(tmp_path / "in.mkv", luma, format="gray")
    result = colorize_film(film, tmp_path / "out.mkv", model, codec=codec)
    kept, _ = read_film(result.path)
    assert kept.shape == luma.shape
    assert np.abs(kept.astype(int) - luma).mean() < 3
    told = any("odd size" in note for note in result.notes)
    assert told is (codec in (None, "hevc"))


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_the_last_picture_stays_as_long_as_it_did(tmp_path, model, suffix):
    film = write_film(tmp_path / "in.mp4", pan(6), codec="libx264", options={"bf": "0"}, last=75,
                      time_base=Fraction(1, 25))  # fmt: skip
    assert rates(film)[1] == pytest.approx(3.2, abs=0.01)
    result = colorize_film(film, tmp_path / f"out{suffix}", model)
    assert rates(result.path)[1] == pytest.approx(3.2, abs=0.01)
    assert not result.notes


@pytest.mark.parametrize("suffix", [".mkv", ".webm", ".mp4"])
@pytest.mark.parametrize("source", [".mp4", ".ts", ".mkv"])
def test_the_rate_is_told_rightly(tmp_path, model, suffix, source):
    film = write_film(tmp_path / f"in{source}", pan(12), codec="mpeg2video", rate=25)
    out = colorize_film(film, tmp_path / f"out{suffix}", model).path
    assert rates(out)[0] == 25
    if suffix == ".mkv" and shutil.which("mkvmerge"):
        done = subprocess.run(["mkvmerge", "-J", out], capture_output=True, check=True)
        track = json.loads(done.stdout)["tracks"][0]
        assert track["properties"]["default_duration"] == 40_000_000


@pytest.mark.parametrize(
    ("rate", "fraction"),
    [
        (29.97, Fraction(30000, 1001)),
        ("23.976", Fraction(24000, 1001)),
        ("30000/1001", Fraction(30000, 1001)),
        (12.5, Fraction(25, 2)),
        (18, Fraction(18)),
    ],
)
def test_rates_are_fractions(tmp_path, model, rate, fraction):
    frames = tmp_path / "frames"
    frames.mkdir()
    for i, values in enumerate(pan(3)):
        av.VideoFrame.from_ndarray(values, "gray").save(frames / f"{i}.png")
    out = colorize_film(frames, tmp_path / "out.mkv", model, rate=rate).path
    assert rates(out)[0] == fraction


@pytest.mark.parametrize("rate", ["fast", 0, -1, "1/0", 1001, float("nan"), True])
def test_rates_that_are_none(tmp_path, model, rate):
    (tmp_path / "frames").mkdir()
    av.VideoFrame.from_ndarray(pan(1)[0], "gray").save(tmp_path / "frames" / "1.png")
    with pytest.raises(UsageError, match="rate is"):
        colorize_film(tmp_path / "frames", tmp_path / "out.mkv", model, rate=rate)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_capture_begins_where_it_begins(tmp_path, model, suffix):
    film = write_film(
        tmp_path / "in.ts", pan(20), codec="mpeg2video", sound=True, audio="mp2", start=36000
    )
    out = colorize_film(film, tmp_path / f"out{suffix}", model).path
    assert rates(out)[1] < 1
    sound, times = packets_of(film, "audio"), read_film(film)[1]
    apart = times[0] - sound[0][1]
    now = read_film(out)[1][0] - packets_of(out, "audio")[0][1]
    assert float(now) == pytest.approx(float(apart), abs=0.002)
    assert [data for data, _ in packets_of(out, "audio")] == [data for data, _ in sound]


@pytest.mark.parametrize("source", [".ts", ".vob"])
@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
def test_joined_captures_go_on(tmp_path, model, source, suffix):
    part = write_film(
        tmp_path / f"part{source}", pan(24), codec="mpeg2video", sound=True, audio="mp2"
    )
    film = tmp_path / f"in{source}"
    film.write_bytes(part.read_bytes() * 3)
    result = colorize_film(film, tmp_path / f"out{suffix}", model)
    times = np.array(read_film(result.path)[1], float)
    assert len(times) == result.frames
    assert 3 * 24 - 3 <= len(times) <= 3 * 24
    assert np.diff(times).min() > 0.035
    assert np.diff(times).max() < 0.15
    heard = np.array([float(t) for _, t in packets_of(result.path, "audio")])
    assert np.diff(heard).min() > 0
    assert np.diff(heard).max() < 0.15
    assert abs(heard[-1] - times[-1]) < 0.2
    assert any("begin anew at frame" in note for note in result.notes)


def test_a_film_that_becomes_interlaced_is_refused_from_there_on(tmp_path, model):
    first = write_film(tmp_path / "a.ts", pan(12), codec="mpeg2video")
    second = write_film(
        tmp_path / "b.ts", combed(12), codec="mpeg2video", start=1,
        options={"flags": "+ildct+ilme", "top": "1"},
    )  # fmt: skip
    film = tmp_path / "in.ts"
    film.write_bytes(first.read_bytes() + second.read_bytes())
    with pytest.raises(ColorizerError, match=r"from .* s on interlaced: add --deinterlace"):
        colorize_film(film, tmp_path / "out.mkv", model)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.ts", "b.ts", "in.ts"]
    colorize_film(film, tmp_path / "kept.mkv", model, progressive=True, codec="ffv1")
    colorize_film(film, tmp_path / "out.mkv", model, deinterlace=True, codec="ffv1")
    kept, made = read_film(tmp_path / "kept.mkv")[0], read_film(tmp_path / "out.mkv")[0]
    assert np.array_equal(kept[:10], made[:10])  # whole frames stay as they are
    assert combs(made[14:]) < 0.5 * combs(kept[14:])


def test_nothing_to_deinterlace_is_told(tmp_path, model):
    film = write_film(tmp_path / "in.mkv", pan(3))
    result = colorize_film(film, tmp_path / "out.mkv", model, deinterlace=True)
    assert any("no frame of" in note for note in result.notes)
    with pytest.raises(UsageError, match="exclude each other"):
        colorize_film(film, tmp_path / "no.mkv", model, deinterlace=True, progressive=True)


def combed(count):
    """Two fields of different times in each frame."""
    both = pan(8 * count)
    found = both[::8].copy()
    found[:, 1::2] = both[4::8, 1::2]
    return found


def combs(luma):
    """How unlike neighboring lines are, beside those two apart."""
    values = luma.astype(float)
    return np.abs(values[:, 1:-1] - (values[:, :-2] + values[:, 2:]) / 2).mean()


def test_frames_of_other_sizes_are_refused(tmp_path, model):
    frames = tmp_path / "frames"
    frames.mkdir()
    for i, values in enumerate(pan(3)):
        av.VideoFrame.from_ndarray(values, "gray").save(frames / f"{i}.png")
    av.VideoFrame.from_ndarray(pan(1, width=100)[0], "gray").save(frames / "9.png")
    with pytest.raises(ColorizerError, match=r"9\.png has .* the first frame"):
        colorize_film(frames, tmp_path / "out.mkv", model)
    assert list(tmp_path.iterdir()) == [frames]


@pytest.mark.parametrize(
    ("change", "words"),
    [({"transfer": 16}, "HDR"), ({"full": True}, "coded in another way"), ({}, None)],
)
def test_a_film_that_changes_is_refused_from_there_on(tmp_path, model, change, words):
    parts = [
        write_film(tmp_path / "a.ts", pan(12), codec="libx264"),
        write_film(tmp_path / "b.ts", pan(12), codec="libx264", start=1, **change),
    ]
    film = tmp_path / "in.ts"
    film.write_bytes(b"".join(part.read_bytes() for part in parts))
    if words is None:
        assert colorize_film(film, tmp_path / "out.mkv", model).frames == 24
        return
    with pytest.raises(ColorizerError, match=rf"is from .* s on .*{words}"):
        colorize_film(film, tmp_path / "out.mkv", model)


def test_frames_come_in_the_order_of_their_numbers(tmp_path, model):
    frames = tmp_path / "frames"
    frames.mkdir()
    for i in range(1, 13):
        values = np.full((48, 64), 18 * i, np.uint8)
        av.VideoFrame.from_ndarray(values, "gray").save(frames / f"frame_{i}.png")
    out = colorize_film(frames, tmp_path / "out.mkv", model, codec="ffv1").path
    assert read_film(out)[0].mean((1, 2)).tolist() == [18 * i for i in range(1, 13)]


def test_a_cover_is_kept_or_told(tmp_path, model):
    film = tmp_path / "in.mp4"
    picture = tmp_path / "cover.png"
    av.VideoFrame.from_ndarray(pan(1)[0], "gray").save(picture)
    plain = write_film(tmp_path / "plain.mp4", pan(5), codec="libx264")
    with av.open(plain) as held, av.open(picture) as shown, av.open(film, "w") as container:
        streams = [container.add_stream_from_template(s, opaque=True)
                   for s in (held.streams[0], shown.streams[0])]  # fmt: skip
        streams[1].disposition = 1 << 10
        for source, stream in zip((held, shown), streams, strict=True):
            for packet in source.demux():
                if packet.size:
                    packet.stream = stream
                    container.mux(packet)
    (tmp_path / "plain.mp4").unlink()
    for suffix in (".mp4", ".mkv"):
        result = colorize_film(film, tmp_path / f"out{suffix}", model)
        assert not result.notes
        with av.open(result.path) as container:
            cover = container.streams[1]
            assert int(cover.disposition) == 1 << 10
            data = bytes(next(p for p in container.demux(cover) if p.size))
        assert data == picture.read_bytes()


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "gif", "webp", "avif"])
def test_a_single_picture_is_no_film(tmp_path, model, suffix):
    Image = pytest.importorskip("PIL.Image")
    pictures = [Image.fromarray(values) for values in pan(3)]
    still = tmp_path / f"photo.{suffix}"
    try:
        pictures[0].save(still)
    except (KeyError, ValueError):
        pytest.skip(f"Pillow here writes no {suffix}")
    with pytest.raises(
        UsageError, match=rf"is a single picture, no film: colorizer colorize .*{suffix}"
    ):
        colorize_film(still, tmp_path / "out.mp4", model)
    assert [path.name for path in tmp_path.iterdir()] == [still.name]
    if suffix == "gif":
        pictures[0].save(still, save_all=True, append_images=pictures[1:], duration=40)
        assert colorize_film(still, tmp_path / "out.mp4", model).frames == 3
