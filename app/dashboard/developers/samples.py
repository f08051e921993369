"""Invented values, in which each component is shown in each of its states. In English: only people
who develop the pages read them."""

from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, NamedTuple
from uuid import UUID

from app.dashboard.directory.choices import option
from app.dashboard.languages import Choices
from app.dashboard.records.form_views import FieldView, Group
from app.dashboard.team_views import PersonRow
from app.dashboard.views import CallCard, ChatOfferCard, DeskView, OfferCard, WaitingRow

_ID = UUID(int=1)
_NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
_LONG = "Zorica-Aleksandrija " * 4


TITLES = {
    "page": "Components",
    "tokens": "Colours and type",
    "buttons": "Buttons",
    "fields": "Fields",
    "bar": "The call bar",
    "notices": "Notices, alerts, nothing to show",
    "badges": "Badges, timers, icons",
    "rows": "Rows and tables",
    "loading": "Loading",
    "dialogs": "Menus and dialogs",
}


class ButtonKind(NamedTuple):
    """A kind of button: its words, its class, and whether it can be used or is pressed."""

    words: str
    kind: str = ""
    disabled: bool = False
    pressed: bool | None = None


BUTTONS = (
    ButtonKind("Accept"),
    ButtonKind("Save", "secondary"),
    ButtonKind("Cancel", "secondary outline"),
    ButtonKind("Open", "outline"),
    ButtonKind("Hang up", "contrast"),
    ButtonKind("Acknowledge", "small"),
    ButtonKind("Set state", "small outline"),
    ButtonKind("Not possible now", "", disabled=True),
    ButtonKind("Not possible now", "outline", disabled=True),
    ButtonKind("Chosen", "small outline", pressed=True),
)


def _offer(**more: Any) -> OfferCard:
    known = OfferCard(
        id=_ID,
        call_id=_ID,
        line="National line",
        language="Serbian",
        danger=False,
        returned=False,
        back=False,
        advice="",
        waited=42,
        seconds_left=15,
        limit=20,
        on_phone=False,
        practice=False,
    )
    return replace(known, **more)


def _call(**more: Any) -> CallCard:
    known = CallCard(
        call_id=_ID,
        line="National line",
        language="Serbian",
        danger=False,
        connected=True,
        held=False,
        on_hold=False,
        aside=False,
        muted=False,
        lost=False,
        long=False,
        advice="",
        at_telephone=False,
        seconds=754,
        practice=False,
    )
    return replace(known, **more)


PLACES = (
    option("vo", "Vojvodina"),
    option("ns", "Novi Sad", "Vojvodina"),
)
DAY = {
    "name": "hours.Mo",
    "words": "Monday",
    "state": "open",
    "states": [("open", "open from – until"), ("closed", "closed all day")],
    "times": [("", "08:00", "16:00"), ("2", "", "")],
}
LANGUAGES = Choices(
    near=[("en", "English"), ("sr", "Serbian")], others=[("hu", "Hungarian"), ("rom", "Romani")]
)
RINGS = (
    ("a call", _offer()),
    ("in danger", _offer(danger=True)),
    ("was cut off", _offer(returned=True)),
    ("a call-back", _offer(back=True)),
    ("on a phone", _offer(on_phone=True)),
    ("practice, long names", _offer(practice=True, line=_LONG)),
)
WRITTEN = (
    ("a child writes", ChatOfferCard(_ID, "National line", "Serbian", False, False, 12, 18)),
    ("in danger", ChatOfferCard(_ID, "National line", "Serbian", True, False, 12, 18)),
    (
        "words of danger",
        ChatOfferCard(_ID, "National line", "Serbian", False, False, 12, 18, True, "da se ubijem"),
    ),
)
TALKS = (
    ("connecting", _call(connected=False, seconds=2)),
    ("talking", _call()),
    ("in danger", _call(danger=True)),
    ("muted", _call(muted=True)),
    ("is being put on hold", _call(held=True)),
    ("on hold", _call(held=True, on_hold=True)),
    ("is being resumed", _call(on_hold=True)),
    ("line lost", _call(lost=True)),
    ("at the counsellor's own telephone", _call(at_telephone=True)),
    ("practice, long names", _call(practice=True, line=_LONG)),
)


def _desk(state: str, words: str, **more: Any) -> DeskView:
    known = DeskView(
        state=state,
        words=words,
        cause="",
        seconds=754,
        seconds_left=None,
        after_call=None,
        on_shift=True,
        shift_ends=_NOW.isoformat(),
        offer=None,
        call=None,
        contact=None,
    )
    return replace(known, **more)


DESKS = (
    ("free", _desk("available", "Available")),
    ("off duty", _desk("off_duty", "Off duty", on_shift=False)),
    ("away", _desk("away", "Away", cause="missed two calls")),
    ("no telephone", _desk("available", "Available", telephone="the microphone is blocked")),
)
WAITING = (
    WaitingRow(UUID(int=1), "National line", "Serbian", 252, "pressed the danger key", False),
    WaitingRow(UUID(int=2), "National line", "Romani", 95, "", True),
    WaitingRow(UUID(int=3), _LONG, "not chosen", 8, "", False),
    WaitingRow(UUID(int=4), "National line", "Serbian", 5, "", False, True, "da se ubijem"),
)


_NAMES = ("Ana", "Boris", "Ceca", "Dragan", "Ema", "Filip", "Goran", "Hana")


def _person(number: int, state: str, words: str, **more: Any) -> PersonRow:
    known = PersonRow(
        id=UUID(int=number),
        name=_NAMES[number - 1],
        state=state,
        state_words=words,
        seconds=754,
        about="",
        practice=False,
        training=False,
        telephone="ready",
        telephone_well=True,
        missed=0,
        conversations=0,
        at_once=0,
        languages="Serbian, Romani",
        on_shift=True,
        present=True,
        after_call="",
    )
    return replace(known, **more)


PEOPLE = (
    _person(1, "available", "Available"),
    _person(2, "offered", "Ringing"),
    _person(3, "on_call", "On a call", about="National line", after_call="on a break"),
    _person(4, "wrap_up", "Writing up", training=True),
    _person(5, "break", "On a break"),
    _person(6, "away", "Away", about="missed two calls", missed=2, practice=True),
    _person(7, "available", "Available", telephone="no microphone", telephone_well=False),
    _person(8, "off_duty", "Off duty", present=False, name=_LONG),
)


def _question(name: str, kind: str, label: str, **more: Any) -> FieldView:
    known = FieldView(
        path=f"shown.{name}",
        type=kind,
        label=label,
        hint="",
        value="",
        chosen=[],
        groups=[],
        hidden=False,
        required=False,
        sealed=False,
    )
    return replace(known, **more)


_ROOMS = [Group("", [("home", "At home"), ("school", "At school"), ("street", "On the street")])]
_TREE = [
    Group("Violence", [("bullying", "Bullying"), ("hitting", "Physical violence")]),
    Group("Family", [("divorce", "Divorce"), ("loss", "Loss of a person")]),
]
_FOUND = {"bullying": "bullying", "hitting": "physical violence", "divorce": "divorce"}
QUESTIONS = (
    ("empty", _question("text", "text", "Headline"), ""),
    ("required", _question("must", "text", "Headline", required=True, hint="One line."), ""),
    ("sealed, filled", _question("name", "text", "Name", sealed=True, value=_LONG), ""),
    ("with an error", _question("age", "whole_number", "Age", value="x"), "Write a whole number."),
    ("narrative", _question("story", "narrative", "What was told", value="At school…"), ""),
    ("date", _question("day", "date", "Date of birth", value="2015-03-02"), ""),
    ("choice", _question("place", "choice", "Where", groups=_ROOMS, value="school"), ""),
    ("choices", _question("signs", "choices", "Signs", groups=_ROOMS, chosen=["home"]), ""),
    (
        "categories",
        _question(
            "about",
            "categories",
            "What it is about",
            groups=_TREE,
            chosen=["bullying", "divorce"],
            finds=_FOUND,
        ),
        "",
    ),
)
ALERT = SimpleNamespace(
    id="shown", words="A shift begins in 30 minutes and has no counsellor", href="#", post="#"
)
ALERT.button = "Acknowledge"
CALL_FOR_HELP = SimpleNamespace(
    call=SimpleNamespace(id=_ID), counsellor="Ana", line="National line", practice=False
)
# Tokens that are shown as a ground with its text, and the steps of type.
SWATCHES = ("ground", "ground-2", "now", "now-solid", "soon", "well", "info", "info-solid", "quiet")
STEPS = (1, 2, 3, 4, 5)
