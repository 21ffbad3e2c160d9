import io
import json

import numpy as np
import pytest
from PIL import Image

from panels import sketch
from panels.state import UiState
from workbench.core.errors import InvalidInput, WorkbenchError
from workbench.core.sketches import STEP_COLOURS, Sketch, Stroke, StrokeKind, sketch_to_dict
from workbench.sketch.raster import draw_sketch


@pytest.fixture
def document():
    stroke = Stroke("s1", StrokeKind.ARROW, ((0.3, 0.7), (0.7, 0.5)), STEP_COLOURS[0])
    return sketch_to_dict(Sketch("d1", "front", 480, 480, (stroke,)))


@pytest.fixture
def ui(live):
    return UiState(tab_id=live.tab_id)


def test_a_saved_drawing_comes_back_as_it_was(app, live, ui, document):
    live.commit_sketch(document)
    path = sketch.on_save(app, ui)
    live.commit_sketch({**document, "strokes": []})
    sketch.on_import(app, path, ui)
    assert sketch_to_dict(live.sketch)["strokes"] == document["strokes"]


def test_a_picture_of_a_drawing_is_read(app, live, ui, tmp_path):
    stroke = Stroke("s1", StrokeKind.ARROW, ((0.25, 0.75), (0.75, 0.5)), STEP_COLOURS[0], width_px=5.0)
    grey = np.full((480, 480, 3), 120, np.uint8)
    path = tmp_path / "photo.png"
    Image.fromarray(draw_sketch(grey, Sketch("d1", "front", 480, 480, (stroke,)))).save(path)
    sketch.on_import(app, str(path), ui)
    (found,) = live.sketch.strokes
    assert found.kind is StrokeKind.ARROW
    assert np.abs(np.array([found.points[0], found.points[-1]]) - [[0.25, 0.75], [0.75, 0.5]]).max() < 0.03


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("x.json", b"not json"),
        ("x.json", b"[1, 2]"),
        ("x.json", b'{"version": 99}'),
        ("x.json", b"[" * 100_000),
        ("x.png", b"not a picture"),
        ("x.jpg", b""),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_in_words_and_the_drawing_stays(app, live, ui, tmp_path, name, data):
    before = live.sketch
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(WorkbenchError):
        sketch.on_import(app, str(path), ui)
    assert live.sketch is before


def test_a_picture_without_strokes_says_what_to_draw(app, ui, tmp_path):
    buffer = io.BytesIO()
    Image.new("RGB", (480, 480), (120, 120, 120)).save(buffer, "png")
    path = tmp_path / "empty.png"
    path.write_bytes(buffer.getvalue())
    with pytest.raises(InvalidInput, match="green first"):
        sketch.on_import(app, str(path), ui)


def test_a_finished_drawing_runs_by_itself_only_when_asked(app, live, ui, document, monkeypatch):
    live.commit_sketch(document)
    runs = []
    monkeypatch.setattr(live, "run_plan", lambda: runs.append(1))
    sketch.on_commit(app, False, ui)
    assert runs == []
    if live.plan is not None and not live.reading.error:
        sketch.on_commit(app, True, ui)
        assert runs == [1]
    live.commit_sketch({**document, "strokes": []})
    sketch.on_commit(app, True, ui)
    assert len(runs) <= 1


def test_the_saved_file_is_json_of_version_one(app, live, ui, document):
    live.commit_sketch(document)
    with open(sketch.on_save(app, ui)) as file:
        assert json.load(file)["version"] == 1


@pytest.mark.parametrize(("address", "model"), [("", "m"), ("ftp://x/v1", "m"), ("http://127.0.0.1:1/v1", ""), ("${1+1}", "m")])
def test_a_wrong_endpoint_is_refused_and_the_reader_stays(app, live, ui, address, model):
    before = live.reader
    with pytest.raises(InvalidInput):
        sketch.on_reader(app, sketch.ENDPOINT, address, model, ui)
    assert live.reader is before


def test_an_endpoint_that_does_not_answer_shows_its_error_with_the_drawing(app, live, ui, document):
    sketch.on_reader(app, sketch.ENDPOINT, "http://127.0.0.1:9/v1", "model", ui)
    live.commit_sketch(document)
    assert live.plan is None and "'model'" in live.reading.error
    sketch.on_reader(app, sketch.BUILT_IN, "", "", ui)
    assert live.plan is not None
