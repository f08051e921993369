"""What stages share: statements, certificates, connections, templates, descriptions, catalogues.

A stage makes an application and a database engine of its own. What they work out from the code
alone is the same each time, and costs more than most stories.
"""

import asyncio
import os
import pickle
import ssl
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache, partial
from hashlib import sha256
from io import BufferedReader, BytesIO
from pathlib import Path
from threading import get_ident
from typing import Any

import httpcore2
import pytest
import yaml
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po
from fastapi import applications
from fastapi.openapi.utils import get_openapi
from jinja2 import Environment, FileSystemBytecodeCache, FileSystemLoader, Template
from procrastinate import App, JobContext
from psycopg import _queries
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from sqlalchemy import Connection, Engine, event
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from starlette.routing import BaseRoute

from app import worker
from app.database import engine as engines
from app.demo import stage
from app.demo.stepped_clock import SteppedClock
from app.jobs.app import PLACES, POLL_SECONDS
from app.settings import Settings
from app.staff import hashing
from app.words import catalogues
from app.worker import SHARES, Worker
from tests.support.kept.changes import changes, changes_counted
from tests.support.kept.connections import kept_connections

_STEPPED_POLL_SECONDS = 2.0
# Each share of the queues has a connection, statements to begin and to end with, and a heartbeat.
STEPPED_SHARES = ((tuple(PLACES), sum(PLACES.values())),)


@contextmanager
def shared_between_stages(of_this_run: Path) -> Iterator[None]:
    """Share them until the context is left; what is compiled is kept in a folder of this run."""
    with pytest.MonkeyPatch.context() as patch, kept_connections(), changes_counted():
        patch.setattr(stage.Stage, "changes", staticmethod(changes))
        _share_statements(patch)
        _remember_queries(patch)
        _look_for_no_settings(patch)
        _share_certificates(patch)
        _share_templates(patch, of_this_run)
        _share_description(patch, of_this_run)
        _share_catalogues(patch, of_this_run)
        _parse_definitions_once(patch)
        _poll_seldom(patch)
        _hash_quickly(patch)
        yield


def _share_statements(patch: pytest.MonkeyPatch) -> None:
    """Let engines have one dialect, which is part of the key of a compiled statement."""
    made = create_async_engine
    connected: list[Engine] = []

    def make(*args: Any, **options: Any) -> AsyncEngine:
        new = made(*args, **options)
        engine = new.sync_engine
        if not connected:
            # A dialect knows its server only once its engine has connected.
            event.listen(engine, "engine_connect", lambda _: connected.append(engine))
        else:
            shared = connected[0]
            # Its own dialect is not used, and so need not ask the server what it is.
            engine.dialect.initialize = _ask_nothing  # type: ignore[method-assign]
            engine.dialect = engine.pool._dialect = shared.dialect
            engine._compiled_cache = shared._compiled_cache
        return new

    patch.setattr(engines, "create_async_engine", make)


def _remember_queries(patch: pytest.MonkeyPatch) -> None:
    """Let psycopg remember how it sends each query, and not those of the last moment alone."""
    for name in ("_query2pg", "_query2pg_client"):
        made = getattr(_queries, f"{name}_nocache")
        patch.setattr(_queries, name, lru_cache(maxsize=4096)(made))


def _look_for_no_settings(patch: pytest.MonkeyPatch) -> None:
    """Look into the environment only if it has a setting: to look for each takes a millisecond."""
    prefix = Settings.model_config["env_prefix"].lower()

    def sources(_: type, init_settings: Any, env_settings: Any, **__: Any) -> tuple[Any, ...]:
        is_set = any(name.lower().startswith(prefix) for name in os.environ)
        return (init_settings, env_settings) if is_set else (init_settings,)

    patch.setattr(Settings, "settings_customise_sources", sources)


def _ask_nothing(connection: Connection) -> None:
    pass


def _poll_seldom(patch: pytest.MonkeyPatch) -> None:
    """Let the worker of a stage with a stepped clock poll seldom, and all queues share places.

    Such a stage notifies the worker of each job that is due, so polling finds nothing: it only
    takes time from the story, and the more of it the slower the machine is.
    """
    made = Worker.run_jobs

    async def run(self: Worker, job_app: App) -> None:
        stepped = isinstance(self.ground.clock, SteppedClock)
        patch.setattr(worker, "POLL_SECONDS", _STEPPED_POLL_SECONDS if stepped else POLL_SECONDS)
        patch.setattr(worker, "SHARES", STEPPED_SHARES if stepped else SHARES)
        if stepped:
            run_worker = partial(job_app.run_worker_async, worker_middleware=[_in_its_place()])
            job_app.run_worker_async = run_worker  # type: ignore[method-assign]
        await made(self, job_app)

    patch.setattr(Worker, "run_jobs", run)


def _in_its_place() -> Callable[..., Awaitable[Any]]:
    """Let no more jobs of a queue run at once than in production, though all share one worker.

    A page of thirty figures asks thirty times that days be kept. Together, these jobs had more
    connections than half the server has places.
    """
    places = {str(name): asyncio.Semaphore(number) for name, number in PLACES.items()}

    async def wait(go_on: Callable[[], Awaitable[Any]], context: JobContext, _: Any) -> Any:
        async with places[context.job.queue]:
            return await go_on()

    return wait


def _share_certificates(patch: pytest.MonkeyPatch) -> None:
    """Read the certificates once: every client reads them, and none here speaks TLS."""
    context = ssl.create_default_context()
    patch.setattr(httpcore2, "default_ssl_context", lambda **_: context)


def _share_templates(patch: pytest.MonkeyPatch, folder: Path) -> None:
    """Let the processes of a run compile each template of a page once among them."""
    cache, made = FileSystemBytecodeCache(str(folder)), FileSystemLoader.load

    def load(
        self: FileSystemLoader, environment: Environment, name: str, *more: Any, **named: Any
    ) -> Template:
        environment.bytecode_cache = cache
        return made(self, environment, name, *more, **named)

    patch.setattr(FileSystemLoader, "load", load)


# Small applications of single tests have fewer, and are described each time.
_ROUTES = 500


def _share_description(patch: pytest.MonkeyPatch, folder: Path) -> None:
    """Let one process of a run describe the interface, which takes a second, and the others read.

    An application with other routes is described by itself.
    """

    def describe(*, routes: Sequence[BaseRoute], **named: Any) -> dict[str, Any]:
        if len(routes) < _ROUTES:
            return get_openapi(routes=routes, **named)
        asked = [(getattr(one, "path", ""), getattr(one, "methods", None)) for one in routes]
        said = {name: value for name, value in named.items() if isinstance(value, str)}
        told = repr([said, *((path, sorted(methods or ())) for path, methods in asked)])
        file = folder / f"description-{sha256(told.encode()).hexdigest()}"
        return dict(_made_once(file, lambda: get_openapi(routes=routes, **named)))

    patch.setattr(applications, "get_openapi", describe)


# A catalogue of a few messages is read sooner than it is looked for.
_LONG = 100_000


def _share_catalogues(patch: pytest.MonkeyPatch, folder: Path) -> None:
    """Let the processes of a run read each long catalogue once among them.

    Each gets a copy of its own: to make it takes a third of the time of reading.
    """

    def read(file: Any, **how: Any) -> Catalog:
        # One of a file on the disk, and not what a person sends.
        if not isinstance(file, BufferedReader) or len(text := file.read()) < _LONG:
            file.seek(0)
            return read_po(file, **how)
        name = sha256(repr(how).encode() + text).hexdigest()
        there = folder / f"catalogue-{name}"
        found: Catalog = _made_once(there, lambda: read_po(BytesIO(text), **how))
        return found

    patch.setattr(catalogues, "read_po", read)


def _made_once(file: Path, make: Callable[[], Any]) -> Any:
    """Return what is kept in a file; if nothing is, make it and keep it for the other processes."""
    if file.exists():
        return pickle.loads(file.read_bytes())
    found = make()
    # Neither another process nor another thread reads half of it.
    part = file.with_name(f"{file.name}-of-{os.getpid()}-{get_ident()}")
    part.write_bytes(pickle.dumps(found))
    part.replace(file)
    return found


def _parse_definitions_once(patch: pytest.MonkeyPatch) -> None:
    """Remember the nodes of each definition: with a set of a country all shipped ones are read."""
    patch.setattr(yaml, "compose", lru_cache(maxsize=256)(yaml.compose))


def _hash_quickly(patch: pytest.MonkeyPatch) -> None:
    """Hash passwords with the least work: all in a story sign in, and none is guessed."""
    least = Argon2Hasher(time_cost=1, memory_cost=8, parallelism=1)
    patch.setattr(hashing, "HASHER", PasswordHash((least,)))
