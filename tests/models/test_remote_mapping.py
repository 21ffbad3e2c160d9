import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from models.remote_mapping import (
    STATE_PARTS,
    RemoteMapping,
    euler_from_quat,
    prepare_image,
    quat_from_euler,
    read_statistics,
    resize_with_pad,
    scale,
    unscale,
)
from models.remote_schedule import Schedule
from models.remote_settings import ActionLayout, ImageSource, Normalisation, RemoteSettings, read_settings, settings_from
from tests.models.test_remote import observation_at
from workbench.core.errors import InvalidInput, InvalidShape, UnknownName
from workbench.core.geometry import quat_from_rotvec, quat_multiply
from workbench.core.types import PROPRIO, Observation, Prompt

FINITE = st.floats(-10, 10)


def observation_with(**parts):
    observation = observation_at(0)
    for name, value in parts.items():
        observation.proprio[PROPRIO[name]] = value
    return observation


def mapping(**changes):
    return RemoteMapping(RemoteSettings("ws://x", is_ours=False, **changes))


# Pictures


@given(st.integers(1, 80), st.integers(1, 80), st.integers(1, 64), st.integers(1, 64))
@settings(max_examples=60, deadline=None)
def test_resizing_keeps_the_aspect_and_pads_with_black(rows, columns, width, height):
    resized = resize_with_pad(np.full((rows, columns, 3), 255, np.uint8), width, height)
    assert resized.shape == (height, width, 3) and resized.dtype == np.uint8
    filled = np.argwhere(resized.any(axis=2))
    tall, wide = filled.max(axis=0) - filled.min(axis=0) + 1
    ratio = max(columns / width, rows / height)
    assert abs(tall - max(1, rows / ratio)) <= 1 and abs(wide - max(1, columns / ratio)) <= 1
    assert abs(int(filled[:, 0].min()) - (height - 1 - int(filled[:, 0].max()))) <= 1  # centred


def test_a_picture_is_turned_and_its_axes_ordered_as_asked_and_always_copied():
    image = np.arange(27, dtype=np.uint8).reshape(3, 3, 3)
    plain = prepare_image(image, ImageSource("front", 3, 3))
    assert np.array_equal(plain, image) and not np.shares_memory(plain, image)
    turned = prepare_image(image, ImageSource("front", 3, 3, is_rotated=True, is_channels_first=True))
    assert turned.shape == (3, 3, 3) and np.array_equal(turned[:, 0, 0], image[2, 2])


def test_one_picture_a_camera_is_rendered_at_the_largest_size_that_is_wanted():
    images = {"a": ImageSource("front", 64, 64), "b": ImageSource("front", 224, 224), "c": ImageSource("wrist", 32, 32)}
    assert {(c.name, c.width, c.height) for c in mapping(images=images).cameras} == {("front", 224, 224), ("wrist", 32, 32)}


# State


def test_every_part_of_the_state_is_finite_numbers():
    for name, part in STATE_PARTS.items():
        value = np.atleast_1d(part(observation_at(0)))
        assert value.ndim == 1 and np.isfinite(value).all(), name


def test_the_axis_angle_of_a_gripper_that_points_down_does_not_jump():
    down, values = np.array([0.0, 1, 0, 0]), []
    for tilt in np.linspace(-0.2, 0.2, 9):
        turned = quat_multiply(quat_from_rotvec([tilt, 0.5 * tilt, tilt]), down)
        values += [STATE_PARTS["ee_axis_angle"](observation_with(ee_quaternion=sign * turned)) for sign in (1, -1)]
    assert np.abs(np.diff(np.array(values), axis=0)).max() < 0.2
    assert all(v[0] > 2.5 for v in values)


def test_the_state_is_put_together_in_order_with_the_offset_of_the_base():
    request = mapping(state={"s": ("gripper_closedness", "ee_position")}, ee_offset=(1.0, 0, 0)).request(observation_at(0), Prompt())
    np.testing.assert_allclose(request["s"], [0.75, 1.4, 0.1, 0.2], atol=1e-6)
    with pytest.raises(UnknownName, match="ee_position"):
        mapping(state={"s": ("ee_positon",)})


# Actions


def test_delta_poses_are_scaled_and_the_gripper_mapped():
    layout = ActionLayout(position_scale=0.05, rotation_scale=0.5, gripper_open=-1.0, gripper_closed=1.0)
    rows = np.array([[1, 0, 0, 0, 0, 1, -1], [0, 0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0, 9]], np.float32)
    actions = mapping(action=layout).actions(rows, observation_at(0))
    np.testing.assert_allclose(actions, [[0.05, 0, 0, 0, 0, 0.5, 1], [0, 0, 0, 0, 0, 0, 0.5], [0] * 7], atol=1e-6)


@pytest.mark.parametrize("rotation", ["rotvec", "euler_xyz", "quaternion_wxyz", "quaternion_xyzw", "none"])
def test_absolute_poses_are_reached_by_the_steps(rotation):
    observation = observation_at(0)
    goal = quat_multiply(quat_from_rotvec([0.1, -0.2, 0.3]), observation.part("ee_quaternion"))
    part = {
        "rotvec": STATE_PARTS["ee_axis_angle"],
        "euler_xyz": STATE_PARTS["ee_euler_xyz"],
        "quaternion_wxyz": STATE_PARTS["ee_quaternion_wxyz"],
    }
    part |= {"quaternion_xyzw": STATE_PARTS["ee_quaternion_xyzw"], "none": lambda o: []}
    numbers = list(part[rotation](observation_with(ee_quaternion=goal)))
    rows = np.array([[0.5, 0.1, 0.2, *numbers, 1.0], [0.5, 0.3, 0.2, *numbers, 1.0]], np.float32)
    actions = mapping(action=ActionLayout("absolute", rotation)).actions(rows, observation)
    np.testing.assert_allclose(actions[:, :3], [[0.1, 0, 0], [0, 0.2, 0]], atol=1e-5)
    reached = quat_multiply(quat_from_rotvec(actions[0, 3:6]), observation.part("ee_quaternion"))
    wanted = observation.part("ee_quaternion") if rotation == "none" else goal
    assert abs(abs(float(np.dot(reached, wanted))) - 1) < 1e-5
    np.testing.assert_allclose(actions[1, 3:6], 0, atol=1e-3)


def test_more_numbers_than_the_layout_has_are_left_out_and_fewer_refused():
    rows = mapping().rows({"actions": np.ones((1, 4, 32))})
    assert rows.shape == (4, 7)
    with pytest.raises(InvalidShape):
        mapping().rows({"actions": np.ones((4, 6))})


@given(npst.arrays(float, 3, elements=st.floats(-1.4, 1.4)))
def test_euler_angles_come_back(angles):
    np.testing.assert_allclose(euler_from_quat(quat_from_euler(angles)), angles, atol=1e-6)


# Normalisation


@pytest.mark.parametrize("kind", ["mean_std", "quantile", "min_max"])
@given(values=npst.arrays(float, (3, 4), elements=FINITE))
def test_what_is_scaled_is_scaled_back(kind, values):
    names = {"mean_std": ("mean", "std"), "quantile": ("q01", "q99"), "min_max": ("min", "max")}[kind]
    statistics = dict(zip(names, (np.full(4, -0.5), np.full(4, 1.5)), strict=True))
    np.testing.assert_allclose(unscale(scale(values, statistics, kind), statistics, kind), values, atol=1e-9)


def test_statistics_of_openpi_and_of_lerobot_are_read(tmp_path):
    numbers = {"mean": [1.0, 2.0], "std": [0.5, 0.5], "q01": [0, 0], "q99": [1, 1]}
    for name, document in {
        "a": {"norm_stats": {"state": numbers, "actions": numbers}},
        "b": {"observation.state": numbers, "action": numbers},
    }.items():
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps(document))
        found = read_statistics(Normalisation(str(path), "mean_std", "quantile"))
        assert found["state"]["mean"].tolist() == [1.0, 2.0] and found["actions"]["q99"].tolist() == [1.0, 1.0]


def test_statistics_scale_the_state_and_unscale_the_actions(tmp_path):
    path = tmp_path / "stats.json"
    path.write_text(json.dumps({"state": {"mean": [0.4, 0, 0], "std": [2, 1, 1]}, "actions": {"q01": [0.0] * 7, "q99": [2.0] * 7}}))
    mapped = mapping(state={"s": ("ee_position",)}, normalisation=Normalisation(str(path), "mean_std", "quantile"))
    np.testing.assert_allclose(mapped.request(observation_at(0), Prompt())["s"], [0, 0.1, 0.2], atol=1e-5)
    np.testing.assert_allclose(mapped.rows({"actions": np.zeros((2, 32))}), np.ones((2, 7)), atol=1e-5)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"state": {"mean": [1]}}', '{"state": {"mean": ["a"], "std": [1]}}', '{"state": {"mean": [NaN], "std": [1]}}']
)
def test_statistics_that_cannot_be_used_are_named(tmp_path, text):
    path = tmp_path / "stats.json"
    path.write_text(text)
    with pytest.raises(InvalidInput, match=r"stats\.json"):
        read_statistics(Normalisation(str(path), "mean_std", "none"))


def test_statistics_of_too_few_numbers_are_refused(tmp_path):
    path = tmp_path / "stats.json"
    path.write_text(json.dumps({"state": {"mean": [0.4], "std": [2]}}))
    with pytest.raises(InvalidShape):
        mapping(state={"s": ("ee_position",)}, normalisation=Normalisation(str(path), "mean_std")).request(observation_at(0), Prompt())


# Settings


def test_an_address_with_a_preset_and_a_mode_is_read():
    settings = read_settings("ws://localhost:8000/x, libero, sync")
    assert (settings.url, settings.mode, settings.is_ours) == ("ws://localhost:8000/x", "synchronous", False)
    assert read_settings("wss://h").is_ours and read_settings("wss://h").mode == "asynchronous"


def test_a_file_changes_a_preset_and_names_its_statistics_beside_itself(tmp_path):
    (tmp_path / "stats.json").write_text(json.dumps({"actions": {"mean": [0] * 7, "std": [1] * 7}}))
    (tmp_path / "server.yaml").write_text(
        "url: ws://h:1\npreset: libero\nee_offset: [0, 0, 0.9]\naction: {position_scale: 0.02}\n"
        "normalisation: {file: stats.json, actions: mean_std}\nextra: {robot: panda}\n"
    )
    settings = read_settings(str(tmp_path / "server.yaml"))
    assert settings.action.position_scale == 0.02 and settings.action.rotation_scale == 0.5  # the preset's
    assert settings.ee_offset == (0.0, 0.0, 0.9) and settings.extra == {"robot": "panda"}
    assert RemoteMapping(settings).rows({"actions": np.zeros(7)}).shape == (1, 7)


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"url": "http://x"},
        {"url": "ws://user:pw@x"},
        {"url": "ws://x", "preset": "liberty"},
        {"url": "ws://x", "blend": 2},
        {"url": "ws://x", "mode": "fast"},
        {"url": "ws://x", "timeout_s": "long"},
        {"url": "ws://x", "execute_steps": 2.5},
        {"url": "ws://x", "colour": "red"},
        {"url": "ws://x", "images": {"a": {}}},
        {"url": "ws://x", "images": {"a": {"camera": "front", "width": 0}}},
        {"url": "ws://x", "images": ["front"]},
        {"url": "ws://x", "state": {"a": "joints"}},
        {"url": "ws://x", "action": {"kind": "torque"}},
        {"url": "ws://x", "action": {"gripper_open": 1, "gripper_closed": 1}},
        {"url": "ws://x", "ee_offset": [1, 2]},
        {"url": "ws://x", "extra": 3},
        {"url": "ws://x", "normalisation": {"actions": "mean_std"}},
    ],
)
def test_settings_that_do_not_fit_are_refused(document):
    with pytest.raises((InvalidInput, UnknownName)):
        settings_from(document)


@pytest.mark.parametrize("text", ["", "nothing.yaml", "ws://x,libero,droid", "ws://x,sync,async", "ws://x,slow"])
def test_an_address_that_does_not_fit_is_refused(text):
    with pytest.raises((InvalidInput, UnknownName)):
        read_settings(text)


@pytest.mark.parametrize("text", ["[1, 2]", "a: [", "\x00"])
def test_a_file_that_is_no_document_is_refused(tmp_path, text):
    (tmp_path / "server.yaml").write_text(text)
    with pytest.raises(InvalidInput, match=r"server\.yaml"):
        read_settings(str(tmp_path / "server.yaml"))


# The schedule


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(1, 6)), max_size=12), st.floats(0, 1))
def test_equal_chunks_are_handed_over_without_a_trace(events, blend):
    """Whatever the delays: when each chunk says for each moment what every other says, that is what is executed."""
    schedule, told = Schedule(blend), []
    for delay, length in events:
        taken_at = schedule.clock
        for _ in range(delay):
            if schedule.present() is not None:
                told.append((schedule.clock, float(schedule.present()[0])))
                schedule.advance()
        schedule.put(np.arange(taken_at, taken_at + length, dtype=np.float32)[:, None].repeat(2, 1), taken_at)
    assert all(value == pytest.approx(moment, abs=1e-4) for moment, value in told)
    assert [moment for moment, _ in told] == list(range(len(told)))  # no action twice, none left out


def test_the_gripper_is_never_blended():
    schedule = Schedule(blend=0.5)
    schedule.put(np.array([[0.0, 1.0], [0.0, 1.0]]), 0)
    schedule.put(np.array([[1.0, 0.0], [1.0, 0.0]]), 0)
    np.testing.assert_array_equal(schedule.present(), [0.5, 0.0])


def test_a_cleared_schedule_has_nothing_to_execute():
    schedule = Schedule()
    schedule.put(np.ones((3, 2)), 0)
    schedule.advance()
    assert (schedule.num_left, schedule.num_used) == (2, 1)
    schedule.clear()
    assert schedule.present() is None and schedule.num_left == 0


def test_an_observation_is_never_written():
    observation = observation_at(0)
    for array in (observation.proprio, *observation.images.values()):
        array.setflags(write=False)
    assert isinstance(observation, Observation)
    settings_ = settings_from({"url": "ws://x", "preset": "libero"})
    RemoteMapping(settings_).request(observation, Prompt())
