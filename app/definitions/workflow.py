"""The states of a case, as a country's file defines them. Pure."""

from typing import NamedTuple

from pydantic import Field

from app.definitions.datafile import Part, read_model
from app.definitions.trees import Code, Labels, Language, check_labels
from app.errors import Message
from app.staff.roles import Permission, Role, may


class Status(Part):
    code: Code
    label: Labels
    # The status that every case begins in; exactly one.
    starts: bool = False
    # Whether a case rests in this status: no reminder runs, and nothing is overdue.
    ends: bool = False


class Move(Part):
    from_: Code = Field(alias="from")
    to: Code
    by: list[Role] = Field(min_length=1)
    needs_reason: bool = False
    # The roles of the second person who must approve; none: the move takes effect at once.
    approved_by: list[Role] = Field(default_factory=list)


class Workflow(Part):
    """The file of the states of a case and the moves between them."""

    workflow: Code
    version: int = Field(ge=1, lt=2**31)
    languages: list[Language] = Field(min_length=1)
    statuses: list[Status] = Field(min_length=2)
    moves: list[Move] = Field(min_length=1)

    def status(self, code: str) -> Status:
        return next(s for s in self.statuses if s.code == code)

    @property
    def start(self) -> Status:
        return next(s for s in self.statuses if s.starts)

    def moves_from(self, code: str, role: str) -> list[Move]:
        """Return the moves that a person of that role may make from a status."""
        return [m for m in self.moves if m.from_ == code and role in {r.value for r in m.by}]


class _Edge(NamedTuple):
    from_: str
    to: str


def read_workflow(text: str, source: str) -> Workflow:
    """Read a workflow in which every status can be reached and closed. Raises BadDefinition."""
    flow, lines = read_model(Workflow, text, source)
    codes = [s.code for s in flow.statuses]
    for n, status in enumerate(flow.statuses):
        if codes.index(status.code) != n:
            raise lines.refuse(
                ("statuses", n, "code"), Message("'%(code)s' appears twice", code=status.code)
            )
        check_labels(status.label, flow.languages, lines, ("statuses", n, "label"))
    if sum(s.starts for s in flow.statuses) != 1:
        raise lines.refuse(("statuses",), Message("exactly one status has `starts: true`"))
    if not any(s.ends for s in flow.statuses):
        raise lines.refuse(
            ("statuses",), Message("no status has `ends: true`: a case could never be closed")
        )
    edges = set()
    for n, move in enumerate(flow.moves):
        for name, code in (("from", move.from_), ("to", move.to)):
            if code not in codes:
                raise lines.refuse(
                    ("moves", n, name), Message("there is no status '%(code)s'", code=code)
                )
        for role in move.approved_by:
            if not may(role, Permission.READ_TEAM_RECORDS):
                words = Message(
                    "%(role)s does not read the cases of a team, and cannot approve",
                    role=role.value,
                )
                raise lines.refuse(("moves", n, "approved_by"), words)
        edge = _Edge(move.from_, move.to)
        if edge in edges or move.from_ == move.to:
            words = Message("this move appears twice, or leads to the same status")
            raise lines.refuse(("moves", n), words)
        edges.add(edge)
    ends = {s.code for s in flow.statuses if s.ends}
    forward = _reach({flow.start.code}, {(e.from_, e.to) for e in edges})
    backward = _reach(ends, {(e.to, e.from_) for e in edges})
    for n, status in enumerate(flow.statuses):
        if status.code not in forward:
            raise lines.refuse(
                ("statuses", n), Message("no case ever gets to '%(status)s'", status=status.code)
            )
        if status.code not in backward:
            raise lines.refuse(
                ("statuses", n),
                Message("a case in '%(status)s' can never be closed", status=status.code),
            )
    return flow


def _reach(start: set[str], edges: set[tuple[str, str]]) -> set[str]:
    reached = set(start)
    while True:
        more = {to for from_, to in edges if from_ in reached} - reached
        if not more:
            return reached
        reached |= more
