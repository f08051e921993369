"""People who are added to a helpline that several tests share: no two have the same name."""

from uuid import uuid4

from app.demo.counsellor import Counsellor
from app.demo.stage import Stage
from app.staff.roles import Role


async def person(house: Stage, name: str, role: Role) -> Counsellor:
    return await house.add_counsellor(
        f"{name} {uuid4().hex[:8]}", role=role, shift=False, state=None
    )
