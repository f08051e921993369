"""Definitions that a country may change: YAML files, read so that every error has its line.

All scalars stay text, so that an option called `no` is not read as false. Anchors, aliases
and duplicate keys are refused: a file means just what it shows.
"""

from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from app.definitions.unreadable import NO_ALIASES, not_yaml, wrong_shape
from app.errors import BadSettings, Message

# The loader in C is faster; it is there if libyaml is built in.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# Levels of lists and maps in one another; shipped files have eleven at most.
_DEEPEST = 40
# Mistakes that are listed of one file.
_MOST_LISTED = 50
M = TypeVar("M", bound=BaseModel)
Path_ = tuple[str | int, ...]


class BadDefinition(BadSettings):
    """A file that cannot be used; the text names the file, the line and what is wrong.

    `message` is what is wrong, `located` the same with file and line, for the language of a reader.
    """

    def __init__(self, source: str, line: int, message: Message) -> None:
        self.source, self.line, self.message = source, line, message
        # What else is wrong; the text names only the first.
        self.more: list[BadDefinition] = []
        # A file has one name in every language; "archive" is a word.
        self.located = Message(
            "%(source)s:%(line)s: %(problem)s", source=Message(source), line=line, problem=message
        )
        # A line of a log or a terminal, whatever a key of the file is called.
        super().__init__(_on_one_line(str(self.located)))

    def all(self) -> list["BadDefinition"]:
        """Return everything that is wrong, this first."""
        return [self, *self.more]


def _on_one_line(text: str) -> str:
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)


class Wrong:
    """Collects what is wrong, so that a person sees all of it at once: `with wrong: check(...)`."""

    def __init__(self) -> None:
        self.found: list[BadDefinition] = []

    def __enter__(self) -> "Wrong":
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        if not isinstance(error, BadDefinition):
            return False
        self.found += error.all()
        return True

    def refuse(self) -> None:
        """Raise BadDefinition with all that was found, if anything was."""
        if self.found:
            first, *more = self.found
            refused = BadDefinition(first.source, first.line, first.message)
            refused.more = [BadDefinition(one.source, one.line, one.message) for one in more]
            raise refused


class Part(BaseModel):
    """The base of all parts of a definition: unknown keys are errors, and no value changes."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Lines(NamedTuple):
    """The line of each part of a file."""

    source: str
    of: dict[Path_, int]

    def at(self, path: Path_) -> int:
        """Return the line of a part, or of the nearest part around it that has one."""
        while path and path not in self.of:
            path = path[:-1]
        return self.of.get(path, 1)

    def refuse(self, path: Path_, message: Message) -> BadDefinition:
        """Return the error that names the line of a part."""
        return BadDefinition(self.source, self.at(path), message)


def read_data(text: str, source: str) -> tuple[Any, Lines]:
    """Return the plain lists, dicts and texts of a file, and their lines. Raises BadDefinition."""
    try:
        node = yaml.compose(text, Loader=_LOADER)
    except yaml.YAMLError as error:
        raise _not_yaml(source, error) from None
    if node is None:
        raise BadDefinition(source, 1, Message("the file is empty"))
    lines = Lines(source, {})
    return _plain(node, (), lines, set()), lines


def check_depth(text: str, source: str) -> None:
    """Check that a file is YAML whose parts are not nested without end. Raises BadDefinition.

    It is read piece by piece: a text from outside must not use up the stack of the process.
    """
    depth = 0
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            if isinstance(event, (yaml.SequenceStartEvent, yaml.MappingStartEvent)):
                depth += 1
                if depth > _DEEPEST:
                    line = event.start_mark.line + 1 if event.start_mark else 1
                    raise BadDefinition(source, line, Message("the parts are nested too deeply"))
            elif isinstance(event, (yaml.SequenceEndEvent, yaml.MappingEndEvent)):
                depth -= 1
    except yaml.YAMLError as error:
        raise _not_yaml(source, error) from None


def _not_yaml(source: str, error: yaml.YAMLError) -> BadDefinition:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    message = not_yaml(str(getattr(error, "problem", None) or ""))
    return BadDefinition(source, mark.line + 1 if mark else 1, message)


def _plain(node: yaml.Node, path: Path_, lines: Lines, seen: set[int]) -> Any:
    lines.of[path] = node.start_mark.line + 1
    if id(node) in seen:
        raise lines.refuse(path, NO_ALIASES)
    seen.add(id(node))
    if isinstance(node, yaml.ScalarNode):
        return None if node.tag.endswith(":null") else str(node.value)
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item, (*path, n), lines, seen) for n, item in enumerate(node.value)]
    assert isinstance(node, yaml.MappingNode)
    found: dict[str, Any] = {}
    for key, value in node.value:
        name = str(key.value)
        if not isinstance(key, yaml.ScalarNode):
            line = key.start_mark.line + 1
            raise BadDefinition(
                lines.source, line, Message("a key must be a word, not a list or a map")
            )
        if name in found:
            lines.of[(*path, name)] = key.start_mark.line + 1
            raise lines.refuse(
                (*path, name), Message("the key '%(name)s' appears here twice", name=name)
            )
        found[name] = _plain(value, (*path, name), lines, seen)
        lines.of[(*path, name)] = key.start_mark.line + 1
    return found


def read_model(model: type[M], text: str, source: str) -> tuple[M, Lines]:
    """Read a definition of the given shape. Raises BadDefinition."""
    data, lines = read_data(text, source)
    try:
        return model.model_validate(data), lines
    except ValidationError as error:
        wrong = Wrong()
        for one in error.errors()[:_MOST_LISTED]:
            path = tuple(one["loc"])
            name = ".".join(str(part) for part in path) or Message("the file")
            message = Message("%(name)s: %(what)s", name=name, what=wrong_shape(one))
            wrong.found.append(lines.refuse(path, message))
        wrong.refuse()
        raise


def read_file(model: type[M], path: Path) -> tuple[M, Lines]:
    """Read a definition from a file. Raises BadDefinition."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadDefinition(
            path.name, 1, Message("cannot be read: %(error)s", error=type(error).__name__)
        ) from None
    return read_model(model, text, path.name)
