"""The check of new files for the options that say that the child itself is in contact. Pure."""

from app.definitions.datafile import Lines, Wrong
from app.definitions.forms import Form
from app.definitions.unreadable import NO_KEY
from app.errors import Message


def check_form(form: Form, lines: Lines, *, is_used: bool) -> None:
    """Check that only options of the question who is in contact say `child`.

    `is_used`: new contacts are written with the form, so that one of them has to be the child.

    Raises BadDefinition.
    """
    wrong = Wrong()
    lists = {field.options_from for _, field in form.meaning("kind")} - {None}
    for n, section in enumerate(form.sections):
        for m, field in enumerate(section.fields):
            path = f"{section.code}.{field.code}"
            place: tuple[str | int, ...] = ("sections", n, "fields", m)
            options = form.options_of(field)
            if field.means == "kind":
                if is_used and not any(option.is_child for option in options):
                    words = Message(
                        "no option of '%(path)s' is the child itself: add `child: true` to one",
                        path=path,
                    )
                    wrong.found.append(lines.refuse(place, words))
            elif field.options_from not in lists:
                at = (*place, "options") if field.options else ("lists", field.options_from or "")
                for k, option in enumerate(options):
                    if option.child is not None:
                        words = Message("%(name)s: %(what)s", name=f"{path}.child", what=NO_KEY)
                        wrong.found.append(lines.refuse((*at, k, "child"), words))
    wrong.refuse()
