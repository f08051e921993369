"""A country's protocol as data: deadlines, recipients, escalations and consent, with sources.

A referral keeps the name and version of the protocol under which it was opened.
"""

from collections.abc import Set
from datetime import datetime, timedelta
from functools import cached_property
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from app.calls.hours import read_hours
from app.definitions.datafile import BadDefinition, Lines, Part, Path_, read_model
from app.definitions.forms import Form, Meaning
from app.definitions.risk import Urgency
from app.definitions.trees import Code, Labels, Language, Tree, check_labels
from app.errors import Message, why
from app.referrals.consent.grounds import Basis
from app.referrals.deadlines.due import due_at, read_duration, written
from app.referrals.escalation.next_step import AT_LEAST, Step, StepKind
from app.referrals.states import OWN_SERVICES, DeadlineKind, Service

Duration = Annotated[timedelta, BeforeValidator(lambda v: read_duration(str(v)))]
Yes = Annotated[bool, BeforeValidator(lambda v: {"yes": True, "no": False}.get(v, v))]
# The moment from which a deadline runs.
From = Literal["opened", "acknowledged", "accepted", "seen"]


class DeadlineRule(Part):
    """A deadline: what has to happen within which time; `source` names where the rule is from."""

    deadline: DeadlineKind
    within: Duration
    counts: Literal["elapsed", "working"] = "elapsed"
    from_: From = Field(default="opened", alias="from")
    source: str = Field(min_length=1, max_length=400)


class EscalationStep(Part):
    step: StepKind
    # How long a phone rings, or how long to wait for a reply to messages, in seconds.
    wait: int = Field(default=0, ge=0, le=7 * 86400)


class UrgencyRule(Part):
    urgency: Urgency
    telephone_first: Yes
    deadlines: tuple[DeadlineRule, ...] = Field(min_length=1)
    escalation: tuple[EscalationStep, ...] = Field(min_length=1)
    escalation_source: str = Field(min_length=1, max_length=400)
    # The grounds on which a referral of this urgency may be made without consent.
    bases: tuple[Basis, ...] = ()

    def deadline(self, kind: DeadlineKind) -> DeadlineRule | None:
        return next((rule for rule in self.deadlines if rule.deadline is kind), None)

    @cached_property
    def steps(self) -> list[Step]:
        return [Step(s.step, s.wait) for s in self.escalation]


class Recipients(Part):
    """The services that a kind of case needs, by the codes of its categories or signs."""

    when: tuple[str, ...] = Field(min_length=1)
    services: tuple[Service, ...] = Field(min_length=1)
    source: str = Field(min_length=1, max_length=400)


class FamilyFirst(Part):
    """The services that are asked first, so that a child is not placed away from home."""

    under_age: int = Field(ge=0, le=18)
    disability: Yes
    categories: tuple[str, ...] = ()
    instead_of: tuple[Service, ...] = Field(min_length=1)
    first: tuple[Service, ...] = Field(min_length=1)
    source: str = Field(min_length=1, max_length=400)

    def at_risk(self, age: int | None, disabled: bool, categories: Set[str]) -> bool:
        """Return whether a child may be separated from its family."""
        return (
            (age is not None and age < self.under_age)
            or (self.disability and disabled)
            or bool(categories & set(self.categories))
        )


class DangerKey(Part):
    """What happens if a caller pressed the danger key and no counsellor answered in time."""

    unanswered_after: Duration
    service: Service
    basis: Basis
    source: str = Field(min_length=1, max_length=400)


class AlarmTimes(Part):
    """How long danger on record may wait before a person is alarmed."""

    # A referral of immediate danger that was opened and not sent.
    draft: Duration = timedelta(minutes=2)
    # An override of consent for immediate danger that no second person has seen.
    override: Duration = timedelta(minutes=15)
    # A contact completed with immediate danger and without a referral.
    contact: Duration = timedelta(minutes=5)
    # A case whose risk has risen, without a referral since.
    case: Duration = timedelta(hours=1)
    # After acknowledging, the person decides within this time, or the escalation resumes.
    decide: Duration = timedelta(minutes=15)
    source: str = Field(default="House rules, to be confirmed.", min_length=1, max_length=400)


class Discloses(Part):
    """The parts of the form that a service needs: sections, or single fields as section.field."""

    service: Service
    fields: tuple[str, ...]
    # Parts that the service is told even if a code is used in place of the name.
    must_know: tuple[str, ...] = ()


class Protocol(Part):
    protocol: Code
    version: int = Field(ge=1, lt=2**31)
    # An example, to be confirmed by the authority responsible in the country.
    example: Yes = False
    # The country whose public holidays count; None: no holidays.
    country: str | None = Field(default=None, pattern="^[A-Z]{2}$")
    timezone: str
    languages: list[Language] = Field(min_length=1)
    title: Labels
    working_hours: str
    # The terms under which consent is asked for, as they are read out.
    consent: Labels
    default_service: Service
    danger_key: DangerKey
    # How long the escalation pauses after an agency asked for a call-back, in seconds.
    call_back_wait: int = Field(ge=AT_LEAST, le=3600)
    # After our supervisor or director acknowledged: time until an agency has to.
    hand_over: Duration
    # A team is late if it is not with the child this long after the time for which it was asked.
    team_late: Duration = timedelta(minutes=30)
    # From completion until the professional who reported has been told the outcome.
    feedback: Duration = timedelta(days=7)
    # How long a single-use link is valid.
    link_lives: Duration
    # The source of the times above.
    times_source: str = Field(min_length=1, max_length=400)
    alarms: AlarmTimes = AlarmTimes()
    urgencies: tuple[UrgencyRule, ...]
    recipients: tuple[Recipients, ...] = ()
    family_first: FamilyFirst | None = None
    discloses: tuple[Discloses, ...]

    def rule(self, urgency: str) -> UrgencyRule:
        return next(rule for rule in self.urgencies if rule.urgency == urgency)

    def disclosed_to(self, service: str) -> list[str]:
        """Return what a service is told; a service that is not listed is told nothing."""
        found = next((d for d in self.discloses if d.service == service), None)
        return list(found.fields) if found else []

    def must_know(self, service: str) -> list[str]:
        """Return what a service is told about a child whose name is not to be used."""
        found = next((d for d in self.discloses if d.service == service), None)
        return list(found.must_know) if found else []

    def due(self, rule: DeadlineRule, start: datetime) -> datetime:
        """Return when a deadline that starts then is due."""
        return due_at(
            start,
            rule.within,
            rule.counts,
            hours=self.working_hours,
            timezone=self.timezone,
            country=self.country,
        )

    def needed_for(self, signs: Set[str]) -> list[Service]:
        """Return the services that the signs of a case call for, in the protocol's order."""
        found: dict[Service, None] = {}
        for rule in self.recipients:
            if signs & set(rule.when):
                found.update(dict.fromkeys(rule.services))
        return list(found)


def read_protocol(text: str, source: str) -> tuple[Protocol, Lines]:
    """Read a protocol and check it by itself. Raises BadDefinition with file and line."""
    protocol, lines = read_model(Protocol, text, source)
    check_labels(protocol.title, protocol.languages, lines, ("title",))
    check_labels(protocol.consent, protocol.languages, lines, ("consent",))
    try:
        read_hours(protocol.working_hours, protocol.timezone, protocol.country)
    except ValueError as error:
        raise lines.refuse(("working_hours",), why(error)) from None
    missing = set(Urgency) - {rule.urgency for rule in protocol.urgencies}
    if missing or len(protocol.urgencies) != len(Urgency):
        words = Message("list each urgency exactly once: %(urgencies)s", urgencies=list(Urgency))
        raise lines.refuse(("urgencies",), words)
    for n, rule in enumerate(protocol.urgencies):
        _check_rule(protocol, rule, lines, n)
    _check_services(protocol, lines)
    _check_times(protocol, lines)
    _check_alarms(protocol, lines)
    return protocol, lines


# The shortest and the longest that a time may be; anything else is a mistake.
_BOUNDS = {
    "link_lives": (timedelta(hours=1), timedelta(days=14)),
    "hand_over": (timedelta(minutes=1), timedelta(hours=24)),
    "team_late": (timedelta(minutes=5), timedelta(hours=24)),
    "feedback": (timedelta(hours=1), timedelta(days=60)),
}
_MOST_TO_ACKNOWLEDGE = {
    Urgency.IMMEDIATE: timedelta(hours=1),
    Urgency.URGENT: timedelta(hours=24),
    Urgency.PRIORITY: timedelta(days=14),
    Urgency.ROUTINE: timedelta(days=60),
}


def _check_times(protocol: Protocol, lines: Lines) -> None:
    for name, (least, most) in _BOUNDS.items():
        if not least <= getattr(protocol, name) <= most:
            raise lines.refuse((name,), _not_between(name, least, most))
    if not timedelta(seconds=10) <= protocol.danger_key.unanswered_after <= timedelta(minutes=10):
        words = Message("unanswered_after must be between 10 seconds and 10 minutes")
        raise lines.refuse(("danger_key", "unanswered_after"), words)


def _check_alarms(protocol: Protocol, lines: Lines) -> None:
    least, most = timedelta(seconds=30), timedelta(hours=24)
    for name in ("draft", "override", "contact", "case", "decide"):
        if not least <= getattr(protocol.alarms, name) <= most:
            raise lines.refuse(("alarms", name), _not_between(name, least, most))


def _not_between(name: str, least: timedelta, most: timedelta) -> Message:
    return Message(
        "%(name)s must be between %(least)s and %(most)s",
        name=name,
        least=written(least),
        most=written(most),
    )


def _check_rule(protocol: Protocol, rule: UrgencyRule, lines: Lines, n: int) -> None:
    here = ("urgencies", n)
    _check_deadlines(protocol, rule, lines, here)
    _check_escalation(rule, lines, here)
    if rule.urgency is Urgency.IMMEDIATE and Basis.VITAL_INTERESTS not in rule.bases:
        words = Message("immediate needs vital_interests among its bases")
        raise lines.refuse(here, words)


def _check_deadlines(protocol: Protocol, rule: UrgencyRule, lines: Lines, here: Path_) -> None:
    kinds = [deadline.deadline for deadline in rule.deadlines]
    if len(set(kinds)) != len(kinds):
        raise lines.refuse((*here, "deadlines"), Message("a deadline is listed twice"))
    for separate in (DeadlineKind.HAND_OVER, DeadlineKind.TEAM, DeadlineKind.FEEDBACK):
        if separate in kinds:
            words = Message(
                "%(deadline)s has a line of its own in the protocol", deadline=separate.value
            )
            raise lines.refuse((*here, "deadlines"), words)
    acknowledge = rule.deadline(DeadlineKind.ACKNOWLEDGE)
    if acknowledge is None or acknowledge.from_ != "opened":
        words = Message(
            "%(urgency)s has no deadline `acknowledge` from `opened`", urgency=rule.urgency.value
        )
        raise lines.refuse((*here, "deadlines"), words)
    for m, deadline in enumerate(rule.deadlines):
        _check_deadline(protocol, deadline, lines, (*here, "deadlines", m))
    if acknowledge.within > _MOST_TO_ACKNOWLEDGE[rule.urgency]:
        most = _MOST_TO_ACKNOWLEDGE[rule.urgency]
        words = Message(
            "%(urgency)s must be acknowledged within %(most)s",
            urgency=rule.urgency.value,
            most=written(most),
        )
        raise lines.refuse((*here, "deadlines"), words)
    if any(deadline.within > timedelta(days=366) for deadline in rule.deadlines):
        raise lines.refuse((*here, "deadlines"), Message("a deadline may run for at most a year"))


def _check_deadline(protocol: Protocol, deadline: DeadlineRule, lines: Lines, here: Path_) -> None:
    order = {"acknowledged": 0, "accepted": 1, "seen": 2}
    own = {DeadlineKind.ACKNOWLEDGE: 0, DeadlineKind.SEEN: 2}.get(deadline.deadline, 9)
    if deadline.from_ != "opened" and order[deadline.from_] >= own:
        words = Message(
            "%(deadline)s cannot run from %(moment)s, which comes no earlier",
            deadline=deadline.deadline,
            moment=deadline.from_,
        )
        raise lines.refuse((*here, "from"), words)
    if deadline.deadline is DeadlineKind.DETAILS and deadline.from_ != "acknowledged":
        words = Message(
            "details must run from acknowledged: no agency has to open them before that"
        )
        raise lines.refuse((*here, "from"), words)
    try:
        # The working hours must add up to the time somewhere in the year.
        protocol.due(deadline, datetime.fromisoformat("2026-01-01T00:00:00+00:00"))
    except ValueError as error:
        raise lines.refuse(here, why(error)) from None


def _check_escalation(rule: UrgencyRule, lines: Lines, here: Path_) -> None:
    steps = [step.step for step in rule.escalation]
    if len(set(steps)) != len(steps):
        raise lines.refuse(
            (*here, "escalation"), Message("a step is listed twice; rounds repeat by themselves")
        )
    if rule.telephone_first and steps[0] is not StepKind.DUTY_PHONES:
        words = Message("with telephone_first the escalation must begin with duty_phones")
        raise lines.refuse((*here, "escalation"), words)
    for m, step in enumerate(rule.escalation):
        least = 5 if step.step is StepKind.DUTY_PHONES else AT_LEAST
        if step.step is not StepKind.NEXT_AGENCY and step.wait < least:
            words = Message(
                "%(step)s must wait at least %(least)s seconds", step=step.step.value, least=least
            )
            raise lines.refuse((*here, "escalation", m), words)
        if step.step is StepKind.DUTY_PHONES and step.wait > 120:
            words = Message("a phone may ring for at most 120 seconds")
            raise lines.refuse((*here, "escalation", m), words)
    if not {StepKind.DUTY_PHONES, StepKind.MESSAGES} & set(steps):
        raise lines.refuse(
            (*here, "escalation"), Message("the escalation needs duty_phones or messages")
        )
    if rule.urgency in (Urgency.IMMEDIATE, Urgency.URGENT) and not {
        StepKind.SUPERVISOR,
        StepKind.NEXT_AGENCY,
    } <= set(steps):
        words = Message(
            "immediate and urgent escalations need the steps next_agency and supervisor"
        )
        raise lines.refuse((*here, "escalation"), words)


def _check_services(protocol: Protocol, lines: Lines) -> None:
    listed = [d.service for d in protocol.discloses]
    if len(set(listed)) != len(listed):
        raise lines.refuse(("discloses",), Message("a service is listed twice"))
    asked = {protocol.default_service, protocol.danger_key.service}
    for rule in protocol.recipients:
        asked |= set(rule.services)
    if protocol.family_first is not None:
        asked |= {*protocol.family_first.first, *protocol.family_first.instead_of}
    if asked & OWN_SERVICES:
        raise lines.refuse(
            (), Message("name our own people on call in the escalation, not among the services")
        )
    silent = asked - set(listed)
    if silent:
        words = Message("write what is disclosed to: %(services)s", services=sorted(silent))
        raise lines.refuse(("discloses",), words)
    basis = protocol.danger_key.basis
    if basis not in protocol.rule(Urgency.IMMEDIATE).bases:
        words = Message("%(basis)s is not among the bases of immediate", basis=basis.value)
        raise lines.refuse(("danger_key", "basis"), words)


def check_against_form(protocol: Protocol, lines: Lines, form: Form) -> None:
    """Check that the protocol discloses only questions of the form. Raises BadDefinition."""
    known = {s.code for s in form.sections} | {
        f"{s.code}.{f.code}" for s in form.sections for f in s.fields
    }
    for n, disclosed in enumerate(protocol.discloses):
        for name in ("fields", "must_know"):
            for m, path in enumerate(getattr(disclosed, name)):
                if path not in known:
                    words = Message(
                        "the form '%(form)s' has no '%(path)s'", form=form.form, path=path
                    )
                    raise lines.refuse(("discloses", n, name, m), words)
    for meaning, wanted in _needed(protocol).items():
        if not form.meaning(meaning):
            words = Message(
                "this needs a field with meaning '%(meaning)s' in the form '%(form)s'",
                meaning=meaning,
                form=form.form,
            )
            raise lines.refuse(wanted, words)


def _needed(protocol: Protocol) -> dict[Meaning, tuple[str | int, ...]]:
    """Return the meanings that a protocol needs in the form of a referral, and for which part."""
    found: dict[Meaning, tuple[str | int, ...]] = {
        "place": ("recipients",),
        "wants_feedback": ("feedback",),
        "danger_signs": ("danger_key",),
        "child_phone": ("danger_key",),
        "child_name": ("discloses",),
    }
    if protocol.family_first is not None:
        found["child_age"] = ("family_first", "under_age")
        if protocol.family_first.disability:
            found["disability"] = ("family_first", "disability")
    return found


def check_codes(protocol: Protocol, lines: Lines, trees: list[Tree], cues: set[str]) -> None:
    """Check that every code of a rule is a category or a sign. Raises BadDefinition."""
    known = cues | {node.code for tree in trees for node, _ in tree.walk()}
    for n, rule in enumerate(protocol.recipients):
        for m, code in enumerate(rule.when):
            if code not in known:
                words = Message("'%(code)s' is neither a category nor a sign of danger", code=code)
                raise lines.refuse(("recipients", n, "when", m), words)
    for m, code in enumerate(protocol.family_first.categories if protocol.family_first else ()):
        if code not in known:
            raise lines.refuse(
                ("family_first", "categories", m),
                Message("there is no category '%(code)s'", code=code),
            )


__all__ = ["BadDefinition", "Protocol", "check_against_form", "check_codes", "read_protocol"]
