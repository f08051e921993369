"""What a page shows of a referral: every event of its log as a sentence."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from markupsafe import Markup, escape

from app.calls.hours import is_open
from app.contacts.cases.printing import in_words
from app.contacts.models import RecordEvent
from app.contacts.registry import sheet_of
from app.definitions.trees import label_in
from app.referrals.channels.models import Attempt
from app.referrals.channels.primero.problems import problem_words
from app.referrals.consent.grounds import ground_words
from app.referrals.log_kinds import LogKind
from app.referrals.reading import Story
from app.referrals.states import HELD, OVER, RecipientState, ReferralState, ToldBesides
from app.words import days
from app.words.pages import N_, _, code_words, list_words, reader, said
from app.work import Work

_HOW = {
    "phone": N_("by phone"),
    "link": N_("by link"),
    "machine": N_("by their system"),
    "primero": N_("by Primero"),
    "by_hand": "",
    "program": "",
}
_OPENED = {
    "urgent_button": N_("pressed urgent during the call"),
    "danger_key": N_("The danger key was pressed and no counsellor took the call in time"),
    "contact": N_("opened a referral from a contact"),
    "case": N_("opened a referral from a case"),
    "by_hand": N_("opened a referral"),
}
_RESULTS = {
    "acknowledged": N_("a person pressed 1"),
    "wants_to_be_called_back": N_("a person pressed 2 and wants a call-back"),
    "wrong_number": N_("a person pressed 3: wrong number"),
    "not_confirmed": N_("a person pressed 1 but did not confirm"),
    "no_answer": N_("no answer"),
    "busy": N_("busy"),
    "machine": N_("answering machine"),
    "no_key_pressed": N_("answered, but no key was pressed"),
    "unreachable": N_("could not be reached"),
    "delivered": N_("delivered"),
    "failed": N_("failed"),
    "not_needed_any_more": N_("no longer needed"),
}
_WAYS = {"phone": N_("phone"), "sms": N_("SMS"), "email": N_("e-mail")}
_DEADLINES = {
    "acknowledge": N_("to acknowledge"),
    "details": N_("to open the details"),
    "team": N_("for the outreach team to arrive"),
    "feedback": N_("to give feedback to the professional who reported"),
    "seen": N_("to see the child"),
    "written": N_("to confirm in writing"),
    "follow_up": N_("to follow up"),
    "hand_over": N_("to hand over to an agency"),
}
_BESIDES: dict[str, str] = {
    ToldBesides.TEAM_PLACE: N_("the place for the outreach team"),
    ToldBesides.ANSWERS: N_("answers to its questions"),
}
_PURPOSES = {
    "escalation": "",
    "code": N_("with a code"),
    "link": N_("with a link"),
    "withdrawn": N_("to say that consent was withdrawn"),
    "recalled": N_("to say that the referral was taken back"),
    "answer": N_("with an answer"),
    "update": N_("to say that there is more to read"),
}


def deadline_words(kind: str) -> str:
    return said(_DEADLINES.get(kind, kind))


def told_words(field: str) -> str:
    """Return what an agency was told besides answers of the form."""
    return said(_BESIDES[field]) if field in _BESIDES else plain(field)


def plain(word: Any) -> str:
    return code_words(word or "")


@dataclass(frozen=True)
class HistoryLine:
    """One line of a referral's history."""

    at: datetime
    words: str
    # The words that a person wrote or said; they are sealed in the log.
    quoted: str
    grave: bool


def told(story: Story, named: Mapping[str, str] | None = None) -> list[HistoryLine]:
    """Return the history of a referral, oldest event first; `named` has agencies by code."""
    return [
        HistoryLine(event.at, _sentence(event, story, named or {}), words, event.kind in _GRAVE)
        for event, words in story.events
    ]


@dataclass(frozen=True)
class ShownAttempt:
    """One attempt to reach an agency."""

    at: datetime
    way: str
    # The number or address at that time.
    target: str
    purpose: str
    result: str


@dataclass(frozen=True)
class ShownRecipient:
    """An agency that was asked, with the attempts to reach it and its replies."""

    code: str
    name: str
    state: str
    holds: bool
    hours: str
    open_now: bool
    may_reply: bool
    attempts: list[ShownAttempt]
    said: list[HistoryLine]


def recipients(story: Story, now: datetime) -> list[ShownRecipient]:
    """Return every agency that was asked, the latest first."""
    found: dict[str, ShownRecipient] = {}
    held = ReferralState(story.opened.record.state) in HELD
    for recipient, agency in reversed(story.recipients):
        if agency.code in found:
            continue
        holder = story.holder
        found[agency.code] = ShownRecipient(
            agency.code,
            agency.name,
            plain(recipient.state),
            held and holder is not None and holder.id == recipient.id,
            agency.hours,
            is_open(agency.hours, agency.timezone, agency.country, now),
            RecipientState(recipient.state) not in _SAID_ALL,
            [_shown_attempt(r) for r, _ in story.attempts if r.agency_id == agency.id],
            [
                HistoryLine(event.at, _sentence(event, story, {}), words, grave=False)
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
    "rejected_too",
    "progress",
    "complete",
    "question",
    "wants_to_be_called_back",
    "handed_over",
    "details_opened",
    "handed_over_by_the_house",
}


def left_out(work: Work, story: Story, language: str) -> list[str]:
    """Return the questions of which answers have no code in the agency's system, with what was
    answered, in the words of the form."""
    sheet = sheet_of(work, story.opened.record)
    found = []
    for agency_case in story.agency_cases.values():
        for path in agency_case.left_out:
            known = sheet.form.find(path)
            label = label_in(known[1].label, language) if known is not None else path
            value = story.opened.answer(path) if known is not None else None
            words = in_words(sheet, known[1], value, language) if known and value else ""
            found.append(f"{label}: {words}" if words else label)
    return list(dict.fromkeys(found))


def _shown_attempt(attempt: Attempt) -> ShownAttempt:
    return ShownAttempt(
        attempt.wanted_at,
        said(_WAYS[attempt.kind]),
        attempt.target,
        said(_PURPOSES.get(attempt.purpose, "")),
        _result_words(attempt.result or ""),
    )


_GRAVE = {
    "deadline_missed",
    "no_agency_left",
    "event_undeliverable",
    "refused_by_their_system",
    "not_taken_back_at_their_system",
}


def _result_words(code: str) -> str:
    return said(_RESULTS[code]) if code in _RESULTS else plain(code)


def _sentence(event: RecordEvent, story: Story, named: Mapping[str, str]) -> str:
    detail = event.detail
    who = story.names.get(event.staff_id, _("A colleague")) if event.staff_id else ""
    code = detail.get("agency", "")
    agency = story.agencies.get(code, code)
    how = said(_HOW.get(detail.get("how", ""), ""))
    subject = who or agency or _("The program")
    if "recipient" in detail:
        recipient = story.agencies.get(detail["recipient"], detail["recipient"])
        detail = {**detail, "recipient": recipient}
    if event.kind == LogKind.OPENED:
        # The log names no service.
        detail = {**detail, "service": story.asked.service, "family_first": story.asked.first}
    for list_ in {"withheld_from", "despite"} & set(detail):
        detail = {**detail, list_: [named.get(one, one) for one in detail[list_] or []]}
    found = KINDS.get(event.kind)
    if found is None:
        # A newer program wrote it.
        return f"{subject}: {plain(event.kind)}"
    # A sentence with an instant in it is markup.
    sentence: str = found(subject, agency, how, detail)
    return sentence


def _way(d: dict[str, Any]) -> str:
    return said(_WAYS.get(d.get("way", ""), ""))


def _by(subject: str, what: str, how: str) -> str:
    return f"{subject} {what}" + (f" {how}" if how else "")


def _opened(subject: str, _agency: str, _how: str, d: dict[str, Any]) -> str:
    opened = said(_OPENED.get(d.get("opened_how", ""), N_("opened a referral")))
    begin = opened if subject == _("The program") else f"{subject} {opened}"
    first = list_words(plain(s) for s in d.get("family_first") or [])
    family = "; " + _("first to %(services)s", services=first) if first else ""
    protocol = _(
        "protocol %(name)s, version %(version)s", name=d.get("protocol"), version=d.get("version")
    )
    return f"{begin}: {plain(d.get('urgency'))}, {plain(d.get('service'))}{family} ({protocol})"


def _sent(_subject: str, _agency: str, _how: str, d: dict[str, Any]) -> str:
    return _(
        "Offered to %(agency)s (%(why)s); on the basis of %(ground)s",
        agency=d.get("recipient"),
        why=list_words(problem_words(w) for w in d.get("why") or []),
        ground=ground_words(d.get("ground") or ""),
    )


def _rung(_subject: str, agency: str, _how: str, d: dict[str, Any]) -> str:
    way = _way(d)
    purpose = said(_PURPOSES.get(d.get("purpose", ""), ""))
    return (
        f"{agency}, {' '.join(filter(None, (way, purpose)))}: {_result_words(d.get('result', ''))}"
    )


def _breached(_subject: str, _agency: str, _how: str, d: dict[str, Any]) -> str:
    return _("Deadline missed: %(deadline)s", deadline=deadline_words(d.get("deadline", "")))


def _consent(subject: str, _agency: str, _how: str, d: dict[str, Any]) -> str:
    withheld = list_words(plain(w) for w in d.get("withheld_from") or [])
    return _(
        "%(who)s recorded consent: %(giver)s, %(way)s, for %(scope)s",
        who=subject,
        giver=plain(d.get("given_by")),
        way=plain(d.get("by_way")),
        scope=list_words(plain(s) for s in d.get("scope") or []),
    ) + ("; " + _("not to %(services)s", services=withheld) if withheld else "")


def _override(subject: str, _agency: str, _how: str, d: dict[str, Any]) -> str:
    despite = list_words(plain(w) for w in d.get("despite") or [])
    against = _("against an explicit wish, to %(services)s", services=despite)
    return _(
        "%(who)s recorded an override of consent: %(basis)s",
        who=subject,
        basis=plain(d.get("basis")),
    ) + (f"; {against}" if despite else "")


def _handed_over(_subject: str, agency: str, _how: str, d: dict[str, Any]) -> str:
    who = agency or _("them")
    if not d.get("agreed_at"):
        return _("Agreed with %(agency)s by phone", agency=who)
    sentence = escape(said(N_("Agreed with %(agency)s by phone at %(at)s")))
    return sentence % {"agency": who, "at": _clock(d["agreed_at"])}


def _clock(at: str) -> Markup:
    """Return a stored instant within a sentence: the page says it in the zone of the helpline."""
    words = days.moment(datetime.fromisoformat(at), reader(), ZoneInfo("UTC"), named=True)
    return Markup('<time data-clock datetime="{}">{}</time>').format(at, words)


def _written(subject: str, agency: str, _how: str, d: dict[str, Any]) -> str:
    if d.get("on_paper"):
        return _(
            "%(who)s sent the written confirmation to %(agency)s on paper",
            who=subject,
            agency=agency,
        )
    return _("%(who)s sent the written confirmation to %(agency)s", who=subject, agency=agency)


def _completed(subject: str, agency: str, how: str, d: dict[str, Any]) -> str:
    outcome = plain(d.get("outcome")) or _("outcome not given")
    return _by(agency or subject, _("completed its part: %(outcome)s", outcome=outcome), how)


def _rejected(what: str) -> Any:
    return lambda subject, agency, how, d: _by(
        agency or subject, _(what, reason=plain(d.get("reason"))), how
    )


def _simple(what: str) -> Any:
    return lambda subject, agency, how, d: _by(agency or subject, said(what), how)


def _ours(what: str) -> Any:
    return lambda subject, agency, how, d: f"{subject} {said(what)}"


def _plainly(what: str) -> Any:
    """Return a sentence that names the agency and what the event says."""
    return lambda subject, agency, how, d: _(
        what,
        who=subject,
        agency=agency,
        why=problem_words(d.get("why", "") or d.get("problem", "")),
        way=plain(d.get("way", "")),
        event=plain(str(d.get("event", "")).rpartition(".")[2]),
        status=plain(d.get("status")),
        team=d.get("team", ""),
    )


def _team(what: str) -> Any:
    """Return a sentence about an outreach team, and who reported it."""
    return lambda subject, agency, how, d: _by(
        _("%(who)s, team %(team)s", who=agency or subject, team=d.get("team", "")), said(what), how
    )


def _team_done(subject: str, agency: str, how: str, d: dict[str, Any]) -> str:
    done: str = _team(N_("has done its part"))(subject, agency, how, d)
    return f"{done}: {plain(d['result'])}" if d.get("result") else done


def _withdrawal(subject: str, _agency: str, _how: str, d: dict[str, Any]) -> str:
    return _(
        "%(who)s recorded that consent was withdrawn: %(giver)s, %(way)s. A supervisor decides.",
        who=subject,
        giver=plain(d.get("withdrawn_by")),
        way=plain(d.get("by_way")),
    )


KINDS: dict[str, Any] = {
    "opened": _opened,
    "send": _sent,
    "rings": _plainly(N_("Rings a duty phone of %(agency)s")),
    "messages_wanted": _plainly(N_("Writes to %(agency)s: SMS and e-mail")),
    "rung": _rung,
    "deliver": lambda s, a, how, d: _("A message was delivered (%(way)s)", way=_way(d)),
    "acknowledge": _simple(N_("acknowledged")),
    "accept": _simple(N_("accepted")),
    "reject": _rejected(N_("rejected: %(reason)s")),
    "rejected_too": _rejected(N_("also rejected: %(reason)s")),
    "urgency_changed": lambda s, a, how, d: _(
        "%(who)s changed the urgency from %(before)s to %(after)s",
        who=s,
        before=plain(d.get("from")),
        after=plain(d.get("to")),
    ),
    "danger_decided": _ours(N_("decided that no more action is needed")),
    "lapse": _plainly(N_("The details were not opened in time: the escalation goes on")),
    "details_sent": _plainly(N_("Sent %(agency)s a link to the details")),
    "details_opened": _plainly(N_("%(agency)s has the details (%(way)s)")),
    "update_announced": _plainly(N_("Told %(agency)s that there is more to read")),
    "their_system_updated": _plainly(N_("The system of %(agency)s has the new details")),
    "update_refused_by_their_system": _plainly(
        N_("The system of %(agency)s refused the new details: %(why)s")
    ),
    "held": _ours(N_("held the record: it is not erased")),
    "hold_lifted": _ours(N_("lifted the hold")),
    "erased": _plainly(
        N_("Names and texts were erased: their time was over, or their person asked for it")
    ),
    "redirect": _plainly(N_("The referral goes to the next agency")),
    "progress": lambda s, a, how, d: _by(
        a or s, _("saw the child") if d.get("seen_at") else _("reported progress"), how
    ),
    "complete": _completed,
    "close": _ours(N_("closed the referral")),
    "recall": _ours(N_("took the referral back")),
    "withdraw_consent": _ours(N_("recorded that consent was withdrawn")),
    "fail": _plainly(N_("No agency could be asked: %(why)s")),
    "no_agency_left": _plainly(N_("No agency is left in this round: %(why)s")),
    "around_again": _plainly(N_("The escalation starts again")),
    "deadline_missed": _breached,
    "consent_given": _consent,
    "consent_overridden": _override,
    "written_form": _written,
    "handed_over": _handed_over,
    "joined_the_live_call": _simple(N_("was brought into the call")),
    "question": _simple(N_("has a question")),
    "answer": _plainly(N_("Answer to %(agency)s")),
    "wants_to_be_called_back": _simple(N_("wants to be called back")),
    "feedback_given": _ours(N_("gave feedback to the person who reported")),
    "override_seen": _ours(N_("reviewed the override as the second person")),
    "owner": _ours(N_("assigned the referral to a colleague")),
    "edited": _ours(N_("edited the form")),
    "asked_no_longer": _plainly(N_("%(agency)s is no longer asked: %(why)s")),
    "not_taken_back_at_their_system": _plainly(
        N_("The referral is still open in the system of %(agency)s: %(why)s")
    ),
    "handed_over_by_the_house": _simple(N_("took it over from us")),
    "confirmed": _ours(N_("confirmed answers of the form that were copied from the contact")),
    "recall_wanted": _ours(N_("wants to take the referral back; a second person must approve")),
    "no_other_agency": _plainly(N_("There is no other agency to ask: %(why)s")),
    "taken_out_of_the_live_call": _ours(N_("took the agency out of the call")),
    "not_to_the_family_first": _ours(N_("did not choose support for the family first")),
    "withdrawal_to_be_decided": _withdrawal,
    "expire": _plainly(N_("No agency replied in time")),
    "code_asked_for": lambda s, a, how, d: _(
        "%(agency)s asked for a code (%(way)s)", agency=a, way=_way(d)
    ),
    "code_entered": _plainly(N_("%(agency)s has the details (%(way)s)")),
    "link_asked_for": _plainly(N_("%(agency)s asked for a new link")),
    "team_asked_for": _plainly(N_("%(who)s asked for the outreach team %(team)s")),
    "team_on_the_way": _team(N_("is on the way")),
    "team_arrived": _team(N_("has arrived")),
    "team_seen": _team(N_("saw the child")),
    "team_done": _team_done,
    "team_called_off": _team(N_("was called off")),
    "event_delivered": _plainly(N_("The system of %(agency)s was told: %(event)s")),
    "event_undeliverable": _plainly(
        N_("The system of %(agency)s could not be told (%(event)s): %(why)s")
    ),
    "handed_to_their_system": _plainly(N_("The system of %(agency)s has the referral")),
    "refused_by_their_system": _plainly(
        N_("The system of %(agency)s refused the referral: %(why)s")
    ),
    "handed_to_their_system_again": _ours(N_("sent the referral to the agency's system once more")),
    "taken_back_at_their_system": _plainly(
        N_("The referral was taken back in the system of %(agency)s")
    ),
    "status_there": _plainly(N_("State in the system of %(agency)s: %(status)s")),
    "answered_too_late": _plainly(
        N_("The system of %(agency)s answered too late (%(status)s): the referral is over or taken")
    ),
}


def is_over(story: Story) -> bool:
    return ReferralState(story.opened.record.state) in OVER
