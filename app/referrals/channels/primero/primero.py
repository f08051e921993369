"""Hand a referral to Primero (API v2), the case management system of many child services.

Its forms are read first, since every country renames them. Our mapping is checked against them; if
something does not fit, the referral is refused with a list, and no value is changed to fit. The
case gets an id of ours, so that a repeat is the same case. Primero sends no notice of a reply, so
we poll for it.
"""

import asyncio
import dataclasses
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from urllib.parse import quote
from uuid import UUID

import httpx2

from app.errors import Message
from app.outbox.responses import Refused, TryAgain, Uncertain
from app.referrals.channels.primero import problems
from app.referrals.channels.primero.mapping import (
    MappedReferral,
    Mapping,
    Worded,
    say,
    tell,
    without_word,
)
from app.referrals.consent.rules import ConsentKind

TIMEOUT = 15.0
# The longest wait that we accept when Primero asks for one, in seconds.
_LONGEST_WAIT = 600.0


class RefusedThere(Refused):
    """A refusal about what was sent: `what` is stored as it stands, `words` sealed."""

    def __init__(self, what: str, words: str, *, status: int = 0) -> None:
        super().__init__(what, status=status)
        self.words = words


@dataclass(frozen=True)
class PrimeroAccount:
    url: str
    user: str
    password: str


@dataclass(frozen=True)
class FormField:
    """A field of a discovered form."""

    type: str
    many: bool
    # Whether a date has a time.
    timed: bool
    # Ids that a select or radio field takes; None: any value.
    options: frozenset[str] | None


@dataclass(frozen=True)
class TheirForms:
    fields: dict[str, FormField]
    subforms: dict[str, dict[str, FormField]]


class Primero:
    """One installation, used by one account.

    It uses basic authentication, because a session would log out other users of the account.
    """

    def __init__(self, client: httpx2.AsyncClient, account: PrimeroAccount) -> None:
        self._client, self._account = client, account

    async def _ask(self, method: str, path: str, body: Any = None) -> Any:
        account = self._account
        try:
            async with asyncio.timeout(TIMEOUT):
                response = await self._client.request(
                    method,
                    account.url.rstrip("/") + "/api/v2" + path,
                    json=body,
                    auth=(account.user, account.password),
                    headers={"accept": "application/json"},
                    timeout=TIMEOUT,
                )
        except (httpx2.HTTPError, TimeoutError) as error:
            raise Uncertain(type(error).__name__) from None
        if response.status_code == 429:
            raise TryAgain("status 429", status=429, after=_wait_of(response))
        if response.status_code >= 500:
            raise Uncertain(
                f"status {response.status_code}",
                status=response.status_code,
                after=_wait_of(response),
            )
        if response.status_code == 409:
            return None
        if response.status_code >= 400:
            status = response.status_code
            raise RefusedThere(f"status {status}", _their_words(response), status=status)
        if response.status_code == 204:
            return None
        try:
            return response.json()["data"]
        except (ValueError, KeyError, TypeError):
            # A sign-in page with status 200 is not a success.
            raise Refused(problems.NOT_ITS_API) from None

    async def forms(self, module: str) -> TheirForms:
        """Return the fields of a case that this account may write, with the values each takes."""
        forms = await self._ask("GET", f"/forms?record_type=case&module_id={quote(module)}")
        lookups = await self._ask("GET", "/lookups?per=1000&page=1")
        try:
            known = {
                row["unique_id"]: frozenset(str(value["id"]) for value in row["values"])
                for row in lookups
            }
            return _read_forms(forms, known)
        except (KeyError, TypeError):
            raise Refused(problems.FORMS_NOT_ITS_API) from None

    async def make_case(self, case_id: UUID, body: dict[str, Any]) -> None:
        """Create the case under our id; it is no error if the case exists already."""
        await self._ask("POST", "/cases", {"data": {"id": str(case_id), **body}})

    async def update_case(self, case_id: UUID, body: dict[str, Any]) -> None:
        """Update an existing case; its owner and module are left as they are."""
        changed = {k: v for k, v in body.items() if k not in ("module_id", "owned_by")}
        await self._ask("PATCH", f"/cases/{case_id}", {"data": changed})

    async def refer(self, case_id: UUID, body: dict[str, Any]) -> str:
        """Refer the case; return their id of the referral."""
        made = await self._ask("POST", f"/cases/{case_id}/referrals", {"data": body})
        if not isinstance(made, dict) or not made.get("id"):
            # The referral is delivered only if an id came back.
            raise Refused(problems.NO_ID)
        return str(made["id"])

    async def referrals(self, case_id: UUID) -> list[dict[str, Any]]:
        """Return all referrals of a case, with their status."""
        found = await self._ask("GET", f"/cases/{case_id}/referrals")
        return [row for row in found or [] if isinstance(row, dict)]

    async def revoke(self, case_id: UUID, their_referral: str) -> None:
        """Take a referral back."""
        await self._ask("DELETE", f"/cases/{case_id}/referrals/{quote(their_referral)}")


def _wait_of(response: httpx2.Response) -> float:
    """Return the wait that the response asks for, in seconds, up to our limit."""
    wait = response.headers.get("retry-after", "")
    return min(float(wait), _LONGEST_WAIT) if wait.isascii() and wait[:6].isdigit() else 0


def _their_words(response: httpx2.Response) -> str:
    """Return its messages, in quotes as they came: they can hold what we sent."""
    try:
        errors = response.json()["errors"]
        details = sorted({str(e.get("detail", ""))[:80] for e in errors if isinstance(e, dict)})
    except (ValueError, KeyError, TypeError):
        details = []
    return ", ".join(f"“{one}”" for one in details if one)


def _read_forms(forms: list[dict[str, Any]], lookups: dict[str, frozenset[str]]) -> TheirForms:
    fields: dict[str, FormField] = {}
    subforms: dict[str, dict[str, FormField]] = {}
    for form in forms:
        for field in form["fields"]:
            if field["type"] == "subform":
                inner = field["subform"]["fields"]
                subforms[field["name"]] = {f["name"]: _read_field(f, lookups) for f in inner}
            else:
                fields[field["name"]] = _read_field(field, lookups)
    return TheirForms(fields, subforms)


def _read_field(field: dict[str, Any], lookups: dict[str, frozenset[str]]) -> FormField:
    source = str(field.get("option_strings_source") or "")
    options = None
    if source.startswith("lookup "):
        # We cannot know the values of a list that we may not see.
        options = lookups.get(source.removeprefix("lookup "), frozenset())
    elif field.get("option_strings_text"):
        options = frozenset(str(option["id"]) for option in field["option_strings_text"])
    return FormField(
        str(field["type"]),
        bool(field.get("multi_select")),
        bool(field.get("date_include_time")),
        options,
    )


# -- mapping -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class AgencyFacts:
    """What an agency may know of a referral.

    It holds answers and facts as codes, answers in words, and the codes above each category.
    """

    facts: dict[str, Any] = dataclasses.field(default_factory=dict)
    words: dict[str, Worded] = dataclasses.field(default_factory=dict)
    above: dict[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)


def case_body(
    mapping: Mapping, known: AgencyFacts, service_id: UUID, owned_by: str
) -> MappedReferral:
    """Return the case with its one service in Primero's terms, and what could not be mapped."""
    case = say(mapping, mapping.fields, mapping.always, known.facts, known.above)
    service = say(mapping, mapping.service_fields, mapping.service_always, known.facts, known.above)
    told = tell(mapping.service_told, known.words)
    body = {
        **case.body,
        "module_id": mapping.module,
        "owned_by": owned_by,
        mapping.service_form: [{"unique_id": str(service_id), **service.body, **told}],
    }
    return MappedReferral(
        body,
        [*case.unmapped, *service.unmapped],
        [*case.left_out, *service.left_out, *without_word(mapping, known.facts)],
    )


def referral_notes(known: AgencyFacts) -> str:
    """Return the notes of the referral: our code, and the ground if it is not consent."""
    code, basis = known.facts["code"], str(known.facts["basis"])
    return (
        code
        if basis == ConsentKind.CONSENT
        else f"{code}: without consent, {basis.replace('_', ' ')}"
    )


def outcome_in_words(row: dict[str, Any]) -> str:
    """Return how a referral ended in Primero: the reason of a rejection, or of no success."""
    parts = [
        str(row[key]).replace("_", " ")
        for key in ("rejected_reason", "rejection_note", "success_status", "reason_not_successful")
        if row.get(key)
    ]
    return ": ".join(parts)


_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
# Fields that every case takes, whatever its forms.
_CORE = frozenset({"id", "module_id", "owned_by", "status", "record_state", "created_at"})


def misfits(body: dict[str, Any], forms: TheirForms, mapping: Mapping) -> list[Message]:
    """Return what their forms would refuse: unknown fields, unknown options, wrong types.

    A value is named, in sealed words, only if it is a code of the mapping: others may be a name.
    """
    rules = (*mapping.fields, *mapping.service_fields)
    codes = {value for rule in rules for value in (rule.values or {}).values()}
    codes |= {always.value for always in (*mapping.always, *mapping.service_always)}
    found: list[Message] = []
    for name, value in body.items():
        if name in _CORE:
            continue
        if name in forms.subforms:
            for entry in value:
                inner = forms.subforms[name]
                for key, one in entry.items():
                    if key != "unique_id":
                        found += _misfit(f"{name}.{key}", inner.get(key), one, codes)
        else:
            found += _misfit(name, forms.fields.get(name), value, codes)
    return found


def lacking(forms: TheirForms, mapping: Mapping) -> list[str]:
    """Return the fields that a mapping fills and their forms lack."""
    case = [*(one.to for one in mapping.fields), *(one.to for one in mapping.always)]
    service = [
        *(one.to for one in mapping.service_fields),
        *(one.to for one in mapping.service_always),
        *(one.to for one in mapping.service_told),
    ]
    inner = forms.subforms.get(mapping.service_form)
    found = set(case) - set(forms.fields) - _CORE
    if inner is None:
        found.add(mapping.service_form)
    else:
        found |= {f"{mapping.service_form}.{name}" for name in service if name not in inner}
    return sorted(found)


def _misfit(name: str, field: FormField | None, value: Any, codes: set[str]) -> Iterator[Message]:
    if field is None:
        yield Message(problems.NO_FIELD, field=name)
        return
    values = value if isinstance(value, list) else [value]
    if isinstance(value, list) != field.many:
        yield Message(problems.SEVERAL if field.many else problems.ONE, field=name)
    elif field.options is not None:
        said = {"true" if v is True else "false" if v is False else str(v) for v in values}
        for one in sorted(said - field.options):
            if one in codes:
                yield problems.NoValue(name, one)
            else:
                yield Message(problems.NO_VALUE, field=name)
    elif field.type == "tick_box" and not isinstance(value, bool):
        yield Message(problems.TICK_BOX, field=name)
    elif field.type == "date_field":
        if not (_INSTANT if field.timed else _DATE).fullmatch(str(value)):
            yield Message(problems.DATE, field=name)
    elif field.type == "numeric_field" and (isinstance(value, bool) or not isinstance(value, int)):
        yield Message(problems.WHOLE_NUMBER, field=name)


class TheirStatus(StrEnum):
    """Their status of a referral, as far as it means something here, and the one before these."""

    IN_PROGRESS = "in_progress"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    DONE = "done"
    REVOKED = "revoked"


# After these nothing more comes.
ENDED = (TheirStatus.REJECTED, TheirStatus.DONE, TheirStatus.REVOKED)
