"""A small form of a country, and one with a field more."""

from pathlib import Path

FORM = """
form: tried
version: 1
record: contact
languages: [en]
title: {en: Tried}
lists: {kinds: [{code: x, child: true, label: {en: X}}, {code: y, label: {en: Y}}]}
sections:
  - code: a
    title: {en: A}
    fields:
      - {code: kind, type: choice, means: kind, label: {en: Kind}, options_from: kinds}
      - {code: head, type: text, means: headline, label: {en: Head}}
      - {code: about, type: categories, means: categories, label: {en: About}}
      - {code: where, type: place, means: place, label: {en: Where}}
      - {code: age, type: whole_number, at_least: 0, at_most: 25, label: {en: Age}}
"""


def with_field(tmp_path: Path, line: str) -> Path:
    (tmp_path / "tried.yaml").write_text(FORM.strip() + f"\n      - {line}\n")
    return tmp_path
