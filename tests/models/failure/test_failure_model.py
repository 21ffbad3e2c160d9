"""The failure model on disk, the watched episodes it is fitted to, and what it says of itself."""

import numpy as np
import pytest

from models.failure.bench import untrained_model
from models.failure.card import write_card
from models.failure.checkpoint import KINDS, load_model, save_model
from models.failure.fitting import FitPlan, describe, fit_model, scored, split_tracks
from models.failure.tracks import load_track, save_track, track_of
from workbench.core.calls import PolicyCall
from workbench.core.errors import InvalidInput, NotStored, UnknownName
from workbench.core.types import ActionChunk, Intention
from workbench.evaluation.watched_trials import WatchedEpisode, WatchedTrial
from workbench.failure.detectors import feature_of, score_calls
from workbench.failure.features import Pooling
from workbench.failure.training import FitSettings

WIDTH, TOKENS = 8, 5


def watched(task, seed, *, is_failure):
    rng = np.random.default_rng((seed, is_failure))
    calls = []
    for i in range(int(rng.integers(8, 12)) + 4 * is_failure):
        tokens = rng.normal(size=(TOKENS, WIDTH)).astype(np.float32)
        tokens[:, 0] += 3.0 * is_failure * (i > 3)
        intention = Intention(entropies=rng.random((8, 7)).astype(np.float32))
        calls.append(PolicyCall(4 * i, tokens, ActionChunk(rng.normal(size=(8, 7)).astype(np.float32), 20.0, intention=intention)))
    return WatchedEpisode(WatchedTrial(task, "", seed), is_failure, tuple(calls))


def tracks(count=12):
    return tuple(track_of(watched(t, s, is_failure=s % 3 == 0), "weights") for s in range(count) for t in ("pick", "touch", "stack"))


@pytest.fixture(scope="module")
def model():
    quick = FitPlan(FitSettings(30), FitSettings(3), (Pooling.MEAN, Pooling.LAST), (1e-3,), (1e-3,))
    return fit_model(split_tracks(tracks(), 1), quick, progress=lambda text: None)


def test_a_track_comes_back_and_gives_detectors_what_they_would_have_seen(tmp_path):
    episode = watched("pick", 3, is_failure=True)
    save_track(track_of(episode, "weights"), tmp_path / "t.safetensors")
    track = load_track(tmp_path / "t.safetensors")
    assert (track.trial, track.is_failure, track.policy) == (episode.trial, True, "weights")
    for pooling in Pooling:
        for kept, call in zip(track.calls(pooling), episode.calls, strict=True):
            assert np.allclose(feature_of(kept, pooling), feature_of(call, pooling), atol=5e-3), pooling
    live, stored = episode.calls[2].chunk, track.calls(Pooling.MEAN)[2].chunk
    assert np.array_equal(live.actions, stored.actions)
    for statistic in (np.mean, np.max):
        assert statistic(stored.intention.entropies) == pytest.approx(statistic(live.intention.entropies), abs=1e-5)


def test_a_damaged_track_says_which_file_to_delete(tmp_path):
    (tmp_path / "t.safetensors").write_bytes(b"nonsense")
    with pytest.raises(InvalidInput, match=r"t\.safetensors.*Delete it"):
        load_track(tmp_path / "t.safetensors")


def test_tasks_that_are_kept_away_are_kept_away_and_nothing_is_lost():
    split = split_tracks(tracks(), 1)
    assert len(split.unseen_tasks) == 1
    assert not set(split.unseen_tasks) & {t.trial.task for t in (*split.train, *split.seen)}
    names = [t.trial.name for part in split for t in part]
    assert len(names) == len(set(names)) == 36
    assert {t.is_failure for t in split.train} == {t.is_failure for t in split.seen} == {True, False}
    assert [t.trial.name for t in split_tracks(tracks(), 1).train] == [t.trial.name for t in split.train], "the seed decides"


def test_a_model_comes_back_from_disk_and_scores_alike(model, tmp_path):
    path = tmp_path / "detector.safetensors"
    save_model(model, path)
    back = load_model(path)
    assert (back.policy, back.pooling, back.best) == (model.policy, model.pooling, model.best)
    calls = watched("pick", 99, is_failure=True).calls
    for name in KINDS:
        assert np.allclose(score_calls(back.make(name), calls), score_calls(model.make(name), calls))
        assert all(np.allclose(a, b, atol=1e-4) for a, b in zip(back.curves[name], model.curves[name], strict=True))
    with pytest.raises(UnknownName, match="lstm"):
        back.make("oracle")


def test_what_calibrates_are_successes_that_were_not_trained_on(model):
    split = split_tracks(tracks(), 1)
    clean = [t for t in split.seen if not t.is_failure]
    assert [c.tolist() for c in model.curves["mlp"]] == [e.scores.tolist() for e in scored(model, "mlp", clean)]


def test_a_detector_finds_failures_of_tasks_that_it_never_saw(model):
    assert model.about["auc"]["mlp"]["unseen"] > 0.8


def test_without_a_file_the_command_that_makes_one_is_named(tmp_path):
    with pytest.raises(NotStored, match="train detector"):
        load_model(tmp_path / "none.safetensors")
    (tmp_path / "other.safetensors").write_bytes(b"nonsense")
    with pytest.raises(InvalidInput, match="failure-detector-1"):
        load_model(tmp_path / "other.safetensors")


def test_the_card_says_how_many_episodes_there_were(model, tmp_path):
    write_card(tmp_path / "MODEL_CARD.md", describe(model))
    text = (tmp_path / "MODEL_CARD.md").read_text()
    assert "36 watched episodes" in text and model.policy in text and all(f"`{name}`" in text for name in KINDS)


def test_a_trained_detector_stays_small(tmp_path):
    save_model(untrained_model(128), tmp_path / "detector.safetensors")
    assert (tmp_path / "detector.safetensors").stat().st_size < 1_000_000
