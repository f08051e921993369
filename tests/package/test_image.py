"""The image has the program alone, run by a user who may little."""

import json

import pytest

from tests.support.package.wheels import ROOT

pytestmark = pytest.mark.whole


def test_the_image_has_no_tools_for_tests_and_another_user_than_root() -> None:
    lines = (ROOT / "Dockerfile").read_text().replace("\\\n", " ").splitlines()
    words = [line.split() for line in lines if line and not line.startswith("#")]
    # Docker takes the last of each; a number is what Kubernetes can check.
    last = {line[0]: line[1:] for line in words}
    user, group = last["USER"][0].split(":")
    assert int(user) > 0
    # Secrets that belong to root are read by the group of this number.
    (made,) = [line for line in words if "useradd" in line]
    for option in (f"groupadd --system --gid {group} helpline", f"--uid {user} --gid {group} "):
        assert option in " ".join(made)
    assert f"group must be {group} if root owns them" in (ROOT / "docs/operators.md").read_text()
    installs = [line for line in words if "scripts/install" in line]
    assert installs == [["RUN", "scripts/install", "/opt/helpline"]]
    command = json.loads(" ".join(last["HEALTHCHECK"]).split("CMD ")[1])
    assert command == ["helpline", "health"]
    assert [line[1] for line in words if line[0] == "COPY"] == [".", "--from=build"]
    # What the first stage may see at all: neither tests nor the history of the sources.
    allowed = (ROOT / ".dockerignore").read_text().split()
    assert allowed[0] == "*"
    assert not [name for name in allowed if name.startswith(("!tests", "!.git", "!docs", "!var"))]
