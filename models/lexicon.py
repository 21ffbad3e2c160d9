"""Words that people use for what stands and happens on the table, and the words that tasks use for it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final


def _inverted(groups: Mapping[str, str]) -> Mapping[str, tuple[str, ...]]:
    """Return for every word the groups that it may belong to, in their order; words of several words are parted by commas."""
    found: dict[str, tuple[str, ...]] = {}
    for name, words in groups.items():
        for word in (w.strip() for w in words.split(",")):
            found[word] = (*found.get(word, ()), name)
    return MappingProxyType(found)


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


COLOURS: Final = _inverted(
    {
        "red": "red, crimson, scarlet, ruby, vermilion, cherry, maroon, reddish",
        "green": "green, lime, emerald, greenish",
        "blue": "blue, blu, azure, navy, cobalt, cyan, bluish",
        "yellow": "yellow, golden, gold, lemon, yellowish",
        "purple": "purple, violet, lilac, lavender, magenta",
        "orange": "orange, tangerine, amber",
        "white": "white, ivory, cream, pale",
        "black": "black, dark, ebony, jet",
        "grey": "grey, gray, silver",
        "pink": "pink, rose, rosy, salmon",
    }
)
"""Word -> colours that it may mean."""

KINDS: Final = _inverted(
    {
        "cube": "cube, cubes, box, block, brick, dice, die, square block, toy block, cubie",
        "plate": "plate, dish, saucer, platter, tray, disc, disk",
        "bowl": "bowl, dish, basin, cup, container, vessel, pot",
        "drawer": "drawer, cabinet, cupboard, chest, box, compartment, shelf",
        "button": "button, push button, switch, buzzer, bell",
        "knob": "knob, dial, wheel, handle, tap",
        "block": "block, bar, slab, brick, box",
        "puck": "puck, disc, disk, slab, tile, hockey puck",
        "zone": "zone, area, region, field, square, patch, mat, rectangle, marked area",
        "dot": "dot, dots, point",
        "ball": "ball, sphere, marble",
        "cylinder": "cylinder, tube",
        "corner": "corner",
    }
)
"""Word -> kinds of things that it may mean, the likelier ones first; what is not on the table is passed over."""

WILD: Final = frozenset({"one", "thing", "object", "item", "stuff", "piece"})
"""Nouns that fit anything."""

VERBS: Final = _inverted(
    {
        "pick": "pick up, pick, pik up, in the air, into the air, lift up, lift, grab, grasp, take hold of, take, get, fetch, raise, hoist, hold, seize, snatch, collect, "
        "clutch, grip, elevate",
        "put": "put down, put, place, set down, set, move, drop, lay, bring, transfer, relocate, carry, position, deposit, shift, "
        "transport, rest, leave, deliver, dump, drag, toss, throw, go, belong",
        "stack": "stack, pile, build a tower, make a tower, tower, balance, pile up, stack up",
        "push": "push, slide, shove, nudge, sweep, drag, scoot, move by pushing it, by pushing it, pushing it",
        "press": "press down on, press down, press on, press, push down on, push down, hit, click, depress, activate, trigger, ring, "
        "switch on, turn on, punch",
        "open": "open up, open, pull out, pull open, pull, slide open, slide out, unclose",
        "close": "close up, close, shut, push shut, push in, push closed, slide shut, slide closed",
        "turn": "give a turn, turn around, turn, rotate, twist, spin, revolve, crank, dial",
        "touch": "touch, tap, poke, put a finger on, put your finger on, lay a finger on, contact, feel, reach for, reach, point at, "
        "move to and touch, prod, bump",
    }
)
"""Phrase -> actions that it may mean; longer phrases are read first."""

RELATIONS: Final = _inverted(
    {
        "on": "on top of, onto, on to, on, atop, upon, over, above",
        "in": "into, inside, in, within",
        "to": "to, towards, toward, until",
    }
)
"""Preposition -> how a thing shall stand to the goal that follows."""

DIRECTIONS: Final = _inverted(
    {
        "counter-clockwise": "counter-clockwise, counterclockwise, counter clockwise, anti-clockwise, anticlockwise, anti clockwise, left, "
        "to the left, leftwards",
        "clockwise": "clockwise, right, to the right, rightwards",
    }
)

MANNERS: Final = _inverted(
    {
        "slow": "slowly, slow, slower, leisurely, unhurriedly, in slow motion, take your time, no rush, without hurry, at a low speed",
        "quick": "quickly, quick, fast, faster, rapidly, swiftly, speedily, hurry up, hurry, at full speed, asap, in a hurry, promptly, "
        "at high speed, be quick",
        "careful": "carefully, careful, gently, gentle, cautiously, cautious, delicately, softly, with care, be careful, carefull",
        "high": "keep high, stay high, keep it high, fly high, high up, high above the table, high above, from high, up high, keep up high, "
        "with a lot of clearance, hold it high, carry it high, high",
        "low": "keep low, stay low, keep it low, fly low, low down, low above the table, just above the table, close to the table, "
        "hold it low, carry it low, low",
    }
)
"""Phrase -> manner of :data:`workbench.simulation.manner.MANNERS`."""

NEGATIONS: Final = frozenset(
    {"not", "dont", "don't", "doesn't", "never", "without", "except", "avoid", "stop", "nothing", "no", "neither", "cannot"}
)
"""Words that turn a sentence into its contrary; none of the policy's sentences has one."""

IDLE: Final = _words(
    "the a an please could can would will shall should you your now then and robot my me i we us it its it's of with at for "
    "want wants give but stay keep mind like need needs just kindly there here go ahead let lets let's must is are be have has hey hi hello ok okay "
    "gripper arm hand so up by using from table desk try this that these those which what's some thanks thank cheers simply "
    "directly gonna next first degrees degree deg make sure whole entire little small tiny big large nice coloured colored "
    "colour color down off out finger i'd away do did"
)
"""Words that say nothing about which of the possible things is meant."""

NUMBERS: Final[Mapping[str, int]] = MappingProxyType(
    {
        "forty": 40,
        "forty-five": 45,
        "fifty": 50,
        "sixty": 60,
        "seventy": 70,
        "eighty": 80,
        "ninety": 90,
        "hundred": 100,
        "quarter": 90,
    }
)
