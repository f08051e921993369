from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from hypothesis import given
from hypothesis import strategies as st

from app.routing.matching import COOL_OFF, Free, Waiting, may_take, pair

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


def test_a_caller_nobody_can_take_does_not_block_the_next() -> None:
    english = free(languages=frozenset({"en"}))
    stuck, next_one = caller(900), caller(5, language="en")
    assert pair([stuck, next_one], [english], NOW) == [(next_one, english)]


def test_who_declined_is_asked_last_and_not_at_once() -> None:
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
def test_nobody_waits_while_somebody_could_take_them(
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
                assert not may_take(other, one, NOW)
