"""Sub-goals one after the other, and instructions that change on the way, in the bench with a policy that obeys."""

import time
from dataclasses import replace

import numpy as np
import pytest

from tests.rollout.fakes import Diary, fake_config
from tests.rollout.obedient import Obedient
from tests.rollout.rigs import Rig, wait_for
from workbench.core.events import EpisodeStart, EventKind
from workbench.core.types import Actor, EpisodeConfig, Prompt
from workbench.intervention.rules import Question
from workbench.planning.subgoals import GoalState, plan_of
from workbench.planning.switching import MODE_CODES, Mode
from workbench.rollout.goals import find_goal
from workbench.rollout.loop import Choice, begin_episode, change_prompt, follow_policy, look_ahead, tick
from workbench.rollout.modes import RolloutMode
from workbench.rollout.pilot import MODE_SCORE, Pilot, PilotSettings
from workbench.simulation.sayings import sayings_in
from workbench.simulation.simulator import BenchSimulator

CONFIG = EpisodeConfig("place_in_bowl", 4, options={"several": {"steps": 1, "seed": 4}})


@pytest.fixture(scope="module")
def simulator():
    made = BenchSimulator()
    yield made
    made.close()


class Case:
    """One episode of the obedient policy, with a pilot."""

    def __init__(self, simulator, *, fails=0, says_done=True, **settings):
        simulator.reset(CONFIG)
        self.simulator, self.diary = simulator, Diary()
        self.policy = Obedient(simulator, fails=fails, says_done=says_done)
        roles = simulator.instance.roles
        self.sayings = [s for s in sayings_in(simulator) if roles["pick"] not in s.roles.values()]
        self.own = next(s.wordings[0] for s in sayings_in(simulator) if s.task == "place_in_bowl" and s.roles == roles)
        self.other = self.say("place_on_plate")
        self.press = self.say("press_button")
        start = EpisodeStart("e", "s", CONFIG.to_dict(), self.own, "obedient")
        self.episode = begin_episode(simulator, self.policy, start, prompt=Prompt(text=self.own), observer=self.diary)
        self.pilot = self.episode.pilot = Pilot(PilotSettings(**{"asks": False, **settings}))

    def say(self, task):
        return next(s.wordings[0] for s in self.sayings if s.task == task)

    def follow(self, *goals):
        self.pilot.follower.start(self.episode, plan_of(tuple((g, g) for g in goals)))

    def tell(self, text):
        change_prompt(self.episode, {"text": text})

    def run(self, until=lambda: False, max_steps=900):
        for _ in range(max_steps):
            if until() or self.episode.is_done:
                return
            tick(self.episode, follow_policy(self.episode))

    def until_held(self, instruction, height=0.05):
        name = find_goal(self.simulator, instruction).acts_on
        self.run(lambda: self.simulator.world.is_held(name) and self.simulator.world.position(name)[2] > height)
        return name

    def modes(self):
        """The modes in their order, without repeats."""
        codes = [step.scores.get(MODE_SCORE, 0.0) for step in self.diary.steps]
        return [c for i, c in enumerate(codes) if i == 0 or codes[i - 1] != c]

    def texts(self, kind):
        return [e.payload.get("text", "") for e in self.diary.events if e.kind is kind]

    def states(self):
        return [goal.state for goal in self.pilot.plan.goals]


F, R, A, V = (MODE_CODES[m] for m in (Mode.FORWARD, Mode.ROLLBACK, Mode.ADVANCE, Mode.RECOVERY))


def test_three_sub_goals_are_told_one_after_the_other_and_each_is_measured(simulator):
    case = Case(simulator)
    case.follow(case.other, case.press, case.own)
    case.run(max_steps=1500)
    assert case.states() == [GoalState.DONE] * 3 and case.episode.is_done
    assert case.policy.told == [case.other, case.press, case.own]
    assert all(goal.note == "measured" and goal.attempts == 1 for goal in case.pilot.plan.goals)
    assert find_goal(simulator, case.other) is not None and case.episode.simulator.world is not None
    done = [e.step for e in case.diary.events if e.kind is EventKind.SUBGOAL and e.payload.get("state") == "done"]
    assert len(done) == 3 and done == sorted(done)


def test_an_instruction_that_changes_while_a_thing_is_held_is_undone_first(simulator):
    case = Case(simulator)
    case.tell(case.other)
    name = case.until_held(case.other)
    place = simulator.world.initial.position(name)
    assert np.linalg.norm(simulator.world.position(name) - place) > 0.03
    case.tell(case.own)
    case.run(lambda: case.episode.is_success)
    assert case.modes() == [F, R, A, F] and case.episode.is_success
    assert np.linalg.norm(simulator.world.position(name) - place) < 0.03, "the first thing is not back"
    told = [e.payload for e in case.diary.events if e.kind is EventKind.SWITCH]
    assert [p["mode"] for p in told] == ["rollback", "advance", "forward"] and told[0]["held"] == name


def test_without_the_modes_the_policy_is_just_told(simulator):
    case = Case(simulator, is_switching=False)
    case.tell(case.other)
    case.until_held(case.other)
    case.tell(case.own)
    case.run(max_steps=40)
    assert case.modes() == [F] and not case.texts(EventKind.SWITCH)


def test_a_free_hand_goes_to_the_start_without_undoing(simulator):
    case = Case(simulator)
    case.run(max_steps=15)
    case.tell(case.press)
    case.run(max_steps=80)
    assert case.modes() == [F, A, F]
    assert case.policy.num_resets >= 2, "the policy began the new task with what it remembered of the old one"


def test_the_same_in_other_words_goes_on(simulator):
    case = Case(simulator)
    case.tell(case.other)
    case.until_held(case.other)
    wordings = next(s.wordings for s in case.sayings if case.other in s.wordings)
    case.tell(f"slowly {wordings[1]}")
    case.run(max_steps=20)
    assert case.modes() == [F]


def test_what_is_held_is_kept_when_the_new_instruction_is_about_it(simulator):
    case = Case(simulator)
    case.tell(case.other)
    name = case.until_held(case.other)
    case.tell(next(s.wordings[0] for s in case.sayings if s.task == "place_in_bowl" and s.roles["pick"] == name))
    case.run(max_steps=20)
    assert case.modes() == [F] and simulator.world.is_held(name)


def test_a_policy_that_keeps_still_is_stuck_recovered_from_and_given_up_after_so_many_attempts(simulator):
    case = Case(simulator, fails=99, max_attempts=2)
    case.follow(case.other, case.press)
    case.run()
    goal = case.pilot.plan.goals[0]
    assert goal.state is GoalState.FAILED and goal.attempts == 2 and "not moved" in goal.note
    assert V in case.modes() and not case.pilot.plan.is_running and case.episode.is_done
    assert case.states()[1] is GoalState.WAITING, "the next one was begun although the one before failed"


def test_after_a_recovery_the_next_attempt_may_succeed(simulator):
    case = Case(simulator, fails=1)
    case.follow(case.press)
    case.run(lambda: case.pilot.is_leading)
    case.policy.fails = 0
    case.run()
    assert case.states() == [GoalState.DONE] and case.pilot.plan.goals[0].attempts == 2


def test_where_nothing_recovers_time_alone_ends_an_attempt(simulator):
    case = Case(simulator, fails=99, max_attempts=1, is_recovering=False)
    case.follow(case.press)
    case.run()
    assert case.states() == [GoalState.FAILED] and "not done after" in case.pilot.plan.goals[0].note
    assert case.modes() == [F]


def test_unverified_sub_goals_take_the_policys_word(simulator):
    case = Case(simulator, is_verifying=False)
    case.follow(case.other)
    case.run()
    assert case.states() == [GoalState.DONE] and case.pilot.plan.goals[0].note == "the policy says so"


def test_asking_again_before_a_step_gives_the_same_and_moves_nothing(simulator):
    case = Case(simulator)
    case.run(max_steps=15)
    case.tell(case.press)
    case.run(lambda: case.pilot.is_leading)
    look_ahead(case.episode)
    first = case.episode.chunk.peek().copy()
    for _ in range(5):
        look_ahead(case.episode)
    np.testing.assert_array_equal(case.episode.chunk.peek(), first)


def test_what_is_told_between_two_looks_at_the_same_step_is_taken_up_at_once(simulator):
    case = Case(simulator)
    case.run(max_steps=15)
    look_ahead(case.episode)
    case.tell(case.press)
    look_ahead(case.episode)
    assert case.pilot.is_leading
    case.follow(case.other)
    look_ahead(case.episode)
    assert case.episode.prompt.text == case.other


def test_a_person_who_drives_ends_a_way_of_the_pilot(simulator):
    case = Case(simulator)
    case.run(max_steps=15)
    case.tell(case.press)
    case.run(lambda: case.pilot.is_leading)
    still = np.array([0, 0, 0, 0, 0, 0, 1], dtype=np.float32)
    tick(case.episode, lambda observation, proposal: Choice(still, Actor.HUMAN))
    assert not case.pilot.is_leading and "a person took over" in case.texts(EventKind.SWITCH)[-1]


def test_a_plan_that_is_edited_on_the_way_goes_on_with_its_new_words(simulator):
    case = Case(simulator)
    case.follow(case.other, case.press)
    case.run(max_steps=20)
    case.pilot.follower.change(lambda plan: plan.edited(0, case.press, case.press).marked(1, GoalState.SKIPPED))
    case.run()
    assert case.states() == [GoalState.DONE, GoalState.SKIPPED] and case.policy.told[-1] == case.press


def test_another_instruction_of_the_person_ends_the_plan_and_another_manner_does_not(simulator):
    case = Case(simulator)
    case.follow(case.press, case.other)
    case.run(max_steps=10)
    case.tell(f"slowly {case.press}")
    case.run(max_steps=3)
    assert case.pilot.plan.is_running
    case.tell(case.own)
    case.run(max_steps=3)
    assert not case.pilot.plan.is_running and case.states() == [GoalState.WAITING] * 2


def test_what_a_person_does_by_hand_counts_as_done(simulator):
    case = Case(simulator, fails=99)
    case.follow(case.press)
    hand = Obedient(simulator)
    for _ in range(200):
        if case.states()[0] is GoalState.DONE:
            break
        tick(case.episode, lambda o, proposal: Choice(hand.act(o, case.episode.prompt, None).actions[0], Actor.HUMAN))
    assert case.states() == [GoalState.DONE]


def answer(case, **said):
    question = case.pilot.question(0.0)
    assert question is not None and "failed 1 times" in question.text
    case.pilot.follower.answer(question, **said)
    return case.states()[0]


def test_after_the_last_attempt_the_person_decides(simulator):
    case = Case(simulator, fails=99, max_attempts=1, asks=True)
    case.follow(case.press)
    case.run(lambda: case.pilot.question(0.0) is not None)
    assert case.states() == [GoalState.ASKED]
    assert answer(case, is_allowed=False, is_human=False) is GoalState.ASKED, "no answer is no decision"
    assert answer(case, is_allowed=True, is_human=True) is GoalState.WAITING
    case.run(lambda: case.pilot.question(0.0) is not None)
    assert answer(case, is_allowed=False, is_human=True) is GoalState.FAILED and case.pilot.question(0.0) is None


def test_the_answer_to_another_question_is_none_to_the_plan(simulator):
    case = Case(simulator, fails=99, max_attempts=1, asks=True)
    case.follow(case.press)
    case.run(lambda: case.pilot.question(0.0) is not None)
    case.pilot.follower.answer(Question("q", "Shall it?", 0, 0.0), True, is_human=True)
    assert case.states() == [GoalState.ASKED]


# --- live ---------------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def rig():
    made = Rig()
    yield made
    made.controller.close()


def test_a_live_plan_that_fails_pauses_and_asks_and_a_yes_tries_again(rig):
    rig.start()
    rig.controller.pilot.settings = replace(rig.controller.pilot.settings, max_attempts=1)
    plan = plan_of((("reach", "reach"),))
    rig.controller.lead(lambda pilot, episode: pilot.follower.start(episode, plan)).result(10)
    rig.controller.resume()
    wait_for(lambda: rig.controller.status().question is not None, 20)
    assert rig.mode is RolloutMode.PAUSED and "Step 1" in rig.controller.status().question.text
    rig.controller.answer(True)
    wait_for(lambda: rig.controller.pilot.plan.goals[0].attempts == 1 and rig.mode is RolloutMode.AUTONOMOUS)


def test_halt_stops_a_way_of_the_pilot_as_it_stops_a_policy(rig):
    rig.start(speed=1.0)
    rig.controller.lead(lambda pilot, episode: pilot.follower.start(episode, plan_of((("reach", "reach"),)))).result(10)
    rig.controller.resume()
    rig.wait_steps(5)
    rig.controller.lead(lambda pilot, episode: pilot.begin_ways(Mode.RECOVERY)).result(10)
    wait_for(lambda: rig.controller.status().led_by == "recovery")
    rig.controller.halt()
    time.sleep(0.1)
    rig.flush()
    count = rig.settled_steps()
    assert rig.mode is RolloutMode.HALTED and rig.settled_steps() == count


def test_the_settings_stay_for_every_episode_and_the_plan_for_those_of_the_same_scene(rig):
    rig.start()
    rig.controller.pilot.settings = replace(rig.controller.pilot.settings, verify_every=9)
    plan = plan_of((("a", "a"), ("b", "b")))
    rig.controller.lead(lambda pilot, episode: pilot.follower.put(plan.marked(0, GoalState.DONE))).result(10)
    rig.controller.reset().result(10)
    assert rig.controller.pilot.plan == plan, "after a reset it does not wait from its first sub-goal on"
    rig.start(config=replace(fake_config(), seed=99))
    assert rig.controller.pilot.plan.goals == () and rig.controller.pilot.settings.verify_every == 9
