"""Guidance: every topic is found by the categories of the tree that is in force."""

from pathlib import Path

import pytest

from app.dashboard.records.guidance import guidance_topics
from app.definitions.datafile import BadDefinition
from app.definitions.folder import read_folder
from app.definitions.library import SHIPPED, load
from tests.support.contacts import TREE, own_country

GUIDANCE = (SHIPPED / "guidance.yaml").read_text()


@pytest.mark.parametrize("language", ["en", "sr"])
def test_every_topic_is_brought_up_by_a_category_and_says_what_to_do(language: str) -> None:
    topics = guidance_topics(load(), language)
    assert topics
    for topic in topics:
        assert topic.codes, topic.code
        assert all([topic.title, *topic.do])


def test_a_group_brings_up_a_topic_by_each_of_its_categories() -> None:
    family = next(one for one in guidance_topics(load(), "en") if one.code == "family")
    groups = {code.split("-")[0] for code in family.codes.split()}
    assert groups == {"FR"}
    assert len(family.codes.split()) > 3


def test_a_countrys_own_category_brings_up_what_it_counts_as(tmp_path: Path) -> None:
    topics = guidance_topics(load(read_folder(own_country(tmp_path, TREE))), "en")
    assert {topic.code for topic in topics if "HOME-BEATEN" in topic.codes.split()} == {"violence"}


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("for: [MH-SUICIDE]", "for: [MH-NOPE]", "there is no category 'MH-NOPE'"),
        ("sr: Suicidalne misli", "sr: ' '", "the words in sr are missing"),
        ("for: [MH-SUICIDE]", "for: []", "for: must not be empty"),
        ("code: suicide\n", "code: suicide\n    urgency: high\n", "urgency"),
    ],
)
def test_a_bad_guidance_is_refused_with_its_line(
    tmp_path: Path, old: str, new: str, words: str
) -> None:
    text = GUIDANCE.replace("guidance: general", "guidance: ours", 1)
    assert old in text
    (tmp_path / "ours.yaml").write_text(text.replace(old, new, 1))
    country = (SHIPPED / "country.yaml").read_text() + "guidance: ours\n"
    (tmp_path / "country.yaml").write_text(country)
    with pytest.raises(BadDefinition) as refused:
        load(read_folder(tmp_path))
    assert str(refused.value).startswith("ours.yaml:")
    assert words in str(refused.value)
