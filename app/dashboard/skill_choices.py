"""Skills as a form offers them: each known one with a choice of its level, and a new one."""

from collections.abc import Mapping

LEVELS = range(1, 10)
_MARK = "skill."


def read_choices(sent: Mapping[str, str]) -> list[str]:
    """Return the skills of a form, as `name:level`.

    Known ones are `skill.<name>`, with a level or nothing. New ones are `more_skills`, with commas
    between, and `more_level` is the level of those that are written without one.
    """
    found = [
        f"{name.removeprefix(_MARK)}:{level}"
        for name, level in sorted(sent.items())
        if name.startswith(_MARK) and level
    ]
    level = sent.get("more_level", "").strip()
    for text in sent.get("more_skills", "").split(","):
        name = text.strip()
        if name:
            found.append(name if ":" in name or not level else f"{name}:{level}")
    return found
