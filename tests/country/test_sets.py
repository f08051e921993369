"""Sets of definitions: imported whole or not at all, in force from a time on, taken back."""

import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError

from app.cli import definitions as commands
from app.contacts.contacts import create_contact
from app.contacts.models import Contact
from app.contacts.registry import library_of, sheet_of
from app.contacts.states import ContactChannel
from app.country import archive, following, sets, whole
from app.country.sets import (
    AlreadyInForce,
    BadSet,
    NotAccepted,
    TakenBackAlready,
    WouldBreak,
    put_in_force,
    take_back,
    upload,
)
from app.country.whole import all_files
from app.database.topics import Topic
from app.definitions import library
from app.definitions.datafile import BadDefinition
from app.definitions.folder import Folder, folder_with, shipped_folder
from app.definitions.models import DefinitionOrder, DefinitionSet
from app.errors import Invalid, Message
from app.jobs.transaction import send_rows
from app.referrals import library as protocols
from app.referrals.library import protocols_of
from app.staff import accounts
from app.staff.roles import Role
from app.work import Work
from tests.support.command_line import typed_on
from tests.support.definitions.sets import (
    NEXT,
    at,
    changed,
    received,
    shipped,
    taken,
    with_short_form,
    zipped,
)
from tests.support.profile import by_day, nightly
from tests.support.verbs import a_line, an_administrator, logged

pytestmark = pytest.mark.whole

BRIEF = with_short_form()
LATER = with_short_form(NEXT, ("sr: Naslov", "sr: U jednom redu"))


async def a_draft(work: Work) -> Contact:
    """Add a contact that is open, with the form in force."""
    staff = await accounts.add_staff(work, name=f"ana {uuid4()}", role=Role.COUNSELLOR)
    made, _ = await create_contact(work, staff, channel=ContactChannel.EMAIL)
    await send_rows(work)
    return (await work.session.scalars(select(Contact).where(Contact.id == made.id))).one()


# -- importing -----------------------------------------------------------------------------------


async def test_a_set_is_imported_and_nothing_is_in_force_by_it(work: Work) -> None:
    mila = await an_administrator(work)
    work.actor = accounts.actor_of(mila)
    found = await upload(
        work, "  Autumn  2030 ", received(BRIEF | {"risk.yaml": shipped("risk.yaml")})
    )
    assert (found.set.name, found.new, found.left_out) == ("Autumn 2030", True, ["risk.yaml"])
    assert found.set.files == BRIEF, "as it came"
    assert found.set.uploaded_by == mila.id
    action, detail = logged(work)[-1]
    assert action == "definitions_uploaded"
    assert detail["after"]["files"] == sorted(BRIEF)
    assert str(Topic.DEFINITIONS) in work.topics
    await following.learn(work)
    assert library_of(work.ground).form_for("contact").form == "contact"
    again = await upload(work, "Another name", received(BRIEF))
    assert (again.set.id, again.new) == (found.set.id, False)


async def test_a_set_with_mistakes_is_refused_as_a_whole_with_all_of_them(work: Work) -> None:
    wrong = with_short_form(("cue: danger_now", "cue: dangers"), ("means: kind", "means: sort"))
    files = wrong | {
        "facts.yaml": "facts: ours\nversion: x\n",
        "rules.yaml": "rest: ours\nversion: 1\nsource: x\ndaily_hours: 12\nweekly_hours: 48\n",
        "note.yaml": "hello: there\n",
    }
    with pytest.raises(BadSet) as refused:
        await upload(work, "wrong", received(files))
    problems = [str(one) for one in refused.value.problems]
    assert any(one.startswith("form-brief.yaml:12: sections.0.fields.0.means") for one in problems)
    assert any(one.startswith("note.yaml:1: begin with one of") for one in problems)
    assert any(
        one == "rules.yaml:1: a file of this kind must be called rest.yaml" for one in problems
    )
    assert await work.session.scalar(select(func.count()).select_from(DefinitionSet)) == 0
    assert logged(work) == []


async def test_a_version_means_one_text_for_ever(work: Work) -> None:
    """Neither what the program brings nor what was in force can be said in another way."""
    own = changed(shipped("form-short.yaml"), ("Headline", "Title"))
    with pytest.raises(BadSet, match=r"form.yaml:4: version 2 comes with the program"):
        await taken(work, {"form.yaml": own})
    await put_in_force(work, await taken(work, BRIEF), accept=True)
    other = with_short_form(("sr: Naslov", "sr: U jednom redu"))
    with pytest.raises(BadSet, match=r"form-brief.yaml.*was changed .* give it version 3"):
        await taken(work, other)


async def test_copies_of_shipped_files_alone_are_nothing_to_import(work: Work) -> None:
    with pytest.raises(Invalid, match="as it comes with the program"):
        await taken(work, {"risk.yaml": shipped("risk.yaml")})


@pytest.mark.parametrize("name", ["", "   ", "x" * 101, "a\x00b"])
async def test_a_set_has_a_name_that_can_be_read(work: Work, name: str) -> None:
    with pytest.raises(Invalid, match="name"):
        await taken(work, BRIEF, name)


async def test_a_stored_set_of_definitions_cannot_be_updated(work: Work) -> None:
    await taken(work, BRIEF)
    with pytest.raises(DBAPIError, match="permission denied"):
        await work.session.execute(text("UPDATE definition_sets SET name = 'x'"))


# By day the reading of one file, in tests/definitions, refuses an alias, also of a merge.
@pytest.mark.parametrize(
    "files",
    by_day(
        [
            {"tag.yaml": "form: !!python/object/apply:os.system ['true']\nversion: 1\n"},
            {"bomb.yaml": "a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\nform: *c\n"},
            {"merge.yaml": "base: &b {x: y}\nform: {<<: *b}\n"},
        ]
    ),
    ids=by_day(["tag", "aliases", "merge"]),
)
async def test_a_file_means_just_what_it_shows(work: Work, files: dict[str, str]) -> None:
    with pytest.raises(BadSet):
        await taken(work, files)


async def test_a_form_that_would_take_hours_to_check_is_refused(work: Work) -> None:
    """Each question depends on many others: they are not tried without end."""
    fields = [f"      - {{code: q{n}, type: yes_no, label: {{en: Q, sr: Q}}}}\n" for n in range(6)]
    tests = ", ".join(f"{{field: note.q{n}, any_of: ['yes', 'no', unknown]}}" for n in range(6))
    fields += [
        f"      - {{code: p{n}, type: text, personal: other, label: {{en: P, sr: P}},"
        f" shown_when: {{not: {{any: [{tests}]}}}}}}\n"
        for n in range(300)
    ]
    files = BRIEF | {"form-brief.yaml": BRIEF["form-brief.yaml"] + "".join(fields)}
    with pytest.raises(BadSet, match="too many answers to check"):
        await taken(work, files)


# -- in force ------------------------------------------------------------------------------------


async def test_a_set_is_in_force_from_a_time_on_and_records_keep_their_form(work: Work) -> None:
    await a_line(work)
    mila = await an_administrator(work)
    work.actor = accounts.actor_of(mila)
    now = work.now
    before = await a_draft(work)
    set_id = await taken(work, BRIEF)
    order = await put_in_force(work, set_id, from_at=now + timedelta(hours=1), accept=True)
    assert (order.ordered_by, order.taken_back_at) == (mila.id, None)
    action, detail = logged(work)[-1]
    assert action == "definitions_put_in_force"
    assert detail == {
        "before": {"set": None, "contact_form": "contact 3"},
        "after": {"set": set_id, "from": order.from_at.isoformat(), "contact_form": "brief 2"},
    }
    await at(work, now + timedelta(minutes=59))
    assert (await a_draft(work)).form == "contact"
    await at(work, now + timedelta(hours=1))
    after = await a_draft(work)
    assert (after.form, after.form_version) == ("brief", 2)
    assert sheet_of(work, after).form.find("note.line") is not None
    assert sheet_of(work, before).form.form == "contact", "a draft keeps its form"


async def test_a_set_that_is_taken_back_leaves_the_one_before_in_force(work: Work) -> None:
    now = work.now
    first = await taken(work, BRIEF)
    second = await taken(work, LATER)
    old = await put_in_force(work, first, accept=True)
    await at(work, now + timedelta(hours=1))
    new = await put_in_force(work, second, accept=True)
    await at(work, now + timedelta(hours=2))
    record = await a_draft(work)
    assert record.form_version == 3
    assert await take_back(work, new.id) == first
    assert logged(work)[-1] == (
        "definitions_taken_back",
        {
            "before": {"set": second, "at": work.now.isoformat()},
            "after": {"set": first, "at": work.now.isoformat()},
        },
    )
    await at(work, now + timedelta(hours=3))
    assert (await a_draft(work)).form_version == 2
    assert sheet_of(work, record).form.version == 3, "what was written with it stays readable"
    with pytest.raises(TakenBackAlready):
        await take_back(work, new.id)
    assert await take_back(work, old.id) is None
    await at(work, now + timedelta(hours=4))
    assert (await a_draft(work)).form == "contact"
    for form in (record, await a_draft(work)):
        assert sheet_of(work, form)


async def test_a_set_that_is_still_to_come_can_be_taken_back(work: Work) -> None:
    now = work.now
    order = await put_in_force(
        work, await taken(work, BRIEF), from_at=now + timedelta(days=1), accept=True
    )
    await take_back(work, order.id)
    await at(work, now + timedelta(days=2))
    assert library_of(work.ground).form_for("contact").form == "contact"


async def test_what_is_in_force_at_a_time_follows_from_the_orders(work: Work) -> None:
    """An order that is given later can begin before another one."""
    now = work.now
    first, second = await taken(work, BRIEF), await taken(work, LATER)
    await put_in_force(work, second, from_at=now + timedelta(days=2), accept=True)
    await put_in_force(work, first, from_at=now + timedelta(days=1), accept=True)
    seen = []
    for hours in (1, 25, 49):
        await at(work, now + timedelta(hours=hours))
        form = library_of(work.ground).form_for("contact")
        seen.append((form.form, form.version))
    assert seen[1:] == [("brief", 2), ("brief", 3)]
    assert seen[0][0] == "contact"


async def test_the_same_set_twice_and_a_time_that_is_over_are_refused(work: Work) -> None:
    set_id = await taken(work, BRIEF)
    await put_in_force(work, set_id, accept=True)
    with pytest.raises(AlreadyInForce):
        await put_in_force(work, set_id, accept=True)
    for wrong in (timedelta(seconds=-1), timedelta(days=1000)):
        with pytest.raises(Invalid, match="within two years"):
            await put_in_force(work, set_id, from_at=work.now + wrong, accept=True)
    assert await work.session.scalar(select(func.count()).select_from(DefinitionOrder)) == 1


async def test_a_change_of_meaning_has_to_be_accepted(work: Work) -> None:
    await put_in_force(work, await taken(work, BRIEF), accept=True)
    later = await taken(work, LATER)
    with pytest.raises(NotAccepted):
        await put_in_force(work, later)
    await put_in_force(work, later, accept=True)


async def test_a_time_is_that_of_the_helplines_own_clocks(work: Work) -> None:
    for wall, instant in (
        ("2030-07-01T08:00", "2030-07-01T06:00+00:00"),
        # The clocks go forward from two to three, and back from three to two.
        ("2030-03-31T02:30", "2030-03-31T01:00+00:00"),
        ("2030-10-27T02:30", "2030-10-27T00:30+00:00"),
    ):
        found = sets.instant_of(work, datetime.fromisoformat(wall))
        assert found == datetime.fromisoformat(instant)
    for wall in ("0001-01-01T00:00", "9999-12-31T23:59"):
        with pytest.raises(Invalid, match="within two years"):
            sets.instant_of(work, datetime.fromisoformat(wall))


# -- what is in the field ------------------------------------------------------------------------


async def test_signs_of_danger_that_open_drafts_can_hold_must_stay(work: Work) -> None:
    await a_line(work)
    await a_draft(work)
    line = next(line for line in shipped("risk.yaml").splitlines() if "cue: weapon" in line)
    risk = changed(shipped("risk.yaml"), ("version: 1", "version: 2"), (line + "\n", ""))
    forms = {
        f"form-{name}.yaml": _without_weapon(shipped(f"form-{name}.yaml"))
        for name in ("contact", "case", "referral")
    }
    protocol = (protocols.SHIPPED / "protocol-rs.yaml").read_text()
    forms["protocol-rs.yaml"] = _raised(protocol).replace("weapon, ", "")
    set_id = await taken(work, forms | {"risk.yaml": risk})
    compared = await sets.compare_set(work, set_id)
    assert any("weapon" in str(one) for one in compared.effects.stops)
    assert any("Contacts that are open now: 1" in str(one) for one in compared.effects.notes)
    with pytest.raises(WouldBreak, match="weapon"):
        await put_in_force(work, set_id, accept=True)


async def test_the_page_of_a_set_names_a_form_in_which_no_answer_is_the_child(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was imported before that was refused, and is used as it is."""
    monkeypatch.setattr(whole, "check_marks", lambda _folder: None)
    files = with_short_form(("{code: child, label", "{code: dete, label"))
    compared = await sets.compare_set(work, await taken(work, files))
    (said,) = [str(one) for one in compared.effects.cautions if "child: true" in str(one)]
    assert said.startswith("Form brief does not say which answer is the child itself")
    compared = await sets.compare_set(work, await taken(work, with_short_form(), "right"))
    assert not any("child: true" in str(one) for one in compared.effects.cautions)


def _without_weapon(form: str) -> str:
    return _raised(form).replace("cue: weapon, ", "")


def _raised(text: str) -> str:
    """Return a definition as its next version."""
    return re.sub("^version: ([0-9]+)", lambda n: f"version: {int(n[1]) + 1}", text, flags=re.M)


# -- the command line ----------------------------------------------------------------------------


@nightly
async def test_commands_import_compare_and_order_sets(
    work: Work, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """By day the verbs that they call are tried."""
    types = typed_on(work, monkeypatch, commands.app, commands)
    folder = tmp_path / "autumn"
    folder.mkdir()
    for name, words in with_short_form(("cue: danger_now", "cue: dangers")).items():
        (folder / name).write_text(words)
    wrong = await types("check", str(folder), fails=True)
    assert "form-brief.yaml:16: there is no cue 'dangers' among the risk cues" in wrong.output
    await types("import", str(folder), fails=True)
    packed = tmp_path / "autumn.zip"
    packed.write_bytes(zipped(dict(BRIEF)))
    assert "2 files are well." in (await types("check", str(packed))).output
    (number,) = (await types("import", str(packed))).output.split()[1:]
    compared = (await types("compare", number)).output
    assert "brief 2. Drafts that are open keep" in compared
    refused = await types("put-in-force", number, fails=True)
    assert isinstance(refused.exception, NotAccepted)
    begins = ("--from", "2030-02-01T08:00:00")
    ordered = (await types("put-in-force", number, "--accept", *begins)).output
    assert ordered.startswith("order ")
    assert ordered.endswith(f"set {number} from 2030-02-01T07:00Z\n")
    listed = (await types("list")).output
    assert f"set\t{number}\tautumn\t2 files" in listed
    await types("save", number, "--output", str(tmp_path / "out.zip"))
    saved = archive.from_zip((tmp_path / "out.zip").read_bytes())
    assert dict(saved.folder.files) == BRIEF
    await types("save", "--output", str(tmp_path / "all.zip"))
    everything = archive.from_zip((tmp_path / "all.zip").read_bytes()).folder
    assert everything.text("form-contact.yaml") == shipped("form-contact.yaml")
    packed.write_bytes(zipped(dict(LATER)))
    (later,) = (await types("import", str(packed), "--name", "winter")).output.split()[1:]
    between = (await types("compare", later, "--against", number)).output
    assert between.splitlines()
    assert len(between) < len((await types("compare", later)).output)
    assert (await types("compare", number, "--against", number)).output == ""
    order = ordered.split()[1].rstrip(":")
    assert "the program's own files" in (await types("take-back", order)).output
    again = await types("take-back", order, fails=True)
    assert isinstance(again.exception, TakenBackAlready)


@nightly
async def test_everything_that_is_in_force_can_be_imported_again(work: Work) -> None:
    """What was saved is a folder to begin with: one file is changed, and the whole is sent.

    By day the first test of this file leaves a shipped file out.
    """
    everything = dict(all_files(None).files)
    name = "form-short.yaml"
    everything[name] = changed(everything[name], NEXT, ("sr: Naslov", "sr: U jednom redu"))
    found = await upload(work, "changed", received(everything))
    assert set(found.set.files) == {name}
    assert len(found.left_out) == len(everything) - 1


async def test_a_protocol_of_its_own_counts_for_new_referrals(work: Work) -> None:
    text = (protocols.SHIPPED / "protocol-rs.yaml").read_text()
    protocol = changed(text, ("protocol: rs", "protocol: ours"))
    country = changed(shipped("country.yaml"), ("protocol: rs", "protocol: ours"))
    set_id = await taken(work, {"country.yaml": country, "protocol.yaml": protocol})
    await put_in_force(work, set_id, accept=True)
    before: Any = protocols_of(work.ground).current
    await following.learn(work)
    after: Any = protocols_of(work.ground).current
    assert (before.protocol, after.protocol) == ("rs", "ours")
    assert ("rs", before.version) in protocols_of(work.ground).protocols


async def test_a_set_outlives_a_program_that_brings_the_same_version(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The country's own text counts, and the set can be taken back to and put in force again."""
    now = work.now
    own = changed(shipped("form-short.yaml"), NEXT, ("sr: Naslov", "sr: Naše"))
    country = changed(shipped("country.yaml"), ("contact_form: contact", "contact_form: short"))
    first = await taken(work, {"country.yaml": country, "form.yaml": own})
    await put_in_force(work, first, accept=True)
    newer = changed(shipped("form-short.yaml"), NEXT)
    files = shipped_folder(library.SHIPPED)
    later = folder_with(dict(files.files) | {"form-short.yaml": newer})

    def upgraded(path: Path) -> Folder:
        return later if path == library.SHIPPED else shipped_folder(path)

    for module in (library, whole):
        monkeypatch.setattr(module, "shipped_folder", upgraded)
    for read in (library.load, protocols.load):
        read.cache_clear()
    try:
        await at(work, now + timedelta(hours=1))
        form = library_of(work.ground).form_for("contact")
        assert (form.version, form.title["sr"]) == (3, "Kratak kontakt")
        assert form.find("note.line") is not None
        assert form.find("note.line")[1].label["sr"] == "Naše"  # type: ignore[index]
        second = await taken(work, LATER)
        order = await put_in_force(work, second, accept=True)
        assert await take_back(work, order.id) == first
        assert (await sets.compare_set(work, first)).comparison.changes == []
    finally:
        for read in (library.load, protocols.load):
            read.cache_clear()


async def test_what_cannot_be_read_any_more_can_still_be_given_up(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A newer program refuses a set in force: the order is taken back without reading it."""
    order = await put_in_force(work, await taken(work, BRIEF), accept=True)
    monkeypatch.setattr(
        whole,
        "problems_of",
        lambda folder, **_: [] if folder is None else [BadDefinition("x", 1, Message("y"))],
    )
    assert await take_back(work, order.id) is None
