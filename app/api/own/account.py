"""The JSON interface of the user's own account: password, PIN, phone, language of pages."""

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from app.people import leaked, second_phone
from app.staff import accounts, passwords, phone_proofs
from app.web.access import InWork, SignedIn, TakesCalls, set_cookie, token_of
from app.web.sign_in.guesses import check_own_attempts
from app.web.sign_in.proving import renew_token
from app.web.strict_bodies import StrictRoute

router = APIRouter(tags=["session"], route_class=StrictRoute)


class PageLanguage(BaseModel):
    language: str = Field(max_length=20)


@router.put("/me/page-language", status_code=204)
async def choose_page_language(work: InWork, staff: SignedIn, chosen: PageLanguage) -> None:
    """Choose the language of your own pages and letters."""
    await accounts.choose_page_language(work, staff, chosen.language)


class PasswordIn(BaseModel):
    present: str = Field(max_length=1000)
    new: str = Field(max_length=1000)


class PinIn(BaseModel):
    present: str = Field(max_length=1000)
    pin: str = Field(max_length=20)


@router.put("/me/phone-pin", status_code=204)
async def set_own_pin(
    request: Request, response: Response, work: InWork, staff: SignedIn, wanted: PinIn
) -> None:
    """Choose the PIN by which you prove by phone who you are; `present` is your password. The
    response sets a new cookie."""
    await check_own_attempts(request, work, staff)
    token = token_of(request)
    await phone_proofs.set_own_pin(work, staff, wanted.present, wanted.pin, token)
    set_cookie(response, work.ground, await renew_token(request, work, staff))


class NumberIn(BaseModel):
    number: str = Field(max_length=40)


class SecondPhone(BaseModel):
    """The phone that rings if your browser does not answer. It rings once it is proven."""

    number: str | None
    proven: bool


class SecondPhoneRung(BaseModel):
    """The code that proves your phone, which rings now. It is shown only in this answer."""

    code: str


@router.get("/me/second-phone")
async def second_phone_of(work: InWork, staff: TakesCalls) -> SecondPhone:
    """Return the phone that rings if your browser does not answer."""
    number = staff.second_phone
    proven = number is not None and await phone_proofs.is_proven(work, staff)
    return SecondPhone(number=number, proven=proven)


@router.put("/me/second-phone")
async def choose_second_phone(work: InWork, staff: TakesCalls, wanted: NumberIn) -> SecondPhoneRung:
    """Choose the phone that rings if your browser does not answer. It is rung now: enter the
    `code` there, which proves it."""
    return SecondPhoneRung(code=await second_phone.choose(work, staff, wanted.number))


@router.delete("/me/second-phone", status_code=204)
async def give_second_phone_up(work: InWork, staff: TakesCalls) -> None:
    """Let only the browser ring."""
    await second_phone.give_up(work, staff)


@router.put("/me/password", status_code=204)
async def change_own_password(
    request: Request, response: Response, work: InWork, staff: SignedIn, wanted: PasswordIn
) -> None:
    """Change your password. Your other sessions end, and the response sets a new cookie."""
    await check_own_attempts(request, work, staff)
    await leaked.ask(work, wanted.new)
    token = token_of(request)
    await passwords.change_own(work, staff, wanted.present, wanted.new, token)
    renewed = await renew_token(request, work, staff, ends_soon=True)
    set_cookie(response, work.ground, renewed)
