"""Tokens for programs: each has scopes and an end, and can be revoked."""

import re
import secrets
from datetime import timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import ColumnElement, Text, cast, exists, select, update
from sqlalchemy.orm import aliased

from app.errors import Conflict, Invalid, NotFound, NotSignedIn
from app.staff import receiving
from app.staff.audit import write_entry
from app.staff.log_kinds import AuditLog
from app.staff.models import ApiToken, AuditEntry, Staff
from app.staff.roles import Permission
from app.work import Actor, ActorKind, Work

PREFIX = "hl_"
# The scopes of tokens, and the permissions that each gives. Only `accounts` gives access to names,
# those of the people who work here, for the directory that adds them and lets them leave.
SCOPES: dict[str, frozenset[Permission]] = {
    "statistics": frozenset({Permission.SEE_STATISTICS}),
    "single_calls": frozenset({Permission.SEE_STATISTICS, Permission.SEE_SINGLE_CALLS}),
    "accounts": frozenset({Permission.SYNC_PEOPLE}),
    "staff_statistics": frozenset({Permission.SEE_STATISTICS, Permission.SEE_STAFF_STATISTICS}),
}
_USED_EVERY = timedelta(minutes=5)
# How long what ended with its maker is named, unless another one is made.
NAMED = timedelta(days=7)


async def add_token(work: Work, name: str, scopes: list[str], days: int) -> str:
    """Make a token and return it; it is shown only once.

    It ends with the account and the role of the person who makes it; the operator's with neither.
    Raises Invalid, Conflict, NotAllowed.
    """
    if work.actor.kind is ActorKind.PERSON and work.actor.staff_id is not None:
        await receiving.check_still_may(work, work.actor.staff_id, Permission.KEEP_TOKENS)
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9 _.-]{0,59}", name):
        raise Invalid("A token's name has 1 to 60 letters, digits, spaces, dots and dashes.")
    unknown = [scope for scope in scopes if scope not in SCOPES]
    if unknown or not scopes:
        raise Invalid("A token is for one or more of: %(scopes)s.", scopes=list(SCOPES))
    if not 1 <= days <= 400:
        raise Invalid("A token is valid for 1 to 400 days.")
    if await work.session.scalar(select(ApiToken.id).where(ApiToken.name == name)):
        raise Conflict("There is already a token with that name. Choose another name.")
    token = PREFIX + secrets.token_urlsafe(32)
    row = ApiToken(
        id=uuid4(),
        name=name,
        token_key=work.keys.session_key(token),
        scopes=sorted(set(scopes)),
        created_at=work.now,
        expires_at=work.now + timedelta(days=days),
    )
    work.session.add(row)
    await work.session.flush()
    write_entry(work, AuditLog.TOKEN_MADE, str(row.id), before=None, after=_for_log(row))
    return token


async def revoke_token(work: Work, name: str, made_by: Staff | None = None) -> None:
    """Revoke a token by its name. `made_by`: it stops with this person. Raises NotFound."""
    found = await work.session.scalar(
        update(ApiToken)
        .where(ApiToken.name == name, ApiToken.revoked_at.is_(None))
        .values(revoked_at=work.now, revoked_with=made_by.id if made_by else None)
        .returning(ApiToken)
    )
    if found is None:
        raise NotFound("There is no such token, or it has already been revoked.")
    write_entry(work, AuditLog.TOKEN_REVOKED, str(found.id), before=_for_log(found), after=None)


def _for_log(row: ApiToken) -> dict[str, Any]:
    """Return what a token opens and until when; never the token."""
    return {"scopes": row.scopes, "until": row.expires_at.isoformat()}


async def list_tokens(work: Work) -> list[ApiToken]:
    return list(await work.session.scalars(select(ApiToken).order_by(ApiToken.name)))


async def made_by(work: Work, staff: Staff) -> list[ApiToken]:
    """Return the open tokens that a person made, by name, as the log says: they saw its secret."""
    is_open = ApiToken.revoked_at.is_(None) & (ApiToken.expires_at > work.now)
    found = select(ApiToken).where(is_open, _made_by(staff)).order_by(ApiToken.name)
    return list(await work.session.scalars(found))


async def all_makers(work: Work) -> set[tuple[str, str]]:
    """Return who made each token, also those that ended, and its id, as the log names them."""
    entry = AuditEntry
    made = select(entry.actor, entry.subject).where(
        entry.action == AuditLog.TOKEN_MADE, entry.subject.in_(select(cast(ApiToken.id, Text)))
    )
    return {(maker, token) for maker, token in await work.session.execute(made)}


async def end_made_by(work: Work, staff: Staff) -> int:
    """Revoke the open tokens of a person who leaves, or may make none any more: they know them.
    Return how many."""
    found = await made_by(work, staff)
    for one in found:
        await revoke_token(work, one.name, staff)
    return len(found)


async def stopped_of(work: Work, staff: Staff) -> list[ApiToken]:
    """Return the tokens that stopped lately with a person's account or role, while no other one
    that may do as much was made since. One that was revoked by hand is none of them."""
    newer = aliased(ApiToken)
    rows = await work.session.scalars(
        select(ApiToken)
        .where(
            ApiToken.revoked_with == staff.id,
            ApiToken.revoked_at > work.now - NAMED,
            ~exists().where(
                newer.created_at > ApiToken.revoked_at, newer.scopes.bool_op("@>")(ApiToken.scopes)
            ),
        )
        .order_by(ApiToken.name)
    )
    return list(rows)


def _made_by(staff: Staff) -> ColumnElement[bool]:
    return exists().where(
        AuditEntry.action == AuditLog.TOKEN_MADE,
        AuditEntry.subject == cast(ApiToken.id, Text),
        AuditEntry.actor == str(staff.id),
    )


async def token_of(work: Work, token: str) -> ApiToken:
    """Return the valid token, and make it the actor of the work. Raises NotSignedIn."""
    found = await work.session.scalar(
        select(ApiToken).where(
            ApiToken.token_key == work.keys.session_key(token),
            ApiToken.expires_at > work.now,
            ApiToken.revoked_at.is_(None),
        )
    )
    if found is None:
        raise NotSignedIn()
    work.keys.keep_session_key(token)
    work.actor = Actor(ActorKind.PROGRAM, found.id, found.name, "token")
    if found.used_at is None or found.used_at < work.now - _USED_EVERY:
        await work.session.execute(
            update(ApiToken).where(ApiToken.id == found.id).values(used_at=work.now)
        )
    return found


def may_token(token: ApiToken, permission: Permission) -> bool:
    """Return whether one of the token's scopes holds the permission."""
    return any(permission in SCOPES.get(scope, frozenset()) for scope in token.scopes)
