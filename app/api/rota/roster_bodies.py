"""What a program sends and is given about the rota."""

from datetime import UTC, date, datetime, time
from typing import Annotated, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from pydantic import BaseModel, Field

from app.errors import Invalid
from app.routing.rota import open_shifts
from app.routing.rota import recurrence as roster_recurrence
from app.routing.rota.on_duty import ChangeKind
from app.routing.rota.shifts import Layer, OnHolidays, Place, first_instant, last_instant

Text = Annotated[str, Field(max_length=300)]
Weekday = Literal["MO", "TU", "WE", "TH", "FR", "SA", "SU"]


def instant_of(at: datetime, zone: ZoneInfo, of_wall: object) -> datetime:
    """Return an instant; without an offset, that of the wall clock. Raises Invalid."""
    roster_recurrence.check_day(at.date())
    if at.tzinfo is not None:
        return at.astimezone(UTC)
    assert callable(of_wall)
    instant: datetime = of_wall(at.replace(microsecond=0), zone)
    return instant


class DutyView(BaseModel):
    counsellor_id: UUID
    layer: Layer
    begins_at: datetime
    ends_at: datetime
    shift_id: UUID | None
    change_id: UUID | None


class PlaceIn(BaseModel):
    """Where a stretch of duty stands."""

    counsellor_id: UUID
    # With a time zone: an instant. Without: wall-clock time at the helpline.
    begins_at: datetime
    ends_at: datetime
    layer: Layer = Layer.PRIMARY

    def place(self, zone: ZoneInfo) -> Place:
        return Place(
            self.counsellor_id,
            instant_of(self.begins_at, zone, first_instant),
            instant_of(self.ends_at, zone, last_instant),
            self.layer,
        )


class PlaceView(BaseModel):
    counsellor_id: UUID
    begins_at: datetime
    ends_at: datetime
    layer: Layer


class NewDuty(PlaceIn):
    reason: Text = ""


class Move(BaseModel):
    # As `GET /roster` said. If it stands elsewhere by now, the answer is 409.
    was: PlaceIn
    to: PlaceIn
    # For a duty that repeats: this day and all later ones.
    later: bool = False


class Removal(BaseModel):
    was: PlaceIn
    # For a duty that repeats: this day and all later ones.
    later: bool = False


class WeekCopy(BaseModel):
    # Any day of each week.
    from_on: date
    to_on: date


class LeftOutView(PlaceView):
    why: str


class CopyView(BaseModel):
    """How many stretches were added, how many were there already, and what was left out."""

    made: int
    there: int
    left_out: list[LeftOutView]


class ChangeView(BaseModel):
    id: UUID
    state: str
    # For an absence: the duty that no person works now.
    fallen_out: list[PlaceView] = []


class OpenShiftIn(BaseModel):
    # With a time zone: an instant. Without: wall-clock time at the helpline.
    begins_at: datetime
    ends_at: datetime
    layer: Layer = Layer.PRIMARY
    places: Annotated[int, Field(ge=1, le=open_shifts.MOST_PLACES)] = 1
    language: Text | None = None
    note: Text = ""


class OpenShiftView(BaseModel):
    id: UUID
    begins_at: datetime
    ends_at: datetime
    layer: Layer
    places: int
    language: str | None
    note: str
    taken_by: list[UUID]


class UncoveredView(BaseModel):
    begins_at: datetime
    ends_at: datetime


class CoverageView(BaseModel):
    line: str
    number: str
    language: str
    uncovered_minutes: int
    uncovered: list[UncoveredView]


class RosterView(BaseModel):
    duties: list[DutyView]
    coverage: list[CoverageView]


class ShiftIn(BaseModel):
    staff_id: UUID
    # Either a rule or the days of the week.
    recurrence: Text | None = None
    days: list[Weekday] = Field(default=[], max_length=7)
    begins: time
    ends: time
    layer: Layer = Layer.PRIMARY
    on_holidays: OnHolidays = OnHolidays.WORKS
    first_on: date | None = None
    last_on: date | None = None
    timezone: Text | None = None

    def rule(self) -> str:
        if (self.recurrence is None) == (not self.days):
            raise Invalid("Choose the days of the week or write a rule, but not both.")
        return self.recurrence or f"FREQ=WEEKLY;BYDAY={','.join(self.days)}"

    def minutes(self) -> int:
        begin = self.begins.hour * 60 + self.begins.minute
        end = self.ends.hour * 60 + self.ends.minute
        # The same time twice means a whole day.
        return end - begin if end > begin else end - begin + 1440


class Ending(BaseModel):
    last_on: date | None = None


class Day(BaseModel):
    day: date


class HolidayIn(BaseModel):
    day: date
    name: Text
    free: bool = True


class ChangeIn(BaseModel):
    kind: ChangeKind
    staff_id: UUID
    instead_id: UUID | None = None
    # With a time zone: an instant. Without: wall-clock time at the helpline.
    from_at: datetime
    until_at: datetime
    layer: Layer = Layer.PRIMARY
    reason: Text = ""
