"""The `docker` commands of the documents run as they stand, by night where an engine answers.

What a reader has is put in: folders of the machine are folders of the test, and ports are free
ones. A machine that has a container, volume or image of one of these names keeps it, and the tests
are skipped. The images of others are not fetched: to load a translator takes longer than all of
this. Our own image stands for them under their names, with the arguments that they would be given.
"""

import json
import shlex
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import httpx2
import psycopg
import pytest

from app.database.own_server import as_role
from app.database.roles import OWNER, PROGRAM
from app.demo.served import free_port
from tests.support.documents import containers, reached
from tests.support.documents.shell import PAGES, other_blocks, run
from tests.support.package.installation import MONITORS, environment_of
from tests.support.package.wheels import copy_sources
from tests.support.profile import WHOLE
from tests.support.program.certificates import Authority

_by_night = pytest.mark.skipif(not WHOLE, reason="with TESTS=whole: an image takes a minute")

_BLOCKS = [
    [text for text, words in block if words[0] == "docker"]
    for page in PAGES
    for block in other_blocks(page)
]
_OTHERS = ("bbernhard/signal-cli-rest-api", "libretranslate/libretranslate")
_CONTAINERS = {"helpline", "helpline-keeper", "signal", "translate"}
_PASSWORD = "correct horse battery"
# The users of the image and of the keeper.
_PROGRAM, _KEEPER = 10001, 10002
# Lets the keeper keep its memory out of swap.
_LOCKS = "--ulimit memlock=-1"
# Stands for a program of others: it stays, and takes every argument.
_STAYS = "import http.server as s; s.test(s.SimpleHTTPRequestHandler, port={port})"


def _block(has: str) -> list[str]:
    (found,) = (block for block in _BLOCKS if any(has in text for text in block))
    return found


def _serving() -> list[str]:
    return _block("docker build")


def _keeping() -> list[str]:
    return _block("docker volume create")


def test_each_command_with_docker_is_run_by_a_test_of_this_file() -> None:
    known = [_serving(), _keeping(), *(_block(one) for one in _OTHERS)]
    assert [block for block in _BLOCKS if block and block not in known] == []
    assert all(len(_block(one)) == 1 for one in _OTHERS)
    assert any(_LOCKS in text for text in _keeping())


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The image, built as the documents say from what is in the repository."""
    if not containers.said_by("version", "--format", "{{.Server.Version}}"):
        pytest.skip("no container engine answers on this machine")
    has = containers.taken(_CONTAINERS, {"helpline-keeper"}, {"helpline", *_OTHERS})
    if has:
        pytest.skip(f"this machine has {sorted(has)} already, and keeps it")
    source = tmp_path_factory.mktemp("image") / "source"
    copy_sources(source)
    (build,) = (text for text in _serving() if text.startswith("docker build"))
    run(build, source)
    yield "helpline"
    containers.done_by("image", "rm", "helpline")


@pytest.fixture
def clean(image: str) -> Iterator[None]:
    """No container of a test is left, also of one that fails."""
    yield
    containers.said_by("rm", "--force", "--volumes", *_CONTAINERS)
    containers.said_by("volume", "rm", "--force", "helpline-keeper")


class Reader:
    """A machine as the documents have it when their commands are typed, in a folder."""

    def __init__(self, folder: Path, database: str) -> None:
        self.folder, self.port = folder, free_port()
        self.settings = environment_of(database, folder, "https://helpline.example.org")
        del self.settings["HELPLINE_DATA_DIR"]
        self.secrets, self.keys = folder / "etc/helpline/secrets", folder / "etc/helpline-keeper"
        for one, mode in ((self.secrets, 0o755), (self.keys, 0o700)):
            one.mkdir(mode, parents=True)

    def is_at(self, host: str, port: int, database: str) -> None:
        """Set the database as it is reached by another machine."""
        name = psycopg.conninfo.conninfo_to_dict(database)["dbname"]
        proves = "sslmode=verify-full&sslrootcert=/run/secrets/authority.pem"
        for which, role in (("DATABASE_URL", PROGRAM), ("MIGRATION_DATABASE_URL", OWNER)):
            url = f"postgresql://{role}:{MONITORS}@{host}:{port}/{name}?{proves}"
            self.settings[f"HELPLINE_{which}"] = url

    def keep(self, folder: Path, user: int, **also: str) -> None:
        """Put the keys into files of a user, and out of the other settings."""
        for name in ("field_keys", "secret_key"):
            also[name] = self.settings.pop(f"HELPLINE_{name.upper()}")
        for name, content in also.items():
            (folder / name).write_text(content)
            (folder / name).chmod(0o400)
        containers.own(folder, user, "helpline")

    def types(self, text: str) -> str:
        """Run a command with what this machine has in place of what the documents name."""
        self.write()
        return run(self.put(text), self.folder)

    def put(self, text: str) -> str:
        text = text.replace("127.0.0.1:8000:", f"127.0.0.1:{self.port}:")
        return text.replace(" /etc/", f" {self.folder}/etc/")

    def write(self) -> None:
        lines = "".join(f"{name}={value}\n" for name, value in self.settings.items())
        (self.folder / "helpline.env").write_text(lines)

    def asks(self, path: str) -> int:
        """Return the status of an answer of the server's port; 0 if none comes."""
        shown = {"Authorization": f"Bearer {MONITORS}"}
        try:
            address = f"http://127.0.0.1:{self.port}{path}"
            return httpx2.get(address, headers=shown, timeout=30).status_code
        except httpx2.HTTPError:
            return 0

    def waits(self) -> None:
        """Wait until the server is ready, and healthy for the engine."""
        containers.until(lambda: self.asks("/readyz") == 200, "helpline", 120)
        containers.until(_is_well, "helpline", 120)


def _is_well() -> bool:
    return containers.state_of("helpline", "{{.State.Health.Status}}") == "healthy"


@pytest.fixture
def reader(image: str, clean: None, tmp_path: Path, database: str) -> Iterator[Reader]:
    """The machine of a reader whose PostgreSQL is on another machine than the containers."""
    gateways = containers.done_by(
        *("network", "inspect", "bridge", "--format", "{{range .IPAM.Config}}{{.Gateway}} {{end}}")
    )
    (host,) = (one for one in gateways.split() if "." in one)
    made, authority = Reader(tmp_path, database), Authority(tmp_path)
    with reached.reached_at(host, database, authority.server_of(host)) as port:
        made.is_at(host, port, database)
        yield made
        containers.said_by("rm", "--force", *_CONTAINERS)
    for folder in (made.secrets, made.keys):
        # So that the user who runs the tests may remove its folder.
        containers.own(folder, tmp_path.stat().st_uid, image)


def _authority(reader: Reader) -> str:
    return (reader.folder / "authority.pem").read_text()


@pytest.mark.whole
@_by_night
@pytest.mark.timeout(1800)
def test_the_image_serves_is_asked_for_an_account_and_stops_as_it_stands(
    reader: Reader, database: str
) -> None:
    reader.settings["HELPLINE_SECRET_KEY_FILE"] = "/run/secrets/secret_key"
    reader.settings["HELPLINE_FIELD_KEYS_FILE"] = "/run/secrets/field_keys"
    reader.keep(reader.secrets, _PROGRAM, **{"authority.pem": _authority(reader)})
    _, start, account, *stop = _serving()
    reader.types(start)
    reader.waits()
    assert reader.asks("/healthz") == 200
    assert containers.done_by("exec", "helpline", "id", "-u") == str(_PROGRAM)
    assert not containers.said_by("exec", "helpline", "mktemp", "-p", "/opt/helpline")

    questions = dict.fromkeys(("Password: ", "Repeat for confirmation: "), _PASSWORD)
    shown = containers.typed(reader.put(account), reader.folder, questions)
    assert _PASSWORD not in shown
    with psycopg.connect(as_role(database, OWNER)) as connection:
        people = connection.execute("SELECT name, role FROM staff").fetchall()
    assert people == [("ana", "counsellor")], shown

    assert stop
    reader.types(stop[0])
    assert containers.state_of("helpline", "{{.State.Status}} {{.State.ExitCode}}") == "exited 0"
    for text in stop[1:]:
        reader.types(text)


@pytest.mark.whole
@_by_night
@pytest.mark.timeout(1800)
def test_the_keeper_in_a_container_serves_the_server_in_another_as_it_stands(
    reader: Reader,
) -> None:
    reader.keep(reader.keys, _KEEPER)
    (reader.secrets / "authority.pem").write_text(_authority(reader))
    # What the documents have for a server stands for their dots.
    before, _, options = _serving()[1].rpartition(" ")[0].partition(" --name helpline ")
    assert before == "docker run -d"
    locks = bool(containers.said_by("run", "--rm", *_LOCKS.split(), "helpline", "id"))
    for text in _keeping():
        # An engine that is confined itself cannot lift this limit, and would refuse the command.
        reader.types(text.replace("…", options).replace(_LOCKS, _LOCKS if locks else ""))
    reader.waits()
    assert ("is not locked" in containers.log_of("helpline-keeper")) is not locks
    assert containers.state_of("helpline-keeper", "{{.State.Status}}") == "running"
    assert not containers.said_by("exec", "helpline", "printenv", "HELPLINE_SECRET_KEY")

    # It is the keeper that has the keys: without it the server is not ready, and with it again.
    containers.done_by("stop", "helpline-keeper")
    containers.until(lambda: reader.asks("/readyz") == 503, "helpline", 60)
    containers.done_by("start", "helpline-keeper")
    containers.until(lambda: reader.asks("/readyz") == 200, "helpline", 60)


def _stand_for(other: str, inner: int, folder: Path) -> None:
    stays = json.dumps(["python3", "-c", _STAYS.format(port=inner)])
    lines = f"FROM helpline\nUSER 0\nENTRYPOINT {stays}\nHEALTHCHECK NONE\n"
    (folder / "Dockerfile").write_text(lines)
    containers.done_by("build", "--quiet", "--tag", other, str(folder))


@pytest.mark.whole
@_by_night
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("other", _OTHERS)
def test_a_program_of_others_is_given_its_arguments_folder_and_port(
    clean: None, other: str, tmp_path: Path
) -> None:
    (text,) = _block(other)
    words = shlex.split(text)
    name, published = words[words.index("--name") + 1], words[words.index("-p") + 1]
    host, outer, inner = published.split(":")
    assert (host, outer) == ("127.0.0.1", inner)
    _stand_for(other, int(inner), tmp_path)
    port = free_port()
    try:
        text = text.replace(f"{host}:{outer}:", f"{host}:{port}:").replace(
            " /srv/", f" {tmp_path}/"
        )
        run(text, tmp_path)
        containers.until(partial(_answers, port), name, 30)
        assert containers.state_of(name, "{{.HostConfig.RestartPolicy.Name}}") == "always"
        given = containers.state_of(name, "{{json .Config.Cmd}}")
        assert (json.loads(given) or []) == words[words.index(other) + 1 :]
        assert containers.state_of(name, "{{len .Mounts}}") == str(words.count("-v"))
    finally:
        containers.said_by("rm", "--force", name)
        containers.done_by("image", "rm", other)


def _answers(port: int) -> bool:
    try:
        return httpx2.get(f"http://127.0.0.1:{port}/", timeout=5).status_code == 200
    except httpx2.HTTPError:
        return False
