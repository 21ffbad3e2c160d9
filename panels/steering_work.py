"""The longer jobs on a policy's inside: measuring activity, fitting directions and probes, training autoencoders, ranking, occlusion.

All of them work on a copy of the policy, beside the running one, on stored steps that are seen again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from panels.steering_jobs import Report
from panels.steering_lab import Measured, SteeringLab, action_index, row_to_dict
from panels.steering_samples import LABELS, Sample, labels_of, newest_episodes, read_samples
from sessions.concepts import save_asset
from workbench.core.errors import InvalidInput
from workbench.core.protocols import SteerablePolicy
from workbench.core.types import Prompt
from workbench.steering.assets import Asset, Place, asset_to_dict
from workbench.steering.places import check_layer

FIRST_SHARE: Final = 0.4
"""Of the progress bar: seeing the stored steps again."""
MAX_CANDIDATES: Final = 60


class _Args(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class Episodes(_Args):
    """Which stored steps are seen again; no ids: the newest episodes."""

    stack: str = Field("", max_length=60)
    episodes: list[str] = Field(default_factory=list, max_length=200)
    count: int = Field(48, ge=8, le=2000)


class WhereArgs(Episodes):
    """Where something is fitted."""

    name: str = Field(min_length=1, max_length=100)
    layer: int = Field(ge=0, le=1000)
    tokens: str = Field("all", max_length=60)


class Words(WhereArgs):
    """The same steps under two instructions."""

    positive: str = Field(min_length=1, max_length=500)
    negative: str = Field(min_length=1, max_length=500)
    method: str = Field("mean difference", max_length=60)


class TwoSets(WhereArgs):
    """Steps of some episodes against steps of others."""

    others: list[str] = Field(min_length=1, max_length=200)
    method: str = Field("mean difference", max_length=60)
    is_conceptor: bool = False


class Labelled(WhereArgs):
    """A label of the simulator."""

    label: str = Field(max_length=40)


class Features(WhereArgs):
    """How an autoencoder is trained."""

    num_active: int = Field(16, ge=1, le=256)
    epochs: int = Field(30, ge=1, le=500)


class Ranking(Episodes):
    """Neurons that are tried one by one."""

    neurons: list[int] = Field(min_length=1, max_length=MAX_CANDIDATES)
    dimension: str = Field(max_length=40)
    sign: int = Field(1, ge=-1, le=1)
    alpha: float = Field(ge=-1000, le=1000)


class Bench:
    """The copy of a policy that a job works on, and the steps that it sees again."""

    def __init__(self, lab: SteeringLab, name: str, fingerprint: str, report: Report) -> None:
        self.lab, self.fingerprint, self.report = lab, fingerprint, report
        report(0.01, "loading a copy of the policy")
        simulator = lab.simulators.load("bench")
        try:
            self.policy: SteerablePolicy = lab.copy_of(name, fingerprint, simulator)
        finally:
            simulator.close()

    def samples(self, args: Episodes, episodes: Sequence[str] | None = None) -> list[Sample]:
        """Return stored steps with prompts that the policy understands."""
        ids = list(args.episodes if episodes is None else episodes) or newest_episodes(self.lab.store, 8)
        cameras, words = self.policy.spec.cameras, self.policy.spec.known_words

        def told(share: float) -> None:
            self.report(FIRST_SHARE * share, "seeing stored steps again")

        found = read_samples(self.lab.store, ids, self.lab.simulators.load, cameras, limit=args.count, report=told)
        return [replace(s, prompt=Prompt(text=s.prompt.text if _is_known(s.prompt.text, words) else "")) for s in found]

    def calls(self, samples: Sequence[Sample], note: str) -> list[Callable[[], object]]:
        """Return one policy call for each sample, which also tells the progress."""

        def call(i: int, sample: Sample) -> Callable[[], object]:
            def act() -> object:
                self.report(FIRST_SHARE + (1 - FIRST_SHARE) * i / len(samples), note)
                return self.act(sample)

            return act

        return [call(i, sample) for i, sample in enumerate(samples)]

    def act(self, sample: Sample, policy: Any = None, prompt: Prompt | None = None) -> Any:
        """Make one call from a fresh start."""
        driver = policy or self.policy
        driver.reset(np.random.default_rng(0))
        return driver.act(sample.observation, prompt or sample.prompt, np.random.default_rng(0))

    def rows(self, samples: Sequence[Sample], place: Place, pool: str = "mean") -> NDArray[np.float32]:
        """Return what is at a place in the call on each sample."""
        from workbench.steering.activity import Pool, collect
        from workbench.steering.sites import as_module

        calls = self.calls(samples, "reading the network")
        found: NDArray[np.float32] = collect(
            as_module(self.policy.module), self.policy.sites, calls, [place.site], tokens=place.tokens, pool=Pool(pool)
        )[place.site]
        return found

    def place(self, args: WhereArgs) -> Place:
        """Return where something is fitted; errors as those of the anatomy."""
        stack = self.policy.sites.stack(args.stack or self.policy.sites.stacks[0].name)
        stack.group(args.tokens)
        return Place(stack.name, check_layer(stack, args.layer), args.tokens, self.fingerprint)

    def norm(self, samples: Sequence[Sample], place: Place) -> float:
        """Return the median norm at a place."""
        from workbench.steering.activity import layer_norms
        from workbench.steering.sites import as_module

        calls = [lambda s=s: self.act(s) for s in samples[:8]]
        return float(layer_norms(as_module(self.policy.module), self.policy.sites, calls, place.stack, place.tokens)[place.layer])

    def keep(self, asset: Asset) -> dict[str, Any]:
        """Store what was made, and return what the page is told."""
        return {"asset": save_asset(self.lab.store, asset), **asset_to_dict(asset)}


def measure_activity(bench: Bench, args: Episodes) -> dict[str, Any]:
    """Measure how every neuron of a stack behaves, and the norm of its layers."""
    from workbench.steering.activity import layer_norms, metered
    from workbench.steering.sites import as_module

    stack = args.stack or bench.policy.sites.stacks[0].name
    bench.policy.sites.stack(stack)
    samples, module, anatomy = bench.samples(args), as_module(bench.policy.module), bench.policy.sites
    with metered(module, anatomy, stack) as meter:
        norms = layer_norms(module, anatomy, bench.calls(samples, "measuring every neuron"), stack)
    bench.lab.keep_measured(bench.fingerprint, stack, Measured(meter.result(), norms, len(samples)))
    return {"num_calls": len(samples), "norms": np.round(norms, 3).tolist()}


def contrast_words(bench: Bench, args: Words) -> dict[str, Any]:
    """Find the direction between two instructions."""
    from workbench.steering.directions import Contrast, Method, fit_direction

    place, samples = bench.place(args), bench.samples(args)
    for text in (args.positive, args.negative):
        if not _is_known(text, bench.policy.spec.known_words):
            raise InvalidInput("instruction", expected="words that the policy knows", found=repr(text)[:80])
    sides = [bench.rows([replace(s, prompt=Prompt(text=text)) for s in samples], place) for text in (args.positive, args.negative)]
    groups = np.array([s.group for s in samples])
    source = f"{args.positive!r} less {args.negative!r}, {len(samples)} steps"
    contrast = Contrast(sides[0], sides[1], groups, groups)
    rng = np.random.default_rng(0)
    return bench.keep(
        fit_direction(contrast, Method(args.method), name=args.name, place=place, norm=bench.norm(samples, place), rng=rng, source=source)
    )


def contrast_episodes(bench: Bench, args: TwoSets) -> dict[str, Any]:
    """Find the direction, or the conceptor, between two sets of stored episodes."""
    from workbench.steering.conceptors import contrastive_conceptor
    from workbench.steering.directions import Contrast, Method, fit_direction

    place = bench.place(args)
    sides = [bench.samples(args), bench.samples(args, args.others)]
    rows = [bench.rows(side, place) for side in sides]
    if args.is_conceptor:
        return bench.keep(contrastive_conceptor(rows[0], rows[1], name=args.name, place=place))
    groups = [np.array([s.group for s in side]) + 1000 * i for i, side in enumerate(sides)]
    contrast, rng = Contrast(rows[0], rows[1], *groups), np.random.default_rng(0)
    source = f"{len(args.episodes) or 'the newest'} episodes less {len(args.others)} others, {len(rows[0])} and {len(rows[1])} steps"
    return bench.keep(
        fit_direction(contrast, Method(args.method), name=args.name, place=place, norm=bench.norm(sides[0], place), rng=rng, source=source)
    )


def fit_label(bench: Bench, args: Labelled) -> dict[str, Any]:
    """Fit a probe to a label of the simulator."""
    from workbench.steering.probes import Samples, fit_probe

    if args.label not in LABELS:
        raise InvalidInput("label", expected=f"one of {', '.join(LABELS)}", found=repr(args.label))
    unit, is_classifier, _ = LABELS[args.label]
    place = bench.place(args)
    samples, labels = labels_of(bench.samples(args), args.label)
    if not samples:
        raise InvalidInput(f"steps with the label {args.label}", expected="some", found="none", fix="Choose episodes that have ended.")
    rows = Samples(bench.rows(samples, place), labels, np.array([s.group for s in samples]))
    rng = np.random.default_rng(0)
    return bench.keep(fit_probe(rows, name=args.name, place=place, is_classifier=is_classifier, unit=unit, rng=rng))


def train_features(bench: Bench, args: Features) -> dict[str, Any]:
    """Train a sparse autoencoder, token by token."""
    from workbench.steering.sae import SaeTraining, train_sae

    place = bench.place(args)
    tokens = bench.rows(bench.samples(args), place, pool="tokens")
    training = SaeTraining(num_active=args.num_active, epochs=args.epochs)

    def progress(share: float, loss: float) -> None:
        bench.report(0.5 + 0.5 * share, f"training on {len(tokens)} tokens, loss {loss:.3f}")

    return bench.keep(train_sae(tokens, name=args.name, place=place, training=training, progress=progress))


def rank_neurons(bench: Bench, args: Ranking) -> dict[str, Any]:
    """Clamp each neuron alone and measure what happens to the action, beside random neurons."""
    from workbench.steering.policy import Setting, SteeredPolicy
    from workbench.steering.selection import rank_by_effect

    stack = bench.policy.sites.stack(args.stack or bench.policy.sites.stacks[0].name)
    samples, steered = bench.samples(args), SteeredPolicy(bench.policy)

    def measure(edits: Sequence[Any]) -> NDArray[np.floating]:
        steered.set(Setting(tuple(edits)))
        return np.array([bench.act(s, steered).actions[0] for s in samples])

    def progress(share: float) -> None:
        bench.report(FIRST_SHARE + (1 - FIRST_SHARE) * share, "clamping one neuron after the other")

    ranking = rank_by_effect(
        measure,
        stack,
        args.neurons,
        dimension=action_index(args.dimension),
        sign=args.sign or 1,
        alpha=args.alpha,
        rng=np.random.default_rng(0),
        progress=progress,
    )
    table = bench.lab.table(SteeredPolicy(bench.policy), bench.fingerprint, stack.name)
    measured = bench.lab.measured(bench.fingerprint, stack.name)
    effects = [{**row_to_dict(table, e.flat, measured), "effect": e.mean, "error": _finite(e.error)} for e in ranking.effects]
    return {"effects": effects, "band": list(ranking.band), "n": len(samples), "dimension": args.dimension, "alpha": args.alpha}


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _is_known(text: str, words: frozenset[str]) -> bool:
    return not words or all(word in words for word in text.lower().replace(",", " ").replace(":", " ").split())


JOBS: Final[dict[str, tuple[str, type[Episodes], Callable[[Bench, Any], dict[str, Any]]]]] = {
    "activity": ("Measuring the neurons", Episodes, measure_activity),
    "words": ("Direction from two instructions", Words, contrast_words),
    "episodes": ("Direction from two sets of episodes", TwoSets, contrast_episodes),
    "probe": ("Fitting a probe", Labelled, fit_label),
    "sae": ("Training an autoencoder", Features, train_features),
    "ranking": ("Trying neurons one by one", Ranking, rank_neurons),
}
"""Name -> title, arguments, work."""
