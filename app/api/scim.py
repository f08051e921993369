"""SCIM 2.0 (RFC 7643 and 7644): the organisation's directory adds accounts, and lets people leave.

The protocol's messages, filters, paths and errors are the library's (`scim2-models`). What it means
that a person leaves is in `app/people/provisioning.py`.
"""

from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from scim2_models import (
    URN,
    AuthenticationScheme,
    Bulk,
    ChangePassword,
    ComplexAttribute,
    Context,
    Error,
    ETag,
    Filter,
    InvalidFilterException,
    InvalidSyntaxException,
    InvalidValueException,
    ListResponse,
    Meta,
    Mutability,
    Patch,
    PatchOp,
    Required,
    Resource,
    ResourceType,
    Schema,
    SCIMException,
    ScimFilter,
    ScimPolicy,
    ScimProvider,
    ServiceProviderConfig,
    Sort,
    Uniqueness,
)

from app.errors import Conflict, NotAllowed, NotFound, NotSignedIn, Refusal
from app.people import provisioning
from app.people.provisioning import PersonEntry, ProvisionedAccount
from app.staff.accounts import NameTaken
from app.staff.roles import Permission
from app.staff.tokens import may_token, token_of
from app.web import decisions
from app.web.access import Guard, InWork
from app.web.decisions import Right
from app.web.strict_bodies import StrictRoute
from app.work import Work

BASE = "/scim/v2"
_KIND = "application/scim+json"
_MOST = 200


class Email(ComplexAttribute):
    """An e-mail address; one is kept: the primary one, or the first."""

    value: Annotated[str | None, Required.true] = None
    type: str | None = None
    primary: bool | None = None


class RoleValue(ComplexAttribute):
    """The role; one is kept: the primary one, or the first."""

    value: Annotated[str | None, Required.true] = None
    primary: bool | None = None


class User(Resource[Any]):
    """The part of the core schema of a user that is kept here."""

    __schema__ = URN("urn:ietf:params:scim:schemas:core:2.0:User")

    user_name: Annotated[str | None, Required.true, Uniqueness.server] = None
    display_name: Annotated[str | None, Mutability.read_only] = None
    active: bool | None = None
    preferred_language: str | None = None
    emails: list[Email] | None = None
    roles: list[RoleValue] | None = None


# Directories send much that is not kept here, and write some of it in ways of their own.
_POLICY = ScimPolicy(
    unknown=ScimPolicy.Unknown.ignore,
    remove_value_as_filter=ScimPolicy.RemoveValue.apply,
    unmatched_path_filter=ScimPolicy.UnmatchedPathFilter.create,
)
_CONFIG = ServiceProviderConfig(
    patch=Patch(supported=True),
    bulk=Bulk(supported=False, max_operations=0, max_payload_size=0),
    filter=Filter(supported=True, max_results=_MOST),
    change_password=ChangePassword(supported=False),
    sort=Sort(supported=False),
    etag=ETag(supported=False),
    authentication_schemes=[
        AuthenticationScheme(
            type="oauthbearertoken",
            name="Bearer token",
            description="A token of the scope `accounts`, as Authorization: Bearer TOKEN.",
            primary=True,
        )
    ],
)
_PROVIDER = ScimProvider(models=[User], config=_CONFIG, policy=_POLICY)


def _error(status: int, detail: str, scim_type: str | None = None) -> Response:
    return _as_error(Error(status=status, detail=detail, scim_type=scim_type))


def _as_error(error: Error) -> Response:
    headers = {"WWW-Authenticate": "Bearer"} if error.status == 401 else None
    return Response(
        error.model_dump_json(), status_code=error.status or 400, media_type=_KIND, headers=headers
    )


def _refused(refusal: Refusal) -> Response:
    match refusal:
        case NameTaken():
            return _error(409, refusal.detail, "uniqueness")
        case NotSignedIn() | NotAllowed() | NotFound() | Conflict():
            return _error(refusal.status, refusal.detail)
    return _error(400, refusal.detail, "invalidValue")


class ScimRoute(StrictRoute):
    """Says every refusal as RFC 7644, 3.12 writes errors."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handler(request: Request) -> Response:
            try:
                return await handle(request)
            except Refusal as refusal:
                decisions.deny(request, refusal)
                return _refused(refusal)
            except SCIMException as error:
                return _as_error(error.to_error())
            except RequestValidationError:
                # Of the query: counts that are no numbers.
                return _error(400, "startIndex and count are numbers.", "invalidValue")
            except ValidationError as error:
                return _as_error(Error.from_validation_errors(error)[0])

        return handler


router = APIRouter(prefix=BASE, include_in_schema=False, route_class=ScimRoute)


class SyncsPeople(Guard):
    """Accept a bearer token with the scope `accounts`; no person has this permission."""

    def __init__(self) -> None:
        super().__init__(Permission.SYNC_PEOPLE)

    async def __call__(self, request: Request, work: InWork) -> None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise NotSignedIn("Send the token as: Authorization: Bearer TOKEN.")
        if not may_token(await token_of(work, token.strip()), self.permission):
            decisions.deny_permission(request, self.permission, Right.PEOPLE_TOKEN)
            raise NotAllowed("This token is not for accounts. Make one with the scope `accounts`.")
        decisions.grant(request, Right.PEOPLE_TOKEN)


_GUARD = [Depends(SyncsPeople(), scope="function")]


def _answer(body: Any, status: int = 200, context: Context | None = None) -> Response:
    said = body.model_dump_json(scim_ctx=context or Context.RESOURCE_QUERY_RESPONSE)
    headers = {}
    if isinstance(body, User) and body.meta is not None:
        headers["Location"] = str(body.meta.location)
    return Response(said, status_code=status, media_type=_KIND, headers=headers)


def _user(work: Work, known: ProvisionedAccount) -> User:
    staff = known.staff
    base = f"{work.settings.public_url.rstrip('/')}/api/v1{BASE}/Users"
    return User(
        id=str(staff.id),
        external_id=known.external_id,
        user_name=staff.name,
        display_name=staff.name,
        active=staff.active,
        preferred_language=staff.page_language,
        emails=[Email(value=staff.email, primary=True)] if staff.email else None,
        roles=[RoleValue(value=staff.role, primary=True)],
        meta=Meta(
            resource_type="User",
            created=staff.created_at,
            last_modified=known.changed_at,
            location=f"{base}/{staff.id}",
        ),
    )


def _first(values: list[Any] | None) -> str | None:
    """Return the primary value of several, or the first."""
    found = sorted(values or [], key=lambda one: not one.primary)
    return str(found[0].value) if found and found[0].value else None


def _entry(user: User) -> PersonEntry:
    return PersonEntry(
        name=user.user_name or "",
        active=user.active,
        role=_first(user.roles),
        email=_first(user.emails) or "",
        external_id=user.external_id,
        language=user.preferred_language,
    )


def _id(person_id: str) -> UUID:
    try:
        return UUID(person_id)
    except ValueError:
        raise NotFound("There is no such account.") from None


async def _sent(request: Request) -> dict[str, Any]:
    """Return the body. Raises InvalidSyntaxException."""
    try:
        read = await request.json()
    except (ValueError, RecursionError):
        read = None
    if not isinstance(read, dict):
        raise InvalidSyntaxException(detail="The body is not a JSON object.")
    return read


def says_leaving(sent: dict[str, Any]) -> bool:
    """Return whether a message says that a person is not active any more.

    It is looked for before the rest is read: a person who leaves is out, also if the message is
    refused for another attribute. Directories write it as an attribute or an operation, and false
    as a text.
    """
    operations = next((of for name, of in sent.items() if name.lower() == "operations"), None)
    said: list[Any] = []
    for part in operations if isinstance(operations, list) else [{"value": sent}]:
        if not isinstance(part, dict):
            continue
        # A path may begin with the name of the schema.
        if str(part.get("path", "")).lower().rpartition(":")[2] == "active":
            said.append(part.get("value"))
        of = part.get("value")
        if isinstance(of, dict):
            said += [one for name, one in of.items() if name.lower() == "active"]
    return bool(said) and str(said[-1]).lower() == "false"


# -- what the service says of itself -----------------------------------------------------


@router.get("/ServiceProviderConfig", dependencies=_GUARD)
async def configuration() -> Response:
    """Say what of the protocol there is."""
    return _answer(_CONFIG)


@router.get("/ResourceTypes", dependencies=_GUARD)
async def resource_types() -> Response:
    """List the kinds of resources: users."""
    found = list(_PROVIDER.resource_types)
    return _answer(
        ListResponse[ResourceType](
            total_results=1, start_index=1, items_per_page=1, resources=found
        )
    )


@router.get("/ResourceTypes/{kind}", dependencies=_GUARD)
async def resource_type(kind: str) -> Response:
    """Describe one kind of resources."""
    found = next((one for one in _PROVIDER.resource_types if one.name == kind), None)
    if found is None:
        raise NotFound("There is no such kind of resources.")
    return _answer(found)


@router.get("/Schemas", dependencies=_GUARD)
async def schemas() -> Response:
    """List the schemas: that of users, with what is kept here."""
    found = list(_PROVIDER.schemas)
    return _answer(
        ListResponse[Schema](total_results=1, start_index=1, items_per_page=1, resources=found)
    )


@router.get("/Schemas/{schema}", dependencies=_GUARD)
async def one_schema(schema: str) -> Response:
    """Describe one schema."""
    found = next((one for one in _PROVIDER.schemas if str(one.id) == schema), None)
    if found is None:
        raise NotFound("There is no such schema.")
    return _answer(found)


# -- users -------------------------------------------------------------------------------


@router.get("/Users", dependencies=_GUARD)
async def users(
    work: InWork, filter: str | None = None, startIndex: int = 1, count: int = _MOST
) -> Response:
    """List the accounts, or those that a filter finds, such as `userName eq "Ana"`."""
    found = [_user(work, one) for one in await provisioning.all_accounts(work)]
    if filter is not None:
        if len(filter) > 1000:
            raise InvalidFilterException(detail="The filter is too long.")
        wanted = ScimFilter[User](filter)
        found = [one for one in found if wanted.match(one, strict=True)]
    # As RFC 7644, 3.4.2.4 reads numbers below one.
    start, most = max(startIndex, 1), min(max(count, 0), _MOST)
    page = found[start - 1 : start - 1 + most]
    return _answer(
        ListResponse[User](
            total_results=len(found),
            start_index=start,
            items_per_page=len(page),
            resources=page,
        )
    )


@router.get("/Users/{person_id}", dependencies=_GUARD)
async def user(work: InWork, person_id: str) -> Response:
    """Return one account."""
    return _answer(_user(work, await provisioning.one(work, _id(person_id))))


@router.post("/Users", dependencies=_GUARD)
async def add_user(request: Request, work: InWork) -> Response:
    """Add an account. Its person signs in by the provider, or by a link of an administrator."""
    context = Context.RESOURCE_CREATION_REQUEST
    wanted = User.model_validate(await _sent(request), scim_ctx=context, scim_policy=_POLICY)
    made = await provisioning.add(work, _entry(wanted))
    return _answer(_user(work, made), 201, Context.RESOURCE_CREATION_RESPONSE)


@router.put("/Users/{person_id}", dependencies=_GUARD)
async def replace_user(request: Request, work: InWork, person_id: str) -> Response:
    """Let an account say what is sent; a person who is not active leaves."""
    context = Context.RESOURCE_REPLACEMENT_REQUEST
    known = await provisioning.one(work, _id(person_id))
    sent = await _sent(request)
    if says_leaving(sent) and await provisioning.could_come_in(work, known.staff):
        left = await provisioning.leave(work, _id(person_id))
        return _answer(_user(work, left), 200, Context.RESOURCE_REPLACEMENT_RESPONSE)
    wanted = User.model_validate(sent, scim_ctx=context, scim_policy=_POLICY)
    changed = await provisioning.change(work, _id(person_id), _entry(wanted))
    return _answer(_user(work, changed), 200, Context.RESOURCE_REPLACEMENT_RESPONSE)


@router.patch("/Users/{person_id}", dependencies=_GUARD)
async def change_user(request: Request, work: InWork, person_id: str) -> Response:
    """Change an account. `active` false lets its person leave, with everything in one step."""
    sent = await _sent(request)
    known = await provisioning.one(work, _id(person_id))
    if says_leaving(sent) and await provisioning.could_come_in(work, known.staff):
        left = await provisioning.leave(work, _id(person_id))
        return _answer(_user(work, left), 200, Context.RESOURCE_PATCH_RESPONSE)
    present = _user(work, known)
    asked = PatchOp[User].model_validate(
        sent, scim_ctx=Context.RESOURCE_PATCH_REQUEST, scim_policy=_POLICY
    )
    try:
        asked.patch(present, scim_policy=_POLICY)
    except ValidationError as error:
        raise InvalidValueException(detail=error.errors()[0]["msg"]) from None
    entry = _entry(present)
    if entry.active == known.staff.active:
        # It says nothing of it: an account that waits for a second person goes on waiting.
        entry = replace(entry, active=None)
    changed = await provisioning.change(work, _id(person_id), entry, revision=known.staff.revision)
    return _answer(_user(work, changed), 200, Context.RESOURCE_PATCH_RESPONSE)


@router.delete("/Users/{person_id}", dependencies=_GUARD)
async def delete_user(work: InWork, person_id: str) -> Response:
    """Let a person leave; they are not found any more. What they did stays, with their name."""
    await provisioning.delete(work, _id(person_id))
    return Response(status_code=204)
