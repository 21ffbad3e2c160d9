import itertools

import pytest

from workbench.core.errors import WrongMode
from workbench.rollout.modes import STEERING_COMMANDS, TRANSITIONS, Command, RolloutMode, next_mode

# One row a command, one column a present mode: the next mode by its first letter, "." for not allowed.
#            idle autonomous paused correcting halted
TABLE = {
    Command.START: "PPPPP",
    Command.RESET: "PPPPP",
    Command.BRANCH: "PPPPP",
    Command.PAUSE: ".PPP.",
    Command.RESUME: ".AAA.",
    Command.TOGGLE: ".PAP.",
    Command.STEP_ONCE: "..P..",
    Command.SET_SPEED: "IAPCH",
    Command.HALT: "IHHHH",
    Command.RELEASE_HALT: "....P",
    Command.TAKE_OVER: ".CC..",
    Command.HAND_BACK: "...P.",
    Command.JOG: "...C.",
    Command.SET_POLICY: ".APCH",
    Command.SET_PROMPT: ".APCH",
    Command.SET_STEERING: ".APCH",
    Command.RUN_PLAN: ".AAA.",
    Command.RECORD: ".APCH",
    Command.END: ".IIII",
    Command.CALL: "IAPCH",
}
MODES = {"I": RolloutMode.IDLE, "A": RolloutMode.AUTONOMOUS, "P": RolloutMode.PAUSED, "C": RolloutMode.CORRECTING, "H": RolloutMode.HALTED}
PAIRS = list(itertools.product(TABLE, RolloutMode))


def expected(command, mode):
    return MODES.get(TABLE[command][list(RolloutMode).index(mode)])


def test_every_command_has_a_row():
    assert set(TABLE) == set(Command) == set(TRANSITIONS)


@pytest.mark.parametrize(("command", "mode"), PAIRS, ids=lambda v: str(v))
def test_a_command_leads_where_the_table_says_or_is_refused(command, mode):
    wanted = expected(command, mode)
    if wanted is None:
        with pytest.raises(WrongMode) as caught:
            next_mode(mode, command)
        assert caught.value.allowed == sorted(m.value for m in RolloutMode if expected(command, m))
        assert command.value in str(caught.value)
    else:
        assert next_mode(mode, command) is wanted


def test_nothing_leads_from_halted_to_motion():
    for command in Command:
        assert expected(command, RolloutMode.HALTED) not in (RolloutMode.AUTONOMOUS, RolloutMode.CORRECTING)


def test_every_command_that_can_change_the_mode_counts_as_steering():
    for command, row in TRANSITIONS.items():
        if any(before is not after for before, after in row.items()):
            assert command in STEERING_COMMANDS
