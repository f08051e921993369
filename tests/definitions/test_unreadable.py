"""What is wrong with a file that cannot be read is said in words that a catalogue holds."""

from datetime import time
from enum import StrEnum
from typing import Literal

import pytest
from pydantic import Field, field_validator

from app.definitions.datafile import BadDefinition, Part, read_data, read_model
from app.errors import BadText
from app.words.pages import spoken_in


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Thing(Part):
    name: str = Field(default="abc", min_length=1, max_length=3)
    code: str = Field(default="aa", min_length=2, pattern="^a+$")
    count: int = Field(default=1, ge=1, lt=9)
    share: float = Field(default=1, gt=0, le=1)
    open: bool = True
    parts: list[str] = Field(default=["a"], min_length=1, max_length=2)
    pairs: tuple[str, ...] = Field(default=("a", "b"), min_length=2)
    labels: dict[str, str] = Field(default={"en": "A"}, min_length=1)
    kind: Literal["one", "two", "three"] = "one"
    colour: Colour = Colour.RED
    at: time = time(8)
    inner: "Thing | None" = None

    @field_validator("name")
    @classmethod
    def _not_x(cls, name: str) -> str:
        if name == "x":
            raise BadText("'%(name)s' is no name", name=name)
        return name


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("colur: red", "colur: there is no such key here"),
        ("name: [a]", "name: must be a text"),
        ("name: ''", "name: must not be empty"),
        ("name: abcd", "name: may have at most 3 characters"),
        ("name: x", "name: 'x' is no name"),
        ("code: a", "code: must have at least 2 characters"),
        ("code: bb", "code: must match the pattern ^a+$"),
        ("count: x", "count: must be a whole number"),
        ("count: [1]", "count: must be a whole number"),
        ("count: 0", "count: must be 1 or more"),
        ("count: 9", "count: must be less than 9"),
        ("share: x", "share: must be a number"),
        ("share: 0", "share: must be more than 0.0"),
        ("share: 2", "share: must be 1.0 or less"),
        ("open: maybe", "open: must be true or false"),
        ("parts: a", "parts: must be a list"),
        ("parts: []", "parts: must not be empty"),
        ("parts: [a, b, c]", "parts: may have at most 2 entries"),
        ("pairs: {a: b}", "pairs: must be a list"),
        ("pairs: [a]", "pairs: must have at least 2 entries"),
        ("labels: [a]", "labels: must be a map: keys, each with a value"),
        ("labels: {}", "labels: must not be empty"),
        ("kind: four", "kind: must be one of: 'one', 'two', 'three'"),
        ("colour: green", "colour: must be one of: 'red', 'blue'"),
        ("at: '25:00'", "at: must be a time of day like 08:00"),
        ("inner: a", "inner: must be a map: keys, each with a value"),
        ("- a", "the file: must be a map: keys, each with a value"),
        ("a: b: c", "a colon cannot stand here"),
        ("a: @b", "this character cannot begin a value"),
        ("a: 'b", "a quotation mark is opened and not closed"),
        ("a: [b: c", "a list that begins with ["),
        ("a: {b: c", "a map that begins with {"),
        ("- a\nb: c", "every item of this list"),
        ("a: [b,", "a value is expected here"),
        ("a: 'b' c: d", "a key is expected here"),
        ("a: 1\nb", "a colon and a space are missing"),
        ('a: "\\q"', "the character after this backslash"),
        ("a: 1\n---\nb: 1", "a file holds one definition"),
        ("a: *b", "anchors and aliases are not allowed"),
        ("a: &", "this is not YAML: did not find expected alphabetic or numeric character"),
        ("\x01", "this is not YAML"),
        ("", "the file is empty"),
    ],
)
def test_what_is_wrong_is_said_in_words_of_our_own(text: str, words: str) -> None:
    with pytest.raises(BadDefinition) as refused:
        read_model(Thing, text, "thing.yaml")
    assert str(refused.value.message).startswith(words)
    assert str(refused.value) == f"thing.yaml:{refused.value.line}: {refused.value.message}"


def test_the_text_stays_english_and_is_one_line() -> None:
    """A log and a terminal read it, wherever the file came from."""
    with spoken_in("sr"), pytest.raises(BadDefinition) as refused:
        read_data('"a\\n\\e[1m": 1\n"a\\n\\e[1m": 2\n', "thing.yaml")
    assert str(refused.value) == "thing.yaml:2: the key 'a\\n\\x1b[1m' appears here twice"
