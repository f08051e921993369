"""The map of the code names every folder, and the contracts of imports leave none out."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
MAP = (ROOT / "docs/developers/map.md").read_text()


def _section(title: str) -> str:
    """Return a section of the map, without its blocks of code."""
    found = re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", MAP, re.MULTILINE | re.DOTALL)
    assert found, title
    return re.sub(r"```.*?```", "", found[1], flags=re.DOTALL)


def _named(text: str) -> set[str]:
    """Return every part of every path that a text names."""
    return {part for path in re.findall(r"`([^`\n]+)`", text) for part in path.split("/")}


def _folders(root: Path) -> list[Path]:
    return sorted({file.parent for file in root.rglob("*.py")} - {root})


def _contract(name: str) -> dict[str, Any]:
    linter = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    return next(one for one in linter["contracts"] if one["name"] == name)


def _top() -> set[str]:
    """Return the modules right under `app`, folders and files."""
    files = {path.stem for path in (ROOT / "app").glob("*.py")} - {"__init__"}
    folders = {path.relative_to(ROOT / "app").parts[0] for path in _folders(ROOT / "app")}
    return {f"app.{name}" for name in files | folders}


def test_the_map_names_every_folder_and_every_file_that_is_in_none() -> None:
    named = _named(_section("The folders"))
    assert [f for f in _folders(ROOT / "app") if f.name not in named] == []
    files = {path.name for path in (ROOT / "app").glob("*.py")} - {"__init__.py"}
    assert files - named == set()


@pytest.mark.parametrize(
    "folder", ["routing", "dashboard/people", "dashboard/settings", "dashboard/settings/lines"]
)
def test_the_map_names_every_file_of_a_folder_that_holds_many_subjects(folder: str) -> None:
    files = {path.name for path in (ROOT / "app" / folder).glob("*.py")} - {"__init__.py"}
    assert files - _named(_section("The folders")) == set()


def test_the_map_names_every_folder_of_tests() -> None:
    named = _named(_section("Where the tests are"))
    folders = {path.relative_to(ROOT / "tests").parts[0] for path in _folders(ROOT / "tests")}
    assert folders - named == set()


def test_the_map_names_every_script() -> None:
    row = next(line for line in MAP.splitlines() if line.startswith("| `scripts/`"))
    found = {path.name for path in (ROOT / "scripts").iterdir() if path.is_file()}
    # The build calls it, and no person.
    assert found - _named(row) - {"build_hook.py"} == set()


def test_the_map_lists_the_files_that_the_contract_keeps_pure() -> None:
    rows = re.findall(r"^\| (`[^|]+`) \| ([^|]+) \|$", _section("Pure files"), re.MULTILINE)
    listed = {
        f"app.{area}" if files == "all" else f"app.{area}.{file}"
        for areas, files in rows
        for area in re.findall(r"`(\w+)`", areas)
        for file in re.findall(r"`([\w.]+)`", files) or [""]
    }
    assert listed == set(_contract("Pure files stay pure")["source_modules"])


def test_the_list_of_arrows_leaves_no_module_out() -> None:
    layers = {one for row in _contract("Arrows run down")["layers"] for one in row.split(" | ")}
    assert layers == _top() - {"app.practice", "app.paper"}


def test_the_exchange_may_know_the_clock_alone() -> None:
    contract = _contract("The exchange knows nothing of the areas")
    assert set(contract["forbidden_modules"]) == _top() - {"app.practice", "app.clock"}


def test_only_the_composers_may_know_the_exchange() -> None:
    contract = _contract("Only the composers know the exchange")
    assert set(contract["source_modules"]) == _top() - {"app.practice", "app.cli", "app.demo"}


def test_every_command_but_the_demo_is_kept_from_the_demo() -> None:
    modules = (
        path for path in (ROOT / "app/cli").iterdir() if path.suffix == ".py" or path.is_dir()
    )
    files = {path.stem for path in modules} - {"__init__", "__main__", "__pycache__"}
    composers = {"app.main", "app.server", "app.tables", "app.worker"}
    contract = _contract("What production runs imports nothing of the demo")
    assert set(contract["source_modules"]) == {f"app.cli.{f}" for f in files - {"demo"}} | composers


def test_the_sdk_is_forbidden_to_the_whole_program_but_for_named_files() -> None:
    contract = _contract("The SDK stays in four files")
    assert contract["source_modules"] == ["app"]
    allowed = {one.split(" -> ")[0] for one in contract["ignore_imports"]}
    product = {one for one in allowed if not one.startswith("app.demo.")}
    assert {one.removeprefix("app.").replace(".", "/") + ".py" for one in product} == set(
        re.findall(
            r"`(telephony/[\w/]+\.py)`",
            next(line for line in MAP.splitlines() if line.startswith("| The SDK")),
        )
    )
