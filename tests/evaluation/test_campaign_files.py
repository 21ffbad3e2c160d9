"""Campaign files: every combination once, and every mistake told with what to change."""

import json

import pytest

from workbench.core.errors import InvalidInput, TooLarge, UnknownName
from workbench.evaluation.campaign_files import MAX_BYTES, make_campaign, read_campaign
from workbench.evaluation.cards import STUDIES
from workbench.evaluation.driver import Campaign
from workbench.evaluation.perturbing import options_of, parse_perturbation
from workbench.evaluation.requests import find_request, study_options
from workbench.evaluation.settings import Setting, parse_setting
from workbench.evaluation.studies import StudyOptions
from workbench.simulation.axes import AXES
from workbench.steering.concepts import Concept, ConceptKind

POLICIES = ("expert", "sketch", "bench-vla", "trace-follower", "random-tree", "action-tree", "informed-tree")
GOOD = "name: small\npolicy: expert\ntasks: [touch, pick]\nprompts: [words, mask]\nsettings: ['', horizon=4]\nepisodes: 3\nseed: 7\n"


def read(text):
    return read_campaign(text.encode() if isinstance(text, str) else text, policies=POLICIES)


def test_every_combination_is_one_cell():
    campaign = read(GOOD)
    assert campaign.name == "small" and len(campaign.cells) == 8 and campaign.num_trials == 24
    assert len({(c.task, c.prompt, c.setting) for c in campaign.cells}) == 8
    assert {c.seeds for c in campaign.cells} == {(7, 8, 9)}


def test_policies_and_tasks_are_enough():
    (cell,) = read("policy: expert\ntask: pick").cells
    assert (cell.prompt, cell.perturbation, cell.setting, len(cell.seeds), cell.seeds[0]) == ("words", "", "", 20, 1_000_000)


def test_a_campaign_comes_back_from_its_plain_data():
    campaign = read(GOOD)
    assert type(campaign).from_dict(campaign.to_dict()) == campaign


@pytest.mark.parametrize(
    ("text", "error", "said"),
    [
        ("policy: expert\ntask: juggle", UnknownName, "Unknown task 'juggle'"),
        ("policy: expart\ntask: pick", UnknownName, "Did you mean 'expert'"),
        ("policy: expert\ntask: pick\nprompt: wrds", UnknownName, "way of telling"),
        ("policy: expert\ntask: pick\nperturbation: fog=1", UnknownName, "perturbation 'fog'"),
        ("policy: expert\ntask: pick\nsetting: horizon=0", InvalidInput, "horizon"),
        ("policy: expert\ntask: pick\nepisodes: 0", InvalidInput, "episodes: expected a whole number from 1"),
        ("policy: expert\ntask: pick\nepisodes: many", InvalidInput, "episodes"),
        ("policy: expert\ntask: pick\nepisodes: true", InvalidInput, "episodes"),
        ("policy: expert\ntask: pick\nseeds: [1, 1]", InvalidInput, "each once"),
        ("policy: expert\ntask: pick\nseeds: [1]\nepisodes: 3", InvalidInput, "both"),
        ("policy: expert\ntask: pick\nepisode: 3", UnknownName, "Did you mean 'episodes'"),
        ("policy: expert", InvalidInput, "field 'tasks'"),
        ("policy: expert\ntask: pick\ntasks: [pick]", InvalidInput, "both"),
        ("policy: expert\ntasks: [pick, pick]", InvalidInput, "'pick' twice"),
        ("policy: expert\ntasks: {pick: 1}", InvalidInput, "list of texts"),
        ("policy: expert\ntasks: [follow_path]\nprompts: [mask]", InvalidInput, "point at"),
        ("policy: expert\ntask: pick\nname: ''", InvalidInput, "name"),
        ("- a\n- b", InvalidInput, "fields such as"),
        ("", InvalidInput, "fields such as"),
        ("policy: [expert", InvalidInput, "expected YAML"),
        ("policy: !!python/object/apply:os.system [ls]", InvalidInput, "expected YAML"),
        (b"\xff\xfe\x00bad", InvalidInput, "expected"),
        ("policy: expert\ntask: pick\nepisodes: 10001", InvalidInput, "from 1 to 10000"),
        ("[" * 3000, InvalidInput, "YAML"),
    ],
)
def test_a_mistake_is_told_with_what_was_expected(text, error, said):
    with pytest.raises(error, match=said):
        read(text)


def test_a_huge_file_is_refused_before_it_is_parsed():
    with pytest.raises(TooLarge, match="kB"):
        read(b"a" * (MAX_BYTES + 1))


def test_too_many_trials_are_refused():
    fields = {"policies": list(POLICIES), "tasks": ["pick", "touch"], "prompts": ["words", "none", "mask", "trace"], "episodes": 9000}
    with pytest.raises(TooLarge, match="Ask for fewer"):
        make_campaign(fields, policies=POLICIES)


def test_a_name_stands_for_a_study_a_card_or_a_file():
    read_files = {"x.yaml": GOOD.encode()}
    by_name, by_card = (find_request(n, None, policies=POLICIES, read=read_files.get) for n in ("intact", "card:intact"))
    assert by_name == by_card and by_name.study.name == "intact"
    assert find_request("x.yaml", None, policies=POLICIES, read=read_files.get).campaign == read(GOOD)
    with pytest.raises(UnknownName, match=r"rovi.*file that ends in .yaml|Known"):
        find_request("nonsense", None, policies=POLICIES, others=("rovi",), read=read_files.get)
    with pytest.raises(InvalidInput, match="in the file"):
        find_request("x.yaml", StudyOptions(), policies=POLICIES, read=read_files.get)
    with pytest.raises(UnknownName, match="policy"):
        find_request("intact", study_options(None, None, "nobody"), policies=POLICIES, read=read_files.get)


@pytest.mark.parametrize("study", [entry.name for entry in STUDIES])
def test_every_study_plans_cells_that_can_be_run(study):
    campaign = STUDIES.load(study).plan(StudyOptions(episodes=2, seed=5))
    assert campaign.name == study and campaign.num_trials == 2 * len(campaign.cells) == 2 * len(set(campaign.cells))
    for cell in campaign.cells:
        fields = {
            "policy": cell.policy,
            "task": cell.task,
            "prompt": cell.prompt,
            "setting": cell.setting,
            "perturbation": cell.perturbation,
            "edit": cell.edits,
        }
        assert make_campaign({**fields, "seeds": list(cell.seeds)}, policies=POLICIES).cells == (cell,)


def test_a_study_without_episodes_is_refused():
    with pytest.raises(InvalidInput, match="at least 1"):
        STUDIES.load("fas").plan(StudyOptions(episodes=0))


def test_a_setting_is_read_and_its_mistakes_are_told():
    assert parse_setting("") == Setting() and parse_setting("horizon=4, held") == Setting(4, True)
    assert parse_setting("until=done,limit=2.5") == Setting(is_until_done=True, limit_s=2.5)
    for text in ("horizon=-1", "horizon=1.5", "held=1", "horizon=99999", "limit=0", "limit=nan", "limit"):
        with pytest.raises(InvalidInput):
            parse_setting(text)
    for text in ("pace=2", "decoding=slow", "until=late"):
        with pytest.raises(UnknownName):
            parse_setting(text)


def test_a_perturbation_becomes_options_that_follow_from_the_seed():
    assert options_of("", 5) == {} and options_of("light=0", 5) == {}
    assert options_of("light=0.5,camera=1", 5) == options_of("camera=1,light=0.5", 5) != options_of("light=0.5,camera=1", 6)
    assert set(options_of("light,distractors=0.5", 3)) == {"look", "distractors"}
    assert parse_perturbation("light") == {"light": 1.0} and set(AXES) >= {"light", "camera"}


@pytest.mark.parametrize("text", ["light=2", "light=-0.1", "light=nan", "light=much", "light,light", "second-step=1"])
def test_a_strength_out_of_range_is_refused(text):
    with pytest.raises(InvalidInput):
        parse_perturbation(text)


def test_a_file_brings_the_concepts_along_that_its_edits_name_or_they_are_looked_up():
    mine, stored = (Concept(name, "0" * 16, "decoder", ConceptKind.NEURONS, (3, 4)).to_dict() for name in ("mine", "stored"))
    fields = {"policy": "expert", "task": "pick", "edits": ["", "concept:mine=4", "concept:stored=4"], "saved": {"mine": mine}}
    campaign = make_campaign(fields, policies=POLICIES, find_saved={"stored": stored}.__getitem__)
    assert dict(campaign.saved) == {"mine": mine, "stored": stored} and [cell.edits for cell in campaign.cells] == fields["edits"]
    assert Campaign.from_dict(json.loads(json.dumps(campaign.to_dict()))) == campaign
    with pytest.raises(UnknownName, match="saved concept"):
        make_campaign(fields, policies=POLICIES)
    with pytest.raises(InvalidInput):
        make_campaign({**fields, "saved": {"mine": {"name": "x"}}}, policies=POLICIES, find_saved={"stored": stored}.__getitem__)
