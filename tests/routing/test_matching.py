import itertools
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from hypothesis import given, settings
from hypothesis import strategies as st

from app.calls.chat_rules import ChatRules
from app.routing.matching import COOL_OFF, Free, Room, Waiting, may_take, open_layers, pair
from app.routing.plan import Plan
from app.routing.rota.shifts import Layer

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def caller(waited: int = 10, **known: object) -> Waiting:
    values: dict[str, object] = {"language": "sr", "line": "+1"}
    return Waiting(
        call_id=uuid4(),
        queued_at=NOW - timedelta(seconds=waited),
        **{**values, **known},  # type: ignore[arg-type]
    )


def free(idle: int = 10, **known: object) -> Free:
    return Free(uuid4(), NOW - timedelta(seconds=idle), **known)  # type: ignore[arg-type]


def test_longest_waiting_goes_to_longest_idle() -> None:
    long, short = caller(60), caller(5)
    rested, tired = free(600), free(6)
    assert pair([short, long], [tired, rested], NOW) == [(long, rested), (short, tired)]


def test_priority_counts_as_seconds_waited() -> None:
    danger, patient = caller(1, priority=3600), caller(3000)
    assert pair([patient, danger], [free()], NOW)[0][0] is danger


def test_language_and_line_are_respected_except_in_danger() -> None:
    english = free(languages=frozenset({"en"}))
    assert pair([caller()], [english], NOW) == []
    assert pair([caller(danger=True)], [english], NOW) != []
    assert pair([caller()], [free(lines=frozenset({"+2"}))], NOW) == []
    assert pair([caller(danger=True)], [free(lines=frozenset({"+2"}))], NOW) == []


def test_a_caller_of_no_line_is_answered_by_counsellors_of_any_line() -> None:
    of_a_line = free(lines=frozenset({"+2"}))
    for lost in (caller(line=""), caller(line="", danger=True)):
        assert pair([lost], [of_a_line], NOW) == [(lost, of_a_line)]
    # Nor is a conversation that came to no line held back for want of others who could ring.
    lost = caller(
        1, line="", written=True, chat=ChatRules(at_once=2, reserve=1, reserve_seconds=60)
    )
    writer = free(at_once=2, lines=frozenset({"+2"}))
    assert pair([lost], [writer, of_a_line], NOW) == [(lost, writer)]


def test_a_caller_whom_no_counsellor_can_take_does_not_block_the_next() -> None:
    english = free(languages=frozenset({"en"}))
    stuck, next_one = caller(900), caller(5, language="en")
    assert pair([stuck, next_one], [english], NOW) == [(next_one, english)]


def test_a_counsellor_who_declined_is_asked_last_and_not_at_once() -> None:
    one = free(900)
    other = free(5)
    asked = caller(asked={one.counsellor_id: NOW - timedelta(seconds=40)})
    assert pair([asked], [one, other], NOW) == [(asked, other)]
    assert pair([asked], [one], NOW) == [(asked, one)]
    just = caller(asked={one.counsellor_id: NOW - COOL_OFF + timedelta(seconds=1)})
    assert pair([just], [one], NOW) == []


LANGUAGES = st.frozensets(st.sampled_from(["sr", "en", "hu"]), max_size=2)


@given(
    st.lists(st.tuples(st.integers(0, 900), st.sampled_from(["sr", "en", "hu"])), max_size=8),
    st.lists(st.tuples(st.integers(0, 900), LANGUAGES), max_size=6),
)
def test_no_caller_waits_while_a_counsellor_could_take_them(
    waits: list[tuple[int, str]], idles: list[tuple[int, frozenset[str]]]
) -> None:
    callers = [caller(w, language=language) for w, language in waits]
    counsellors = [free(i, languages=languages) for i, languages in idles]
    pairs = pair(callers, counsellors, NOW)
    taken: set[UUID] = {c.call_id for c, _ in pairs}
    busy: set[UUID] = {f.counsellor_id for _, f in pairs}
    assert len(taken) == len(busy) == len(pairs)
    for one in callers:
        for other in counsellors:
            if one.call_id not in taken and other.counsellor_id not in busy:
                assert not may_take(other, one, NOW, Room(tuple(counsellors)), list(Layer))


def test_skills_have_levels_and_are_not_asked_for_for_ever() -> None:
    skilled, some, none = (free(skills={"violence": n}) for n in (3, 1, 0))
    needs = {"skills": {"violence": 2}}
    room = Room((skilled, some, none))
    assert pair([caller(5, **needs)], [none, some, skilled], NOW)[0][1] is skilled
    assert pair([caller(5, **needs)], [none, some], NOW, room) == []
    assert pair([caller(60, **needs)], [none, some], NOW, room) != []
    assert pair([caller(5, danger=True, **needs)], [none], NOW, room) != []


def test_a_longer_wait_opens_layer_after_layer() -> None:
    crew = {layer: free(layer=layer) for layer in Layer}
    room = Room(tuple(crew.values()))
    for waited, layers in ((29, 1), (30, 2), (59, 2), (60, 3), (119, 3), (120, 4)):
        assert open_layers(caller(waited), NOW, room) == frozenset(list(Layer)[:layers])
    # The first layer is busy: no counsellor of the second is asked before its time.
    others = [crew[Layer.BACKUP], crew[Layer.SUPERVISOR]]
    assert pair([caller(29)], others, NOW, room) == []
    patient = caller(30)
    assert pair([patient], others, NOW, room) == [(patient, crew[Layer.BACKUP])]
    # A layer without a counsellor for the caller is not waited for.
    alone = Room((crew[Layer.SUPERVISOR], crew[Layer.ON_CALL]))
    fresh = caller(0)
    assert pair([fresh], [crew[Layer.SUPERVISOR]], NOW, alone) != []
    assert pair([fresh], [crew[Layer.ON_CALL]], NOW, alone) == []
    # In danger all are asked at once, the first layer first.
    assert pair([caller(0, danger=True)], [crew[Layer.ON_CALL]], NOW, room) != []


def test_in_danger_several_ring_at_once_after_all_other_callers() -> None:
    danger, other = caller(1, danger=True, priority=3600), caller(20)
    room = [free(n) for n in (50, 40, 30, 20, 10)]
    found = pair([other, danger], room, NOW)
    assert [c for c, _ in found] == [danger, other, danger, danger]
    assert len({f.counsellor_id for _, f in found}) == 4
    # It rings at two already: one more.
    ringing = caller(1, danger=True, ringing=frozenset({f.counsellor_id for f in room[:2]}))
    assert [f for _, f in pair([ringing], room, NOW)] == [room[2]]
    assert len(pair([caller(danger=True, plan=Plan(ring_at_once=1))], room, NOW)) == 1


def test_a_caller_waits_for_a_preferred_counsellor_and_never_gets_an_excluded_one() -> None:
    liked, other = free(1), free(900)
    room = Room((liked, other))
    wants = caller(5, preferred=liked.counsellor_id)
    assert pair([wants], [other, liked], NOW, room) == [(wants, liked)]
    # She talks: the caller waits for her, for as long as the plan says.
    assert pair([wants], [other], NOW, room) == []
    assert pair([caller(60, preferred=liked.counsellor_id)], [other], NOW, room) != []
    # She is not there at all, or has been asked in vain.
    assert pair([wants], [other], NOW, Room((other,))) != []
    asked = caller(5, preferred=liked.counsellor_id, asked={liked.counsellor_id: NOW})
    assert pair([asked], [other], NOW, room) != []
    never = frozenset({other.counsellor_id})
    for danger in (False, True):
        assert pair([caller(900, excluded=never, danger=danger)], [other], NOW, room) == []


def test_a_counsellor_in_training_needs_a_supervisor() -> None:
    new = free(training=True)
    for supervised in (False, True):
        room = Room((new,), supervised=supervised)
        assert bool(pair([caller()], [new], NOW, room)) == supervised
        assert bool(pair([caller(danger=True)], [new], NOW, room)) == supervised
        assert pair([caller(practice=True)], [new], NOW, room) != []


@settings(max_examples=60, deadline=None)
@given(
    stream=st.lists(
        st.tuples(st.integers(1, 40), st.sampled_from([0, 60, 120, 240, -60])),
        min_size=1,
        max_size=20,
    ),
    every=st.integers(1, 30),
    priority=st.sampled_from([-60, 0, 60]),
)
def test_no_caller_starves(stream: list[tuple[int, int]], every: int, priority: int) -> None:
    """A caller is reached, however many more urgent ones come, if a counsellor is free again and
    again: a caller who arrives later than the difference of the priorities cannot overtake them.

    One counsellor is free at equal intervals; other callers come at any pace, without end.
    """
    patient = Waiting(uuid4(), "+1", "sr", NOW, priority)
    waiting, came = [patient], itertools.cycle(stream)
    due, urgency = next(came)
    ahead = turns = at = 0
    while patient in waiting:
        at += every
        while due <= at:
            waiting.append(Waiting(uuid4(), "+1", "sr", NOW + timedelta(seconds=due), urgency))
            ahead += urgency - due > priority
            gap, urgency = next(came)
            due += gap
        now = NOW + timedelta(seconds=at)
        ((taken, _),) = pair(waiting, [Free(uuid4(), now)], now)
        waiting.remove(taken)
        turns += 1
        assert turns <= ahead + 1, "a caller overtook who could not"
    # However many they are, they come within that time.
    assert ahead <= 240 - priority


def child(waited: int = 10, **known: object) -> Waiting:
    return caller(waited, written=True, **known)


def writer(idle: int = 10, **known: object) -> Free:
    return free(idle, **{"at_once": 3, **known})


def test_written_conversations_go_to_counsellors_who_write_and_have_room() -> None:
    one = child()
    assert pair([one], [free()], NOW) == []
    full, some = writer(900, writing=3), writer(5, writing=1)
    assert pair([one], [full, some], NOW) == [(one, some)]
    fresh = writer(1)
    assert pair([one], [some, fresh], NOW) == [(one, fresh)], "those with the fewest first"
    assert pair([one], [writer(deciding=True)], NOW) == [], "one question at a time"
    narrow = child(chat=ChatRules(on=True, at_once=1))
    assert pair([narrow], [some], NOW) == [], "the smaller number counts"
    danger = child(danger=True)
    assert pair([danger], [full], NOW) == [(danger, full)]
    assert pair([danger], [writer(writing=4)], NOW) == []
    silent = writer(speaks=False, rings=False)
    assert pair([one], [silent], NOW) == [(one, silent)], "to write needs no telephone"
    assert pair([caller()], [silent], NOW) == []


def test_a_call_rings_at_a_counsellor_who_writes_only_in_danger_and_as_the_last() -> None:
    busy, idle = writer(900, writing=1), free(1)
    assert pair([caller()], [busy], NOW) == []
    danger = caller(danger=True)
    assert pair([danger], [busy, idle], NOW) == [(danger, idle)]
    assert pair([danger], [busy, writer(900, writing=2)], NOW) == [(danger, busy)]
    just = caller(danger=True, asked={idle.counsellor_id: NOW - timedelta(seconds=1)})
    assert pair([just], [busy, idle], NOW) == [(just, busy)]


def test_a_call_back_rings_at_the_counsellor_who_writes_with_its_child_and_no_other() -> None:
    hers, busy, idle = writer(5, writing=1), writer(5, writing=2), free(900)
    back = caller(10, writes_with=hers.counsellor_id, preferred=hers.counsellor_id)
    assert pair([back], [hers, idle], NOW) == [(back, hers)]
    assert pair([caller(10, preferred=hers.counsellor_id)], [hers], NOW) == []
    other = caller(10, writes_with=busy.counsellor_id, preferred=busy.counsellor_id)
    assert pair([other], [busy, idle], NOW) == [], "another child is not left for it"
    late = caller(61, writes_with=busy.counsellor_id, preferred=busy.counsellor_id)
    assert pair([late], [busy, idle], NOW) == [(late, idle)], "but it waits no longer than that"
    deaf = writer(writing=1, rings=False)
    assert pair([caller(10, writes_with=deaf.counsellor_id)], [deaf], NOW) == []


def test_counsellors_are_kept_for_calls_until_a_child_has_waited_long_enough() -> None:
    rules = ChatRules(on=True, reserve=1, reserve_seconds=60)
    one, other, busy = writer(30), writer(20), writer(10, writing=2)
    new, old = child(5, chat=rules), child(60, chat=rules)
    assert pair([new], [one], NOW) == []
    assert pair([new], [one, other], NOW) == [(new, one)]
    assert pair([new], [one, busy], NOW) == [(new, busy)]
    assert pair([old], [one], NOW) == [(old, one)]
    elsewhere = writer(20, lines=frozenset({"+2"}))
    assert pair([new], [one, elsewhere], NOW) == [], "another line's counsellor is not kept for it"
    danger = child(5, chat=rules, danger=True)
    assert pair([danger], [one], NOW) == [(danger, one)]
    assert len(pair([caller(6), new], [one, other], NOW)) == 1, "the call came first"


@given(
    st.lists(st.tuples(st.booleans(), st.booleans(), st.integers(0, 300)), max_size=8),
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.booleans()), max_size=6),
    st.integers(0, 2),
)
def test_no_child_waits_in_either_way_while_a_counsellor_could_take_it(
    waits: list[tuple[bool, bool, int]], crew: list[tuple[int, int, bool]], reserve: int
) -> None:
    rules = ChatRules(on=True, reserve=reserve, reserve_seconds=60)
    callers = [caller(w, written=t, danger=d, chat=rules) for t, d, w in waits]
    people = [free(n, at_once=a, writing=min(a, b), rings=r) for n, (a, b, r) in enumerate(crew)]
    pairs = pair(callers, people, NOW)
    taken = {c.call_id for c, _ in pairs}
    busy = {f.counsellor_id for _, f in pairs}
    assert len(busy) == len(pairs), "one question to each at a time"
    room = Room(tuple(people))
    for one, other in pairs:
        assert may_take(other, one, NOW, room, list(Layer))
    spared = [f for f in people if f.counsellor_id not in busy and f.rings and not f.writing]
    for one in callers:
        for other in people:
            if one.call_id in taken or other.counsellor_id in busy:
                continue
            kept = one.written and not one.danger and other in spared
            if may_take(other, one, NOW, room, list(Layer)):
                assert kept, "only for calls is a counsellor kept"
                assert len(spared) <= reserve
                assert one.waited(NOW) < 60
