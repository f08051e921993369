"""`helpline keys …`: the keys that seal what is stored, and those of its hashes."""

import asyncio

import typer

from app import tables
from app.cli.running import prepared, run_verb, sealed_database
from app.jobs.transaction import transaction
from app.log import set_up_logging
from app.sealing import hashes, resealing, state
from app.sealing.state import KeyState, KeyUse
from app.settings import Settings
from app.work import PROGRAM, Work

app = typer.Typer(no_args_is_help=True, help="The keys that seal what is stored.")


@app.command("status")
def status() -> None:
    """Show each key: whether it seals, and how many values are sealed with it."""

    async def verb(work: Work) -> None:
        await state.count(work, tables.metadata)
        found = await state.read(work)
        for key in found.keys:
            print(f"key {key.number}\t{_words(key)}\t{key.values} values")
        for made in found.hashes:
            words = "complete" if made.complete_at else "being carried over"
            print(f"hashes {made.generation}\t{words}")
        if found.resealed_at is not None:
            print(f"sealed anew\t{found.resealed_at:%Y-%m-%d %H:%M} UTC")

    run_verb(verb)


def _words(key: KeyState) -> str:
    if key.use is KeyUse.RETIRED and key.since is not None:
        return f"retired {key.since:%Y-%m-%d}"
    if key.use is KeyUse.SEALS_SOON and key.since is not None:
        return f"seals from {key.since:%H:%M:%S} UTC"
    return key.use.value


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
            done = await resealing.reseal(
                ground, tables.metadata, lambda place, values: print(f"{place}\t{values}")
            )
            async with transaction(ground, PROGRAM) as work:
                state.note_resealed(work, done)
            return done

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
