"""What was erased is erased again after a restore, from the list outside the database."""

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from pyrage import x25519
from sqlalchemy import text

from app.api.operations import of_lists
from app.cli import data_requests as command
from app.jobs.transaction import flush
from app.privacy.keys import Keys, keys_in_program
from app.retention.data_requests import erased_again, erasing, lists, preparing
from app.retention.data_requests.kinds import ItemKind, Keep
from app.retention.data_requests.models import DataRequest
from app.retention.holds import hold
from app.retention.kinds import HeldKind
from app.safekeeping import erasure_folder, erasures
from app.safekeeping.backups.places import BackupFolder, BackupRefused, Made
from app.settings import Settings
from app.staff.models import Staff
from app.work import PROGRAM, Work
from tests.support import planted
from tests.support.planted import planted_in
from tests.support.profile import WHOLE, nightly
from tests.support.retention.requested import (
    a_person,
    approved,
    erase,
    found_by,
    one_work,
    referred_since,
)
from tests.support.sealing.keys import KEYS, OTHER, SECRET

pytestmark = pytest.mark.whole

KEY = x25519.Identity.generate()
TO, BY = [KEY.to_public()], [KEY]


@pytest.mark.situation
async def test_a_request_is_listed_before_its_first_row_goes_and_then_by_what_went(
    work: Work,
) -> None:
    boss, call, contact = await a_person(work)
    other = await planted.a_call(work, "CA2")
    request = await found_by(work, boss)
    await approved(work, boss, request)
    before = await lists.list_of(work, request.id, whole=False)
    assert before is not None
    assert not before.head.whole
    assert set(before.rows["call"]) == {str(call.id), str(other.id)}
    assert len(before.rows) == 9
    # A court asks for it between the decision and the job: nothing of that is erased again.
    await hold(work, None, HeldKind.CONTACT, contact.id, "A court asks for it.")
    await erase_without_end(work, request)
    after = await lists.list_of(work, request.id, whole=True)
    assert after is not None
    assert after.head.whole
    assert after.rows.keys() == {"call", "voice_message"}
    assert after.rows["call"] == [str(other.id)]


async def erase_without_end(work: Work, request: DataRequest) -> None:
    work.actor = PROGRAM
    for kind in ItemKind:
        while await erasing.erase_some(work, request.id, kind):
            await flush(work)


@pytest.mark.situation
async def test_what_is_there_again_is_erased_with_its_receipt_and_an_entry(work: Work) -> None:
    """The restored database knows nothing of the request."""
    boss, _, _ = await a_person(work)
    listed = await a_list(work, boss)
    assert await work.session.get(DataRequest, listed.head.id) is None
    left = await erased_again.look(work, listed)
    assert sum(left.counts.values()) == 9
    await erased_again.begin(work, listed)
    request = await work.session.get_one(DataRequest, listed.head.id)
    await erase(work, request)
    assert (await planted_in(work)).all == set()
    assert (request.code, request.state) == (listed.head.code, "done")
    assert request.counts == left.counts
    told = await work.session.scalars(
        text("SELECT detail FROM audit_entries WHERE action = 'data_request_erased_again'")
    )
    assert [(one["rows"], one["left"]) for one in told] == [(9, 0)]
    assert (await erased_again.look(work, listed)).rows == {}
    # To run it again finds nothing, and changes nothing.
    assert (await erased_again.begin(work, listed)).counts == {}
    assert request.state == "done"


async def a_list(work: Work, boss: Staff) -> erasures.Erased:
    """The list of a request of which the database has lost all memory."""
    request = await found_by(work, boss)
    await approved(work, boss, request)
    listed = await lists.list_of(work, request.id, whole=False)
    assert listed is not None
    await work.session.execute(text("DELETE FROM data_requests WHERE id = :id"), {"id": request.id})
    work.session.expunge(request)
    return replace(listed, head=replace(listed.head, whole=True))


@nightly
@pytest.mark.situation
async def test_what_is_open_again_stays_and_goes_when_it_is_over(work: Work) -> None:
    boss, _, _ = await a_person(work)
    listed = await a_list(work, boss)
    await work.session.execute(text("UPDATE cases SET closed_at = NULL, status = 'open'"))
    left = await erased_again.begin(work, listed)
    assert left.counts == {"flag": 1, "wish": 1}
    assert set(left.keeps.values()) == {Keep.STILL_OPEN}
    request = await work.session.get_one(DataRequest, listed.head.id)
    await erase(work, request)
    assert request.kept == {"still_open": 7}
    await work.session.execute(text("UPDATE cases SET closed_at = now(), status = 'closed'"))
    await erased_again.begin(work, listed)
    await erase(work, request)
    assert (await planted_in(work)).all == set()
    assert sum(request.counts.values()) == 9
    assert request.kept == {}


@pytest.mark.situation
async def test_what_was_referred_since_the_restore_stays_and_the_reason_is_said(
    work: Work, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No officer has seen it: a new request erases it or keeps it, and so the list is done, too."""
    for module in (erased_again, erasing, command):
        monkeypatch.setattr(module, "transaction", one_work(work))
    boss, _, contact = await a_person(work)
    listed = await a_list(work, boss)
    referral = await referred_since(work, boss, contact)
    work.actor = PROGRAM
    work.settings.erasure_target = tmp_path
    key, folder = tmp_path / "key", tmp_path / "erased"
    key.write_text(f"{KEY}\n")
    await preparing.prepare(work)
    marker = await erasure_folder.known_to(work)
    erasures.write(folder, TO, work.keys, listed)

    async def ran(*decided: str) -> tuple[bool, bool, bool]:
        """Return whether all is done, what it waits for is said, and readiness says so."""
        work.actor = PROGRAM
        well = await command.erase_list_again(work.ground, key, None, True, list(decided))
        waits = "a referral was opened since the restore" in capsys.readouterr().out
        ready = of_lists(work.settings, marker, await erasure_folder.lists_waiting(work))
        return well, waits, ready == erasure_folder.ROWS_STAY

    assert await ran() == (False, True, True)
    await work.session.refresh(contact)
    assert contact.erased_at is None
    # A supervisor has decided to keep it.
    assert await ran(listed.head.code) == (True, False, False)
    assert [head.whole for head in erasures.heads_in(folder)] == [True]
    if not WHOLE:
        return
    # The list is run once more; then a new request erases what had to stay.
    assert await ran() == (False, True, True)
    request = await found_by(work, boss)
    await approved(work, boss, request)
    await erase(work, request)
    await work.session.refresh(referral)
    assert referral.erased_at is not None
    assert await ran() == (True, False, False)


@nightly
@pytest.mark.situation
async def test_a_referral_that_the_officer_kept_keeps_nothing_after_a_restore(work: Work) -> None:
    boss, _, contact = await a_person(work)
    listed = await a_list(work, boss)
    rows = {kind: ids for kind, ids in listed.rows.items() if kind != ItemKind.REFERRAL}
    listed = replace(listed, rows=rows)
    await erased_again.begin(work, listed)
    request = await work.session.get_one(DataRequest, listed.head.id)
    await erase(work, request)
    assert request.kept == {}
    await work.session.refresh(contact)
    assert contact.erased_at is not None


@nightly
@pytest.mark.situation
async def test_a_request_that_is_being_carried_out_goes_on_to_list_what_it_has_erased(
    work: Work,
) -> None:
    boss, call, _ = await a_person(work)
    request = await found_by(work, boss)
    await approved(work, boss, request)
    listed = await lists.list_of(work, request.id, whole=False)
    assert listed is not None
    work.actor = PROGRAM
    for kind in (ItemKind.REFERRAL, ItemKind.CASE, ItemKind.CONTACT):
        await erasing.erase_some(work, request.id, kind)
    await flush(work)
    left = await erased_again.begin(work, listed)
    assert left.counts["call"] == 1
    assert "contact" not in left.counts
    await erase_without_end(work, request)
    after = await lists.list_of(work, request.id, whole=True)
    assert after is not None
    assert after.rows == listed.rows
    assert after.rows["call"] == [str(call.id)]


@pytest.mark.situation
async def test_a_request_that_is_decided_anew_after_a_restore_has_a_list_of_its_own(
    work: Work, tmp_path: Path
) -> None:
    boss, _, _ = await a_person(work)
    request = await found_by(work, boss)
    await approved(work, boss, request)
    first = await lists.list_of(work, request.id, whole=True)
    assert first is not None
    erasures.write(tmp_path, TO, keys(), replace(first, rows={"call": [str(uuid4())]}))
    # The restored database knows of no decision; the second one is about fewer rows.
    request.decided_at = work.now + timedelta(days=1)
    await work.session.flush()
    second = await lists.list_of(work, request.id, whole=True)
    assert second is not None
    erasures.write(tmp_path, TO, keys(), second)
    found = [erasures.read(path, BY, keys()) for path in erasures.paths_in(tmp_path)]
    assert [len(one.rows) for one in found] == [1, 0]
    assert erasures.missing_in([one.head for one in found]) == []


# -- the files -----------------------------------------------------------------------------------


def keys(number: int = 1) -> Keys:
    return keys_in_program([(number, KEYS[number])], SECRET)


def an_erased(at: datetime, code: str = "D-1", *, whole: bool = True) -> erasures.Erased:
    return erasures.Erased(
        erasures.Head(uuid4(), code, at, whole, at), {"person": "child"}, {"call": [str(uuid4())]}
    )


NIGHT = datetime.fromisoformat("2027-01-10T03:00:00+00:00")


def test_a_list_tells_nothing_without_both_keys_and_is_whole_or_refused(tmp_path: Path) -> None:
    erased = an_erased(NIGHT)
    erasures.write(tmp_path, TO, keys(), erased)
    (path,) = erasures.paths_in(tmp_path)
    content = path.read_bytes()
    assert erased.rows["call"][0].encode() not in content
    assert b"child" not in content
    assert erasures.read(path, BY, keys()).rows == erased.rows
    with pytest.raises(BackupRefused, match="does not open"):
        erasures.read(path, [x25519.Identity.generate()], keys())
    # Field keys that were rotated since open it, too.
    rotated = keys_in_program([(2, KEYS[2]), (1, KEYS[1])], SECRET)
    assert erasures.read(path, BY, rotated).rows == erased.rows
    # The key of the back-ups alone reads no row, and can write no list.
    with pytest.raises(BackupRefused, match="belongs to another database"):
        erasures.read(path, BY, keys_in_program([(1, OTHER)], SECRET))
    changed = content.replace(b"2027-01-10", b"2037-01-10")
    for damaged in (content[:-1], content[:40], b"", changed):
        path.write_bytes(damaged)
        with pytest.raises(BackupRefused, match=path.name):
            erasures.read(path, BY, keys())


def test_a_list_that_a_job_has_written_meanwhile_is_not_written_over(tmp_path: Path) -> None:
    was = an_erased(NIGHT, whole=False)
    later = [
        replace(was, head=replace(was.head, written_at=NIGHT + timedelta(hours=n), whole=n == 1))
        for n in (1, 2, 3)
    ]
    assert erasures.write(tmp_path, TO, keys(), was)
    assert erasures.write(tmp_path, TO, keys(), later[0])
    assert not erasures.write(tmp_path, TO, keys(), later[1], NIGHT)
    assert [head.whole for head in erasures.heads_in(tmp_path)] == [True]
    assert erasures.write(tmp_path, TO, keys(), later[2], later[0].head.written_at)
    assert [head.whole for head in erasures.heads_in(tmp_path)] == [False]


def test_a_list_that_is_missing_between_others_is_told(tmp_path: Path) -> None:
    for n in range(3):
        erasures.write(tmp_path, TO, keys(), an_erased(NIGHT + timedelta(days=n), f"D-{n}"))
    heads = list(erasures.heads_in(tmp_path))
    assert erasures.missing_in(heads) == []
    assert erasures.missing_in([one for one in heads if one.code != "D-1"]) == ["D-1"]
    # The oldest go when no back-up from before them is left.
    assert erasures.missing_in([one for one in heads if one.code != "D-0"]) == []
    # One of which rows stay outlasts those that were written after it.
    first = replace(heads[[one.code for one in heads].index("D-0")], whole=False)
    assert erasures.missing_in([first, *(one for one in heads if one.code == "D-2")]) == []


def test_a_list_goes_with_the_last_back_up_from_before_it(tmp_path: Path) -> None:
    settings = Settings(backup_target=tmp_path)
    folder = settings.erasure_folder
    assert folder is not None
    place = BackupFolder(tmp_path / "1")
    place.make()
    kept = [an_erased(NIGHT, "D-1", whole=False), an_erased(NIGHT + timedelta(days=2), "D-2")]
    folder.mkdir()
    for one in (*kept, an_erased(NIGHT, "D-3")):
        erasures.write(folder, TO, keys(), one)
    assert erasures.forget(settings, NIGHT + timedelta(days=50)) == 0, "no back-up can be seen"
    for day in (0, 1):
        at = (NIGHT + timedelta(days=day, hours=-2 + day * 3)).isoformat()
        place.describe(Made(f"2027011{day}", "1", at, at, "0" * 24, 180000, 1, "", []))
    assert erasures.forget(settings, NIGHT + timedelta(days=50)) == 0
    (place.bases / "20270110.json").unlink()
    longer = settings.model_copy(update={"erasure_days": 60})
    assert erasures.forget(longer, NIGHT + timedelta(days=50)) == 0, "another tool keeps dumps"
    assert erasures.forget(settings, NIGHT + timedelta(days=50)) == 1
    assert {one.code for one in erasures.heads_in(folder)} == {"D-1", "D-2"}


def test_where_no_back_ups_are_known_a_list_lasts_as_long_as_is_said(tmp_path: Path) -> None:
    settings = Settings(erasure_target=tmp_path)
    folder = settings.erasure_folder
    assert folder is not None
    folder.mkdir()
    erasures.write(folder, TO, keys(), an_erased(NIGHT))
    later = NIGHT + timedelta(days=31)
    assert erasures.forget(settings, later) == 0
    assert erasures.forget(settings.model_copy(update={"erasure_days": 30}), later) == 1
