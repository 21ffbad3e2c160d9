import numpy as np
import pytest

from workbench.evaluation import action_masks
from workbench.evaluation.action_masks import MASKS, WAYS, Sequence, kept_things, run, watch
from workbench.segmentation.active import Activity


@pytest.fixture(scope="module")
def seen():
    return watch("place_on_plate", 3)


def test_an_episode_shows_its_things_and_which_of_them_it_is_about(seen):
    assert len(seen.active) == 2 and len(seen.names) >= 5
    assert len(seen.truth) == len(seen.tracked) == len(seen.signs) > 5
    assert all(set(frame) == set(seen.truth[0]) for frame in [*seen.truth, *seen.tracked, *seen.signs])
    assert seen.active <= kept_things(seen, "words alone")


def test_what_is_kept_by_all_signs_is_what_any_sign_keeps(seen):
    kept = {way: kept_things(seen, way) for way in WAYS}
    assert kept["action prompt"] == kept["words alone"] | kept["no words"]
    assert kept["no filter"] == frozenset(seen.truth[0])


def test_one_touch_on_one_frame_counts_for_the_whole_episode():
    mask = np.ones((2, 2), bool)
    frames = [{"a": Activity(), "b": Activity(is_touched=True)}, {"a": Activity(), "b": Activity()}]
    seen = Sequence("go", {"a": "a", "b": "b"}, frozenset({"b"}), truth=[{"a": mask, "b": mask}] * 2, signs=frames)
    assert kept_things(seen, "action prompt") == {"b"} and kept_things(seen, "words alone") == frozenset()


def test_words_drop_what_an_action_is_not_about(seen, monkeypatch):
    monkeypatch.setattr(action_masks, "watch", lambda task, seed: seen)
    document = run(episodes=1, progress=lambda _: None)
    cells = {(c["task"], c["prompt"]): c for c in document["cells"]}
    assert len(cells) == len(MASKS) * len(WAYS)
    words, everything = cells["truth masks", "words alone"], cells["truth masks", "no filter"]
    assert words["n-mIoU"] == 0.0 and everything["n-mIoU"] == 1.0 and words["p-mIoU"] == everything["p-mIoU"] == 1.0
    assert words["Acc"] > everything["Acc"] and words["success"] == words["n"]
    assert cells["classical masks", "words alone"]["p-mIoU"] < 1.0
