"""The letter that tells a supervisor that something now leads children elsewhere."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import select

from app.calls.lines.leading import BACK_WITHIN, Leads
from app.calls.lines.line_rows import Line
from app.staff.accounts import names_of
from app.staff.models import Staff
from app.words.pages import N_, _, date_words, spoken_in
from app.work import Work

WORDS = {
    Leads.NUMBER: N_("The number of the line"),
    Leads.NUMBERS_BEHIND: N_("The numbers behind the line"),
    Leads.SHOWN_NUMBER: N_("The number that phones show"),
    Leads.PROMPT: N_("What callers hear"),
    Leads.RECORDING: N_("A recording that callers hear"),
    Leads.PAGE: N_("A page to which children who write are led"),
    Leads.MESSENGER: N_("The account of the line at a messenger"),
    Leads.BOT_ELSEWHERE: N_(
        "What children wrote to the bot of the line at Telegram went elsewhere. The program has "
        "set it back. Have a new token made at BotFather, and find out who knew the old one."
    ),
    Leads.TRANSLATION: N_("A translation"),
    Leads.NAME: N_("The name of the line"),
    Leads.COUNTRY: N_("The country of the line, and its emergency number"),
    Leads.WORDS: N_("What children who write read"),
    Leads.SHOWN_IN_CALLBACKS: N_("The number that a call-back shows"),
    Leads.ADDRESS: N_("The address of the page on which children write"),
    Leads.SITES: N_("The sites that show the page on which children write"),
    Leads.PARTNER_REFUSED: N_(
        "A second person refused the number of the partner: no caller is connected with it any more"
    ),
    Leads.PARTNER_LOST: N_(
        "The line has no partner any more: its number was the phone of a person who has left"
    ),
}


async def letter_of(
    work: Work,
    staff_id: UUID,
    by: UUID | None,
    at: datetime,
    line_id: UUID | None,
    changed: Sequence[Leads],
    *,
    taken_back: bool,
) -> tuple[str, str, str] | None:
    """Return address, subject and body; None if there is no address any more.

    `taken_back`: whether a second person can take the change back.
    """
    staff = await work.session.get(Staff, staff_id)
    if staff is None or staff.email is None or not staff.active:
        return None
    names = await names_of(work, {by}) if by is not None else {}
    line = None
    if line_id is not None:
        line = await work.session.scalar(select(Line.name).where(Line.id == line_id))
    with spoken_in(staff.page_language):
        said = _(
            "%(name)s has changed something that leads children to a phone or a page. If you "
            "did not expect this, ask them, and let an administrator take it back.",
            name=names.get(by, "") if by is not None else _("command line"),
        )
        lines = [
            *(_(WORDS[one]) for one in changed),
            line if line is not None else _("every line"),
            f"{date_words(at, 'd MMM y, HH:mm')} UTC",
        ]
        if taken_back:
            until = date_words(at + BACK_WITHIN, "d MMM y")
            back = _("You can take it back yourself until %(day)s: open Team.", day=until)
            lines += ["", back]
        subject = _("What leads children to a phone or a page was changed")
        # The program found it, and no person is known who did it.
        head = [] if Leads.BOT_ELSEWHERE in changed else [said, ""]
        return staff.email, subject, "\n".join([*head, *lines]) + "\n"
