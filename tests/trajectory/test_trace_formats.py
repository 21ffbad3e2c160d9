"""Published ways of writing traces: round trips within a pixel, and bad text told with its place."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import LineString

from workbench.core.errors import InvalidInput, UnknownName, WorkbenchError
from workbench.core.sketches import Stroke, StrokeKind, Verb
from workbench.core.types import Trace
from workbench.trajectory.compare import discrete_frechet, resampled
from workbench.trajectory.trace_arrows import stroke_of_trace, trace_of_stroke
from workbench.trajectory.trace_formats import TRACE_FORMATS, Frame, TraceTextError, read_trace_file, read_trace_text, write_trace_text
from workbench.trajectory.trace_pictures import draw_overlay, draw_past, draw_rt_trajectory, jet, read_rt_trajectory

FRAME = Frame("front", 256, 256)
pixel = st.tuples(st.floats(0, 256), st.floats(0, 256))
quick = settings(max_examples=40, deadline=None)


def trace_of(points, gripper=None):
    return Trace("front", 256, 256, tuple(points), gripper=gripper)


@quick
@given(st.lists(pixel, min_size=1, max_size=5))
def test_molmoact_comes_back_within_a_pixel(points):
    back = read_trace_text("The trace is " + write_trace_text(trace_of(points), "molmoact"), "molmoact", FRAME)
    assert np.abs(np.array(back.points) - points).max() <= 1.0 and back.source == "model"


@quick
@given(st.lists(st.tuples(pixel, st.booleans()), min_size=1, max_size=30), st.booleans())
def test_hamster_comes_back_within_a_pixel_with_its_gripper_events(rows, has_gripper):
    gripper = tuple(float(is_open) for _, is_open in rows) if has_gripper else None
    back = read_trace_text(write_trace_text(trace_of([p for p, _ in rows], gripper), "hamster"), "hamster", FRAME)
    assert np.abs(np.array(back.points) - [p for p, _ in rows]).max() <= 1.0 and back.gripper == gripper


def test_a_longer_path_becomes_five_points_from_its_start_to_its_end():
    back = read_trace_text(write_trace_text(trace_of(np.linspace([10, 10], [200, 60], 40)), "molmoact"), "molmoact", FRAME)
    assert np.abs(np.array(back.points) - np.linspace([10, 10], [200, 60], 5)).max() <= 1.0


def test_hamster_as_published_is_read():
    text = "Sure. <ans>[(0.25, 0.32), (0.32, 0.17), <action>Close Gripper</action>, (0.13, .24),\n <action> open gripper </action>, (1, 1.0)]</ans>"
    found = read_trace_text(text, "hamster", Frame("front", 100, 200))
    assert found.points == ((25.0, 64.0), (32.0, 34.0), (13.0, 48.0), (100.0, 200.0))
    assert found.gripper == (1.0, 0.0, 1.0, 1.0)


@pytest.mark.parametrize(
    ("name", "text", "span"),
    [
        ("molmoact", "[[12, 300]]", "300"),
        ("molmoact", "[[12, 3.5]]", "3.5"),
        ("molmoact", "[[12, __import__('os')]]", "__import__"),
        ("molmoact", "[[1,1],[2,2],[3,3],[4,4],[5,5],[6,6]]", "[6,6]"),
        ("molmoact", "[[1,1],[2,2]", ""),
        ("molmoact", "go left", "go left"),
        ("hamster", "<ans>[(0.2, 1.2)]</ans>", "1.2"),
        ("hamster", "<ans>[(0.2, 0.2), quit()]</ans>", "quit"),
        ("hamster", "<ans>[(0.2, 0.2), <action>Drop</action>]</ans>", "<action>Drop</action>"),
        ("hamster", "<ans>[(0.2, nan)]</ans>", "nan"),
        ("hamster", "<ans>[(0.2, 0.2)] or so</ans>", "or"),
        ("hamster", "<ans>[(0.2, 0.2)", ""),
        ("hamster", "[(0.2, 0.2)]", "[(0.2, 0.2)]"),
    ],
)
def test_what_is_wrong_in_a_models_text_is_told_with_its_place(name, text, span):
    with pytest.raises(TraceTextError) as caught:
        read_trace_text(text, name, FRAME)
    assert caught.value.span == span == text[caught.value.start : caught.value.stop]
    assert f"at letter {caught.value.start + 1}" in str(caught.value)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(TRACE_FORMATS)), st.text(alphabet="[]()<>,.0123456789eE+- ansactioOpenClGrp/\n", max_size=60))
def test_no_text_does_anything_but_give_a_trace_or_a_clear_error(name, text):
    wrapped = f"<ans>{text}</ans>" if name == "hamster" else f"[[{text}"
    try:
        found = read_trace_text(wrapped, name, FRAME)
    except TraceTextError as error:
        assert 0 <= error.start <= error.stop <= len(wrapped)
        return
    assert found.points and all(0 <= u <= 256 and 0 <= v <= 256 for u, v in found.points)


def test_unknown_formats_and_empty_traces_are_refused():
    with pytest.raises(UnknownName, match="hamster, molmoact"):
        read_trace_text("", "svg", FRAME)
    with pytest.raises(InvalidInput):
        write_trace_text(trace_of([]), "hamster")


@pytest.mark.parametrize("data", [b"\xff\xfe", b"{", b"[" * 5000, b"{" + b'"a":[' * 4000, b"x" * 500_000])
def test_a_file_that_is_none_of_ours_is_refused(data):
    with pytest.raises(WorkbenchError):
        read_trace_file(data, FRAME, lambda document: trace_of([(0, 0)]))


# --- Pictures ------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(6))
def test_an_rt_trajectory_picture_comes_back_within_a_pixel(seed):
    rng = np.random.default_rng(seed)
    points = np.stack([np.linspace(20, 236, 7), rng.uniform(20, 236, 7)], axis=1)  # it never crosses itself
    heights = rng.uniform(0.02, 0.38, 7)
    trace = trace_of(points, (1.0, 1.0, 0.0, 0.0, 0.0, 1.0, 1.0))
    back = read_rt_trajectory(draw_rt_trajectory(trace, heights), "front", has_heights=True)
    assert LineString(points).hausdorff_distance(LineString(back.trace.points)) <= 1.0
    assert discrete_frechet(resampled(points, 1.0), resampled(np.array(back.trace.points), 1.0)) < 6.0, "in the right order"
    u = np.array(back.trace.points)[:, 0]
    gaps_m = np.abs(back.heights_m - np.interp(u, points[:, 0], heights))
    assert np.median(gaps_m) < 0.006 and gaps_m.max() < 0.06
    opened = np.array(back.trace.gripper)
    assert u[int(np.argmin(opened))] == pytest.approx(points[2, 0], abs=4) and opened[0] == opened[-1] == 1.0


def test_time_grows_along_an_rt_trajectory_and_the_plain_kind_has_no_heights():
    image = draw_rt_trajectory(trace_of([(20.5, 100.5), (230.5, 100.5)]))
    row = image[100, 21:230, 0].astype(int)
    assert (np.diff(row) >= 0).all() and row[-1] > 250 and not image[..., 1:].any()
    assert read_rt_trajectory(image, "front", has_heights=False).heights_m is None


def test_a_picture_without_a_path_is_refused():
    with pytest.raises(InvalidInput):
        read_rt_trajectory(np.zeros((8, 8, 3), np.uint8), "front", has_heights=False)


def test_jet_is_blue_green_and_red_at_start_middle_and_end():
    assert jet(0.0) == (0, 0, 128) and jet(0.5) == (128, 255, 128) and jet(1.0) == (128, 0, 0)


def test_overlays_change_a_copy_of_the_picture_only_and_only_near_the_path():
    grey = np.full((128, 128, 3), 90, np.uint8)
    trace = trace_of([(40, 40), (200, 40)], (1.0, 0.0))
    for drawn in (draw_overlay(grey, trace, "molmoact"), draw_overlay(grey, trace, "hamster"), draw_past(grey, [[[20, 20]], [[100, 20]]])):
        changed = np.argwhere((drawn != 90).any(axis=2))
        assert len(changed) > 50 and changed[:, 0].max() <= 30 and (grey == 90).all()


# --- Arrows --------------------------------------------------------------------------------------------------------------------------


@quick
@given(st.lists(pixel, min_size=2, max_size=12))
def test_an_arrow_and_its_trace_are_the_same_points(points):
    arrow = stroke_of_trace(trace_of(points, (0.0,) * (len(points) - 1) + (1.0,)))
    back = trace_of_stroke(arrow, FRAME)
    assert arrow.verb is Verb.MOVE and back.gripper is not None and back.gripper[-1] == 1.0
    assert np.abs(np.array(back.points) - points).max() < 1e-9


def test_a_circle_is_no_trace():
    with pytest.raises(InvalidInput, match="circle"):
        trace_of_stroke(Stroke("s", StrokeKind.CIRCLE, ((0.5, 0.5), (0.6, 0.5))), FRAME)
