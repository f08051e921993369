"""Dimensions: what figures can be counted by. Pure, apart from numpy.

Most dimensions give each record one value. A record may have several categories, ages and sexes:
it is counted in each of their rows, and a separate row holds what is counted more than once, so
that every table adds up to its total.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from app.definitions.trees import Tree
from app.statistics.facts.columns import Block, Words
from app.statistics.facts.questions import Questions


class Dimension(StrEnum):
    LINE = "line"
    LANGUAGE = "language"
    COUNSELLOR = "counsellor"
    PLACE = "place"
    REGION = "region"
    CATEGORY = "category"
    CATEGORY_GROUP = "category_group"
    AGE_BAND = "age_band"
    SEX = "sex"
    OUTCOME = "outcome"
    CHANNEL = "channel"
    KIND = "kind"
    URGENCY = "urgency"
    SUGGESTED = "suggested_urgency"
    RELATIONSHIP = "relationship"
    ROLE = "role"
    SETTING = "setting"
    PERPETRATOR = "perpetrator"
    DISABILITY = "disability"
    LIVING = "living"
    GROUP = "vulnerable_group"
    ACTION = "action"
    DANGER_SIGN = "danger_sign"
    CLOSED_AS = "closed_as"
    PURPOSE = "purpose"
    CONTACT_STATE = "contact_state"
    CIRCUMSTANCE = "circumstance"
    ENDED_BY = "ended_by"
    SETTLEMENT = "settlement"
    RESIDENCE = "residence"
    FELT_HELPED = "felt_helped"
    FOLLOW_UP = "follow_up"


# The column of facts from which each dimension is read.
COLUMN: dict[Dimension, str] = {
    Dimension.LINE: "line",
    Dimension.LANGUAGE: "language",
    Dimension.COUNSELLOR: "counsellor",
    Dimension.PLACE: "place",
    Dimension.REGION: "place",
    Dimension.CATEGORY: "categories",
    Dimension.CATEGORY_GROUP: "categories",
    Dimension.AGE_BAND: "ages",
    Dimension.SEX: "sexes",
    Dimension.OUTCOME: "outcome",
    Dimension.CHANNEL: "channel",
    Dimension.KIND: "kind",
    Dimension.URGENCY: "urgency",
    Dimension.SUGGESTED: "suggested",
    Dimension.RELATIONSHIP: "relationship",
    Dimension.ROLE: "role",
    Dimension.SETTING: "setting",
    Dimension.PERPETRATOR: "perpetrators",
    Dimension.DISABILITY: "disabilities",
    Dimension.LIVING: "living",
    Dimension.GROUP: "groups",
    Dimension.ACTION: "actions",
    Dimension.DANGER_SIGN: "danger_signs",
    Dimension.CLOSED_AS: "closed_as",
    Dimension.PURPOSE: "purpose",
    Dimension.CONTACT_STATE: "contact",
    Dimension.CIRCUMSTANCE: "circumstance",
    Dimension.ENDED_BY: "ended_by",
    Dimension.SETTLEMENT: "settlement",
    Dimension.RESIDENCE: "residence",
    Dimension.FELT_HELPED: "felt_helped",
    Dimension.FOLLOW_UP: "follow_up",
}


# Two entries of a record may share a value: two girls, two categories of one group.
_REPEATED = (Dimension.AGE_BAND, Dimension.SEX, Dimension.CATEGORY_GROUP)


@dataclass
class Reader:
    """Reads the values of one dimension for each record."""

    dimension: Dimension
    source: Words
    translate: Callable[[str], str]
    values: Words

    def read(self, block: Block) -> tuple[NDArray[np.int64] | None, NDArray[np.int32]]:
        """Return the records (None: all, in order) and the number of each one's value."""
        name = COLUMN[self.dimension]
        numbers = np.array(
            [self.values.number(self.translate(word)) for word in self.source.list],
            dtype=np.int32,
        )
        if name in block.codes:
            return None, numbers[block.codes[name]]
        several = block.several[name]
        codes = numbers[several.code]
        if self.dimension not in _REPEATED:
            return several.record, codes
        # A record with two categories of one group counts once in that group.
        alone = np.bincount(several.record, minlength=block.size)[several.record] == 1
        if alone.all():
            return several.record, codes
        more = np.flatnonzero(~alone)
        pair = several.record[more] * max(len(self.values.numbers), 1) + codes[more]
        _, first = np.unique(pair, return_index=True)
        keep = np.sort(np.concatenate([np.flatnonzero(alone), more[first]]))
        return several.record[keep], codes[keep]


def reader_of(
    dimension: Dimension, words: dict[str, Words], tree: Tree, places: Tree, asked: Questions
) -> Reader:
    """Return a reader of one dimension; it follows `words` as they grow."""
    source = words.setdefault(COLUMN[dimension], Words())
    translate: Callable[[str], str] = lambda word: word  # noqa: E731
    if dimension is Dimension.AGE_BAND:
        translate = asked.band_of
    elif dimension in (Dimension.CATEGORY_GROUP, Dimension.REGION):
        paths = (tree if dimension is Dimension.CATEGORY_GROUP else places).paths()
        translate = lambda word: paths[word][0] if word in paths else word  # noqa: E731
    return Reader(dimension, source, translate, Words())
