"""The seam of the telephony platform: one file asks for abilities, one folder knows the kinds."""

import ast

from tests.support.program import sources

PLATFORMS = "app.telephony.platforms"
# What is asked of the platform below telephony; the contract; and where both are put together.
ASKING = {
    "calls/platform.py",
    "abilities.py",
    "reading_settings.py",
    "settings.py",
    "telephony/provider/client.py",
}
# The way in, and what starts the program.
CHOOSING = {"choose", "base"}
# The webhooks and jobs that follow a dial are registered with all others.
REGISTERING = {"telephony/webhooks.py", "worker.py"}


# What of the platform is asked for by others.
ABILITIES = ("abilities", "can_do", "rings_first")
# Which platform it is.
WHICH = ("telephony_platform", "PLATFORMS")
# The page of numbers shows its name; the demo and the practice exchange make one of each kind.
NAMING = {"dashboard/settings/number_pages.py", "demo/stage.py"}


def files(*words: str, under: str = "") -> list[tuple[str, ast.Module]]:
    """Return the files with such words outside the folder of the platforms, parsed."""
    found = [(path.as_posix(), tree) for path, tree in sources.naming(*words, under=under)]
    return [one for one in found if not one[0].startswith("telephony/platforms/")]


def test_abilities_are_asked_for_in_one_file() -> None:
    asked = {
        name
        for name, tree in files(*ABILITIES)
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr in ABILITIES
        if not (isinstance(node.value, ast.Name) and node.value.id == "platform")
    }
    assert asked <= ASKING


def test_which_platform_it_is_decides_nothing_outside_the_folder() -> None:
    naming = {
        name
        for name, tree in files(*WHICH)
        for node in ast.walk(tree)
        if (isinstance(node, ast.Attribute) and node.attr in WHICH)
        or (isinstance(node, ast.Name) and node.id in WHICH)
    }
    assert naming <= ASKING | NAMING


def test_the_edge_of_telephony_asks_for_no_ability() -> None:
    """There the platform itself decides, by a verb of its contract."""
    asking = {"app.abilities", "app.calls.platform"}
    askers = [
        name
        for name, tree in files(
            "import abilities",
            "app.abilities",
            "calls.platform",
            "app.calls import",
            under="telephony/",
        )
        if name not in ASKING
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for one in node.names
        if {node.module, f"{node.module}.{one.name}"} & asking
        # What kind of telephone a person has is no ability of the platform.
        if one.name != "EndpointKind"
    ]
    assert askers == []


def test_no_file_outside_the_folder_imports_one_kind_of_platform() -> None:
    importers = {
        (name, one)
        for name, tree in files(PLATFORMS)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(PLATFORMS)
        for one in (
            [(node.module or "").rpartition(".")[2]]
            if node.module != PLATFORMS
            else [alias.name for alias in node.names]
        )
        if one not in CHOOSING
    }
    assert importers == {(name, "dial_bridge") for name in REGISTERING}
