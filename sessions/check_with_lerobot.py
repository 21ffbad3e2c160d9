"""Loads a dataset with the package ``lerobot`` itself, in an environment of its own, and tells what it found there as JSON.

``PYTHON_WITH_LEROBOT -m sessions.check_with_lerobot FOLDER [FRAME ...]``, from the root folder of the workbench; needs Python 3.12 and
``pip install "lerobot[dataset]==0.6.1"``. Imports nothing of ours, so that the verdict is the package's alone.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any


def load(folder: Path, frames: list[int]) -> dict[str, Any]:
    """Load a dataset as a training would: every frame's numbers, some frames with pictures, a batch with neighbours in time."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")  # what is missing in the folder must not be looked for elsewhere
    from importlib.metadata import version

    from lerobot.datasets.lerobot_dataset import LeRobotDataset

    dataset = LeRobotDataset("local/checked", root=folder)
    meta = dataset.meta
    camera = next(iter(meta.video_keys), None)
    shown = []
    for frame in frames:
        item = dataset[frame]
        values = {name: item[name].tolist() for name in ("observation.state", "action", "timestamp", "episode_index", "frame_index")}
        values |= {"task": item["task"], "intervention": bool(item["intervention"]), "segment_kind": item["segment_kind"]}
        if camera:
            values |= {"picture_shape": list(item[camera].shape), "picture_mean": [round(float(m), 4) for m in item[camera].mean((1, 2))]}
        shown.append(values)
    step_s = 1 / meta.fps
    windows = LeRobotDataset("local/checked", root=folder, delta_timestamps={"action": [0.0, step_s, 2 * step_s]})
    return {
        "lerobot": version("lerobot"),
        "num_episodes": meta.total_episodes,
        "num_frames": len(dataset),
        "fps": meta.fps,
        "features": sorted(meta.features),
        "statistics": sorted(meta.stats),
        "episode_lengths": [int(n) for n in meta.episodes["length"]],
        "frames": shown,
        "window": list(windows[0]["action"].shape),
    }


def main() -> int:
    """Print what was found; exit status 1 with the package's own words when it cannot be loaded."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("frames", type=int, nargs="*", default=[0])
    args = parser.parse_args()
    try:
        found = load(args.folder, args.frames)
    except ImportError as error:
        print(f"the package lerobot cannot be used here: {error}", file=sys.stderr)
        return 3
    except Exception as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    print(json.dumps(found, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
