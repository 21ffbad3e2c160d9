import pytest

from workbench.simulation.simulator import BenchSimulator


@pytest.fixture(scope="module")
def simulator():
    bench = BenchSimulator()
    yield bench
    bench.close()
