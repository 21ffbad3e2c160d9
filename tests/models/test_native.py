import subprocess
import sys
from pathlib import Path

import pytest

from models.native import keep_triton_out


@pytest.fixture
def modules(monkeypatch):
    monkeypatch.delitem(sys.modules, "triton", raising=False)
    yield sys.modules
    sys.modules.pop("triton", None)


def test_without_a_gpu_triton_counts_as_not_installed(modules, tmp_path):
    keep_triton_out(tmp_path / "none")
    with pytest.raises(ImportError):
        import triton  # noqa: F401


def test_a_gpu_keeps_its_triton(modules, tmp_path):
    keep_triton_out(tmp_path)
    assert "triton" not in modules


def test_triton_that_is_there_already_stays(modules, tmp_path, monkeypatch):
    there = type(sys)("triton")
    monkeypatch.setitem(modules, "triton", there)
    keep_triton_out(tmp_path / "none")
    assert modules["triton"] is there


SCRIPT = """
from workbench.core.types import CameraRequest, EpisodeConfig
from workbench.simulation.simulator import BenchSimulator
simulator = BenchSimulator()
simulator.reset(EpisodeConfig("pick", 0))
simulator.observe((CameraRequest("front", 32, 32),)).images["front"]
from models.catalog import POLICIES
POLICIES.load("bench-vla")
print("loaded after rendering")
"""


@pytest.mark.slow
def test_the_bench_vla_can_be_loaded_after_something_was_rendered():
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", SCRIPT], cwd=root, capture_output=True, text=True, timeout=300, check=False)
    assert "loaded after rendering" in done.stdout, done.stderr[-2000:]
