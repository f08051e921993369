"""The conference engine: who is in a conference, who hears whom, and its events."""

import asyncio
from typing import TYPE_CHECKING

from app.practice.legs import Leg
from app.practice.rooms import Conference, Participant
from app.practice.wire import Fields, rfc2822

if TYPE_CHECKING:
    from app.practice.exchange import Exchange

# The event words of a subscription, for each event.
_WORD = {
    "conference-start": "start",
    "conference-end": "end",
    "participant-join": "join",
    "participant-leave": "leave",
    "participant-hold": "hold",
    "participant-unhold": "hold",
    "participant-mute": "mute",
    "participant-unmute": "mute",
}


class Conferences:
    def __init__(self, exchange: "Exchange") -> None:
        self._exchange = exchange
        self.all: dict[str, Conference] = {}
        self._of_leg: dict[str, Conference] = {}

    def find(self, name_or_sid: str) -> Conference | None:
        """Return the live conference with a name or id, or None."""
        if name_or_sid in self.all:
            return self.all[name_or_sid]
        alive = (c for c in self.all.values() if c.name == name_or_sid and c.status != "completed")
        return next(alive, None)

    def of_leg(self, leg: Leg) -> tuple[Conference, Participant] | None:
        """Return the conference that a leg is in, and the leg's participant, or None."""
        conference = self._of_leg.get(leg.sid)
        if conference is None or leg.sid not in conference.participants:
            return None
        return conference, conference.participants[leg.sid]

    def open(self, name: str, callback: str | None, events: frozenset[str]) -> Conference:
        """Return the live conference of a name, or open one.

        Only the callback of the first participant counts.
        """
        known = self.find(name)
        if known is not None:
            return known
        now = self._exchange.clock.now()
        conference = Conference(
            self._exchange.sids.new("CF"), name, now, callback=callback, events=events
        )
        self.all[conference.sid] = conference
        return conference

    def join(self, conference: Conference, participant: Participant) -> None:
        labels = {p.label for p in conference.participants.values() if p.label}
        if participant.label and participant.label in labels:
            self._exchange.faults.append(f"16025: label {participant.label} twice in a conference")
        now = self._exchange.clock.now()
        participant.joined_at = now
        conference.participants[participant.leg.sid] = participant
        conference.connecting.pop(participant.leg.sid, None)
        self._of_leg[participant.leg.sid] = conference
        participant.leg.story.append((now, "joins a conference"))
        self._tell(conference, "participant-join", participant)
        starts = any(p.starts_on_enter for p in conference.participants.values())
        if conference.status == "init" and len(conference.participants) >= 2 and starts:
            conference.status = "in-progress"
            self._tell(conference, "conference-start")
        if conference.status == "in-progress":
            for member in conference.participants.values():
                self._stop_waiting(member)
        self._exchange.plan_end_of_talk(participant.leg)
        self._note_talk(conference)

    def connect(self, conference: Conference, leg: Leg) -> None:
        """List a leg that the REST interface adds; it joins when it is answered."""
        conference.connecting[leg.sid] = leg

    def add_failed(self, conference: Conference, leg: Leg) -> None:
        """Report a leg that was added and not answered: it leaves without having joined."""
        if conference.connecting.pop(leg.sid, None) is None or conference.status == "completed":
            return
        never_in = Participant(leg, leg.label, False, True)
        self._tell(
            conference,
            "participant-leave",
            never_in,
            [("ReasonParticipantLeft", "participant_add_failed")],
        )
        if not conference.participants and not conference.connecting:
            self.end(conference, "last-participant-left")

    def leave(self, leg: Leg, reason: str) -> None:
        """Take a leg out of its conference.

        The last participant, or one whose exit ends it for all, closes the conference.
        """
        found = self.of_leg(leg)
        if found is None:
            return
        conference, participant = found
        del conference.participants[leg.sid]
        self._of_leg.pop(leg.sid, None)
        self._out(conference, participant, reason)
        if participant.ends_on_exit:
            self.end(conference, "participant-with-end-conference-on-exit-left")
        elif not conference.participants:
            self.end(conference, "last-participant-left")
        self._note_talk(conference)

    def end(self, conference: Conference, reason: str) -> None:
        if conference.status == "completed":
            return
        conference.status, conference.reason = "completed", reason
        conference.ended_at = self._exchange.clock.now()
        for participant in list(conference.participants.values()):
            del conference.participants[participant.leg.sid]
            self._of_leg.pop(participant.leg.sid, None)
            self._out(conference, participant, "moderator_ended_conference")
        self._tell(conference, "conference-end", extra=[("ReasonConferenceEnded", reason)])
        self._note_talk(conference)

    def hold(self, conference: Conference, participant: Participant, held: bool) -> None:
        if participant.held != held:
            participant.held = held
            self._tell(conference, f"participant-{'' if held else 'un'}hold", participant)
            self._note_talk(conference)
            if not held:
                self._stop_waiting(participant)

    def take_part(
        self, conference: Conference, participant: Participant, muted: bool, coaches: str | None
    ) -> None:
        """Let a participant be heard by all, by none, or only by the leg that it coaches."""
        if coaches is not None and coaches not in conference.participants:
            self._exchange.faults.append(
                "a participant coaches a leg that is not in the conference"
            )
        if participant.muted != muted:
            participant.muted = muted
            self._tell(conference, f"participant-{'' if muted else 'un'}mute", participant)
        participant.coaches = coaches
        self._note_talk(conference)

    def _out(self, conference: Conference, participant: Participant, reason: str) -> None:
        self._stop_waiting(participant)
        now = self._exchange.clock.now()
        participant.leg.story.append((now, f"leaves a conference: {reason}"))
        self._tell(
            conference, "participant-leave", participant, [("ReasonParticipantLeft", reason)]
        )
        if not participant.out.done():
            participant.out.set_result(reason)

    def _stop_waiting(self, participant: Participant) -> None:
        program, participant.wait_program = participant.wait_program, None
        if program is not None and program is not asyncio.current_task():
            program.cancel()

    def _note_talk(self, conference: Conference) -> None:
        talking = (
            frozenset(
                sid
                for sid, p in conference.participants.items()
                if not p.held and p.coaches is None
            )
            if conference.status == "in-progress"
            else frozenset()
        )
        conference.talks.append((self._exchange.clock.now(), talking))

    def _tell(
        self,
        conference: Conference,
        event: str,
        participant: Participant | None = None,
        extra: Fields | None = None,
    ) -> None:
        conference.sequence += 1
        if not conference.callback or _WORD[event] not in conference.events:
            return
        fields: Fields = [
            ("ConferenceSid", conference.sid),
            ("FriendlyName", conference.name),
            ("AccountSid", self._exchange.account_sid),
            ("SequenceNumber", str(conference.sequence)),
            ("Timestamp", rfc2822(self._exchange.clock.now())),
            ("StatusCallbackEvent", event),
        ]
        if participant is not None:
            fields += [
                ("CallSid", participant.leg.sid),
                ("Muted", str(participant.muted).lower()),
                ("Hold", str(participant.held).lower()),
                ("Coaching", str(participant.coaches is not None).lower()),
                ("EndConferenceOnExit", str(participant.ends_on_exit).lower()),
                ("StartConferenceOnEnter", str(participant.starts_on_enter).lower()),
                ("ParticipantLabel", participant.label),
            ]
        if event == "participant-leave" and participant is not None:
            fields.append(("ParticipantCallStatus", participant.leg.status))
        self._exchange.call_back(conference.callback, fields + (extra or []), event)
