"""Rows of an earlier version are sealed by a migration that has the keys, or nothing is done."""

import base64
import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pyotp
import pytest

from app.database.migrate import migrate
from app.database.own_server import as_role
from app.database.roles import SUPERUSER
from app.errors import BadSettings
from app.privacy.keeper.serving import Given, Serving
from app.privacy.keys import read_keys
from app.privacy.safe import start_of, sum_of
from app.referrals import services
from app.settings import Settings
from tests.support.kept.earlier import upgrade_to
from tests.support.profile import nightly
from tests.support.sealing.keys import KEYS, OTHER, SECRET, settings_on

_RECORD = """
INSERT INTO contacts (id, code, form, form_version, categories, categories_version, places,
  places_version, team, opened_at, owner_id, channel, source, taken_at, answers, sealed,
  category_codes)
VALUES (%(id)s, %(code)s, %(form)s, 3, 'chi', 1, 'rs', 1, '', now(), %(owner)s, 'email', 'live',
  now(), %(answers)s, %(sealed)s, %(codes)s)
"""
# A form of a country, as it stands in the register.
_OWN_FORM = """
form: house
version: 3
record: contact
sections:
  - code: note
    fields:
      - {code: about, type: categories, means: categories}
      - {code: signs, type: choices, options: [{code: cuts, cue: self_harm}, {code: none}]}
      - {code: town, type: choice, options: [{code: near}, {code: far}]}
"""


_RECORDS: tuple[dict[str, Any], ...] = (
    {
        "code": "K-1",
        "form": "contact",
        "answers": {
            "contact.categories": ["V-SEXUAL"],
            "contact.kind": "child",
            "child.a1": 1,
            "child.a1.disability": ["psychosocial"],
            "child.a1.harm": ["sexual"],
            "child.a1.age": 9,
        },
        "codes": ["V", "V-SEXUAL"],
    },
    {
        "code": "K-2",
        "form": "house",
        "answers": {"note.about": ["MH-SUICIDE"], "note.signs": ["cuts"], "note.town": "near"},
        "codes": ["MH", "MH-SUICIDE"],
    },
)


def _add_record(rows: psycopg.Connection, record: UUID, owner: UUID, of: dict[str, Any]) -> None:
    answers = json.dumps(of["answers"])
    sealed = {"id": record, "owner": owner, "sealed": "{}"}
    rows.execute(_RECORD, of | sealed | {"answers": answers})
    rows.execute(
        "INSERT INTO completed_versions VALUES (%s, 1, now(), %s, %s, '{}')",
        [record, owner, answers],
    )


def _before_special_codes(url: str) -> tuple[Any, Any, Any]:
    """Rows as they were before migration 0033. Return the ids of two contacts and of a decision."""
    upgrade_to("0028", url)
    owner, first, second, decided = (uuid4() for _ in range(4))
    with psycopg.connect(as_role(url, SUPERUSER)) as rows:
        rows.execute(
            "INSERT INTO staff (id, name, role, endpoint_kind, identity, languages, skills,"
            " created_at) VALUES (%s, 'ana', 'counsellor', 'browser', 'ana', '{}', '{}', now())",
            [owner],
        )
        rows.execute(
            "INSERT INTO definitions VALUES ('forms', 'house', 3, '', %s, now())", [_OWN_FORM]
        )
        for record, of in zip((first, second), _RECORDS, strict=True):
            _add_record(rows, record, owner, of)
        for _ in _RECORDS:
            rows.execute(
                "INSERT INTO earlier_answers (subject_kind, subject_id, path, answer, revision,"
                " replaced_at) VALUES ('contact', %s, 'child.a1.groups', '[\"lgbtqi\"]', 1, now())",
                [first],
            )
        rows.execute(
            "INSERT INTO urgency_decisions (id, contact_id, at, staff_id, urgency, cues) "
            "VALUES (%s, %s, now(), %s, 'urgent', '{sexual_violence}')",
            [decided, first, owner],
        )
    return first, second, decided


_CODES = (
    "V-SEXUAL",
    "psychosocial",
    '"sexual"',
    "MH-SUICIDE",
    "cuts",
    "lgbtqi",
    "sexual_violence",
)
_OF_RECORDS = ("contacts", "completed_versions", "earlier_answers", "urgency_decisions")


def _readable(rows: Any) -> list[str]:
    whole = [
        text for name in _OF_RECORDS for (text,) in rows.execute(f"SELECT t::text FROM {name} t")
    ]
    # A row as text doubles the quotes of its JSON.
    return [code for code in _CODES if code in " ".join(whole).replace('""', '"')]


@nightly
def test_special_codes_of_existing_rows_are_sealed_by_a_migration(earlier: str) -> None:
    first, second, decided = _before_special_codes(earlier)
    settings = settings_on(earlier, (1, KEYS[1]))
    with psycopg.connect(earlier) as rows:
        assert _readable(rows) == list(_CODES)
    with pytest.raises(BadSettings, match="HELPLINE_FIELD_KEYS"):
        migrate(earlier)
    with psycopg.connect(earlier) as rows:
        assert _readable(rows) == list(_CODES), "nothing is done by halves"
    migrate(earlier, settings)
    keys = read_keys(settings)

    def opened(sealed: dict[str, str], row: Any) -> dict[str, Any]:
        return {
            path: json.loads(
                keys.open(base64.b64decode(value), table="contacts", column=path, row=row)
            )
            for path, value in sealed.items()
        }

    with psycopg.connect(earlier) as rows:
        assert _readable(rows) == []
        found = {
            row: (answers, opened(sealed, row), listed)
            for row, answers, sealed, listed in rows.execute(
                "SELECT id, answers, sealed, categories_sealed FROM contacts"
            )
        }
        assert found[first][0] == {"contact.kind": "child", "child.a1": 1, "child.a1.age": 9}
        assert found[first][1] == {
            "contact.categories": ["V-SEXUAL"],
            "child.a1.disability": ["psychosocial"],
            "child.a1.harm": ["sexual"],
        }
        assert found[second][0] == {"note.town": "near"}
        assert found[second][1] == {"note.about": ["MH-SUICIDE"], "note.signs": ["cuts"]}
        place = {"table": "contacts", "column": "categories_sealed", "row": second}
        assert json.loads(keys.open(bytes(found[second][2]), **place)) == ["MH", "MH-SUICIDE"]
        for row, answers, sealed in rows.execute(
            "SELECT contact_id, answers, sealed FROM completed_versions"
        ):
            assert (answers, opened(sealed, row)) == found[row][:2]
        (before,) = set(rows.execute("SELECT answer, path FROM earlier_answers").fetchall())
        assert before == (None, "child.a1.groups")
        ((why,),) = rows.execute("SELECT reason_sealed FROM urgency_decisions").fetchall()
        place = {"table": "urgency_decisions", "column": "reason_sealed", "row": decided}
        assert json.loads(keys.open(bytes(why), **place)) == {
            "signs": ["sexual_violence"],
            "words": "",
        }
        # The logs refuse every change again.
        for log in ("completed_versions", "earlier_answers", "urgency_decisions"):
            with pytest.raises(psycopg.Error, match=r"append-only|denied"), rows.transaction():
                rows.execute(f"DELETE FROM {log}")


def _factors(rows: psycopg.Connection) -> list[Any]:
    (key,) = rows.execute("SELECT public_key FROM passkeys").fetchall()
    (secret,) = rows.execute("SELECT secret_sealed FROM second_factors").fetchall()
    return [key, secret]


def _migrate_with_a_keeper(database: str, socket: Path) -> None:
    """A keeper serves as well; it may still be starting."""
    serving = Serving(Given([(1, KEYS[1])], SECRET), socket, os.geteuid())
    with ThreadPoolExecutor(1) as thread:
        running = thread.submit(serving.run)
        try:
            migrate(database, Settings(database_url=database, keeper_socket=socket))
        finally:
            serving.stop()
        running.result(10)


@nightly
def test_second_factors_of_existing_rows_are_sealed_for_their_person(
    earlier: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    upgrade_to("0076", earlier)
    settings = settings_on(earlier, (1, KEYS[1]))
    keys = read_keys(settings)
    owner, passkey, factor = uuid4(), uuid4(), uuid4()
    place = {"table": "second_factors", "column": "secret_sealed"}
    with psycopg.connect(as_role(earlier, SUPERUSER)) as rows:
        rows.execute(
            "INSERT INTO staff (id, name, role, endpoint_kind, identity, languages, skills,"
            " created_at) VALUES (%s, 'ana', 'counsellor', 'browser', 'ana', '{}', '{}', now())",
            [owner],
        )
        rows.execute(
            "INSERT INTO passkeys (id, staff_id, name, credential_id, public_key, sign_count,"
            " made_at) VALUES (%s, %s, 'x', 'x', 'the key', 0, now())",
            [passkey, owner],
        )
        rows.execute(
            "INSERT INTO second_factors (id, staff_id, secret_sealed, made_at, confirmed_at)"
            " VALUES (%s, %s, %s, now(), now())",
            [factor, owner, keys.seal(b"SECRETSE" * 4, **place, row=factor)],
        )
        rows.execute(
            "INSERT INTO field_keys (number, check_value, added_at, seals_from)"
            " VALUES (1, %s, now(), now())",
            [keys.check_value(1)],
        )
        before = _factors(rows)
    with pytest.raises(BadSettings, match="HELPLINE_FIELD_KEYS"):
        migrate(earlier)
    with pytest.raises(BadSettings, match="not the key 1 of this database"):
        migrate(earlier, settings_on(earlier, (1, OTHER)))
    with pytest.raises(BadSettings, match="has no key 1"):
        migrate(earlier, settings_on(earlier, (2, KEYS[2])))
    with psycopg.connect(as_role(earlier, SUPERUSER)) as rows:
        rows.execute("UPDATE second_factors SET secret_sealed = secret_sealed || 'x'")
    with pytest.raises(BadSettings, match=str(factor)):
        migrate(earlier, settings)
    with psycopg.connect(as_role(earlier, SUPERUSER)) as rows:
        rows.execute("UPDATE second_factors SET secret_sealed = %s", [before[1][0]])
        assert _factors(rows) == before, "nothing is done by halves"
    _migrate_with_a_keeper(earlier, tmp_path_factory.mktemp("k") / "s")
    with psycopg.connect(earlier) as rows:
        (key,) = rows.execute("SELECT public_key_sealed FROM passkeys").fetchall()[0]
        ((seed, secret),) = rows.execute("SELECT seed_sealed, secret_sealed FROM second_factors")
    of_passkey = {"table": "passkeys", "column": "public_key_sealed"}
    assert keys.open(bytes(key), **of_passkey, row=owner) == passkey.bytes + b"the key"
    # The seed is used where the keys are, and no longer lies where it could be opened.
    code, place["column"] = pyotp.TOTP("SECRETSE" * 4).generate_otp(1001), "seed_sealed"
    assert keys.step_of(bytes(seed), code, [1001], **place, row=owner) == 1001
    assert secret is None


_REFERRAL = """
INSERT INTO referrals (id, code, form, form_version, categories, categories_version, places,
  places_version, team, opened_at, owner_id, opened_together, opened_how, urgency, service,
  family_first, protocol, protocol_version)
VALUES (%s, %s, 'referral', 1, 'chi', 1, 'rs', 1, '', now(), %s, %s, 'by_hand', 'routine', %s, %s,
  'general', 1)
"""
_CONSENT = """
INSERT INTO consents (id, referral_id, at, kind, for_what, withheld_from)
VALUES (%s, %s, now(), 'consent', %s, '{}')
"""
# Whether a table, or what is left of it in its file, has a word.
_IN_FILE = (
    "SELECT position('mental_health'::bytea IN pg_read_binary_file(pg_relation_filepath(%s))) > 0"
)


def _before_sealed_services(url: str) -> tuple[list[UUID], list[UUID]]:
    """Return the ids of three referrals of brothers and sisters, and of two consents."""
    upgrade_to("0132", url)
    owner, together = uuid4(), uuid4()
    referrals, consents = [uuid4() for _ in range(3)], [uuid4() for _ in range(2)]
    asked = [("mental_health", ["family_support"]), ("shelter", []), ("mental_health", [])]
    with psycopg.connect(as_role(url, SUPERUSER)) as rows:
        rows.execute(
            "INSERT INTO staff (id, name, role, endpoint_kind, identity, languages, skills,"
            " created_at) VALUES (%s, 'ana', 'counsellor', 'browser', 'ana', '{}', '{}', now())",
            [owner],
        )
        for n, (row, (service, first)) in enumerate(zip(referrals, asked, strict=True)):
            rows.execute(_REFERRAL, [row, f"R-{n}", owner, together, service, first])
        rows.execute(_CONSENT, [consents[0], referrals[0], ["mental_health", "shelter"]])
        rows.execute(_CONSENT, [consents[1], referrals[1], []])
    return referrals, consents


def _in_files(url: str) -> list[bool]:
    with psycopg.connect(as_role(url, SUPERUSER), autocommit=True) as rows:
        rows.execute("CHECKPOINT")
        return [
            found
            for table in ("referrals", "consents")
            for (found,) in rows.execute(_IN_FILE, [table])
        ]


@nightly
def test_services_of_existing_referrals_and_consents_are_sealed_by_a_migration(
    earlier: str,
) -> None:
    referrals, (named, unnamed) = _before_sealed_services(earlier)
    settings = settings_on(earlier, (1, KEYS[1]))
    assert _in_files(earlier) == [True, True]
    with pytest.raises(BadSettings, match="HELPLINE_FIELD_KEYS"):
        migrate(earlier)
    with psycopg.connect(earlier) as rows:
        found = rows.execute("SELECT service FROM referrals ORDER BY code").fetchall()
        assert found[0] == ("mental_health",), "nothing is done by halves"
    migrate(earlier, settings)
    assert _in_files(earlier) == [False, False]
    keys = read_keys(settings)
    with psycopg.connect(earlier) as rows:
        stored = rows.execute("SELECT id, services_sealed, opened_alike FROM referrals").fetchall()
        place = {"table": "referrals", "column": "services_sealed"}
        opened = {row: json.loads(keys.open(sealed, **place, row=row)) for row, sealed, _ in stored}
        first, second, third = (opened[row] for row in referrals)
        assert (first, second, third) == (
            ["mental_health", "family_support"],
            ["shelter"],
            ["mental_health"],
        )
        assert {len(sealed) for _, sealed, _ in stored} == {30 + services.LENGTH}
        alike = {row: group for row, _, group in stored}
        assert alike[referrals[0]] == alike[referrals[2]] != alike[referrals[1]]
        told = {
            row: (sealed, total)
            for row, sealed, total in rows.execute(
                "SELECT id, for_what_sealed, for_what_sum FROM consents"
            )
        }
        assert told[unnamed] == (None, None)
        body = keys.open(told[named][0], table="consents", column="for_what_sealed", row=named)
        assert json.loads(body[16:]) == ["mental_health", "shelter"]
        assert told[named][1] == sum_of(start_of(b""), body)
        with pytest.raises(psycopg.Error, match=r"append-only|denied"), rows.transaction():
            rows.execute("UPDATE consents SET for_what_sealed = NULL")
