"""The interface does what its description says, for every role and any input."""

import asyncio

import pytest

from app.demo.stage import Stage
from app.staff.roles import Role


# The helpline of the test draws by chance in its own thread, while hypothesis looks whether a
# strategy does.
@pytest.mark.filterwarnings("ignore:Do not use the `random` module inside strategies")
async def test_every_answer_is_as_described_for_every_role(stage: Stage) -> None:
    from tests.support.program.described import Interface, try_all

    people: dict[str, str] = {"nobody": ""}
    for role in Role:
        person = await stage.add_counsellor(role.value, role=role, shift=False, state=None)
        people[role.value] = person.cookie_header
    interface = Interface(stage, asyncio.get_running_loop())
    await asyncio.to_thread(try_all, stage, interface, people)
    await interface.close()
    assert interface.asked > 2 * 100
    assert "HTTPValidationError" not in stage.app.openapi()["components"]["schemas"]
    assert not interface.wrong, "\n".join(f"{k}: {v}" for k, v in interface.wrong.items())
