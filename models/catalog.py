"""The catalogue of policies; each entry imports what it needs only when it is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Final

from models.bench_vla.versions import load_version, version_names
from workbench.core.candidates import VerifierFactory
from workbench.core.catalog import Catalog, Entry
from workbench.core.errors import InvalidInput
from workbench.core.protocols import Policy, PolicyFactory, Segmenter, Simulator


def _load_sketch() -> PolicyFactory:
    from workbench.rollout.sketch_policy import SketchPolicy

    return SketchPolicy


def _load_expert() -> PolicyFactory:
    from workbench.simulation.expert import ScriptedExpert
    from workbench.simulation.simulator import BenchSimulator

    def make(simulator: Simulator) -> Policy:
        if not isinstance(simulator, BenchSimulator):
            raise InvalidInput(
                "scripted expert",
                expected="the bench simulator",
                found=f"the simulator {simulator.spec.name!r}",
                fix="Choose another driver.",
            )
        return ScriptedExpert(simulator)

    return make


def _load_hold() -> PolicyFactory:
    from workbench.rollout.hold import HoldPolicy

    return lambda _: HoldPolicy()


def _load_bench_vla() -> PolicyFactory:
    from models.native import keep_triton_out

    keep_triton_out()
    from models.bench_vla.policy import load_policy

    return load_policy


def _load_trace_follower() -> PolicyFactory:
    from workbench.rollout.trace_policy import TracePolicy

    return TracePolicy


def _load_trace_blend() -> PolicyFactory:
    from workbench.rollout.trace_blend import BlendPolicy

    make_base = _load_bench_vla()
    return lambda simulator: BlendPolicy(make_base(simulator), simulator)


def _load_random_tree() -> PolicyFactory:
    from workbench.rollout.planning_policy import planner

    return planner("random-tree", tries_actions=False)


def _load_action_tree() -> PolicyFactory:
    from workbench.rollout.planning_policy import planner

    return planner("action-tree", tries_actions=True)


def _load_informed_tree() -> PolicyFactory:
    from workbench.rollout.planning_policy import planner

    return planner("informed-tree", tries_actions=True, make_sampler=_load_bench_vla())


def _load_mask_follower() -> PolicyFactory:
    from workbench.rollout.mask_follower import MaskFollower

    return MaskFollower


def _load_pi0() -> PolicyFactory:
    from models.native import keep_triton_out

    keep_triton_out()
    from models.pi0 import load_policy

    return load_policy


def _load_remote() -> PolicyFactory:
    from models.remote import make_remote

    return make_remote()


def _load_oracle() -> Segmenter:
    from workbench.segmentation.oracle import OracleSegmenter

    return OracleSegmenter()


def _load_classical() -> Segmenter:
    from workbench.segmentation.classical import ClassicalSegmenter

    return ClassicalSegmenter()


def _load_sam2_bench() -> Segmenter:
    from models.native import keep_triton_out

    keep_triton_out()
    from models.sam2_bench.segmenter import load_segmenter

    return load_segmenter()


def _load_sam2() -> Segmenter:
    from models.native import keep_triton_out

    keep_triton_out()
    from models.sam2 import load_segmenter

    return load_segmenter()


class PolicyCatalog(Catalog[PolicyFactory]):
    """The policies that come with the project, and the versions of the bench VLA that were taught since."""

    def entry(self, name: str) -> Entry[PolicyFactory]:
        """Return an entry; errors as the catalogue's."""
        return next((e for e in self._taught() if e.name == name), None) or super().entry(name)

    def __iter__(self) -> Iterator[Entry[PolicyFactory]]:
        return iter((*super().__iter__(), *self._taught()))

    def __contains__(self, name: object) -> bool:
        return super().__contains__(name) or name in version_names()

    def _taught(self) -> list[Entry[PolicyFactory]]:
        return [Entry(name, partial(load_version, name), f"{name}: the bench VLA, taught further here") for name in version_names()]


def _load_value() -> VerifierFactory:
    from models.verifier.verifiers import load_value

    return load_value


def _load_preference() -> VerifierFactory:
    from models.verifier.verifiers import load_preference

    return load_preference


def _load_oracle_verifier() -> VerifierFactory:
    from workbench.rollout.expert_verifier import make_expert_verifier

    return make_expert_verifier


POLICIES: Final[Catalog[PolicyFactory]] = PolicyCatalog("policy")
POLICIES.add("sketch", _load_sketch, "does what is drawn: arrows and circles become paths of the gripper")
POLICIES.add("bench-vla", _load_bench_vla, "our own small vision-language-action model: words, masks, traces")
POLICIES.add("trace-follower", _load_trace_follower, "goes along a drawn or edited path, point by point")
POLICIES.add("trace-blend", _load_trace_blend, "the bench VLA, nudged towards a path: one share of each")
POLICIES.add("random-tree", _load_random_tree, "goes to where a path ends, by a way around obstacles that it plans")
POLICIES.add("action-tree", _load_action_tree, "the same, by actions that are tried in a copy of the scene")
POLICIES.add("informed-tree", _load_informed_tree, "the same, most of the tried actions drawn by the bench VLA")
POLICIES.add("mask-follower", _load_mask_follower, "grasps and touches what is masked, by depth and way points")
POLICIES.add("expert", _load_expert, "scripted demonstration that reads the simulator's truth (privileged)")
POLICIES.add("hold", _load_hold, "keeps still")
POLICIES.add("remote", _load_remote, "a policy server of openpi's protocol; its address is given by --remote")
POLICIES.add("pi0", _load_pi0, "pi0 from a checkpoint of yours, named by the variable VLAW_PI0")

SEGMENTERS: Final[Catalog[Segmenter]] = Catalog("segmenter")
SEGMENTERS.add("sam2-bench", _load_sam2_bench, "SAM 2 in small, trained on pictures of this bench alone: live without a GPU")
SEGMENTERS.add("sam2", _load_sam2, "SAM 2 of Meta, from a checkpoint of yours, named by the variable VLAW_SAM2")
SEGMENTERS.add("classical", _load_classical, "region growing by colour: no weights, any picture")
SEGMENTERS.add("oracle", _load_oracle, "simulator's truth (privileged): no real robot has it")

VERIFIERS: Final[Catalog[VerifierFactory]] = Catalog("verifier")
VERIFIERS.add(
    "value",
    _load_value,
    "how soon the task is done from there, learnt from recorded episodes; as shipped from 16 only, no better than chance",
)
VERIFIERS.add(
    "preference",
    _load_preference,
    "trained on pairs of candidates: the one nearer to the expert's action wins; as shipped it orders 71 % of held-out pairs",
)
VERIFIERS.add("oracle", _load_oracle_verifier, "how near it is to what the scripted expert would do now (privileged)")
