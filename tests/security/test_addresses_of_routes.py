"""What the addresses of routes hold: ids, numbers and codes. Addresses stand in logs of proxies and
in browsers, so that nothing of a child and no secret of a person goes into one."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from app.demo.stage import Stage
from tests.support.routes import routes

# Texts in the path of a route, and what they are.
_IN_PATHS = {
    "code": "of an agency, or of the key that a caller pressed",
    "entry": "the random name of an entry of a form",
    "key": "of what callers hear",
    "kind": "of SCIM",
    "language": "a code",
    "line": "a number of the helpline, as children write to it",
    "name": "of a report, or of a token of a program",
    "period": "a month",
    "person_id": "an id, as SCIM says it",
    "record": "a kind of record",
    "schema": "of SCIM",
    "state": "of a counsellor's presence",
    "token": "of an agency's link, a calendar or a wallboard: out of the logs (SECURITY.md)",
    "what": "a kind of record",
    "which": "a kind of words",
}
# Texts behind the question mark of an address that is read.
_TIMES = "at before day done from_at period since until until_at was week"
_CODES = (
    "action against agency along and_ by error iss kind language later left line measures numbers "
    "outcome parts report role staff_id state team topics urgency actor subject after"
)
_OTHERS = {
    "cursor": "the id and time of a row",
    "next": "an own page",
    "code": "of the provider of identities, which is used once",
    # Names of staff.
    "filter": "of SCIM",
    "q": "words of a search for people of the helpline",
    "words": "the same",
}


def _parts(dependant: Any) -> Iterator[Any]:
    yield dependant
    for one in dependant.dependencies:
        yield from _parts(one)


def _texts(fields: list[Any]) -> set[str]:
    return {one.name for one in fields if "str" in str(one.field_info.annotation)}


async def test_addresses_take_ids_and_codes_and_no_words_about_a_child(stage: Stage) -> None:
    found = defaultdict[str, set[str]](set)
    for route in routes(stage):
        for part in _parts(route.dependant):
            found["path"] |= _texts(part.path_params)
            if "GET" in (route.methods or ()):
                found["query"] |= _texts(part.query_params)
    assert found["path"] == set(_IN_PATHS)
    assert found["query"] == {*_TIMES.split(), *_CODES.split(), *_OTHERS}
