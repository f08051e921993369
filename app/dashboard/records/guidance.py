"""What a counsellor does and avoids, by the categories that are chosen in the form.

It is long, the same for all who read it in one language, and changes only with the
definitions in force. A desk is drawn with each change of a talk, so the guidance is drawn once.
"""

from dataclasses import dataclass

from markupsafe import Markup

from app.dashboard.templating import templates
from app.definitions.library import Library
from app.definitions.trees import label_in
from app.words import pages


@dataclass(frozen=True)
class TopicView:
    """Guidance about something that a child tells, and the categories that bring it up."""

    code: str
    codes: str
    title: str
    do: list[str]
    avoid: list[str]


# The guidance by the id() of its definitions. These are kept with it, so that no other definitions
# can get the same id().
_drawn: dict[tuple[int, str, str], tuple[Library, Markup]] = {}
# More than the languages of a helpline; changed definitions leave old ones behind.
_MOST_DRAWN = 64


def guidance_in(library: Library, language: str) -> Markup:
    """Return the guidance in force in the language of the forms, for the present reader."""
    key = id(library), language, pages.reader()
    known = _drawn.get(key)
    if known is None:
        template = templates.get_template("fragments/desk/guidance_topics.html")
        html = template.render(guidance=guidance_topics(library, language), language=language)
        if len(_drawn) >= _MOST_DRAWN:
            _drawn.clear()
        known = _drawn[key] = library, Markup(html)  # noqa: S704 (what our template escaped)
    return known[1]


def guidance_topics(library: Library, language: str) -> list[TopicView]:
    """Return the guidance in force, each topic with the codes of the tree that a form offers."""
    tree, framework = library.categories, library.framework
    paths = framework.paths()
    above = {
        leaf.code: {*before, leaf.code, *paths.get(leaf.counts_as or "", ())}
        for leaf, before in tree.walk()
        if not leaf.inside
    }
    return [
        TopicView(
            topic.code,
            " ".join(code for code, known in above.items() if known & set(topic.for_)),
            label_in(topic.title, language),
            [label_in(words, language) for words in topic.do],
            [label_in(words, language) for words in topic.avoid],
        )
        for topic in library.guidance.topics
    ]
