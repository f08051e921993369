"""A country's own category tree."""

from pathlib import Path

from app.definitions.library import SHIPPED

TREE = """
tree: own
version: 1
kind: categories
languages: [en]
maps_to: chi
maps_to_version: 1
nodes:
  - code: HOME
    label: {en: Home}
    inside:
      - {code: HOME-BEATEN, label: {en: Beaten}, counts_as: V-PHYSICAL}
      - {code: HOME-COLD, label: {en: Cold}}
"""


def own_tree(tmp_path: Path, tree: str) -> Path:
    (tmp_path / "own.yaml").write_text(tree.strip() + "\n")
    country = (SHIPPED / "country.yaml").read_text().replace("categories: chi", "categories: own")
    (tmp_path / "country.yaml").write_text(country)
    return tmp_path
