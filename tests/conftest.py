"""Settings that every test shares."""

import os

from hypothesis import settings

os.environ.setdefault("MUJOCO_GL", "egl")
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

# What is generated is checked for what comes of it, not for its time: a busy machine is not a fault.
settings.register_profile("workbench", deadline=None)
settings.load_profile("workbench")


def pytest_collection_modifyitems(items):
    """Run browser tests last: Playwright keeps an event loop in the main thread, in which ``asyncio.run`` is refused."""
    items.sort(key=lambda item: "tests/browser" in item.path.as_posix())
