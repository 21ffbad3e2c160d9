"""Where the page's own scripts and styles are served: under addresses that carry a digest, so that no cache ever serves an old one."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

ASSETS_DIR: Final = Path(__file__).parent / "assets"


def asset_version(name: str) -> str:
    """Return a short digest of an asset's content, for its address."""
    return hashlib.sha256((ASSETS_DIR / name).read_bytes()).hexdigest()[:12]


def asset_url(name: str) -> str:
    """Return the address of an asset."""
    return f"/assets/{name}?v={asset_version(name)}"


def scripts(*names: str) -> str:
    """Return script tags for the ``head`` of a component: Gradio waits for them before the component's own JavaScript runs."""
    return "".join(f'<script src="{asset_url(name)}"></script>' for name in names)
