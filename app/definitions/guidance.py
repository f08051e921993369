"""Guidance that a page shows beside the form, by what the child tells. Pure."""

from pydantic import Field

from app.definitions.datafile import Lines, Part, Wrong, read_model
from app.definitions.trees import Code, Labels, Language, check_labels
from app.errors import Message


class GuidanceTopic(Part):
    """What a counsellor does, and avoids, when a child tells of something."""

    code: Code
    # Categories, or groups of them, of the country's tree or of the framework.
    for_: list[Code] = Field(alias="for", min_length=1)
    title: Labels
    do: list[Labels] = Field(min_length=1)
    avoid: list[Labels] = Field(default_factory=list)


class Guidance(Part):
    """The file of a guidance."""

    guidance: Code
    version: int = Field(ge=1, lt=2**31)
    languages: list[Language] = Field(min_length=1)
    topics: list[GuidanceTopic] = Field(min_length=1)


def read_guidance(text: str, source: str) -> Guidance:
    """Read a guidance with every sentence in all of its languages. Raises BadDefinition."""
    guidance, lines = read_model(Guidance, text, source)
    wrong = Wrong()
    for n, topic in enumerate(guidance.topics):
        here: tuple[str | int, ...] = ("topics", n)
        with wrong:
            check_labels(topic.title, guidance.languages, lines, (*here, "title"))
        for part in ("do", "avoid"):
            for m, labels in enumerate(getattr(topic, part)):
                with wrong:
                    check_labels(labels, guidance.languages, lines, (*here, part, m))
    wrong.refuse()
    return guidance


def check_topics(guidance: Guidance, lines: Lines, known: set[str]) -> None:
    """Check that every topic names known categories. Raises BadDefinition."""
    wrong = Wrong()
    for n, topic in enumerate(guidance.topics):
        for m, code in enumerate(topic.for_):
            if code not in known:
                words = Message("there is no category '%(code)s'", code=code)
                wrong.found.append(lines.refuse(("topics", n, "for", m), words))
    wrong.refuse()
