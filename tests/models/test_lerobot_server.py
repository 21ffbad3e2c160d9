"""LeRobot in an environment of its own, driving an episode of the bench.

Needs the environment of docs/policies.md: ``VLAW_LEROBOT_PYTHON=.../bin/python python -m pytest -m weights tests/models/test_lerobot_server.py``.
"""

import os
import re
import subprocess
from pathlib import Path

import pytest

from models.check_server import check_server
from models.remote_settings import read_settings
from workbench.core.types import EpisodeConfig

ROOT = Path(__file__).parents[2]
PYTHON = os.environ.get("VLAW_LEROBOT_PYTHON", "")
START_S = float(os.environ.get("VLAW_LEROBOT_START_S", "300"))

pytestmark = [pytest.mark.weights, pytest.mark.slow, pytest.mark.skipif(not PYTHON, reason="VLAW_LEROBOT_PYTHON names no environment")]


def run(module, *arguments, **options):
    return subprocess.Popen([PYTHON, "-m", module, *arguments], cwd=ROOT, stderr=subprocess.PIPE, text=True, **options)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lerobot") / "act"
    process = run("models.servers.lerobot_tiny", str(folder))
    _, errors = process.communicate(timeout=START_S)
    assert process.returncode == 0, errors
    return folder


@pytest.fixture(scope="module")
def url(checkpoint):
    process = run("models.servers.lerobot_server", str(checkpoint), "--port", "0", "--device", "cpu")
    said = []
    for line in process.stderr:
        said.append(line)
        if found := re.search(r"ws://\S+", line):
            yield found.group()
            break
    else:
        pytest.fail("".join(said))
    process.terminate()
    process.wait(10)


def test_a_lerobot_policy_drives_the_bench_and_repeats_itself(url):
    config = EpisodeConfig(task="touch", seed=1)
    first, second = (check_server(read_settings(url + ",sync"), config, max_steps=24) for _ in range(2))
    assert first["policy"].startswith("act at ")
    assert first["steps"] == 24 and first["moving_share"] == 1.0
    assert first["path_m"] > 0.002
    assert first["path_m"] == second["path_m"]


def test_it_drives_in_real_time_without_stopping_the_clock(url):
    figures = check_server(read_settings(url), EpisodeConfig(task="touch", seed=1), max_steps=60, is_paced=True)
    assert figures["steps"] == 60 and figures["moving_share"] > 0
    assert figures["latency_ms"] > 0


@pytest.mark.parametrize(("break_it", "said"), [("config.json", "config.json"), ("model.safetensors", "model.safetensors")])
def test_a_broken_checkpoint_is_named_and_nothing_is_served(checkpoint, tmp_path, break_it, said):
    for path in checkpoint.iterdir():
        if path.name != break_it:
            (tmp_path / path.name).write_bytes(path.read_bytes())
    process = run("models.servers.lerobot_server", str(tmp_path), "--port", "0", "--device", "cpu")
    _, errors = process.communicate(timeout=START_S)
    assert process.returncode == 2
    assert said in errors and "Traceback" not in errors
