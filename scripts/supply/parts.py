"""The parts that are shipped: Python packages that are installed, npm packages that are bundled."""

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from importlib import metadata
from pathlib import Path
from uuid import NAMESPACE_URL, UUID, uuid5

from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import DisjunctiveLicense, License, LicenseExpression
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from packageurl import PackageURL
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent.parent
_SCHEMA = SchemaVersion.V1_6
# Made by an installer and not by the lock.
_OF_THE_FOLDER = frozenset({"pip", "setuptools", "uv"})


class Group(StrEnum):
    """Where a part is shipped; each group holds what those before it do not."""

    PRODUCTION = "production"
    EMBEDDED = "embedded"
    DEMO = "demo"
    PAGES = "pages"


@dataclass(frozen=True, order=True)
class Part:
    """One package of another project, with its licence as its makers declare it."""

    group: Group
    # As the database of advisories calls it: PyPI or npm.
    ecosystem: str
    name: str
    version: str
    # Expressions and names of SPDX where there are any, else whatever text there is.
    licences: tuple[str, ...] = ()


Installed = Mapping[str, metadata.Distribution]


def installed_in(folder: Path) -> Installed:
    """Return the packages of a folder such as `site-packages`, by their normal names."""
    found = metadata.distributions(path=[str(folder)])
    return {str(canonicalize_name(one.metadata["Name"])): one for one in found}


def required(wanted: str, installed: Installed) -> set[str]:
    """Return the normal names of a package, of what it needs, and of what those need.

    `wanted` may name extras. What is for another system than this one is left out.
    """
    found: set[str] = set()
    done: set[str] = set()
    open_ = [Requirement(wanted)]
    while open_:
        one = open_.pop()
        name, extras = str(canonicalize_name(one.name)), one.extras or {""}
        key = f"{name}[{','.join(sorted(extras))}]"
        if key in done:
            continue
        done.add(key)
        if name not in installed:
            continue
        found.add(name)
        for line in installed[name].requires or []:
            need = Requirement(line)
            marker = need.marker
            if marker is None or any(marker.evaluate({"extra": one}) for one in (*extras, "")):
                open_.append(need)
    return found


def folder_of(python: Path) -> Path:
    """Return the folder in which an interpreter finds its packages."""
    words = [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    return Path(done.stdout.strip())


# -- Python ------------------------------------------------------------------------------


def described(python: Path) -> Bom:
    """Describe the packages of an environment, as cyclonedx-bom reads them."""
    words = [
        sys.executable,
        "-m",
        "cyclonedx_py",
        "environment",
        "--output-reproducible",
        "--no-validate",
    ]
    words += ["--sv", _SCHEMA.to_version(), "--of", "JSON", "-o", "-", str(python)]
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    bom: Bom = Bom.from_json(json.loads(done.stdout))  # type: ignore[attr-defined]
    return bom


def groups_of(installed: Installed) -> dict[str, Group]:
    """Return the group of each Python package that is shipped."""
    found: dict[str, Group] = {}
    for group, wanted in (
        (Group.PRODUCTION, "helpline"),
        (Group.EMBEDDED, "helpline[embedded]"),
        (Group.DEMO, "helpline[demo]"),
    ):
        for name in required(wanted, installed) - _OF_THE_FOLDER - {"helpline"}:
            found.setdefault(name, group)
    return found


# -- npm ---------------------------------------------------------------------------------


def bundled() -> list[Component]:
    """Return the npm packages that the pages are bundled from; tools of the build are none."""
    found = []
    for path, one in json.loads((ROOT / "package-lock.json").read_text())["packages"].items():
        if not path or one.get("dev"):
            continue
        group, _, name = path.rpartition("node_modules/")[2].rpartition("/")
        purl = PackageURL("npm", group or None, name, one["version"])
        found.append(
            Component(
                type=ComponentType.LIBRARY,
                group=group or None,
                name=name,
                version=one["version"],
                purl=purl,
                bom_ref=str(purl),
                licenses=[_licence(one["license"])] if one.get("license") else [],
            )
        )
    return found


def _licence(text: str) -> License:
    simple = not {" ", "("} & set(text)
    return DisjunctiveLicense(id=text) if simple else LicenseExpression(text)


# -- together ----------------------------------------------------------------------------


def sbom(python: Path) -> Bom:
    """Return the bill of materials of what is shipped from an environment."""
    bom = described(python)
    of_python = groups_of(installed_in(folder_of(python)))
    root = next((one for one in bom.components if canonicalize_name(one.name) == "helpline"), None)
    kept = [one for one in bom.components if canonicalize_name(one.name) in of_python]
    kept += bundled()
    refs = {one.bom_ref for one in kept}
    if root is not None:
        bom.metadata.component = root
        refs.add(root.bom_ref)
    # When it was written is no part of what is shipped.
    bom.metadata.timestamp = None  # type: ignore[assignment]
    bom.components = kept  # type: ignore[assignment]
    for one in bom.dependencies:
        one.dependencies = [to for to in one.dependencies if to.ref in refs]  # type: ignore[assignment]
    bom.dependencies = [one for one in bom.dependencies if one.ref in refs]  # type: ignore[assignment]
    return bom


def written(bom: Bom) -> str:
    """Return a bill of materials as JSON of CycloneDX; the same parts give the same text."""
    # Its number is random, unless it follows from what is in it.
    bom.serial_number = UUID(int=0)
    text = make_outputter(bom, OutputFormat.JSON, _SCHEMA).output_as_string(indent=1)
    bom.serial_number = uuid5(NAMESPACE_URL, text)
    return make_outputter(bom, OutputFormat.JSON, _SCHEMA).output_as_string(indent=1) + "\n"


def parts_of(bom: Bom, groups: Mapping[str, Group]) -> list[Part]:
    """Return the parts of a bill of materials, sorted."""
    found = []
    for one in bom.components:
        purl = one.purl
        if purl is None or purl.type not in ("pypi", "npm"):
            continue
        if purl.type == "npm":
            name = f"{purl.namespace}/{purl.name}" if purl.namespace else purl.name
            group, ecosystem = Group.PAGES, "npm"
        else:
            name = str(canonicalize_name(purl.name))
            group, ecosystem = groups.get(name, Group.PRODUCTION), "PyPI"
        licences = tuple(sorted({_text(licence) for licence in one.licenses}))
        found.append(Part(group, ecosystem, name, str(purl.version or one.version), licences))
    return sorted(found)


def _text(licence: License) -> str:
    if isinstance(licence, LicenseExpression):
        return licence.value
    return licence.id or licence.name or ""


def shipped(python: Path = Path(sys.executable)) -> list[Part]:
    """Return every part that is shipped from an environment."""
    return parts_of(sbom(python), groups_of(installed_in(folder_of(python))))
