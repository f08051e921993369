"""The floor of the benchmark: a bare route with form, signature, two inserts, one transaction."""

import os
from uuid import uuid4

import uvicorn
from fastapi import FastAPI, Request, Response
from sqlalchemy import Column, MetaData, Table, Text, Uuid, insert
from sqlalchemy.dialects.postgresql import JSONB
from twilio.request_validator import RequestValidator

from app.database.engine import open_database
from app.database.migrate import engine_for
from app.settings import Settings
from app.telephony.provider.signature import url_of

_TABLES = MetaData()
CALLS = Table(
    "floor_calls",
    _TABLES,
    Column("id", Uuid, primary_key=True),
    Column("sid", Text),
    Column("state", Text),
)
EVENTS = Table(
    "floor_events",
    _TABLES,
    Column("id", Uuid, primary_key=True),
    Column("call_id", Uuid),
    Column("detail", JSONB),
)


def floor_app() -> FastAPI:
    """Return the application; its database and token come from the environment."""
    settings = Settings()
    database = open_database(settings.database_url or "")
    app = FastAPI()

    @app.post("/floor")
    async def floor(request: Request) -> Response:
        form = await request.form()
        given = request.headers.get("x-twilio-signature", "")
        validator = RequestValidator(settings.auth_tokens[0])
        if not validator.validate(url_of(request, settings), form, given):
            return Response(status_code=403)
        call_id, fields = uuid4(), {name: str(form[name]) for name in form}
        async with database.sessions() as session, session.begin():
            sid = fields["CallSid"]
            await session.execute(insert(CALLS).values(id=call_id, sid=sid, state="greeting"))
            await session.execute(insert(EVENTS).values(id=uuid4(), call_id=call_id, detail=fields))
        return Response("<Response/>", media_type="text/xml")

    return app


def make_tables(url: str) -> None:
    """Create the two tables of the floor."""
    engine = engine_for(url)
    _TABLES.create_all(engine)
    engine.dispose()


def serve_floor() -> None:
    """Serve the floor, with the same server and settings as ours."""
    uvicorn.run(
        floor_app(),
        host="127.0.0.1",
        port=int(os.environ["FLOOR_PORT"]),
        log_config=None,
        access_log=False,
        server_header=False,
    )


if __name__ == "__main__":
    serve_floor()
