"""Several answers of the policy in place of one: drawn, checked, scored, and the best, or the one that a person picks, is executed.

Sources: V-GPS (arXiv:2410.13816) and RoboMonkey (arXiv:2506.17811), see :mod:`workbench.verification`. Everything happens within a call of
the policy, in the thread that steps: nobody waits for a page, and HALT is a flag that is looked at after the call as ever. The policy's own
answer is always the first candidate, so that equally good ones change nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from workbench.core.candidates import Occasion, Verifier, VerifierFactory
from workbench.core.catalog import Catalog
from workbench.core.errors import InvalidInput, WorkbenchError
from workbench.core.events import EpisodeEnd, EpisodeStart, Event, EventKind, new_id
from workbench.core.protocols import Interruptible, Simulator
from workbench.core.types import ActionChunk, Observation, Prompt, Step
from workbench.intervention.rules import Question
from workbench.rollout.candidate_checks import CandidateChecks
from workbench.rollout.chunking import ChunkHandling, Share
from workbench.rollout.observers import Fanout
from workbench.verification.action_error import action_errors
from workbench.verification.checks import candidate_paths
from workbench.verification.ranking import choose
from workbench.verification.sampling import MAX_CANDIDATES, draw_chunks, draw_gaussian, fit_gaussian

if TYPE_CHECKING:
    from workbench.rollout.loop import LiveEpisode

Floats = NDArray[np.float64]

LIKELIHOOD: Final = "likelihood"
"""Scores a candidate by how probable the policy finds it; needs nothing else."""
OWN: Final = "own"
"""Scores all alike, so that the policy's own answer stays: candidates are only looked at."""
CANDIDATE: Final = "candidate"
"""Score of a step: which candidate it is from; 0 is the policy's own."""
CANDIDATE_SCORE: Final = "candidate_score"


CANDIDATES_RULE: Final = -2
"""Stands for the rule of a question that no rule of a person asks."""


class When(StrEnum):
    """At which calls of the policy candidates are drawn."""

    NEVER = "never"
    ALARM = "alarm"
    ALWAYS = "always"


class Draw(StrEnum):
    """Where candidates come from."""

    POLICY = "policy"
    """From the policy's own distribution."""
    GAUSSIAN = "gaussian"
    """From a Gaussian around a few draws of the policy."""


@dataclass(frozen=True)
class CandidateSettings:
    """What a person chooses."""

    when: When = When.NEVER
    count: int = 16
    """Candidates, the policy's own included."""
    draw: Draw = Draw.GAUSSIAN
    num_initial: int = 5
    """Draws of the policy that a Gaussian is fitted to."""
    temperature: float = 1.0
    verifier: str = LIKELIHOOD
    beta: float = 0.0
    """0 takes the best one; larger draws by softmax(score / beta)."""
    is_asking: bool = False
    """Whether the robot pauses for a person to pick."""
    is_coherent: bool = True
    """Whether a draw keeps its quantile through the chunk; else each action is drawn by itself."""

    def __post_init__(self) -> None:
        for name, value, low, high in (("candidates", self.count, 1, MAX_CANDIDATES), ("initial draws", self.num_initial, 1, 32)):
            if not low <= value <= high:
                raise InvalidInput(f"number of {name}", expected=f"{low} to {high}", found=str(value))
        if not 0.05 <= self.temperature <= 10 or not 0 <= self.beta <= 100:
            raise InvalidInput(
                "candidates", expected="a temperature from 0.05 to 10 and a beta from 0 to 100", found=f"{self.temperature} and {self.beta}"
            )

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values."""
        return {**asdict(self), "when": self.when.value, "draw": self.draw.value}


@dataclass(frozen=True, eq=False)
class CandidateSet:
    """The candidates of one call of the policy."""

    step: int
    """Control step of the episode before which they were drawn."""
    chunks: Floats
    """``(K, T, 7)``, the policy's own first."""
    scores: Floats
    """``(K,)``, higher is better; NaN where nothing could be said."""
    refusals: tuple[str, ...]
    """Why a check refuses each; empty for what passes."""
    chosen: int
    num_executed: int
    """Actions of a chunk that are executed before the policy is asked again."""
    verifier: str
    position: Floats
    """``(3,)`` where the hand was [m]."""
    is_picked: bool = False
    """Whether a person picked it."""
    trouble: str = ""
    """What a person should know: that nothing passes the checks, or that nothing could be scored."""
    occasion: Occasion | None = None

    @property
    def is_stuck(self) -> bool:
        """Whether every candidate is refused; the policy's own is the chosen one then."""
        return all(self.refusals)

    def paths(self) -> Floats:
        """Return where each would take the hand: ``(K, T + 1, 3)`` [m]."""
        return candidate_paths(self.chunks, self.position)

    def to_payload(self) -> dict[str, Any]:
        """Return what is stored of them: all scores, what was refused, and which was chosen."""
        return {
            "chosen": self.chosen,
            "count": len(self.chunks),
            "verifier": self.verifier,
            "scores": [None if not np.isfinite(s) else round(float(s), 4) for s in self.scores],
            "refused": {str(i): reason for i, reason in enumerate(self.refusals) if reason},
            "is_picked": self.is_picked,
            "trouble": self.trouble,
        }


OnChoice = Callable[[CandidateSet], None]
"""Told of every set and of every pick, in the stepping thread; must return at once."""


class Selection:
    """Chooses among candidates, and says how chunks are executed, in all episodes of one rollout.

    ``settings``, ``handling`` and ``latest`` are replaced as a whole and read by any thread; the rest belongs to the stepping thread.
    """

    def __init__(self, verifiers: Catalog[VerifierFactory] | None = None) -> None:
        self.verifiers = verifiers
        """Those that may be asked, beside the likelihood."""
        self.settings = CandidateSettings()
        self.handling = ChunkHandling()
        self.latest: CandidateSet | None = None
        self.on_choice: OnChoice = lambda found: None
        self.trouble = ""
        """Why the verifier could not be used last, for the person."""
        self._made: tuple[Simulator, str, Verifier | None] | None = None
        self._checks: tuple[Simulator, CandidateChecks] | None = None
        self._episode: LiveEpisode | None = None
        self._is_asked = False
        self._answered: CandidateSet | None = None

    def begin(self, episode: LiveEpisode) -> None:
        """Take part in an episode from its next step on; what was in its queue is asked for anew where that could differ."""
        self._episode, self.latest, self._is_asked, self._answered = episode, None, False, None
        episode.selection = self
        episode.observer = Fanout((episode.observer, self))
        if self.settings.when is When.ALWAYS or self.handling != ChunkHandling():
            episode.chunk.clear()

    # --- in a call of the policy ---

    def answer(self, episode: LiveEpisode, observation: Observation, prompt: Prompt, chunk: ActionChunk) -> None:
        """Put the policy's answer, or what is chosen in its place, into the episode's queue."""
        chosen = self.choose(episode, observation, prompt, chunk)
        episode.chunk.put(chosen, episode.policy.spec.action_horizon, self.handling)

    def choose(self, episode: LiveEpisode, observation: Observation, prompt: Prompt, chunk: ActionChunk) -> ActionChunk:
        """Return the chunk that is executed in place of the policy's answer; the answer itself when no candidates are wanted."""
        settings = self.settings
        is_wanted = settings.when is When.ALWAYS or self._is_asked
        if not is_wanted or settings.count == 1:
            return chunk
        self._is_asked = False
        rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence((abs(episode.seed), observation.step, len(CANDIDATE)))))
        occasion = Occasion(observation, prompt, chunk)
        chunks = draw_candidates(chunk, settings, rng)
        num_executed = self.handling.steps_of(len(chunk.actions), episode.policy.spec.action_horizon)
        refused = self._checks_of(episode.simulator).refusals(observation, chunks[:, :num_executed])
        scores, trouble = self._score(episode.simulator, occasion, chunks)
        passes = np.array([not reason for reason in refused])
        index = choose(scores, passes, settings.beta, rng)
        if index is None:
            trouble = trouble or "None of the candidates passes the checks."
        position = observation.ee_position
        found = CandidateSet(
            episode.index,
            chunks,
            scores,
            tuple(refused),
            0 if index is None else index,
            num_executed,
            settings.verifier,
            position,
            trouble=trouble,
            occasion=occasion,
        )
        return self._take(episode, found, chunk)

    def _take(self, episode: LiveEpisode, found: CandidateSet, chunk: ActionChunk) -> ActionChunk:
        """Make a set the present one, tell of it, and return the chosen chunk with what it was chosen by."""
        self.latest = found
        actor = "human" if found.is_picked else "system"
        episode.observer.on_event(episode.id, Event(EventKind.CANDIDATE, episode.index, episode.time_s, found.to_payload(), actor))
        self.on_choice(found)
        score = float(found.scores[found.chosen])
        told = {CANDIDATE: float(found.chosen), **({CANDIDATE_SCORE: score} if np.isfinite(score) else {})}
        if found.chosen and isinstance(episode.policy, Interruptible):
            episode.policy.interrupt()  # what the robot does now is not what the policy remembers to have told it
        actions = chunk.actions if found.chosen == 0 else found.chunks[found.chosen].astype(np.float32)
        return replace(chunk, actions=actions, scores={**chunk.scores, **told})

    def _score(self, simulator: Simulator, occasion: Occasion, chunks: Floats) -> tuple[Floats, str]:
        """Return the scores ``(K,)``; where the verifier cannot judge, the policy's own stays best, and why."""
        try:
            verifier = self._verifier_of(simulator)
            if self.settings.verifier == OWN:
                scores = np.zeros(len(chunks))
            else:
                scores = log_likelihoods(occasion.chunk, chunks) if verifier is None else verifier.score(occasion, chunks)
        except WorkbenchError as error:
            self.trouble = str(error)
            return -np.arange(len(chunks), dtype=np.float64), self.trouble
        self.trouble = ""
        return np.asarray(scores, dtype=np.float64), ""

    def _verifier_of(self, simulator: Simulator) -> Verifier | None:
        name = self.settings.verifier
        if name in (LIKELIHOOD, OWN):
            return None
        if self.verifiers is None:
            raise InvalidInput("verifier", expected=LIKELIHOOD, found=repr(name), fix="No other one is offered here.")
        if self._made is None or self._made[:2] != (simulator, name):
            self._made = (simulator, name, self.verifiers.load(name)(simulator))
        return self._made[2]

    def _checks_of(self, simulator: Simulator) -> CandidateChecks:
        if self._checks is None or self._checks[0] is not simulator:
            self._checks = (simulator, CandidateChecks(simulator))
        return self._checks[1]

    @property
    def shares(self) -> tuple[Share, ...]:
        """How much each chunk counted in the action that was executed last, oldest first."""
        return () if self._episode is None else self._episode.chunk.taken_shares

    # --- what a person asks for, in the stepping thread ---

    def ask_once(self) -> None:
        """Draw candidates at the policy's next call, which is before the next step."""
        self._is_asked = True
        if self._episode is not None:
            self._episode.chunk.clear()

    def pick(self, index: int) -> None:
        """Execute another candidate of the present call.

        Raises:
            InvalidInput: there are no candidates of this moment, there is none of that number, or the checks refuse it.
        """
        found, episode = self.latest, self._episode
        if found is None or episode is None or not episode.chunk.is_fresh or found.occasion is None or found.step != episode.index:
            raise InvalidInput("candidate", expected="candidates of this very moment", found="none", fix="Pause, then press Draw now.")
        if not 0 <= index < len(found.chunks):
            raise InvalidInput("candidate", expected=f"0 to {len(found.chunks) - 1}", found=str(index))
        if found.refusals[index]:
            raise InvalidInput("candidate", expected="one that passes the checks", found=found.refusals[index], fix="Pick another one.")
        picked = self._take(episode, replace(found, chosen=index, is_picked=True, trouble=""), found.occasion.chunk)
        self._answered = self.latest
        episode.chunk.put(picked, episode.policy.spec.action_horizon, self.handling)

    def question(self, now_s: float) -> Question | None:
        """Return what a person is asked before anything of the present candidates is executed; once for each set."""
        found, episode = self.latest, self._episode
        if found is None or episode is None or found is self._answered or not episode.chunk.is_fresh:
            return None
        if not (self.settings.is_asking or found.is_stuck):
            return None
        self._answered = found
        text = "None of the candidates passes the checks; the policy's own answer would be executed."
        if not found.is_stuck:
            text = f"{len(found.chunks)} candidates are drawn, and number {found.chosen} is the best. Pick another one in the Watch tab."
        return Question(new_id(), text, CANDIDATES_RULE, now_s)

    # --- told by the episode ---

    def on_event(self, episode_id: str, event: Event) -> None:
        """Draw candidates after an alarm, when that is wished."""
        if event.kind is EventKind.ALARM and self.settings.when is When.ALARM:
            self.ask_once()

    def on_start(self, start: EpisodeStart) -> None:
        """Do nothing."""

    def on_step(self, step: Step) -> None:
        """Do nothing."""

    def on_end(self, end: EpisodeEnd) -> None:
        """Do nothing."""


def draw_candidates(chunk: ActionChunk, settings: CandidateSettings, rng: np.random.Generator) -> Floats:
    """Return ``(K, T, 7)`` candidates, the policy's own answer first; around that answer alone where the policy tells no distribution."""
    own = np.asarray(chunk.actions, dtype=np.float64)
    more = settings.count - 1
    if chunk.distribution is None:
        drawn = draw_gaussian(fit_gaussian(own[None], own), more, rng)
    elif settings.draw is Draw.POLICY:
        drawn = draw_chunks(chunk.distribution, more, rng, temperature=settings.temperature, is_coherent=settings.is_coherent)
    else:
        samples = draw_chunks(
            chunk.distribution, settings.num_initial, rng, temperature=settings.temperature, is_coherent=settings.is_coherent
        )
        drawn = draw_gaussian(fit_gaussian(samples, own), more, rng)
    return np.concatenate([own[None], drawn])


def log_likelihoods(chunk: ActionChunk, candidates: Floats) -> Floats:
    """Return the mean log probability of a candidate's actions ``(K,)`` under the policy's distribution [nat].

    Where the policy tells none, how near a candidate is to its answer, so that its own stays the best.
    """
    told = chunk.distribution
    if told is None:
        return -action_errors(candidates, np.asarray(chunk.actions, dtype=np.float64))
    width = told.centres[:, 1] - told.centres[:, 0]
    bins = np.clip(np.rint((candidates - told.centres[:, 0]) / width), 0, told.centres.shape[1] - 1).astype(int)  # (K, T, 7)
    chosen = np.take_along_axis(told.probabilities[None], bins[..., None], axis=-1)[..., 0]
    return np.asarray(np.log(np.maximum(chosen, 1e-6)).mean(axis=(1, 2)), dtype=np.float64)
