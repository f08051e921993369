"""Two people translate one language: neither takes away what the other has changed."""

import re
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest

from app import words
from app.administration import languages
from app.administration.languages import ChangedMeanwhile
from app.administration.models import OwnCatalogue
from app.chats.noticing import danger_in
from app.cli import languages as commands
from app.staff import accounts
from app.staff.log_kinds import AuditLog
from app.staff.roles import Role
from app.words import catalogues, danger, merging, pages, texts
from app.words.catalogues import CatalogueKind
from app.words.import_conflicts import Meanwhile
from app.work import PROGRAM, Actor, ActorKind, Work
from tests.support.command_line import typed_on
from tests.support.profile import by_day, nightly
from tests.support.verbs import logged

pytestmark = pytest.mark.whole


@pytest.fixture(autouse=True)
def _shipped_afterwards() -> Iterator[None]:
    """What a test imports is said by its process until it ends."""
    yield
    catalogues.use({})


class Translator:
    """A person who saves a catalogue, edits it and imports it."""

    def __init__(self, work: Work, staff_id: UUID, kind: CatalogueKind) -> None:
        self.work, self.kind, self.file = work, kind, ""
        self.actor = Actor(ActorKind.PERSON, staff_id=staff_id)

    async def saves(self) -> None:
        self.file = await languages.export(self.work, "sr", self.kind)

    def writes(self, english: str, text: str) -> None:
        before = rf'(\nmsgid "{re.escape(english)}"\nmsgstr )"[^"]*"\n'
        self.file, times = re.subn(before, rf'\1"{text}"\n', self.file)
        assert times == 1, english

    async def imports(
        self, meanwhile: Meanwhile = Meanwhile.REFUSE, *, reviewed: bool = True
    ) -> OwnCatalogue:
        self.work.actor = self.actor
        sent = self.file.encode()
        row = await languages.import_catalogue(
            self.work, "sr", self.kind, sent, reviewed=reviewed, meanwhile=meanwhile
        )
        await languages.learn(self.work)
        return row


async def _two(
    work: Work, kind: CatalogueKind = CatalogueKind.DEFINITIONS
) -> tuple[Translator, Translator]:
    """Return two people, each with the shipped catalogue in hand."""
    found = []
    for name in ("mila", "vera"):
        staff = await accounts.add_staff(work, name=name, role=Role.ADMINISTRATOR)
        found.append(Translator(work, staff.id, kind))
    mila, vera = found
    await mila.saves()
    vera.file = mila.file
    return mila, vera


def _said(*labels: str) -> list[str | None]:
    return [pages.label_words(one, "sr") for one in labels]


async def test_what_another_has_corrected_meanwhile_stays(work: Work) -> None:
    mila, vera = await _two(work)
    mila.writes("Girl", "Curica")
    await mila.imports()
    vera.writes("Boy", "Dečko")
    later = await vera.imports()
    assert _said("Girl", "Boy") == ["Curica", "Dečko"]
    (_, detail) = [one for one in logged(work) if one[0] == AuditLog.WORDS_IMPORTED][-1]
    assert isinstance(detail, dict)
    assert detail["after"]["said_as_before"] == 1
    # It is taken back by itself.
    await languages.take_back(work, later.id)
    await languages.learn(work)
    assert _said("Girl", "Boy") == ["Curica", "Dečak"]


async def test_words_that_are_taken_back_go_from_later_imports_too(work: Work) -> None:
    mila, vera = await _two(work)
    vera.writes("Child", "Klinac")
    await vera.imports()
    mila.writes("Girl", "Otrov")
    mila.writes("Bor", "Otrovan")
    poison = await mila.imports()
    await vera.saves()
    vera.writes("Boy", "Dečko")
    vera.writes("Bor", "Borski kraj")
    later = await vera.imports()
    assert _said("Girl", "Boy", "Child", "Bor") == ["Otrov", "Dečko", "Klinac", "Borski kraj"]
    await languages.take_back(work, poison.id)
    await languages.learn(work)
    assert _said("Girl", "Boy", "Child", "Bor") == ["Devojčica", "Dečko", "Klinac", "Borski kraj"]
    (_, detail) = logged(work)[-1]
    assert isinstance(detail, dict)
    (newest, replaced, *_) = await languages.all_own(work)
    assert (replaced.id, newest.imported_by) == (later.id, vera.actor.staff_id)
    assert replaced.taken_back_at is not None
    assert (detail["after"]["number"], detail["after"]["replaces"]) == (newest.id, [later.id])
    # A file that was exported before holds them, and does not bring them back.
    vera.writes("Boy", "Mali")
    await vera.imports(Meanwhile.REPLACE)
    assert _said("Girl", "Boy", "Child") == ["Devojčica", "Mali", "Klinac"]


async def test_a_later_import_that_says_nothing_else_goes_with_them(work: Work) -> None:
    mila, vera = await _two(work)
    mila.file = 'msgid "Girl"\nmsgstr "Otrov"\n'
    poison = await mila.imports()
    vera.file = mila.file
    await vera.imports()
    await languages.take_back(work, poison.id)
    await languages.learn(work)
    assert _said("Girl") == ["Devojčica"]
    assert all(one.taken_back_at is not None for one in await languages.all_own(work))


@pytest.mark.parametrize("was", by_day(["crna rupa\nbeži mi se", None]))
async def test_of_a_list_that_was_changed_again_only_what_was_put_in_goes(
    work: Work, was: str | None
) -> None:
    """What was left out stands again, and what a colleague has put in since stays."""
    mila, vera = await _two(work, CatalogueKind.PROMPTS_AND_LETTERS)
    key, english = danger.KEY, words.texts_of("en")[danger.KEY]

    async def imports(who: Translator, *said: str) -> OwnCatalogue:
        who.file = catalogues.written("sr", {(english, key): "\n".join(said)})
        return await who.imports(Meanwhile.REPLACE)

    if was is not None:
        await imports(vera, *was.split("\n"))
    first = texts.entries(words.texts_of("sr")[key])
    poison = await imports(mila, *first[1:], "plava kuća")
    await imports(vera, "zarobljena sam", *first[1:], "plava kuća")
    assert danger_in("to je plava kuća", ["sr"])
    await languages.take_back(work, poison.id)
    await languages.learn(work)
    assert texts.entries(words.texts_of("sr")[key]) == ["zarobljena sam", *first[1:], first[0]]
    assert danger_in("to je plava kuća", ["sr"]) is None
    assert danger_in("zarobljena sam", ["sr"])


async def test_what_both_have_changed_is_decided_by_the_second(work: Work) -> None:
    mila, vera = await _two(work)
    for english, text in (("Girl", "Curica"), ("Boy", "Dečko"), ("Child", "Klinac")):
        mila.writes(english, text)
    await mila.imports()
    for english, text in (("Girl", "Devojka"), ("Boy", "Dečko"), ("Bor", "Borski kraj")):
        vera.writes(english, text)
    with pytest.raises(ChangedMeanwhile) as refused:
        await vera.imports()
    line = vera.file[: vera.file.index('\nmsgid "Girl"')].count("\n") + 2
    assert f"They are now: line {line}: “Curica”" in refused.value.detail
    # Both say the same of another, and the third is as it was before.
    assert not {"Dečko", "Klinac"} & set(re.findall("“(.*?)”", refused.value.detail))
    assert _said("Girl", "Bor") != ["Devojka", "Borski kraj"]
    first = await vera.imports(Meanwhile.KEEP)
    assert _said("Girl", "Boy", "Child", "Bor") == ["Curica", "Dečko", "Klinac", "Borski kraj"]
    await languages.take_back(work, first.id)
    await vera.imports(Meanwhile.REPLACE)
    assert _said("Girl", "Boy", "Child", "Bor") == ["Devojka", "Dečko", "Klinac", "Borski kraj"]


async def test_what_a_file_leaves_empty_is_said_as_before(work: Work) -> None:
    mila, vera = await _two(work)
    mila.writes("Girl", "Curica")
    await mila.imports()
    await vera.saves()
    vera.writes("Girl", "")
    vera.writes("Boy", "Dečko")
    assert (await vera.imports()).translated == (await languages.all_own(work))[-1].translated
    assert _said("Girl", "Boy") == ["Curica", "Dečko"]


async def test_a_file_that_was_saved_since_may_change_all_of_it(work: Work) -> None:
    mila, vera = await _two(work)
    mila.writes("Girl", "Curica")
    await mila.imports()
    await vera.saves()
    assert merging.MADE_FROM in vera.file
    # Back to what is shipped, which is a change like every other.
    vera.writes("Girl", "Devojčica")
    await vera.imports()
    assert _said("Girl") == ["Devojčica"]


@nightly
async def test_a_person_who_goes_on_in_one_file_decides_only_of_what_is_said_anew(
    work: Work,
) -> None:
    """By day two people decide of what both have changed."""
    _, vera = await _two(work)
    vera.writes("Girl", "Devojka")
    vera.writes("Boy", "Dečko")
    await vera.imports()
    # The file is imported once more as it is, and then with what it had not changed before.
    await vera.imports()
    vera.writes("Child", "Klinac")
    await vera.imports()
    vera.writes("Girl", "Cura")
    with pytest.raises(ChangedMeanwhile) as refused:
        await vera.imports()
    assert re.findall("“(.*?)”", refused.value.detail) == ["Devojka"]
    await vera.imports(Meanwhile.REPLACE)
    assert _said("Girl", "Boy", "Child") == ["Cura", "Dečko", "Klinac"]


@nightly
async def test_files_of_two_that_one_person_imports_are_those_of_two(work: Work) -> None:
    """By day two people import them: who does it is not asked."""
    mila, vera = await _two(work)
    # An administrator imports what two people without accounts have translated.
    vera.actor = mila.actor
    mila.writes("Girl", "Curica")
    await mila.imports()
    vera.writes("Girl", "Devojka")
    vera.writes("Boy", "Dečko")
    with pytest.raises(ChangedMeanwhile, match="“Curica”"):
        await vera.imports()
    assert _said("Girl", "Boy") == ["Curica", "Dečak"]
    await vera.imports(Meanwhile.KEEP)
    assert _said("Girl", "Boy") == ["Curica", "Dečko"]


@nightly
async def test_words_that_were_taken_back_do_not_come_back_by_an_older_file(work: Work) -> None:
    """By day they do not with words of a colleague in between."""
    mila, vera = await _two(work)
    mila.writes("Girl", "Curica")
    row = await mila.imports()
    await vera.saves()
    await languages.take_back(work, row.id)
    vera.writes("Boy", "Dečko")
    await vera.imports()
    assert _said("Girl", "Boy") == ["Devojčica", "Dečko"]


async def test_words_that_were_kept_are_not_read_by_who_has_read_others(work: Work) -> None:
    mila, vera = await _two(work)
    mila.writes("Girl", "Curica")
    await mila.imports(reviewed=False)
    vera.writes("Boy", "Dečko")
    assert not (await vera.imports(reviewed=True)).reviewed
    await vera.saves()
    assert (await vera.imports(reviewed=True)).reviewed


@nightly
async def test_what_is_told_is_merged_by_its_keys(work: Work) -> None:
    """By day labels are merged, and a list of what is told."""
    mila, vera = await _two(work, CatalogueKind.PROMPTS_AND_LETTERS)
    hold = words.texts_of("en")["prompts.hold"]
    mila.writes(hold, "Odmah se vraćamo.")
    await mila.imports()
    vera.writes(words.texts_of("en")["letters.duty_phone.bye"], "Prijatno.")
    await vera.imports()
    assert words.prompt("sr", "hold") == "Odmah se vraćamo."
    assert words.letter("sr", "duty_phone", "bye") == "Prijatno."
    mila.writes(hold, "Samo tren.")
    vera.writes(hold, "Čas.")
    with pytest.raises(ChangedMeanwhile, match="Odmah se vraćamo"):
        await vera.imports()
    await mila.imports(Meanwhile.REPLACE)
    assert words.prompt("sr", "hold") == "Samo tren."


@nightly
async def test_a_command_decides_as_a_page_does(
    work: Work, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """By day the verbs that both call are tried."""
    types = typed_on(work, monkeypatch, commands.app, commands)
    mila, vera = await _two(work)
    mila.writes("Girl", "Curica")
    await mila.imports()
    vera.writes("Girl", "Devojka")
    file = tmp_path / "sr.po"
    file.write_text(vera.file, "utf-8")
    work.actor = PROGRAM
    await types("import", "sr", "definitions", str(file), fails=True)
    await types("import", "sr", "definitions", str(file), "--meanwhile", "replace")
    await languages.learn(work)
    assert _said("Girl") == ["Devojka"]
