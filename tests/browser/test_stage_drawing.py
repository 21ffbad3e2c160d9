"""What a person draws on the stage, with mouse and keys, and what the server makes of it."""

import time

import pytest

from tests.browser.stage_driver import StageDriver


def near(point, wanted, tolerance=0.012):
    return abs(point[0] - wanted[0]) < tolerance and abs(point[1] - wanted[1]) < tolerance


def test_drawing_undo_and_redo(stage):
    stage.drag((0.3, 0.7), (0.5, 0.6), (0.65, 0.55))
    (arrow,) = stage.commits(1)
    assert arrow.kind == "arrow" and near(arrow.points[0], (0.3, 0.7)) and near(arrow.points[-1], (0.65, 0.55))
    assert stage.session.plan is not None and stage.session.plan.steps[0].stroke_ids == (arrow.id,)

    stage.key("d")
    stage.drag((0.25, 0.8), (0.3, 0.8))
    _, circle = stage.commits(2)
    assert circle.kind == "circle" and near(circle.points[0], (0.25, 0.8)) and circle.colour != arrow.colour, "the next step's colour"

    stage.key("Control+z")
    assert stage.strokes(1) == (arrow,)
    stage.key("Control+z")
    assert stage.strokes(0) == ()
    stage.key("Control+Shift+z")
    stage.key("Control+y")
    assert [s.id for s in stage.strokes(2)] == [arrow.id, circle.id]


def test_a_path_is_clicked_point_by_point_and_ended_by_enter(stage):
    stage.key("w")
    for point in ((0.3, 0.7), (0.4, 0.6), (0.55, 0.65), (0.6, 0.5)):
        stage.click(*point)
    stage.key("Enter")
    (path,) = stage.commits(1)
    assert path.kind == "arrow" and len(path.points) == 4 and near(path.points[2], (0.55, 0.65))
    assert stage.session.controller.status().mode == "paused", "Enter ended the path; it did not run it"


def test_escape_cancels_a_path_and_does_not_halt(stage):
    stage.key("w")
    stage.click(0.3, 0.7)
    stage.key("Escape")
    time.sleep(0.6)
    assert stage.session.controller.status().mode == "paused" and not stage.session.sketch.strokes


def test_a_pen_stroke_is_read_as_an_arrow_or_left_as_drawn(stage):
    wave = [(0.25 + 0.05 * i, 0.6 + 0.004 * (i % 2)) for i in range(9)]
    stage.key("p")
    stage.drag(*wave)
    (stroke,) = stage.commits(1)
    assert stroke.kind == "arrow" and len(stroke.raw) > 2
    stage.key("k")
    stage.drag(*[(u, v + 0.15) for u, v in wave])
    assert stage.commits(2)[1].kind == "freehand"


def test_strokes_are_selected_reshaped_recoloured_nudged_and_deleted(stage):
    stage.drag((0.3, 0.7), (0.6, 0.7))
    stage.commits(1)
    stage.key("v")
    stage.click(0.45, 0.7)
    stage.drag((0.6, 0.7), (0.6, 0.5))
    (stroke,) = stage.commits(2)
    assert near(stroke.points[-1], (0.6, 0.5)) and near(stroke.points[0], (0.3, 0.7)), "one handle moved"
    stage.key("3")
    assert stage.commits(3)[0].colour == (255, 106, 138)
    stage.key("Shift+ArrowRight")
    (nudged,) = stage.commits(4)
    assert nudged.points[0][0] - stroke.points[0][0] == pytest.approx(10 / 480)
    stage.key("Delete")
    assert stage.commits(5) == ()


def test_sweeping_the_eraser_removes_what_it_touches(stage):
    stage.drag((0.3, 0.6), (0.6, 0.6))
    stage.commits(1)
    stage.drag((0.3, 0.8), (0.6, 0.8))
    stage.commits(2)
    stage.key("e")
    stage.drag((0.45, 0.5), (0.45, 0.55), (0.45, 0.6), (0.45, 0.65))
    (left,) = stage.commits(3)
    assert near(left.points[0], (0.3, 0.8))


def test_zoomed_strokes_land_where_the_pointer_is(stage):
    stage.mouse.move(*stage.at(0.5, 0.5))
    stage.mouse.wheel(0, -600)
    time.sleep(0.2)
    stage.drag((0.4, 0.5), (0.6, 0.5))
    (stroke,) = stage.commits(1)
    length = stroke.points[-1][0] - stroke.points[0][0]
    assert 0.02 < length < 0.12, "0.2 of the zoomed picture is less of the frame"
    assert near(((stroke.points[0][0] + stroke.points[-1][0]) / 2, 0.5), (0.5, 0.5)), "zoom keeps the place under the pointer"


def test_an_arrow_about_a_circle_belongs_to_its_step(stage):
    stage.key("d")
    stage.drag((0.5, 0.7), (0.56, 0.7))
    stage.commits(1)
    stage.key("w")
    for point in ((0.58, 0.7), (0.56, 0.77), (0.5, 0.79)):
        stage.click(*point)
    stage.key("Enter")
    circle, arrow = stage.commits(2)
    assert arrow.colour == circle.colour


def test_a_touch_draws(open_page, workbench):
    page = open_page(has_touch=True)
    stage = StageDriver(page, workbench)
    x, y = stage.at(0.3, 0.7)
    x2, y2 = stage.at(0.6, 0.6)
    page.evaluate(
        """([x, y, x2, y2]) => {
          const surface = document.querySelector('#stage .surface');
          const send = (type, px, py) => surface.dispatchEvent(new PointerEvent(type, { pointerId: 7, pointerType: 'touch', isPrimary: true,
            button: type === 'pointermove' ? -1 : 0, buttons: 1, clientX: px, clientY: py, bubbles: true, cancelable: true }));
          surface.setPointerCapture = () => {};
          send('pointerdown', x, y); send('pointermove', (x + x2) / 2, (y + y2) / 2); send('pointermove', x2, y2); send('pointerup', x2, y2);
        }""",
        [x, y, x2, y2],
    )
    (stroke,) = stage.commits(1)
    assert stroke.kind == "arrow" and near(stroke.points[-1], (0.6, 0.6))
