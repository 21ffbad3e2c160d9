"""The tab of masks: what it reads from files, what it refuses, and what it says without a segmenter."""

import json
import zipfile
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from panels import segmentation_media as media
from panels.render.masks import object_to_dict
from tests.segmentation.pictures import RED, scene
from workbench.core.errors import InvalidInput, TooLarge
from workbench.core.masks import INCLUDE, Candidate, MaskPrompt
from workbench.segmentation.classical import ClassicalSegmenter
from workbench.segmentation.media import MediaMasks
from workbench.segmentation.objects import MaskedObject, Moment


def test_a_picture_is_read_and_a_huge_or_broken_one_is_refused_in_words(tmp_path):
    good, huge, broken, other = (tmp_path / name for name in ("good.png", "huge.png", "broken.png", "notes.txt"))
    Image.fromarray(np.zeros((1000, 2000, 3), np.uint8)).save(good)
    assert media.read_media(good)[0].shape == (640, 1280, 3)
    Image.new("1", (12_000, 12_000)).save(huge)
    with pytest.raises(TooLarge, match=r"40 megapixels, found 12000 x 12000\. Make it smaller"):
        media.read_media(huge)
    broken.write_bytes(b"\x89PNG not really")
    with pytest.raises(InvalidInput, match="Save it again as PNG"):
        media.read_media(broken)
    with pytest.raises(InvalidInput, match="a picture"):
        media.read_media(other)


def test_a_video_is_read_and_a_broken_or_long_one_is_refused_in_words(tmp_path, monkeypatch):
    clip, broken = tmp_path / "clip.mp4", tmp_path / "broken.mp4"
    with av.open(str(clip), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height = 96, 64
        for value in range(6):
            frame = av.VideoFrame.from_ndarray(np.full((64, 96, 3), 40 * value, np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    frames = media.read_media(clip)
    assert len(frames) == 6 and frames[0].shape == (64, 96, 3)
    broken.write_bytes(clip.read_bytes()[:200])
    with pytest.raises(InvalidInput, match="Save it again as MP4"):
        media.read_media(broken)
    monkeypatch.setattr(media, "MAX_FRAMES", 4)
    with pytest.raises(TooLarge, match="at most 4 frames"):
        media.read_media(clip)


def test_an_upload_is_clicked_and_saved_as_coco_and_png(app, live, ui):
    picture = scene((30, 30, 14, RED), has_truth=False).pixels
    live.masks.media = MediaMasks([picture], ClassicalSegmenter(), name="mine")
    live.masks.media.click(0, (30, 30), INCLUDE)
    document = json.loads(Path(media.on_coco(app, ui)).read_text())
    assert document["images"][0]["file_name"] == "mine-00000.png" and document["annotations"][0]["area"] > 500
    with zipfile.ZipFile(media.on_png(app, ui)) as archive:
        with archive.open("mine-00000.png") as file:
            assert set(np.unique(np.asarray(Image.open(file)))) == {0, 1}
        assert json.loads(archive.read("objects.json")) == {"1": "object 1"}
    live.masks.media = None
    with pytest.raises(InvalidInput, match="Open one first"):
        media.on_coco(app, ui)


def test_without_a_segmenter_the_page_says_so_and_shows_an_empty_list(live):
    message = live.masks.message()
    assert message["objects"] == [] and message["segmenters"] == [] and live.masks.key() == ()
    with pytest.raises(InvalidInput, match="a segmenter"):
        live.command("mask_point", {"camera": "front", "points": [[0.5, 0.5, 1]]})
    with pytest.raises(InvalidInput, match="neither"):
        live.command("mask_point", {"camera": "front"})
    with pytest.raises(InvalidInput, match="mask_point"):
        live.command("mask_point", {"camera": "front", "points": [[1.5, 0.5, 1]]})


def test_points_and_choices_are_shown_only_on_the_frame_they_were_made_on():
    mask = np.eye(8, dtype=bool)
    found = MaskedObject(
        "a", "cube", 1, "front", "oracle", mask, 0.9,
        prompt=MaskPrompt(((128.0, 64.0),), (INCLUDE,)), asked_at=Moment("e", 4), candidates=(Candidate(mask, 0.9), Candidate(~mask, 0.4)),
    )  # fmt: skip
    fresh, later = object_to_dict(found, Moment("e", 4), True), object_to_dict(found, Moment("e", 5), True)
    assert fresh["points"] == [[0.5, 0.25, 1]] and len(fresh["candidates"]) == 2 and fresh["is_privileged"]
    assert later["points"] == [] and later["candidates"] == [] and sum(later["runs"]) == 64
