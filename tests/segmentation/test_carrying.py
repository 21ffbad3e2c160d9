"""Masks carried from one camera to another, against truth."""

import numpy as np
import pytest

from workbench.core.errors import InvalidInput
from workbench.core.masks import Picture
from workbench.core.types import CameraRequest, EpisodeConfig
from workbench.segmentation.carrying import carry_mask
from workbench.segmentation.masks import iou
from workbench.simulation.simulator import BenchSimulator


def pictures(simulator, *cameras):
    view, physics, found = simulator.open_view()(), simulator.state().physics, []
    for name in cameras:
        request = CameraRequest(name, 256, 256)
        pixels = view.render(physics, request, "policy")
        found.append(Picture(pixels, name, view.depth(physics, request), view.pinhole(physics, request), view.object_ids(physics, request)))
    view.close()
    return found


def seen_by_both(mask, target, source):
    """Return the part of a mask of ``target`` whose surface ``source`` sees as well."""
    rows, columns = np.nonzero(mask)
    points = target.pinhole.unproject(np.stack([columns + 0.5, rows + 0.5], 1), target.depth[rows, columns].astype(float))
    pixels, depths = source.pinhole.project(points)
    u, v = np.clip(np.floor(pixels).astype(int), 0, source.width - 1).T
    is_seen = np.abs(source.depth[v, u] - depths) < 0.008
    kept = np.zeros_like(mask)
    kept[rows[is_seen], columns[is_seen]] = True
    return kept


@pytest.mark.parametrize("task", ["place_on_plate", "open_drawer"])
def test_a_mask_is_carried_to_what_both_cameras_see(task):
    simulator = BenchSimulator()
    simulator.reset(EpisodeConfig(task, 3))
    front, top = pictures(simulator, "front", "top")
    simulator.close()
    overlaps = []
    for source, target in ((front, top), (top, front)):
        for index, name in enumerate(source.truth.names):
            mask, wanted = source.truth.mask(index), target.truth.mask(index)
            if name not in ("arm", "gripper") and min(mask.sum(), wanted.sum()) > 30:
                overlaps.append(iou(carry_mask(mask, source, target), seen_by_both(wanted, target, source)))
    assert len(overlaps) >= 2 and np.mean(overlaps) >= 0.8 and min(overlaps) > 0.6


def test_a_mask_of_nothing_is_carried_to_nothing_and_a_picture_without_depth_is_refused():
    simulator = BenchSimulator()
    simulator.reset(EpisodeConfig("pick", 3))
    front, top = pictures(simulator, "front", "top")
    simulator.close()
    assert not carry_mask(np.zeros((256, 256), bool), front, top).any()
    with pytest.raises(InvalidInput, match="depth"):
        carry_mask(front.truth.mask(0), Picture(front.pixels, "front"), top)
