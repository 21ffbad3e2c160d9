from tests.rollout.fakes import Blocking, Diary, Script, Wander, fake_config
from tests.rollout.rigs import Rig, wait_for
from workbench.core.events import EventKind, Outcome
from workbench.core.sketches import Sketch, SketchPlan
from workbench.core.types import Actor, Prompt
from workbench.rollout.modes import RolloutMode

SKETCH = Sketch("k1", "front", 480, 480, ())
PLAN = SketchPlan("p1", "k1", "front", 480, 480, ())


def test_whoever_hears_of_a_new_episode_sees_it_in_the_status():
    class Curious(Diary):
        seen = None

        def on_start(self, start):
            status, history = rig.controller.status(), rig.controller.history()
            self.seen = (status.episode_id, status.step, history.episode_id) == (start.episode_id, 0, start.episode_id)

    curious = Curious()
    rig = Rig(observers=[curious])
    try:
        for _ in range(2):
            rig.start()
            assert curious.seen
            curious.seen = None
    finally:
        rig.controller.close()


def test_reset_gives_the_same_start_bit_for_bit_and_keeps_the_prompt(rig):
    rig.start(is_running=True)
    rig.wait_steps(10)
    rig.controller.set_prompt(text="try again")
    rig.controller.reset().result(10)
    assert rig.mode is RolloutMode.PAUSED
    assert len(rig.diary.starts) == 2
    assert rig.diary.ends[0].outcome is Outcome.STOPPED
    assert rig.controller.status().instruction == "try again"
    assert rig.controller.history().state(0).equals(rig.diary.steps[0].state)
    assert rig.diary.starts[1].episode_id == rig.controller.history().episode_id
    kinds = rig.diary.kinds()
    assert kinds.index(EventKind.RESET) < kinds.index(EventKind.END)


def test_a_branch_continues_bit_equal_to_its_parent(rig):
    parent = rig.start()
    rig.controller.step_once(30)
    rig.wait_steps(30)
    rig.settled_steps()
    history = rig.controller.history()
    config = fake_config()
    child = rig.controller.branch(config, history.state(12), parent_id=parent, step=12, policy="wander").result(10)
    assert rig.mode is RolloutMode.PAUSED
    head = rig.diary.starts[-1]
    assert (head.episode_id, head.parent_id, head.branch_step) == (child, parent, 12)
    assert head.start_state == history.state(12).to_bytes()
    rig.controller.step_once(18)
    rig.wait_steps(48)
    rig.settled_steps()
    for i in range(19):
        assert rig.controller.history().state(i).equals(history.state(12 + i))


def test_a_branch_within_the_scene_keeps_the_scene(rig):
    parent = rig.start()
    scene = rig.controller.latest().scene
    state = rig.controller.history().state(0)
    rig.controller.branch(fake_config(), state, parent_id=parent, step=0).result(10)
    assert rig.controller.latest().scene is scene
    rig.controller.branch(fake_config(seed=4), state, parent_id=parent, step=0).result(10)
    assert rig.controller.latest().scene is not scene


def test_an_episode_that_was_solved_ends_as_a_success(rig):
    rig.start(config=fake_config(goal=0.1), is_running=True)
    wait_for(lambda: rig.diary.count(EventKind.SUCCESS) == 1)
    assert rig.mode is RolloutMode.AUTONOMOUS
    rig.controller.end()
    rig.flush()
    assert rig.diary.ends[-1].outcome is Outcome.SUCCESS
    assert rig.mode is RolloutMode.IDLE
    assert rig.controller.status().is_success


def test_a_person_may_say_how_it_ended(rig):
    rig.start()
    rig.controller.end(Outcome.FAILURE)
    rig.flush()
    assert rig.diary.ends[-1].outcome is Outcome.FAILURE
    rig.controller.reset().result(10)
    assert rig.mode is RolloutMode.PAUSED
    assert rig.controller.status().policy == "wander"


def test_a_policy_that_is_done_pauses(make_rig):
    rig = make_rig(script=lambda simulator: Script([(0.01, {}), (0.0, {"done": 1.0})]))
    rig.start("script", is_running=True)
    wait_for(lambda: rig.mode is RolloutMode.PAUSED)
    assert rig.settled_steps() == 2
    assert (rig.diary.events[-1].kind, rig.diary.events[-1].actor) == (EventKind.PAUSE, "policy")


def test_a_person_who_resumes_is_not_stopped_by_an_older_done(make_rig):
    policy = Blocking()
    rig = make_rig(blocking=lambda simulator: policy, sketch=Wander)
    done = policy.act
    policy.act = lambda *args: type(chunk := done(*args))(chunk.actions, chunk.control_hz, {"done": 1.0})
    rig.start("blocking", is_running=True)
    assert policy.is_asked.wait(5)
    rig.controller.run_plan(SKETCH, PLAN)
    policy.release.set()
    rig.wait_steps(5)
    assert rig.mode is RolloutMode.AUTONOMOUS
    assert rig.controller.status().policy == "sketch"


def test_a_plan_is_driven_from_its_first_step_by_the_sketch_policy(make_rig):
    made = []
    rig = make_rig(sketch=lambda simulator: made.append(Wander(scores={"plan_step": 0.0})) or made[-1])
    rig.start()
    for _ in range(2):
        rig.controller.run_plan(SKETCH, PLAN)
        rig.wait_steps(len(rig.diary.steps) + 3)
    assert len(made) == 2
    assert made[1].prompts[-1].plan == PLAN
    assert rig.controller.status().plan_step == 0
    kinds = rig.diary.kinds()
    assert [k for k in kinds if k is not EventKind.SPEED][:5] == [
        EventKind.START,
        EventKind.POLICY,
        EventKind.SKETCH,
        EventKind.PLAN,
        EventKind.RESUME,
    ]


def test_a_policy_is_changed_between_steps(rig):
    rig.start("hold", is_running=True)
    rig.wait_steps(3)
    rig.controller.set_policy("wander")
    rig.flush()
    event = rig.diary.events[-1]
    assert (event.kind, event.payload) == (EventKind.POLICY, {"policy": "wander"})
    rig.wait_steps(event.step + 3)
    assert {s.actor for s in rig.diary.steps[: event.step]} == {Actor.HOLD}
    assert {s.actor for s in rig.diary.steps[event.step :]} == {Actor.POLICY}


def test_a_prompt_given_at_the_start_is_used(rig):
    rig.start(prompt=Prompt(text="mine", plan=PLAN))
    assert rig.controller.status().instruction == "mine"
    assert rig.diary.starts[0].instruction == "mine"
    assert rig.diary.kinds()[-1] is EventKind.PLAN


def test_notes_and_ratings_go_on_the_timeline(rig):
    rig.start()
    rig.controller.record(EventKind.NOTE, {"text": "hm"})
    rig.flush()
    assert (rig.diary.events[-1].kind, rig.diary.events[-1].payload) == (EventKind.NOTE, {"text": "hm"})
    assert rig.controller.history().events()[-1] is rig.diary.events[-1]
