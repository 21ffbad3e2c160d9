import numpy as np
import pytest

from models.verifier.card import write_card
from models.verifier.episodes import RecordedEpisode
from models.verifier.features import NUM_MOTION, NUM_SITUATION, motions_of, situation_of
from models.verifier.fitting import best_of_laws, fit_preference, fit_value, judge, pairs_of, transitions_of
from models.verifier.verifiers import WEIGHTS_ENV, load_preference, load_value, save_weights
from workbench.core.candidates import Occasion
from workbench.core.errors import InvalidInput, NotStored
from workbench.core.types import PROPRIO, ActionChunk, Intention, Observation, Prompt, Target

TARGET = Target("front", (0.4, 0.6), confidence=0.9)


def occasion(targets=(TARGET,), text="put the red cube on the white plate"):
    proprio = np.zeros(16, dtype=np.float32)
    proprio[PROPRIO["ee_quaternion"]] = [1, 0, 0, 0]
    chunk = ActionChunk(np.zeros((8, 7), dtype=np.float32), 20.0, intention=Intention(targets=targets))
    return Occasion(Observation({}, {}, {}, proprio, 0, 0.0), Prompt(text), chunk)


def episodes(count=6):
    """Return episodes in which motion along +x is what the expert does, and what succeeds."""
    rng, made = np.random.default_rng(0), []
    for number in range(count):
        calls = 12
        motions = rng.normal(scale=0.3, size=(calls, 16, NUM_MOTION))
        is_success = number % 2 == 0
        motions[:, 0, 0] = 1.0 if is_success else -1.0
        errors = np.abs(1.0 - motions[..., 0])
        made.append(RecordedEpisode(rng.normal(size=(calls, NUM_SITUATION)), motions, np.zeros(calls, dtype=np.int64), errors, is_success))
    return made


def silent(text):
    pass


def test_a_situation_has_numbers_for_hand_targets_and_words():
    first, second = situation_of(occasion()), situation_of(occasion(text="open the left drawer"))
    assert first.shape == (NUM_SITUATION,) and np.isfinite(first).all()
    assert not np.array_equal(first, second)


def test_a_policy_that_tells_no_target_is_not_judged():
    with pytest.raises(InvalidInput, match="likelihood"):
        situation_of(occasion(targets=()))


def test_the_motion_of_a_candidate_is_normalised_and_ends_with_its_opening():
    chunk = np.zeros((1, 8, 7))
    chunk[:, :, 0], chunk[:, :, 6] = 0.03, 1.0
    assert motions_of(chunk)[0].tolist() == [1.0, 0, 0, 0, 0, 0, 1.0]


def test_a_recorded_episode_reads_as_it_was_written(tmp_path):
    episode = episodes(1)[0]
    episode.save(tmp_path / "e.npz")
    again = RecordedEpisode.load(tmp_path / "e.npz")
    assert np.allclose(again.motions, episode.motions, atol=1e-6) and again.is_success == episode.is_success


def test_the_last_calls_of_a_success_count_no_further():
    data = transitions_of(episodes(2))
    assert data.goes_on[:12].tolist() == [1.0] * 9 + [0.0] * 3 and data.goes_on[12:].min() == 1.0


def test_what_was_learnt_prefers_the_experts_motion_and_survives_the_disk(tmp_path, monkeypatch):
    made = episodes()
    critics = fit_value(transitions_of(made), num_steps=40, seed=0, progress=silent)
    model = fit_preference(pairs_of(made), num_steps=120, seed=0, progress=silent)
    found = judge(critics, model, made)
    assert found["pairs_right"] > 0.8 and found["preferred_error"] < found["own_error"]
    save_weights(tmp_path / "v.safetensors", critics, model, {})
    monkeypatch.setenv(WEIGHTS_ENV, str(tmp_path / "v.safetensors"))
    chunks = np.zeros((2, 8, 7))
    chunks[0, :, 0], chunks[1, :, 0] = -0.02, 0.02
    scores = load_preference(None).score(occasion(), chunks)
    assert scores[1] > scores[0] and np.isfinite(load_value(None).score(occasion(), chunks)).all()
    write_card(
        tmp_path / "card.md",
        {
            "episodes": 6,
            "episodes_each": 3,
            "solved": 3,
            "calls": 72,
            "tasks": ["a"],
            "shifts": ["plain"],
            "steps": 1,
            "held_out_episodes": 1,
            "held_out": found,
            "laws": best_of_laws(made),
        },
    )
    assert "pairs of candidates" in (tmp_path / "card.md").read_text()


def test_the_power_law_of_recorded_errors_is_found_again():
    rng, counts = np.random.default_rng(0), np.arange(1, 17)
    least = np.repeat((0.4 * counts**-0.2)[None], 30, axis=0)
    errors = np.concatenate([np.ones((30, 1)), least], axis=1) * np.exp(rng.normal(0, 0.01, (30, 1)))
    made = [RecordedEpisode(np.zeros((30, 2)), np.zeros((30, 17, 7)), np.zeros(30, dtype=np.int64), errors, True, "policy")] * 3
    law = best_of_laws(made)["policy"]
    assert law["a"] == pytest.approx(0.4, rel=0.05) and law["b"] == pytest.approx(-0.2, abs=0.01) and law["calls"] == 90


def test_missing_weights_say_how_to_get_them(tmp_path, monkeypatch):
    monkeypatch.setenv(WEIGHTS_ENV, str(tmp_path / "none.safetensors"))
    with pytest.raises(NotStored, match="train value"):
        load_value(None)
