"""What we write, loaded by the package ``lerobot`` itself, in an environment of its own.

Needs Python 3.12 with ``lerobot[dataset]``: ``VLAW_LEROBOT_PYTHON=.../bin/python python -m pytest -m weights tests/sessions/test_lerobot_package.py``.
"""

import json
import os
import subprocess
from pathlib import Path

import pytest

from sessions.lerobot_export import DatasetOptions, export_dataset
from sessions.lerobot_pictures import open_pictures
from sessions.lerobot_reader import open_dataset
from sessions.store import Store
from tests.sessions.lerobot_recordings import NUM_STEPS, record_session
from workbench.simulation.simulators import SIMULATORS

ROOT = Path(__file__).parents[2]
PYTHON = os.environ.get("VLAW_LEROBOT_PYTHON", "")
START_S = float(os.environ.get("VLAW_LEROBOT_START_S", "300"))

pytestmark = [pytest.mark.weights, pytest.mark.slow, pytest.mark.skipif(not PYTHON, reason="VLAW_LEROBOT_PYTHON names no environment")]


def test_lerobot_loads_the_same_numbers_words_and_pictures(tmp_path):
    record_session(tmp_path / "workbench.db")
    with Store.open(tmp_path / "workbench.db") as store:
        export_dataset(store, "monday", tmp_path / "out", SIMULATORS.load, options=DatasetOptions(side_px=64))
        frames = [0, NUM_STEPS + 4, 3 * NUM_STEPS - 1]
        command = [PYTHON, "-m", "sessions.check_with_lerobot", str(tmp_path / "out"), *map(str, frames)]
        process = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=START_S, check=False)
        if process.returncode == 3:
            pytest.skip(process.stderr.strip())
        assert process.returncode == 0, process.stderr
        found = json.loads(process.stdout)
        assert (found["num_episodes"], found["num_frames"], found["fps"]) == (3, 3 * NUM_STEPS, 20)
        assert found["episode_lengths"] == [NUM_STEPS] * 3 and found["window"] == [3, 7]
        ours = open_dataset(tmp_path / "out")
        for frame, item in zip(frames, found["frames"], strict=True):
            entry = ours.episodes[frame // NUM_STEPS]
            index = frame % NUM_STEPS
            for name in ("observation.state", "action"):
                assert item[name] == pytest.approx(ours.numbers(entry, name)[index].tolist(), abs=1e-6)
            assert item["task"] == entry.tasks[0] == store.episode(entry.episode_id).instruction
            assert item["picture_shape"] == [3, 64, 64]
            film = open_pictures(ours, entry.index, "observation.images.front")
            assert item["picture_mean"] == pytest.approx((film.at(index).mean((0, 1)) / 255).tolist(), abs=0.01)
            film.close()
        assert [item["segment_kind"] for item in found["frames"]] == ["none", "recovery", "none"]
