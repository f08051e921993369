"""Each stored code that a template shows through `|code` has words: of every member of its kind."""

from collections.abc import Iterable, Iterator

import pytest
from jinja2 import nodes

from app.calls.asked import QUESTIONS
from app.calls.caller_rows import FlagKind
from app.calls.callers import NumberReason
from app.calls.log_kinds import CallLog, ConferenceEvent
from app.calls.states import CallEvent, CallState, Channel, Outcome
from app.contacts.cases import follow_ups, printing
from app.contacts.log_kinds import RecordLog
from app.contacts.states import (
    CaseTie,
    ContactChannel,
    ContactState,
    FlagAbout,
    FollowUpAbout,
    NonCounselling,
    SeparationOutcome,
)
from app.definitions import library
from app.definitions.risk import Risk, Urgency
from app.errors import Code, Message, text_of_code
from app.outbox.channels import MESSAGES
from app.people import holding
from app.people.finding import PersonState
from app.referrals import accountability, states
from app.referrals.consent import grounds, rules
from app.referrals.directory.address_rows import AddressField
from app.routing.participants.participants import ROLES
from app.routing.rota.models import RotaChangeState
from app.routing.rota.shifts import OnHolidays
from app.routing.supervision.team import StateReason
from app.staff.emergency_rows import EmergencyState
from app.staff.log_kinds import AuditLog
from app.staff.roles import Role
from app.statistics.exports.files import WHAT
from app.statistics.models import ExportState
from app.words.pages import code_words
from app.work import ActorKind
from tests.support.program import templates
from tests.support.program.every_message import every_message

pytestmark = pytest.mark.whole

_LIBRARY = library.load(None)
_STATUSES = {status.code for status in _LIBRARY.workflow.statuses}
_RESULTS = {str(one) for about in FollowUpAbout for one in follow_ups.results_of(about)}
_CLOSED = {*NonCounselling, *ContactState}
_EVENTS = {event.value.rpartition(".")[2] for event in states.AgencyEvent}
_PERIODS = {"day", "week", "month", "quarter", "year"}
_DECIDED = {*_STATUSES, *Risk, *Urgency, *ContactState, *SeparationOutcome}
# What each expression of a template can be. A new one is added here with its codes.
SHOWN: dict[str, Iterable[str]] = {
    "a.value": {*FollowUpAbout, *FlagAbout},
    "act.action": AuditLog,
    "c.channel": set(Channel) - {Channel.VOICE, Channel.WEB},
    "channel": set(Channel) - {Channel.VOICE, Channel.WEB},
    "c.closed_as / c.state": _CLOSED,
    "c.closed_as or c.state": _CLOSED,
    "c.scope": rules.Scope,
    "c.state": RotaChangeState,
    "c.status": _STATUSES,
    "c.urgency or ''": Urgency,
    "c.value": ContactChannel,
    "call.outcome": Outcome,
    "call.state": CallState,
    "case.risk": Risk,
    "case.separation_outcome": SeparationOutcome,
    "contact.channel": ContactChannel,
    "contact.closed_as": NonCounselling,
    "contact.state": ContactState,
    "contact.urgency": Urgency,
    "d.how": states.ToldHow,
    "d.kind.rpartition()[2]": _EVENTS,
    "d.suggested": Urgency,
    "d.urgency": Urgency,
    "e": _PERIODS,
    "e.action": AuditLog,
    "e.actor": set(ActorKind) - {ActorKind.PERSON},
    "e.detail.after": _DECIDED,
    "e.detail.result": _RESULTS,
    "e.kind": RecordLog,
    "e.state": ExportState,
    "e.what": WHAT,
    "event.current_kind": {*CallLog, *CallEvent, *ConferenceEvent},
    "event.source": ActorKind,
    "f": FlagAbout,
    "f.about": FollowUpAbout,
    "f.kind": FlagKind,
    "f.result": _RESULTS,
    "flag": FlagKind,
    "flag.about": FlagAbout,
    "form.values.role": Role,
    "g.channel": set(Channel) - {Channel.VOICE, Channel.WEB},
    "g.value": {*printing.HandOutGround, *rules.GivenBy, *grounds.Basis},
    "file": WHAT,
    "'categories'": {"categories"},
    "'referrals'": {"referrals"},
    "'summary'": {"summary"},
    "kind": {*FlagKind, *holding.WorkKind},
    "l.service": states.Service,
    "l.referral.state": states.ReferralState,
    "l.referral.urgency": Urgency,
    "name": {*_CLOSED, *accountability.DEFINITIONS},
    "one": PersonState,
    "one.action": AuditLog,
    "one.change.field": AddressField,
    "one.channel": set(Channel) - {Channel.VOICE, Channel.WEB},
    "one.danger": {answer for one in QUESTIONS.values() for answer in one.danger},
    "one.person.role": Role,
    "one.row.asked_role": Role,
    "one.row.role": Role,
    "one.value": {*Role, *PersonState},
    "one.what.rpartition()[2]": {*_EVENTS, *states.Purpose},
    "p.role": Role,
    "p.state": PersonState,
    "p.value": printing.PrintPurpose,
    "person.role": Role,
    "choice": {"year", "quarter", "month"},
    "one.server": {"year", "quarter", "month"},
    "public_period": {"year", "quarter", "month"},
    "r": _RESULTS,
    "r.kind": MESSAGES,
    "r.purpose": states.Purpose,
    "r.service": states.Service,
    "r.referral.state": states.ReferralState,
    "r.referral.urgency": Urgency,
    "r.state": states.RecipientState,
    "r.value": {*Risk, *NonCounselling, *Role},
    "reason": {*NumberReason, *NonCounselling, *StateReason},
    "referral.urgency": Urgency,
    "role": ROLES,
    "role.value": Role,
    "row.asked_role": Role,
    "row.decided_role": Role,
    "row.state": EmergencyState,
    "rule": OnHolidays,
    "s": ContactState,
    "s.value": {*states.Service, *rules.Scope, *states.ReferralState},
    "staff.role": Role,
    "state": PersonState,
    "t.value": CaseTie,
    "tie.value": CaseTie,
    "u.value": Urgency,
    "w": WHAT,
    "w.to": _STATUSES,
    "word": {*states.RejectionReason, *states.ReferralOutcome},
}
# What another program said, with the underscores of its own codes.
OF_OTHERS = {"one.problem"}


def _written(node: nodes.Node) -> str:
    """Return an expression as it is written, as far as these templates need it."""
    match node:
        case nodes.Name():
            return node.name
        case nodes.Const():
            return repr(node.value)
        case nodes.Getattr():
            return f"{_written(node.node)}.{node.attr}"
        case nodes.Getitem():
            return f"{_written(node.node)}[{_written(node.arg)}]"
        case nodes.Call():
            return f"{_written(node.node)}()"
        case nodes.Or():
            return f"{_written(node.left)} or {_written(node.right)}"
        case nodes.CondExpr():
            assert node.expr2 is not None
            return f"{_written(node.expr1)} / {_written(node.expr2)}"
    raise AssertionError(f"an expression of another kind: {node}")


def _shown() -> Iterator[str]:
    """Yield each expression that a template shows as a code."""
    for _name, read in templates.all_parsed():
        for one in read.find_all(nodes.Filter):
            mapped = one.name == "map" and one.args and _written(one.args[0]) == "'code'"
            if one.node is not None and (one.name == "code" or mapped):
                yield _written(one.node)


def test_every_code_that_a_template_shows_is_known() -> None:
    assert set(_shown()) == set(SHOWN) | OF_OTHERS


def test_every_code_that_is_shown_has_words() -> None:
    without = {
        written: left
        for written, codes in SHOWN.items()
        if (left := {text_of_code(str(one)) for one in codes} - every_message().keys())
    }
    assert without == {}


def test_the_code_of_our_own_entries_is_read_as_our_staff() -> None:
    shown = Message("For %(sector)s.", sector=Code(states.Sector.OWN_HOUSE))
    assert (code_words(states.Sector.OWN_HOUSE), str(shown)) == ("own staff", "For own staff.")
