"""A person at the stage: mouse and keys in 0..1 image coordinates, and a look behind the page."""

import time
from contextlib import contextmanager


@contextmanager
def leaving(page):
    """Reload the page within this block: the old document's cut-off event stream is no error then."""
    page.watch.is_leaving = True
    try:
        yield
    finally:
        page.watch.is_leaving = False


def reload(page):
    """Reload a page and wait until it has loaded."""
    with leaving(page):
        page.reload()


class StageDriver:
    """A page, the live session behind it, and a mouse in 0..1 image coordinates."""

    def __init__(self, page, workbench):
        self.page, self.mouse, self.key = page, page.mouse, page.keyboard.press
        self.workbench = workbench
        self.tab_id = page.evaluate("VLAW.socket.tab.tab_id")
        self.session = workbench.live.get(self.tab_id)

    def at(self, u, v):
        box = self.page.locator("#stage .surface").bounding_box()
        return box["x"] + u * box["width"], box["y"] + v * box["height"]

    def drag(self, *points):
        self.mouse.move(*self.at(*points[0]))
        self.mouse.down()
        for point in points[1:]:
            self.mouse.move(*self.at(*point), steps=6)
        self.mouse.up()

    def click(self, u, v):
        self.mouse.click(*self.at(u, v))

    def data(self, name):
        return self.page.evaluate("(n) => document.querySelector('#stage .stage').dataset[n]", name)

    def wait_data(self, name, value):
        self.page.wait_for_function(
            "([n, v]) => document.querySelector('#stage .stage').dataset[n] === v", arg=[name, value], timeout=20_000
        )

    def commits(self, count):
        self.wait_data("commits", str(count))
        return self.session.sketch.strokes

    def strokes(self, count):
        """Wait until page and server both hold that many strokes."""
        self.wait_data("strokes", str(count))
        deadline = time.monotonic() + 20
        while len(self.session.sketch.strokes) != count:
            assert time.monotonic() < deadline, f"{len(self.session.sketch.strokes)} strokes on the server, not {count}"
            time.sleep(0.02)
        return self.session.sketch.strokes

    def focus(self):
        self.page.locator("#stage .surface").focus()
