"""Trials with a switch and trials of several steps, with a policy that obeys."""

import pytest

from tests.rollout.obedient import Obedient
from workbench.core.errors import InvalidInput, UnknownName
from workbench.core.types import EpisodeConfig
from workbench.evaluation.cards import STUDIES
from workbench.evaluation.cards.switchvla import setting_of
from workbench.evaluation.episodes import run_trial
from workbench.evaluation.perturbing import options_of
from workbench.evaluation.settings import Setting, parse_setting
from workbench.evaluation.studies import StudyOptions
from workbench.simulation.simulator import BenchSimulator


@pytest.fixture(scope="module")
def simulator():
    made = BenchSimulator()
    yield made
    made.close()


def run(simulator, setting, *, task="place_in_bowl", seed=4, perturbation="", **policy):
    simulator.reset(EpisodeConfig(task, seed))
    obedient = Obedient(simulator, **policy)
    return run_trial(
        simulator, obedient, task, seed, "words", setting=parse_setting(setting), options=options_of(perturbation, seed)
    ), obedient


def test_a_setting_is_read_and_a_wrong_one_names_what_there_is():
    assert parse_setting("goals=verify,modes") == Setting(goals="verify", has_modes=True)
    assert parse_setting("switch=late").switch == "late" and not parse_setting("horizon=4").is_piloted
    for wrong in ("goals=perfect", "switch=never"):
        with pytest.raises(UnknownName):
            parse_setting(wrong)
    with pytest.raises(InvalidInput):
        parse_setting("modes=2")


@pytest.mark.parametrize("moment", ["early", "mid", "late"])
def test_after_a_switch_with_the_modes_the_task_is_solved_and_the_first_thing_is_back(simulator, moment):
    result, policy = run(simulator, setting_of(moment, has_modes=True))
    assert result.is_success and result.measures["undone"] == 1.0
    assert len(policy.told) == 2 and policy.told[0] != policy.told[1]
    assert result.measures["after_switch_s"] > 0


def test_a_switch_without_the_modes_is_just_told(simulator):
    result, policy = run(simulator, "switch=early")
    assert len(policy.told) == 2 and "undone" in result.measures


def test_a_switch_that_waits_for_what_does_not_come_is_made_after_its_time(simulator):
    result, policy = run(simulator, "switch=mid,limit=11", fails=99)
    assert len(policy.told) == 2 and not result.is_success


def test_a_scene_in_which_nothing_else_can_be_done_has_no_switch(simulator):
    with pytest.raises(InvalidInput):
        run(simulator, "switch=mid", task="press_button")


def test_three_steps_taken_apart_are_judged_in_their_order_by_the_truth(simulator):
    result, policy = run(simulator, "goals=verify+recover", perturbation="several-three")
    assert result.is_success and result.measures["steps_done"] == 1.0 and result.measures["attempts"] == 3.0
    assert len(policy.told) == 3


def test_a_policy_that_does_nothing_solves_no_step_and_the_trial_ends(simulator):
    result, _ = run(simulator, "goals=verify+recover", perturbation="several-two", fails=99)
    assert not result.is_success and result.measures["steps_done"] == 0.0 and result.measures["attempts"] == 2.0


def test_whole_instructions_are_told_as_they_stand(simulator):
    result, policy = run(simulator, "goals=whole,limit=1", perturbation="several-two")
    assert len(policy.told) == 1 and ", then " in policy.told[0] and not result.is_success


@pytest.mark.parametrize("name", ["switchvla", "sap"])
def test_the_cards_have_readable_conditions_that_all_differ(name):
    campaign = STUDIES.load(name).plan(StudyOptions(episodes=2))
    for cell in campaign.cells:
        assert parse_setting(cell.setting) is not None and options_of(cell.perturbation, 1) is not None
    assert len({(c.task, c.perturbation, c.setting) for c in campaign.cells}) == len(campaign.cells)
