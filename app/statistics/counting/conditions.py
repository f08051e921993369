"""Count calls, contacts or children that meet conditions, for reports.

A condition is a dimension with its allowed values; if there are several conditions, all must hold.
A child has its own age and gender; everything else about it comes from its contact.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from app.definitions.library import Library
from app.statistics.counting.tally import CORE, Records
from app.statistics.counting.targets import always
from app.statistics.dimensions import COLUMN, Dimension
from app.statistics.facts.columns import Block, Words
from app.statistics.facts.facts import COLUMNS
from app.statistics.facts.questions import Questions
from app.statistics.facts.unknowns import NONE, NOT_SAID, Unknown
from app.statistics.periods import Cut
from app.statistics.protection.guard import Rounding

Unit = Literal["calls", "contacts", "children"]
Condition = Mapping[str, list[str]]
Mask = NDArray[np.bool_]


class ShapeDimension(StrEnum):
    """What a report can count by besides the dimensions of all figures."""

    # What a category counts as in the framework.
    FRAMEWORK = "framework_category"
    FRAMEWORK_GROUP = "framework_group"
    AGE = "age"


# A category that the framework does not have.
UNMAPPED = "unmapped"
# Values of those for whom it is not known what they count as.
UNKNOWN = (*Unknown, UNMAPPED)
_OF_CHILD = {Dimension.AGE_BAND: "ages", ShapeDimension.AGE: "ages", Dimension.SEX: "sexes"}
DIMENSIONS = (*Dimension, *ShapeDimension)


@dataclass(frozen=True)
class Translator:
    """Translates the words of facts into the values of dimensions."""

    library: Library
    asked: Questions

    def words(self, dimension: str, word: str) -> str:
        if word == NOT_SAID:
            return Unknown.NOT_RECORDED
        if word == NONE:
            return Unknown.DOES_NOT_APPLY
        match dimension:
            case Dimension.AGE_BAND:
                return self.asked.band_of(word)
            case Dimension.CATEGORY_GROUP:
                return self._top(self.library.categories, word)
            case Dimension.REGION:
                return self._top(self.library.places, word)
            case ShapeDimension.FRAMEWORK:
                return self.framework(word)
            case ShapeDimension.FRAMEWORK_GROUP:
                return self._top(self.library.framework, self.framework(word))
            case _:
                return word

    def framework(self, word: str) -> str:
        """Return what a country's category counts as in the framework; it is never guessed."""
        tree, framework = self.library.categories, self.library.framework
        if (tree.tree, tree.version) == (framework.tree, framework.version):
            return word if word in framework.paths() else UNMAPPED
        node = tree.choices().get(word)
        return (node.counts_as if node is not None else None) or UNMAPPED

    @staticmethod
    def _top(tree: Any, word: str) -> str:
        paths = tree.paths()
        return paths[word][0] if word in paths else word


@dataclass
class Population:
    """The calls, contacts or children of a block."""

    unit: Unit
    # The record number of each.
    record: NDArray[np.int64]
    block: Block
    words: dict[str, Words]
    translator: Translator
    # For children: the place of their age and gender in the lists.
    child: NDArray[np.int64] | None = None
    # The secret number of each, if the counts are rounded (see `guard.py`).
    keys: NDArray[np.uint64] | None = None
    _known: dict[tuple[str, str], Mask] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.record)

    def is_(self, dimension: str, values: Iterable[str]) -> Mask:
        """Return a mask of those that have one of the values."""
        found = np.zeros(len(self), dtype=bool)
        for value in values:
            found |= self._has(dimension, value)
        return found

    def where(self, condition: Condition | None) -> Mask:
        found = np.ones(len(self), dtype=bool)
        for dimension, values in (condition or {}).items():
            found &= self.is_(dimension, values)
        return found

    def _has(self, dimension: str, value: str) -> Mask:
        key = (dimension, value)
        if key not in self._known:
            self._known[key] = self._look(dimension, value)
        return self._known[key]

    def _look(self, dimension: str, value: str) -> Mask:
        column = column_of(dimension)
        wanted = np.array(
            [
                number
                for number, word in enumerate(self.words[column].list)
                if self.translator.words(dimension, word) == value
            ],
            dtype=np.int32,
        )
        if column in self.block.codes:
            return np.asarray(np.isin(self.block.codes[column], wanted)[self.record])
        several = self.block.several[column]
        if self.child is not None and dimension in _OF_CHILD:
            return np.asarray(np.isin(several.code[self.child], wanted))
        has = np.zeros(self.block.size, dtype=bool)
        has[several.record[np.isin(several.code, wanted)]] = True
        return np.asarray(has[self.record])

    def values(self, dimension: str) -> list[str]:
        """Return all values of a dimension seen so far, in words of the dimension."""
        column = column_of(dimension)
        found = {self.translator.words(dimension, word) for word in self.words[column].list}
        return sorted(found)


def column_of(dimension: str) -> str:
    """Return the column of facts that holds a dimension."""
    if dimension in (ShapeDimension.FRAMEWORK, ShapeDimension.FRAMEWORK_GROUP):
        return "categories"
    if dimension == ShapeDimension.AGE:
        return "ages"
    return COLUMN[Dimension(dimension)]


def columns_of(dimensions: Iterable[str]) -> list[str]:
    """Return the columns to read for some dimensions."""
    return list(
        dict.fromkeys([*CORE, "children", "ages", "sexes", *(column_of(d) for d in dimensions)])
    )


def population_of(
    unit: Unit,
    block: Block,
    words: dict[str, Words],
    cuts: dict[str, Cut],
    translator: Translator,
    line: str | None = None,
    rounding: Rounding | None = None,
) -> Population:
    """Return the calls, contacts or children of a block that lie in the window."""
    population = _population_of(unit, block, words, cuts, translator, line)
    if rounding is not None:
        keys = rounding.keys(block.raw["id"])[population.record]
        if population.child is not None:
            keys = rounding.of_children(keys, _place_in_record(block, population.child))
        population.keys = keys
    return population


def _place_in_record(block: Block, child: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the place of each child within its contact; the first is 0."""
    record = block.several["ages"].record
    first = np.searchsorted(record, record[child])
    return np.asarray(child - first)


def _population_of(
    unit: Unit,
    block: Block,
    words: dict[str, Words],
    cuts: dict[str, Cut],
    translator: Translator,
    line: str | None,
) -> Population:
    records = Records(block, words, cuts, line, always(0))
    inside = records.period >= 0
    if unit == "calls":
        return Population(
            unit, np.flatnonzero(inside & records.added["calls"]), block, words, translator
        )
    there = inside & records.added["contacts"]
    if unit == "contacts":
        return Population(unit, np.flatnonzero(there), block, words, translator)
    several = block.several["ages"]
    # A contact that describes no child is in no table of children.
    described = (there & (block.numbers["children"] > 0))[several.record]
    child = np.flatnonzero(described)
    return Population(unit, several.record[child], block, words, translator, child)


assert set(COLUMN.values()) <= set(COLUMNS)
