"""Every job that is deferred exists, and none that waits for others holds up a duty phone."""

import ast
import inspect
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path

import pytest
from procrastinate.jobs import Job

import app
from app.jobs.app import PLACES, QUEUES
from app.jobs.names import Queue, Task
from app.worker import job_app_of
from tests.support.profile import nightly
from tests.support.program import sources

pytestmark = pytest.mark.whole

FOLDER = Path(app.__file__).parent
TASKS = {
    name: task
    for name, task in job_app_of("postgresql://127.0.0.1/none").tasks.items()
    if (FOLDER / name.partition(":")[0]).is_dir()
}
AREAS = {name.partition(":")[0] for name in TASKS}

_QUOTED = re.compile(rf"'((?:{'|'.join(sorted(AREAS))}):[a-z_]+)'")


@lru_cache(maxsize=1)
def _names() -> dict[str, str]:
    """The names of jobs that are written anywhere but in their list, and where."""
    found = {}
    members = {f"Task.{task.name}": task.value for task in Task}
    for path in sources.having("Task.", *(f"{area}:" for area in AREAS)):
        if path.parts[0] == "jobs":
            continue
        for node in sources.nodes(path):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                area, _, name = node.value.partition(":")
                if area in AREAS and name.isidentifier():
                    found[node.value] = str(path)
                # In a statement that makes jobs itself.
                found |= dict.fromkeys(_QUOTED.findall(node.value), str(path))
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                written = f"{node.value.id}.{node.attr}"
                if written in members:
                    found[members[written]] = str(path)
    return found


def test_the_list_of_names_has_every_job_and_no_other() -> None:
    assert set(Task) == set(TASKS)


def test_a_worker_loads_the_module_of_every_job() -> None:
    """Other tests import the webhooks, and with them jobs that a worker may have forgotten."""
    loaded = sources.loaded_with("app.worker")
    of = {name: inspect.unwrap(task.func).__module__ for name, task in TASKS.items()}
    assert len(set(of.values())) > 10
    assert {name: module for name, module in of.items() if module not in loaded} == {}


@nightly
def test_a_worker_that_is_a_process_of_its_own_knows_every_job() -> None:
    """By day it is seen that it loads their modules."""
    # Other tests import the webhooks, and with them jobs that a worker may have forgotten.
    says = "import app.worker; print(*app.worker.job_app_of('postgresql://127.0.0.1/none').tasks)"
    known = subprocess.run([sys.executable, "-c", says], capture_output=True, check=True, text=True)
    assert set(Task) - set(known.stdout.split()) == set()


def test_every_deferred_job_exists() -> None:
    written = _names()
    assert len(written) > 60
    missing = {name: where for name, where in written.items() if name not in TASKS}
    assert missing == {}


def test_every_job_is_deferred_somewhere() -> None:
    assert set(TASKS) - set(_names()) == set()


def test_jobs_that_wait_for_other_servers_have_queues_of_their_own() -> None:
    assert set(QUEUES) <= set(TASKS)
    assert set(QUEUES.values()) < set(PLACES) == set(Queue)
    mail = {name for name in TASKS if "mail" in name or "announce_report" in name}
    outside = {name for name in TASKS if name.endswith("_agency_case")}
    assert {name: QUEUES.get(name) for name in mail} == dict.fromkeys(mail, "mail")
    assert {name: QUEUES.get(name) for name in outside} == dict.fromkeys(outside, "outside")


def test_a_back_up_delays_no_erasing() -> None:
    beside = {name for name, queue in QUEUES.items() if queue == QUEUES[Task.MAKE_BACKUP]}
    assert beside == {Task.MAKE_BACKUP}


def test_a_request_about_a_persons_data_never_waits_long_between_attempts() -> None:
    """A deadline of the law runs while the folder of the lists is away for a week-end."""
    retry = TASKS[Task.CARRY_OUT_REQUEST].retry_strategy
    assert retry is not None
    for attempts in (0, 1, 12, 60, 3000):
        job = Job(id=1, queue="", lock=None, queueing_lock=None, task_name="", attempts=attempts)
        decision = retry.get_retry_decision(exception=OSError(), job=job)
        assert decision is not None
        assert decision.retry_at is not None
        assert decision.retry_at - datetime.now(UTC) < timedelta(minutes=5)


def test_the_arguments_of_a_job_are_ids_and_numbers() -> None:
    """What is sealed in a row must not stand in clear in the queue."""
    words = {"name", "text", "words", "reason", "address", "body", "subject", "answers"}
    for name, task in TASKS.items():
        asked = set(inspect.signature(task.func).parameters)
        assert not asked & words, name


def test_jobs_are_written_by_a_unit_of_work_alone() -> None:
    """There the tests look at what each job is deferred with: `tests/support/leaks/deferred.py`."""
    ways = re.compile(r"\b(?:batch_)?defer(?:_jobs?)?(?:_async)?\(|INTO procrastinate_jobs\b")
    found = {
        str(path)
        for path, text in sources.texts().items()
        # No page and no child has a part in these.
        if not path.is_relative_to("demo/bench")
        and any(not one.startswith("defer(") for one in ways.findall(text))
    }
    assert found == {"jobs/transaction.py"}
