"""`helpline language …`: how far each language is translated, and translations out and in."""

from pathlib import Path
from typing import Annotated

import typer

from app.cli.running import run_verb
from app.words.import_conflicts import Meanwhile
from app.work import Work

app = typer.Typer(
    no_args_is_help=True,
    help="Languages of pages, definitions, prompts, letters and practice calls.",
)
Language = Annotated[str, typer.Argument(help="the code of the language, like sq")]
Kind = Annotated[str, typer.Argument(help="pages, definitions, prompts-and-letters or practice")]


@app.command("list")
def list_languages() -> None:
    """List every language with how much is translated, the translations that were imported, and
    their words of danger that mark nothing."""
    from app.administration import languages, unmarked

    async def verb(work: Work) -> None:
        for one in await languages.translations(work):
            read = "read by a native speaker" if one.reviewed else "not read by a native speaker"
            done = f"{one.progress.translated} of {one.progress.messages}"
            print(f"{one.language}\t{one.kind}\t{done}\t{read}")
        for row in await languages.all_own(work):
            state = "taken back" if row.taken_back_at is not None else "imported"
            print(f"own\t{row.id}\t{row.language}\t{row.kind}\t{row.translated}\t{state}")
        for said in await unmarked.unmarked(work):
            print(f"marks nothing\t{said.language}\t{said.why}\t{', '.join(said.words)}")

    run_verb(verb)


@app.command("export")
def export(
    language: Language,
    kind: Kind,
    file: Annotated[Path, typer.Option(help="where the catalogue is written")],
) -> None:
    """Write the catalogue of a language, as it is in force now, for a translator."""
    from app.administration import languages

    async def verb(work: Work) -> str:
        return await languages.export(work, language, kind)

    file.write_text(run_verb(verb), "utf-8")


@app.command("import")
def import_catalogue(
    language: Language,
    kind: Kind,
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="a catalogue (.po)")],
    reviewed: Annotated[
        bool, typer.Option("--reviewed", help="a native speaker who works with children read it")
    ] = False,
    meanwhile: Annotated[
        Meanwhile,
        typer.Option(help="what counts of messages that others have changed since the export"),
    ] = Meanwhile.REFUSE,
) -> None:
    """Import a translation. It counts at once, until it is taken back."""
    from app.administration import languages

    async def verb(work: Work) -> str:
        row = await languages.import_catalogue(
            work, language, kind, file.read_bytes(), reviewed=reviewed, meanwhile=meanwhile
        )
        return f"own {row.id}: {row.translated} messages"

    print(run_verb(verb))


@app.command("take-back")
def take_back(number: Annotated[int, typer.Argument(help="its number in the list")]) -> None:
    """Undo the import of a translation: the words before it count again."""
    from app.administration import languages

    async def verb(work: Work) -> None:
        await languages.take_back(work, number)

    run_verb(verb)
