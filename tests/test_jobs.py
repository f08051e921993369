"""Every job that is deferred exists, and none that waits for others holds up a duty phone."""

import ast
import inspect
from pathlib import Path

import app
from app.jobs.app import PLACES, QUEUES
from app.worker import job_app_of

AREAS = ("telephony", "contacts", "referrals", "routing", "statistics")
TASKS = {
    name: task
    for name, task in job_app_of("postgresql://127.0.0.1/none").tasks.items()
    if name.partition(":")[0] in AREAS
}


def _names() -> dict[str, str]:
    """The names of jobs that are written anywhere in the program, and where."""
    found = {}
    for path in Path(app.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                area, _, name = node.value.partition(":")
                if area in AREAS and name.isidentifier():
                    found[node.value] = str(path)
    return found


def test_every_deferred_job_exists() -> None:
    written = _names()
    assert len(written) > 60
    missing = {name: where for name, where in written.items() if name not in TASKS}
    assert missing == {}


def test_every_job_is_deferred_somewhere() -> None:
    assert set(TASKS) - set(_names()) == set()


def test_jobs_that_wait_for_other_servers_have_queues_of_their_own() -> None:
    assert set(QUEUES) <= set(TASKS)
    assert set(QUEUES.values()) < set(PLACES)
    mail = {name for name in TASKS if "mail" in name or "announce_report" in name}
    outside = {name for name in TASKS if name.endswith("_counterpart")}
    assert {name: QUEUES.get(name) for name in mail} == dict.fromkeys(mail, "mail")
    assert {name: QUEUES.get(name) for name in outside} == dict.fromkeys(outside, "outside")


def test_the_arguments_of_a_job_are_ids_and_numbers() -> None:
    """What is sealed in a row must not stand in clear in the queue."""
    words = {"name", "text", "words", "reason", "address", "body", "subject", "answers"}
    for name, task in TASKS.items():
        asked = set(inspect.signature(task.func).parameters)
        assert not asked & words, name
