"""What a page shows of a referral: every event of its log as a sentence."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.calls.hours import is_open
from app.contacts.cases.printing import in_words
from app.contacts.models import RecordEvent
from app.contacts.records import sheet_of
from app.definitions.trees import label_in
from app.referrals.models import Attempt
from app.referrals.reading import Story
from app.referrals.states import HELD, OVER, RecipientState, ReferralState
from app.work import Work

_HOW = {
    "phone": "by telephone",
    "link": "by link",
    "machine": "by their system",
    "primero": "by Primero",
    "by_hand": "",
    "program": "",
}
_OPENED = {
    "urgent_button": "pressed urgent during the call",
    "danger_key": "The danger key was pressed and no counsellor took the call in time",
    "contact": "opened a referral from a contact",
    "by_hand": "opened a referral",
}
_RESULTS = {
    "acknowledged": "a person pressed 1",
    "wants_to_be_called_back": "a person pressed 2 and wants a call-back",
    "wrong_number": "a person pressed 3: wrong number",
    "not_confirmed": "a person pressed 1 but did not confirm",
    "no_answer": "no answer",
    "busy": "busy",
    "machine": "answering machine",
    "nobody_pressed_a_key": "answered, but no key was pressed",
    "unreachable": "could not be reached",
    "delivered": "delivered",
    "failed": "failed",
    "not_needed_any_more": "no longer needed",
}
_WAYS = {"phone": "telephone", "sms": "SMS", "email": "e-mail"}
_CLOCKS = {
    "acknowledge": "to acknowledge",
    "details": "to open the details",
    "team": "for the outreach team to arrive",
    "feedback": "to give feedback to the professional who reported",
    "seen": "to see the child",
    "written": "to confirm in writing",
    "follow_up": "to follow up",
    "hand_over": "to hand over to an agency",
}
_PURPOSES = {
    "escalation": "",
    "code": " with a code",
    "link": " with a link",
    "withdrawn": " to say that consent was withdrawn",
    "recalled": " to say that the referral was taken back",
    "answer": " with an answer",
    "update": " to say that there is more to read",
}


def deadline_words(kind: str) -> str:
    return _CLOCKS.get(kind, kind)


def plain(word: Any) -> str:
    return str(word or "").replace("_", " ")


@dataclass(frozen=True)
class Told:
    """One line of a referral's history."""

    at: datetime
    words: str
    # The words that a person wrote or said; they are sealed in the log.
    quoted: str
    grave: bool


def told(story: Story) -> list[Told]:
    """Return the history of a referral, oldest event first."""
    return [
        Told(event.at, _sentence(event, story), words, event.kind in _GRAVE)
        for event, words in story.events
    ]


@dataclass(frozen=True)
class Try:
    """One attempt to reach an agency."""

    at: datetime
    way: str
    # The number or address at that time.
    target: str
    purpose: str
    result: str


@dataclass(frozen=True)
class Recipient:
    """An agency that was asked, with the attempts to reach it and its replies."""

    code: str
    name: str
    state: str
    holds: bool
    hours: str
    open_now: bool
    may_reply: bool
    tries: list[Try]
    said: list[Told]


def recipients(story: Story, now: datetime) -> list[Recipient]:
    """Return every agency that was asked, the latest first."""
    found: dict[str, Recipient] = {}
    held = ReferralState(story.opened.record.state) in HELD
    for recipient, agency in reversed(story.recipients):
        if agency.code in found:
            continue
        holder = story.holder
        found[agency.code] = Recipient(
            agency.code,
            agency.name,
            plain(recipient.state),
            held and holder is not None and holder.id == recipient.id,
            agency.hours,
            is_open(agency.hours, agency.timezone, agency.country, now),
            RecipientState(recipient.state) not in _SAID_ALL,
            [_try(r) for r, _ in story.attempts if r.agency_id == agency.id],
            [
                Told(event.at, _sentence(event, story), words, grave=False)
                for event, words in story.events
                if event.kind in _REPLIES and event.detail.get("agency") == agency.code
            ],
        )
    return list(found.values())


# In these states no more replies are expected from an agency.
_SAID_ALL = (RecipientState.REJECTED, RecipientState.COMPLETED, RecipientState.WITHDRAWN)
_REPLIES = {
    "acknowledge",
    "accept",
    "reject",
    "rejected too",
    "progress",
    "complete",
    "question",
    "wants to be called back",
    "handed over",
    "details opened",
    "handed over by the house",
}


def left_out(work: Work, story: Story, language: str) -> list[str]:
    """Return the answers that have no code in the agency's system, in the words of the form."""
    sheet = sheet_of(work, story.opened.record)
    found = []
    for counterpart in story.counterparts.values():
        for line in counterpart.left_out:
            path, _, code = line.partition(" = ")
            known = sheet.form.find(path)
            label = label_in(known[1].label, language) if known is not None else path
            words = in_words(sheet, known[1], code, language) if known and code else code
            found.append(f"{label}: {words}" if words else label)
    return list(dict.fromkeys(found))


def _try(attempt: Attempt) -> Try:
    return Try(
        attempt.wanted_at,
        _WAYS[attempt.kind],
        attempt.target,
        _PURPOSES.get(attempt.purpose, ""),
        _RESULTS.get(attempt.result, plain(attempt.result)) if attempt.result else "",
    )


_GRAVE = {
    "deadline missed",
    "nobody left",
    "event undeliverable",
    "refused by their system",
    "not taken back at their system",
}


def _sentence(event: RecordEvent, story: Story) -> str:
    detail = event.detail
    who = story.names.get(event.staff_id, "A colleague") if event.staff_id else ""
    code = detail.get("agency", "")
    agency = story.agencies.get(code, code)
    how = _HOW.get(detail.get("how", ""), "")
    subject = who or agency or "The program"
    if "recipient" in detail:
        named = story.agencies.get(detail["recipient"], detail["recipient"])
        detail = {**detail, "recipient": named}
    found = _KINDS.get(event.kind)
    if found is not None:
        return str(found(subject, agency, how, detail))
    more = f" ({plain(detail['to'])})" if "to" in detail else ""
    return f"{subject}: {event.kind}{more}"


def _by(subject: str, what: str, how: str) -> str:
    return f"{subject} {what}" + (f" {how}" if how else "")


def _opened(subject: str, agency: str, how: str, d: dict[str, Any]) -> str:
    opened = _OPENED.get(d.get("opened_how", ""), "opened a referral")
    begin = opened if subject == "The program" else f"{subject} {opened}"
    first = d.get("family_first") or []
    family = f"; first to {' and '.join(plain(s) for s in first)}" if first else ""
    return (
        f"{begin}: {plain(d.get('urgency'))}, {plain(d.get('service'))}{family} "
        f"(protocol {d.get('protocol')}, version {d.get('version')})"
    )


def _sent(subject: str, agency: str, how: str, d: dict[str, Any]) -> str:
    why = ", ".join(d.get("why") or [])
    return f"Offered to {d.get('recipient')} ({why}); on the basis of {plain(d.get('ground'))}"


def _rung(subject: str, agency: str, how: str, d: dict[str, Any]) -> str:
    way = _WAYS.get(d.get("way", ""), "")
    purpose = _PURPOSES.get(d.get("purpose", ""), "")
    result = _RESULTS.get(d.get("result", ""), plain(d.get("result")))
    return f"{agency}, {way}{purpose}: {result}"


def _breached(subject: str, agency: str, how: str, d: dict[str, Any]) -> str:
    return f"Deadline missed: {deadline_words(d.get('deadline', ''))}"


def _consent(subject: str, agency: str, how: str, d: dict[str, Any]) -> str:
    scope = " and ".join(d.get("scope") or [])
    withheld = d.get("withheld_from") or []
    less = f"; not to {', '.join(plain(w) for w in withheld)}" if withheld else ""
    given = f"{plain(d.get('given_by'))} {plain(d.get('by_way'))}"
    return f"{subject} recorded consent of the {given}, for {scope}{less}"


def _override(subject: str, agency: str, how: str, d: dict[str, Any]) -> str:
    despite = d.get("despite") or []
    against = f"; against an explicit wish, to {', '.join(despite)}" if despite else ""
    return f"{subject} recorded an override of consent: {plain(d.get('basis'))}{against}"


def _simple(what: str) -> Any:
    return lambda subject, agency, how, d: _by(agency or subject, what, how)


def _ours(what: str) -> Any:
    return lambda subject, agency, how, d: f"{subject} {what}"


_KINDS: dict[str, Any] = {
    "opened": _opened,
    "send": _sent,
    "rings": lambda s, agency, how, d: f"Rings a duty phone of {agency}",
    "messages wanted": lambda s, agency, how, d: f"Writes to {agency}: SMS and e-mail",
    "rung": _rung,
    "deliver": lambda s, a, how, d: f"A message was delivered ({_WAYS.get(d.get('way', ''), '')})",
    "acknowledge": _simple("acknowledged"),
    "accept": _simple("accepted"),
    "reject": lambda s, a, how, d: _by(a or s, f"rejected: {plain(d.get('reason'))}", how),
    "rejected too": lambda s, a, how, d: _by(a, f"also rejected: {plain(d.get('reason'))}", how),
    "urgency changed": lambda s, a, how, d: (
        f"{s} changed the urgency from {d.get('from')} to {d.get('to')}"
    ),
    "danger decided": _ours("decided that no more action is needed"),
    "lapse": lambda s, a, how, d: "The details were not opened in time: the escalation goes on",
    "details sent": lambda s, a, how, d: f"Sent {a} a link to the details",
    "details opened": lambda s, a, how, d: f"{a} has the details ({d.get('way', '')})",
    "update announced": lambda s, a, how, d: f"Told {a} that there is more to read",
    "their system updated": lambda s, a, how, d: f"The system of {a} has the new details",
    "update refused by their system": lambda s, a, how, d: (
        f"The system of {a} refused the new details: {d.get('problem', '')}"
    ),
    "redirect": lambda s, a, how, d: "The referral goes to the next agency",
    "progress": lambda s, a, how, d: _by(
        a or s, "saw the child" if d.get("seen_at") else "reported progress", how
    ),
    "complete": lambda s, a, how, d: _by(
        a or s, f"completed its part: {plain(d.get('outcome')) or 'outcome not given'}", how
    ),
    "close": _ours("closed the referral"),
    "recall": _ours("took the referral back"),
    "withdraw_consent": _ours("recorded that consent was withdrawn"),
    "fail": lambda s, a, how, d: f"No agency could be asked: {d.get('why', '')}",
    "nobody left": lambda s, a, how, d: f"No agency is left in this round: {d.get('why', '')}",
    "around again": lambda s, a, how, d: "The escalation starts again",
    "deadline missed": _breached,
    "consent given": _consent,
    "consent overridden": _override,
    "written form": lambda s, a, how, d: (
        f"{s} sent the written confirmation to {a}" + (" on paper" if d.get("on_paper") else "")
    ),
    "handed over": lambda s, a, how, d: (
        f"Agreed with {a or 'them'} by telephone"
        + (f" at {d['agreed_at'][:16].replace('T', ' ')} UTC" if d.get("agreed_at") else "")
    ),
    "joined the live call": _simple("was brought into the call"),
    "question": _simple("has a question"),
    "answer": lambda s, a, how, d: f"Answer to {a}",
    "wants to be called back": _simple("wants to be called back"),
    "feedback given": _ours("gave feedback to the person who reported"),
    "override seen": _ours("reviewed the override as the second person"),
    "owner": _ours("assigned the referral to a colleague"),
    "edited": _ours("edited the form"),
    "asked no longer": lambda s, a, how, d: f"{a} is no longer asked: {d.get('why', '')}",
    "not taken back at their system": lambda s, a, how, d: (
        f"The referral is still open in the system of {a}: {d.get('why', '')}"
    ),
    "handed over by the house": lambda s, a, how, d: _by(a, "took it over from us", how),
}


def is_over(story: Story) -> bool:
    return ReferralState(story.opened.record.state) in OVER
