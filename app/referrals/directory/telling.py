"""What an agency is told, where it was reached before, when its address is to change."""

from typing import NamedTuple

from app.calls.lines import finding_lines
from app.referrals.directory.models import Agency
from app.referrals.spoken import language_for
from app.words import letters
from app.work import Work


class Told(NamedTuple):
    subject: str
    body: str


async def of_new_address(work: Work, agency: Agency) -> Told:
    """Return the letter, in a language of the agency. It says nothing about a child."""
    letter = letters(language_for(agency.languages), "address_change")
    body = letter["body"].format(agency=agency.name)
    line = await finding_lines.any_line(work)
    if line is not None:
        body += "\n\n" + letter["phone"].format(phone=line.number)
    return Told(letter["subject"], body)
