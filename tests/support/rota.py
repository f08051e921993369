"""What a duty manager sends to the rota."""

from typing import Any

from app.demo.counsellor import Counsellor
from app.demo.stage import Stage


async def plan(who: Counsellor, path: str, body: dict[str, Any], status: int = 201) -> Any:
    answer = await who.ask("POST", f"/roster{path}", body)
    assert answer.status_code == status, answer.text
    return answer.json() if answer.content else None


async def add(chief: Counsellor, who: Counsellor, begins: str, ends: str, **more: Any) -> Any:
    body = {"staff_id": str(who.id), "begins": begins, "ends": ends, **more}
    if "recurrence" not in body:
        body.setdefault("days", ["MO", "TU", "WE", "TH", "FR", "SA", "SU"])
    return (await plan(chief, "/shifts", body))["id"]


def change(kind: str, who: Counsellor, begins: str, ends: str, **more: Any) -> dict[str, Any]:
    return {"kind": kind, "staff_id": str(who.id), "from_at": begins, "until_at": ends, **more}


Three = tuple[Counsellor, Counsellor, Counsellor]


async def send(stage: Stage, who: Counsellor, content: bytes) -> Any:
    headers = {
        "Cookie": "; ".join(f"{k}={v}" for k, v in who.cookies.items()),
        "Content-Type": "text/calendar",
    }
    url = f"{stage.settings.public_url}/api/v1/roster/import"
    return await stage.client.post(url, content=content, headers=headers)


OTHER_PROGRAM = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//somebody//else//EN
BEGIN:VEVENT
UID:one@else.example
DTSTART;TZID=Europe/Belgrade:20300114T080000
DURATION:PT8H
SUMMARY:ana
RRULE:FREQ=DAILY;UNTIL=20300120T070000Z
EXDATE;TZID=Europe/Belgrade:20300116T080000
END:VEVENT
BEGIN:VEVENT
UID:one@else.example
RECURRENCE-ID;TZID=Europe/Belgrade:20300117T080000
DTSTART;TZID=Europe/Belgrade:20300117T120000
DTEND;TZID=Europe/Belgrade:20300117T130000
SUMMARY:ana
END:VEVENT
BEGIN:VEVENT
UID:one@else.example
RECURRENCE-ID;TZID=Europe/Belgrade:20300118T080000
DTSTART;TZID=Europe/Belgrade:20300118T080000
DTEND;TZID=Europe/Belgrade:20300118T160000
STATUS:CANCELLED
SUMMARY:ana
END:VEVENT
BEGIN:VEVENT
UID:two@else.example
DTSTART;TZID=Europe/Belgrade:20300114T220000
DTEND;TZID=Europe/Belgrade:20300115T060000
SUMMARY:boris
CATEGORIES:backup
END:VEVENT
END:VCALENDAR
""".replace("\n", "\r\n")
