"""Which agency is the right one, and why not the others."""

from datetime import UTC, date, datetime
from uuid import uuid4

from app.referrals.directory.finding import Candidate, Sought, find

NOON = datetime(2026, 11, 24, 11, tzinfo=UTC)


def agency(code: str, **more: object) -> Candidate:
    values: dict[str, object] = {
        "id": uuid4(),
        "code": code,
        "name": code,
        "sector": "shelter",
        "services": frozenset({"shelter"}),
        "areas": frozenset(),
        "age_from": None,
        "age_to": None,
        "hours": "",
        "timezone": "Europe/Belgrade",
        "country": "RS",
        "languages": ("sr",),
        "deputy": None,
        "valid_from": None,
        "valid_until": None,
        "writes": True,
        "phones": (),
        **more,
    }
    return Candidate(**values)  # type: ignore[arg-type]


def sought(**more: object) -> Sought:
    values: dict[str, object] = {
        "service": "shelter",
        "place_path": ("RS-VO", "RS-06"),
        "age": 9,
        "at": NOON,
        **more,
    }
    return Sought(**values)  # type: ignore[arg-type]


def test_the_right_agency_and_why_not_the_others() -> None:
    everywhere = agency("a-everywhere")
    region = agency("region", areas=frozenset({"RS-VO"}))
    district = agency("district", areas=frozenset({"RS-06"}))
    mandated = agency("mandated")
    closed = agency("closed", areas=frozenset({"RS-06"}), hours="22:00-06:00")
    others = {
        agency("elsewhere", areas=frozenset({"RS-BG"})): "does not serve this place",
        agency("older", age_from=14): "takes children from 14 years",
        agency("younger", age_to=6): "takes children up to 6 years",
        agency("school", services=frozenset({"education"})): "does not offer shelter",
        agency("past", valid_until=date(2026, 11, 24)): "has not been in force since 2026-11-24",
        agency("future", valid_from=date(2026, 11, 25)): "is not in force before 2026-11-25",
        agency("mute", writes=False, phones=("22:00-06:00",)): "answers no phone now and cannot be "
        "written to",
        agency("hidden"): "must not be told: the consent excludes it",
    }
    answer = find(
        [everywhere, region, district, mandated, closed, *others],
        sought(mandated=(mandated.id,), withheld_from=frozenset({"hidden"})),
    )
    assert [f.agency.code for f in answer.right] == [
        "mandated",
        "district",
        "region",
        "a-everywhere",
        "closed",
    ]
    reasons = {f.agency: tuple(map(str, f.reasons)) for f in answer.left_out}
    assert reasons == {who: (why,) for who, why in others.items()}
    assert len(answer.right) + len(answer.left_out) == 13


def test_a_deputy_stands_in_for_one_that_is_closed() -> None:
    closed = agency("centre", hours="Mo-Fr 08:00-10:00", deputy="neighbour")
    deputy = agency("neighbour", areas=frozenset({"RS-BG"}))
    answer = find([closed, deputy], sought())
    assert [f.agency.code for f in answer.right] == ["neighbour", "centre"]
    assert "deputy of an agency that is closed now" in map(str, answer.right[0].reasons)


def test_without_a_place_only_agencies_that_serve_everywhere() -> None:
    answer = find(
        [agency("everywhere"), agency("town", areas=frozenset({"RS-BG"}))],
        sought(place_path=()),
    )
    assert [f.agency.code for f in answer.right] == ["everywhere"]
    assert "the place is not known" in str(answer.left_out[0].reasons[0])
