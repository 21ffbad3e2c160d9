import numpy as np
import pytest

from tests.rollout.fakes import FakeSimulator, Wander, fake_config
from workbench.core.candidates import VerifierSpec
from workbench.core.catalog import Catalog
from workbench.core.errors import InvalidInput
from workbench.core.events import EpisodeStart, Event, EventKind
from workbench.core.types import ActionChunk, ActionDistribution, Prompt
from workbench.rollout.candidates import CandidateSettings, Draw, Selection, When, draw_candidates, log_likelihoods
from workbench.rollout.loop import begin_episode, follow_policy, tick
from workbench.rollout.observers import Fanout

CENTRES = np.linspace([-0.03] * 6 + [0.0], [0.03] * 6 + [1.0], 64, axis=1).astype(np.float32)


def told(seed=0, horizon=4):
    weights = np.random.default_rng(seed).random((horizon, 7, 64)).astype(np.float32) ** 4
    distribution = ActionDistribution(weights / weights.sum(-1, keepdims=True), CENTRES)
    return ActionChunk((distribution.probabilities * CENTRES).sum(-1), 20.0, distribution=distribution)


class Prefers:
    """Likes candidates that go to +x; or all alike."""

    spec = VerifierSpec("prefers")

    def __init__(self, weight=1.0):
        self.weight = weight

    def score(self, occasion, candidates):
        return self.weight * candidates[:, :, 0].sum(axis=1)


class Diary:
    def __init__(self):
        self.events = []

    def on_start(self, start): ...
    def on_step(self, step): ...
    def on_end(self, end): ...

    def on_event(self, episode_id, event):
        self.events.append(event)


def verifiers(**made):
    catalog = Catalog("verifier")
    for name, verifier in made.items():
        catalog.add(name, lambda verifier=verifier: lambda simulator: verifier)
    return catalog


def episode_with(settings, *, policy=None, **made):
    simulator, diary = FakeSimulator(), Diary()
    instruction = simulator.reset(fake_config())
    policy = policy or Wander(chunk=4, horizon=2)
    start = EpisodeStart("e", "s", fake_config().to_dict(), instruction, "wander")
    episode = begin_episode(simulator, policy, start, prompt=Prompt(instruction), observer=Fanout((diary,)))
    selection = Selection(verifiers(**made))
    selection.settings = settings
    selection.begin(episode)
    return episode, selection, diary


def run(episode, num_steps):
    return [tick(episode, follow_policy(episode)) for _ in range(num_steps)]


@pytest.mark.parametrize("draw", list(Draw))
def test_the_policys_own_answer_is_the_first_candidate(draw):
    chunk = told()
    found = draw_candidates(chunk, CandidateSettings(count=9, draw=draw), np.random.default_rng(0))
    assert found.shape == (9, 4, 7)
    assert np.allclose(found[0], chunk.actions)
    assert np.isfinite(found).all() and not np.allclose(found[1], found[2])


def test_a_policy_without_a_distribution_has_candidates_around_its_answer():
    chunk = ActionChunk(np.full((4, 7), 0.01, dtype=np.float32), 20.0)
    found = draw_candidates(chunk, CandidateSettings(count=64), np.random.default_rng(0))
    assert np.abs(found - chunk.actions).max() < 0.05
    assert log_likelihoods(chunk, found).argmax() == 0


def test_the_likeliest_bins_have_the_greatest_likelihood():
    chunk = told()
    best = CENTRES[np.arange(7), chunk.distribution.probabilities.argmax(-1)]
    found = np.concatenate([best[None], draw_candidates(chunk, CandidateSettings(count=20), np.random.default_rng(1))])
    assert log_likelihoods(chunk, found).argmax() == 0


def test_never_is_bit_equal_to_a_loop_without_candidates():
    plain, _, _ = episode_with(CandidateSettings())
    plain.selection = None
    weighed, _, diary = episode_with(CandidateSettings(when=When.NEVER))
    for a, b in zip(run(plain, 12), run(weighed, 12), strict=True):
        assert np.array_equal(a.action, b.action)
    assert not [e for e in diary.events if e.kind is EventKind.CANDIDATE]


def test_equal_candidates_keep_the_policys_action():
    plain, _, _ = episode_with(CandidateSettings())
    weighed, selection, _ = episode_with(CandidateSettings(When.ALWAYS, verifier="even"), even=Prefers(0.0))
    for a, b in zip(run(plain, 8), run(weighed, 8), strict=True):
        assert np.array_equal(a.action, b.action)
    assert selection.latest.chosen == 0


def test_the_best_candidate_is_executed_and_all_scores_are_stored():
    episode, selection, diary = episode_with(CandidateSettings(When.ALWAYS, count=8, verifier="x"), x=Prefers())
    step = run(episode, 1)[0]
    found = selection.latest
    assert found.chosen == int(np.argmax(np.where([not r for r in found.refusals], found.scores, -np.inf)))
    assert np.allclose(step.action, found.chunks[found.chosen][0], atol=1e-6)
    (event,) = [e for e in diary.events if e.kind is EventKind.CANDIDATE]
    assert len(event.payload["scores"]) == 8 and event.payload["chosen"] == found.chosen
    assert step.scores["candidate"] == found.chosen


def test_a_branch_with_the_same_settings_chooses_the_same():
    runs = [run(episode_with(CandidateSettings(When.ALWAYS, beta=0.5, verifier="x"), x=Prefers())[0], 10) for _ in range(2)]
    assert all(np.array_equal(a.action, b.action) for a, b in zip(*runs, strict=True))


def test_an_alarm_draws_candidates_once_where_that_is_wished():
    for when, count in ((When.ALARM, 1), (When.NEVER, 0)):
        episode, _, diary = episode_with(CandidateSettings(when))
        run(episode, 3)
        episode.observer.on_event(episode.id, Event(EventKind.ALARM, episode.index, episode.time_s))
        run(episode, 6)
        assert sum(e.kind is EventKind.CANDIDATE for e in diary.events) == count


def test_a_person_picks_another_candidate_before_it_acts():
    episode, selection, diary = episode_with(CandidateSettings(When.ALWAYS, verifier="x"), x=Prefers())
    run(episode, 1)
    with pytest.raises(InvalidInput, match="very moment"):
        selection.pick(0)
    run(episode, 1)
    episode.selection.answer(
        episode,
        episode.simulator.observe(()),
        episode.prompt,
        Wander(chunk=4).act(episode.simulator.observe(()), episode.prompt, np.random.default_rng(0)),
    )
    allowed = [i for i, reason in enumerate(selection.latest.refusals) if not reason]
    wanted = allowed[-1]
    selection.pick(wanted)
    step = run(episode, 1)[0]
    assert np.allclose(step.action, selection.latest.chunks[wanted][0], atol=1e-6)
    assert diary.events[-1].actor == "human" and diary.events[-1].payload["is_picked"]
    with pytest.raises(InvalidInput):
        selection.pick(99)


def test_what_the_checks_refuse_is_not_chosen_and_cannot_be_picked():
    class Fast:
        spec = Wander().spec

        def reset(self, rng): ...

        def act(self, observation, prompt, rng):
            return ActionChunk(np.full((2, 7), 0.2, dtype=np.float32), 20.0)

    episode, selection, _ = episode_with(CandidateSettings(When.ALWAYS), policy=Fast())
    run(episode, 0)
    selection.answer(episode, episode.simulator.observe(()), episode.prompt, Fast().act(None, None, None))
    found = selection.latest
    assert found.is_stuck and found.chosen == 0 and "passes" in found.trouble
    assert selection.question(0.0) is not None and selection.question(0.0) is None
    with pytest.raises(InvalidInput, match="passes the checks"):
        selection.pick(1)


def test_an_unknown_verifier_says_so_and_leaves_the_policys_answer():
    episode, selection, _ = episode_with(CandidateSettings(When.ALWAYS, verifier="nobody"))
    run(episode, 2)
    assert selection.latest.chosen == 0 and "nobody" in selection.trouble


@pytest.mark.parametrize("wrong", [{"count": 0}, {"count": 65}, {"num_initial": 0}, {"temperature": 0.0}, {"beta": -0.1}])
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(InvalidInput):
        CandidateSettings(**wrong)
