"""The page for integrators names each refusal on which a program acts by its status.

Refusals for what a person typed (404, 409, 422) have a sentence for that person: the page names
those that a program may want to tell apart, and says that there are others.
"""

import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import app
from app.errors import Refusal

pytestmark = pytest.mark.whole

PAGE = Path(__file__).parents[2] / "docs" / "integrators.md"
_ACTED_ON = {401, 403, 410, 413, 415, 429, 500, 502, 503}
# Their answers are pages, or are for the provider and for carriers of messages.
_NO_INTERFACE = (
    "app.child",
    "app.dashboard",
    "app.people.links",
    "app.people.provider.access",
    "app.referrals.channels",
    "app.referrals.replies",
    "app.telephony",
    "app.web.sign_in.provider_sign_in",
)


def _refusals(of: type[Refusal]) -> Iterator[type[Refusal]]:
    for one in of.__subclasses__():
        yield one
        yield from _refusals(one)


def test_the_page_names_each_refusal_on_which_a_program_acts() -> None:
    for module in pkgutil.walk_packages(app.__path__, "app."):
        if not module.name.startswith(("app.demo", "app.practice", "app.cli.__main__")):
            importlib.import_module(module.name)
    found = {
        one
        for one in _refusals(Refusal)
        if one.status in _ACTED_ON and not one.__module__.startswith(_NO_INTERFACE)
    }
    assert len(found) > 20
    page = PAGE.read_text()
    assert sorted(one.__name__ for one in found if f"`{one.__name__}`" not in page) == []
