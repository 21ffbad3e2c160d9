"""Settings that every test shares."""

import os

os.environ.setdefault("MUJOCO_GL", "egl")
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("HF_HUB_OFFLINE", "1")


def pytest_collection_modifyitems(items):
    """Run browser tests last: Playwright keeps an event loop in the main thread, in which ``asyncio.run`` is refused."""
    items.sort(key=lambda item: "tests/browser" in item.path.as_posix())
