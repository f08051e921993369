"""A referral in the words of another system."""

from uuid import UUID

import httpx2
import pytest

from app.referrals.channels.primero.mapping import NameOrder, Script, parts_of_name, say
from app.referrals.channels.primero.primero import Primero, PrimeroAccount, RefusedThere
from app.referrals.channels.primero.problems import sealed_words
from app.referrals.library import load


def test_nothing_is_invented_in_another_systems_words() -> None:
    mapping = load().mapping("primero-cp")
    said = say(mapping, mapping.fields, mapping.always, {}, {})
    assert (said.body, said.unmapped) == ({}, [])
    known = {"child.gender": "unknown", "child.age_is": "unknown", "child.name": "Jovana"}
    said = say(mapping, mapping.fields, (), known, {})
    assert (said.body, said.unmapped) == ({"name_first": "Jovana", "name_other": "Jovana"}, [])
    known_ = {"child.gender": "other", "danger.signs": ["injured", "fire"]}
    said = say(mapping, mapping.fields, (), known_, {})
    # The question as it is stored, the code sealed.
    assert list(map(str, said.unmapped)) == ["child.gender: their list has no such value"]
    assert sealed_words(said.unmapped) == "child.gender: other"
    assert said.left_out == ["danger.signs"]
    assert said.body == {"protection_concerns": ["physically_or_mentally_abused"]}


def test_a_category_is_said_by_what_it_counts_as() -> None:
    mapping = load().mapping("primero-cp")
    above = {"MH-FEAR": ("MH-FEAR", "MH"), "own": ("own", "V-NEGLECT", "V"), "x": ("x", "EO")}
    known = {"reason.categories": ["MH-FEAR", "own", "x"]}
    said = say(mapping, mapping.fields, (), known, above)
    assert said.body == {
        "protection_concerns": ["mentally_distressed", "physically_or_mentally_abused"]
    }
    assert said.left_out == ["reason.categories"]


@pytest.mark.parametrize(
    ("name", "order", "parts"),
    [
        ("Jovana Petrović", "given_first", ("Jovana", "Petrović")),
        ("Ana Marija Petrović Ilić", "given_first", ("Ana", "Marija Petrović Ilić")),
        ("Petrović Jovana", "family_first", ("Jovana", "Petrović")),
        ("Petrović, Ana Marija", "given_first", ("Ana Marija", "Petrović")),
        ("PETROVIĆ Jovana", "given_first", ("Jovana", "PETROVIĆ")),
        ("JOVANA PETROVIĆ", "given_first", ("JOVANA", "PETROVIĆ")),
        ("Jovana", "family_first", ("Jovana", "")),
        ("  ", "given_first", ("", "")),
    ],
)
def test_which_part_of_a_name_is_the_familys(name: str, order: str, parts: tuple[str, str]) -> None:
    assert parts_of_name(name, NameOrder(order)) == parts


def test_a_name_is_written_in_their_script() -> None:
    mapping = load().mapping("primero-cp")
    known = {"child.name": "Љиљана Ђорђевић"}
    for script, first in (("latin", "Ljiljana"), ("cyrillic", "Љиљана")):
        theirs = mapping.model_copy(update={"script": Script(script)})
        body = say(theirs, theirs.fields, (), known, {}).body
        assert body["name_first"] == first
        assert body["name_other"] == "Љиљана Ђорђевић", "as it was written"


async def test_what_another_system_says_of_a_case_is_no_part_of_a_problem() -> None:
    """It can repeat what it was sent: a problem is stored as it stands, its words sealed."""
    said = {"errors": [{"detail": "name_first 'Jovana' is invalid"}]}
    answers = httpx2.MockTransport(lambda _: httpx2.Response(422, json=said))
    async with httpx2.AsyncClient(transport=answers) as client:
        theirs = Primero(client, PrimeroAccount("https://primero.example", "us", "secret"))
        with pytest.raises(RefusedThere) as refused:
            await theirs.make_case(UUID(int=1), {})
    assert refused.value.what == "status 422"
    assert "Jovana" not in str(refused.value)
    assert refused.value.words == "“name_first 'Jovana' is invalid”"
