"""Files of the days that were lived, fetched and read back as a user would."""

import csv
from datetime import date

import httpx2

from app.demo.counsellor import Counsellor
from app.words.pages import said, spoken_in
from tests.support.recount import grouping, logs

FIRST, LAST = "2026-03-26", "2026-11-03"


WINDOW = f"from={FIRST}&to={LAST}"


async def fetch(who: Counsellor, path: str) -> httpx2.Response:
    answer = await who.ask("GET", path)
    assert answer.status_code == 200, answer.text[:500]
    return answer


def read_csv(text: str) -> tuple[list[str], list[dict[str, str]]]:
    lines = text.splitlines()
    comments = [line for line in lines if line.startswith("#")]
    return comments, list(csv.DictReader(line for line in lines if not line.startswith("#")))


def calls_in_logs(url: str) -> list[logs.FromLog]:
    return grouping.within(logs.told(url), date.fromisoformat(FIRST), date.fromisoformat(LAST))


def in_serbian(text: str) -> str:
    with spoken_in("sr"):
        found = said(text)
    return found


RECORDS = {
    "what": "records",
    "from": FIRST,
    "to": LAST,
    "format": "csv",
    "reason": "Yearly evaluation by the institute",
}
