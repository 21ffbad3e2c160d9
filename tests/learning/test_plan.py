"""How a version is taught, and about how long that takes."""

import pytest

from workbench.core.errors import InvalidInput
from workbench.learning.plan import TeachSettings, estimate_s, in_words
from workbench.learning.weighting import Weighting


def test_settings_come_back_from_json_values():
    settings = TeachSettings(weighting=Weighting.IWR, demonstrations=0.2, num_steps=7, has_eyes=False)
    assert TeachSettings.from_dict(settings.to_dict()) == settings and settings.to_dict()["weighting"] == "iwr"


@pytest.mark.parametrize("wrong", [{"demonstrations": 1.0}, {"demonstrations": -0.1}, {"num_steps": 0}, {"num_frames": 1000}])
def test_what_cannot_be_is_refused(wrong):
    with pytest.raises(InvalidInput):
        TeachSettings(**wrong)


def test_more_to_do_takes_longer_and_the_usual_teaching_on_fifty_corrections_less_than_ten_minutes():
    usual = estimate_s(TeachSettings(), num_steps=50 * 120, has_rehearsal=False)
    assert usual < 600
    assert estimate_s(TeachSettings(), num_steps=50 * 120, has_rehearsal=True) < usual
    assert estimate_s(TeachSettings(has_eyes=False), num_steps=50 * 120, has_rehearsal=False) < usual
    assert estimate_s(TeachSettings(num_steps=600), num_steps=50 * 120, has_rehearsal=False) > usual


def test_times_are_said_in_seconds_or_minutes():
    assert in_words(0) == "1 s" and in_words(42) == "42 s" and in_words(300) == "5 min"
