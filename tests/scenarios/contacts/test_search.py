"""Search finds people: other spellings, any order, extra words, a year of birth as help."""

from datetime import timedelta
from typing import Any

from app.demo.counsellor import Counsellor
from app.demo.stage import Stage
from app.staff.roles import Role
from tests.support.calls.callers import talks_unheard
from tests.support.contacts import WHOLE, completed, new_contact
from tests.support.profile import nightly
from tests.support.program.quiet import QuietStage


async def _found(who: Counsellor, **body: Any) -> list[str]:
    answer = await who.ask("POST", "/contacts/search", body)
    assert answer.status_code == 200, answer.text
    return [row["headline"] for row in answer.json()["contacts"]]


async def _child(who: Counsellor, name: str, age: int = 11) -> None:
    await new_contact(
        who,
        {
            **WHOLE,
            "contact.headline": name.split()[0][:3] + "…" + name.split()[-1][-3:],
            "child.a1.name": name,
            "child.a1.age": age,
        },
    )


async def test_search_finds_over_scripts_and_misspellings_and_only_what_the_reader_may_see(
    quiet: QuietStage,
) -> None:
    ana = await quiet.add_counsellor("ana")
    bora = await quiet.add_counsellor("bora", state=None)
    jovana = await completed(ana)
    djordje = await completed(
        ana,
        **{
            "child.a1.name": "Đorđe Živković",
            "child.a1.phone": "064/123-45-67",
            "contact.headline": "Dečak beži od kuće",
            "contact.categories": ["MS-OTHER"],
            "contact.place": "RS-06",
        },
    )
    await completed(bora, **{"child.a1.name": "Jovana Petrović"})

    async def ids(who: Counsellor = ana, **body: str) -> set[str]:
        answer = await who.ask("POST", "/contacts/search", body)
        assert answer.status_code == 200, answer.text
        return {c["id"] for c in answer.json()["contacts"]}

    assert await ids(name="Jovana") == await ids(name="јована ПЕТРОВИЋ") == {jovana}
    assert await ids(name="Yovana Petrovich") == {jovana}
    assert await ids(name="Djordje Zivkovic") == await ids(name="Ђорђе") == {djordje}
    assert await ids(name="Marko") == set()
    assert await ids(number="+381 64 123 45 67") == {djordje}
    assert await ids(number="0641234567") == {djordje}
    assert await ids(headline="bežanje") == set()
    assert await ids(headline="dečak kuć") == await ids(headline="дечак") == {djordje}
    assert await ids(headline="bullied:* | !x '") == set()
    assert await ids(category="V") == await ids(category="V-BULLYING") == {jovana}
    assert await ids(place="RS-VO") == {djordje}
    assert await ids(status="complete", counsellor="ana") == {jovana, djordje}
    code = (await ana.ask("GET", f"/contacts/{jovana}")).json()["code"]
    assert await ids(code=code.lower()) == {jovana}
    assert await ids(bora, code=code) == set()
    for bad in ({"name": "!!"}, {"number": "12"}, {"headline": "—"}, {"name": "x" * 400}):
        assert (await ana.ask("POST", "/contacts/search", bad)).status_code == 422


async def test_paper_is_found_by_its_day_and_a_caller_by_the_number_as_dialled(
    quiet: QuietStage,
) -> None:
    ana = await quiet.add_counsellor("ana")
    talked = await talks_unheard(quiet, ana, "+381641112223")
    call = (await ana.ask("GET", f"/calls/{talked}/contact")).json()
    day = quiet.clock.now() - timedelta(days=5)
    paper = await new_contact(ana, channel="call", source="paper", taken_at=day.isoformat())

    async def ids(**body: str) -> list[str]:
        return [
            c["id"] for c in (await ana.ask("POST", "/contacts/search", body)).json()["contacts"]
        ]

    until = (day + timedelta(hours=1)).isoformat()
    assert await ids(to=until) == [paper]
    assert await ids(number="064 111 2223") == await ids(number="+381641112223") == [call["id"]]


async def test_a_person_is_found_in_any_spelling_and_order(quiet: QuietStage) -> None:
    ana = await quiet.add_counsellor("ana")
    for name in ("Јелена Ђорђевић", "Viktor Nagy", "Dževahire Ćerimi", "Marko Kostić"):
        await _child(ana, name)
    for asked in ("Elena Djordjević", "Đorđević Jelena", "Yelena Mala Djordjevic"):
        assert await _found(ana, name=asked) == ["Јел…вић"], asked
    assert await _found(ana, name="victor nađ") == ["Vik…agy"]
    assert await _found(ana, name="Xhevahire Qerimi") == ["Dže…imi"]
    assert await _found(ana, name="Elena Kostić") == [], "one of two words is not enough"


@nightly
async def test_the_exact_spelling_comes_first_over_all_pages(quiet: QuietStage) -> None:
    """The one child of that name is the oldest of sixty that sound like it."""
    ana = await quiet.add_counsellor("ana")
    await _child(ana, "Viktor Cica")
    for _ in range(60):
        await _child(ana, "Victor Kika")
    answer = (await ana.ask("POST", "/contacts/search", {"name": "Viktor Cica"})).json()
    first, following = answer["contacts"], answer["next_cursor"]
    assert first[0]["headline"] == "Vik…ica"
    more = await ana.ask("POST", "/contacts/search", {"name": "Viktor Cica", "cursor": following})
    ids = [row["id"] for row in (*first, *more.json()["contacts"])]
    assert len(ids) == len(set(ids)) == 61


async def test_a_year_of_birth_narrows_the_search(quiet: QuietStage) -> None:
    ana = await quiet.add_counsellor("ana")
    await _child(ana, "Jovana A", age=6)
    await _child(ana, "Jovana B", age=14)
    year = quiet.clock.now().year
    for born in (year - 6, year - 7):
        assert await _found(ana, name="Jovana", born=born) == ["Jov…A"]
    assert await _found(ana, name="Jovana", born=year - 14) == ["Jov…B"]
    # The day itself counts from when it is known.
    await new_contact(ana, {**WHOLE, "child.a1.birth_date": "2019-03-01"})
    assert len(await _found(ana, born=2019)) == 1


async def test_names_of_an_earlier_version_are_hashed_anew(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana")
    chief = await stage.add_counsellor("chief", role=Role.SUPERVISOR, state=None)
    await _child(ana, "Jelena Kostić")
    await stage.rows(
        "UPDATE match_keys SET kind = 'sound', key = '\\x00' WHERE kind = 'heard' RETURNING 1"
    )
    assert await _found(chief, name="Elena Kostich") == []
    await stage.restart_server()
    await chief.sign_in()
    assert await _found(chief, name="Elena Kostich") == ["Jel…tić"]
    assert await stage.rows("SELECT 1 FROM match_keys WHERE kind = 'sound'") == []


async def test_a_search_by_category_finds_only_what_its_reader_may_read(quiet: QuietStage) -> None:
    """Categories are sealed: the search opens those of the reader's own records, and no others."""
    ana = await quiet.add_counsellor("ana")
    bora = await quiet.add_counsellor("bora", state=None)
    refused = [
        await quiet.add_counsellor(f"other {role.value}", role=role, shift=False, state=None)
        for role in (Role.ADMINISTRATOR, Role.AUDITOR)
    ]
    officer = await quiet.add_counsellor("oto", role=Role.REFERRAL_OFFICER, shift=False, state=None)
    told = {"contact.categories": ["V-SEXUAL"], "contact.headline": "Told at night"}
    mine = await new_contact(ana, {**WHOLE, **told})
    again = await new_contact(ana, {**WHOLE, **told, "contact.headline": "Told by day"})
    await new_contact(ana, WHOLE)
    await new_contact(bora, {**WHOLE, **told, "contact.headline": "Told to Bora"})

    async def ids(who: Counsellor, **body: Any) -> set[str]:
        answer = await who.ask("POST", "/contacts/search", body)
        assert answer.status_code == 200, answer.text
        assert all(row["categories"] == ["V", "V-SEXUAL"] for row in answer.json()["contacts"])
        return {row["id"] for row in answer.json()["contacts"]}

    assert await ids(ana, category="V-SEXUAL") == {mine, again}
    assert await ids(ana, category="V-SEXUAL", headline="night") == {mine}
    assert await ids(ana, category="MH") == set()
    theirs = await ids(bora, category="V-SEXUAL", name="Јована")
    assert len(theirs) == 1
    assert not theirs & {mine, again}
    for who in refused:
        answer = await who.ask("POST", "/contacts/search", {"category": "V-SEXUAL"})
        assert answer.status_code == 403
    assert await ids(officer, category="V-SEXUAL") == set(), "no referral of these was sent"
    # Many more than fit on a page are found page by page, each once.
    for n in range(55):
        await new_contact(ana, {**WHOLE, **told, "contact.headline": f"Number {n}"})
    seen: list[str] = []
    cursor: str | None = None
    while True:
        body = {"category": "V-SEXUAL", **({"cursor": cursor} if cursor else {})}
        page = (await ana.ask("POST", "/contacts/search", body)).json()
        seen += [row["id"] for row in page["contacts"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert len(seen) == len(set(seen)) == 57
    # The log has it that they were looked through, without the code.
    log = await quiet.rows("SELECT subject, detail FROM audit_entries WHERE action = 'codes_read'")
    assert {"subject": "contacts:to find", "detail": {"by": ["category"]}} in log
    assert "V-SEXUAL" not in str(log)
