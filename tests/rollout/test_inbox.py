import pytest

from workbench.core.errors import WrongMode
from workbench.rollout.inbox import Inbox
from workbench.rollout.modes import Command, RolloutMode


def started():
    inbox = Inbox()
    inbox.post(Command.START, lambda before, after: None)
    inbox.take()
    return inbox


def test_the_mode_changes_with_the_call_and_the_work_waits_in_order():
    inbox, done = Inbox(), []
    inbox.post(Command.START, lambda before, after: done.append((before, after)))
    inbox.post(Command.RESUME, lambda before, after: done.append((before, after)))
    assert inbox.mode is RolloutMode.AUTONOMOUS
    assert inbox.wake.is_set()
    while (job := inbox.take()) is not None:
        job.work(job.before, job.after)
    assert done == [(RolloutMode.IDLE, RolloutMode.PAUSED), (RolloutMode.PAUSED, RolloutMode.AUTONOMOUS)]


def test_a_refused_command_leaves_no_work():
    inbox = Inbox()
    with pytest.raises(WrongMode):
        inbox.post(Command.RESUME, lambda before, after: None)
    assert inbox.take() is None
    assert inbox.mode is RolloutMode.IDLE


def test_halts_are_counted_also_when_they_are_released_at_once():
    inbox = started()
    before = inbox.ticket.halts
    inbox.post(Command.HALT)
    inbox.post(Command.RELEASE_HALT)
    assert inbox.ticket.halts == before + 1
    assert inbox.mode is RolloutMode.PAUSED


@pytest.mark.parametrize("command", [Command.RESUME, Command.RUN_PLAN, Command.TAKE_OVER, Command.HALT, Command.RESET])
def test_the_thread_does_not_pause_against_a_newer_wish(command):
    inbox = started()
    inbox.post(Command.RESUME)
    ticket = inbox.ticket
    inbox.post(command)
    wished = inbox.mode
    assert not inbox.settle_paused(ticket)
    assert inbox.mode is wished


@pytest.mark.parametrize("command", [Command.SET_SPEED, Command.RECORD, Command.CALL, Command.SET_PROMPT])
def test_the_thread_pauses_although_something_else_was_asked(command):
    inbox = started()
    inbox.post(Command.RESUME)
    ticket = inbox.ticket
    inbox.post(command)
    assert inbox.settle_paused(ticket)
    assert inbox.mode is RolloutMode.PAUSED


def test_the_thread_never_leaves_halted_or_idle_by_itself():
    inbox = started()
    inbox.post(Command.HALT)
    inbox.settle_paused(inbox.ticket)
    assert inbox.mode is RolloutMode.HALTED
    idle = Inbox()
    idle.settle_paused(idle.ticket)
    assert idle.mode is RolloutMode.IDLE


def test_idle_waits_for_work_that_may_bring_an_episode():
    inbox = Inbox()
    inbox.post(Command.START, lambda before, after: None)
    inbox.settle_idle()
    assert inbox.mode is RolloutMode.PAUSED
    inbox.take()
    inbox.settle_idle()
    assert inbox.mode is RolloutMode.IDLE


def test_a_closed_inbox_takes_nothing():
    inbox = started()
    inbox.close()
    with pytest.raises(WrongMode, match="closed"):
        inbox.post(Command.RESUME)
