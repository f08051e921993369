"""`helpline keys …`: the keys that seal what is stored, and those of its hashes."""

import asyncio
from collections import defaultdict

import typer
from sqlalchemy import select

from app import tables
from app.cli.running import prepared, run_verb, sealed_database
from app.log import set_up_logging
from app.privacy.models import FieldKey, HashKey
from app.sealing import hashes, resealing
from app.settings import Settings
from app.work import Work

app = typer.Typer(no_args_is_help=True, help="The keys that seal what is stored.")


@app.command("status")
def status() -> None:
    """Show each key: whether it seals, and how many values are sealed with it."""

    async def verb(work: Work) -> None:
        values: dict[int, int] = defaultdict(int)
        for one in await resealing.counts(work, tables.metadata):
            values[one.number] += one.values
        for key in await work.session.scalars(select(FieldKey).order_by(FieldKey.number)):
            state = _state(work, key)
            print(f"key {key.number}\t{state}\t{values.pop(key.number, 0)} values")
        for number, count in values.items():
            print(f"key {number}\tunknown\t{count} values")
        for made in await work.session.scalars(select(HashKey).order_by(HashKey.generation)):
            state = "complete" if made.complete_at else "being carried over"
            print(f"hashes {made.generation}\t{state}")

    run_verb(verb)


def _state(work: Work, key: FieldKey) -> str:
    if key.retired_at:
        return f"retired {key.retired_at:%Y-%m-%d}"
    if key.number == work.keys.current:
        return "seals"
    if key.seals_from is not None and key.seals_from > work.now:
        return f"seals from {key.seals_from:%H:%M:%S} UTC"
    return "opens"


@app.command("rotate")
def rotate() -> None:
    """Let the first key of the settings seal, and have everything sealed anew by the worker.

    Before this, every process must have been restarted with the new key.
    """
    number = run_verb(resealing.rotate_key)
    print(f"Key {number} seals in a minute. Then a job seals everything anew.")


@app.command("reseal")
def reseal() -> None:
    """Seal anew now what other keys have sealed; it may be interrupted and repeated."""
    set_up_logging("WARNING")

    async def run(settings: Settings) -> int:
        async with prepared(settings) as ground:
            return await resealing.reseal(
                ground, tables.metadata, lambda place, values: print(f"{place}\t{values}")
            )

    with sealed_database() as settings:
        print(f"{asyncio.run(run(settings))} values were sealed anew.")


@app.command("retire")
def retire(number: int) -> None:
    """Retire a key with which nothing is sealed any more; then it can leave the settings."""
    run_verb(lambda work: resealing.retire_key(work, tables.metadata, number))
    print(f"Key {number} is retired. Remove it from HELPLINE_FIELD_KEYS.")


@app.command("rotate-hashes")
def rotate_hashes() -> None:
    """Give the hashes by which callers and names are found a new key, while the program runs."""
    generation = run_verb(hashes.rotate_hashes)
    print(f"Hashes of generation {generation} are made in a minute; a job carries the others over.")
