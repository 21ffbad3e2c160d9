"""The process is killed in the middle of a run; the next one finds the episode, plays it and branches from it."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STAGE = "(document.querySelector('#stage .stage')?.dataset ?? {})"
WAIT_MS = 120_000


def serve(root_dir):
    """Start the real command; return the process and its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "app.py", "--root-dir", str(root_dir), "serve", "--port", str(port)]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL)
    url, deadline = f"http://127.0.0.1:{port}", time.monotonic() + 120
    while time.monotonic() < deadline:
        try:
            urllib.request.urlopen(f"{url}/healthz", timeout=2).close()
            return process, url
        except OSError:
            assert process.poll() is None, "the workbench did not start"
            time.sleep(0.2)
    raise AssertionError("the workbench did not answer")


def open_at(chromium, url):
    page = chromium.new_page(viewport={"width": 1280, "height": 720})
    page.goto(url)
    page.wait_for_function(f"{STAGE}.frames > 0", timeout=WAIT_MS)
    return page


@pytest.mark.slow
def test_a_killed_workbench_loses_at_most_a_second_and_goes_on(chromium, tmp_path):
    process, url = serve(tmp_path)
    try:
        page = open_at(chromium, url)
        box = page.locator("#stage .surface").bounding_box()
        page.mouse.move(box["x"] + 0.67 * box["width"], box["y"] + 0.73 * box["height"])
        page.mouse.down()
        page.mouse.move(box["x"] + 0.69 * box["width"], box["y"] + 0.61 * box["height"], steps=8)
        page.mouse.up()
        page.wait_for_function(f"{STAGE}.strokes === '1'", timeout=WAIT_MS)
        page.keyboard.press("Enter")
        page.wait_for_function(f"Number({STAGE}.step) >= 45", timeout=WAIT_MS)
        episode, shown = page.evaluate(f"[{STAGE}.episode, Number({STAGE}.step)]")
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        page.close()
    finally:
        process.kill()
    process, url = serve(tmp_path)
    try:
        page = open_at(chromium, f"{url}/?episode={episode}&step=20")
        page.wait_for_function(f"{STAGE}.shownStep === '20'", timeout=WAIT_MS)
        page.get_by_role("tab", name="History").click()
        row = page.locator(f"li[data-id='{episode}'] .outcome", has_text="interrupted")
        row.wait_for(timeout=WAIT_MS)
        with urllib.request.urlopen(f"{url}/api/episodes/{episode}") as answer:
            text = answer.read().decode()
        stored = json.loads(text)
        assert stored["outcome"] == "interrupted"
        assert stored["num_steps"] >= shown - 25  # a second and a quarter at 20 Hz: the page itself shows up to a tenth late
        row.click()
        page.locator("#history-branch").click()
        page.wait_for_function(f"{STAGE}.episode !== '{episode}' && {STAGE}.mode === 'paused' && {STAGE}.shownStep === ''", timeout=WAIT_MS)
        page.locator("#stage .surface").focus()
        page.keyboard.press("Space")
        page.wait_for_function(f"Number({STAGE}.step) > 10", timeout=WAIT_MS)
        page.close()
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) is not None
