"""Pages, letters and paper are made of files of the program, and of nothing that a person wrote."""

import ast

from app.referrals.directory.agencies import agency_of_code
from app.referrals.directory.telling import of_new_address
from app.work import Work
from tests.support.program import sources
from tests.support.verbs import an_agency

WRITTEN = "{{ 7 * 7 }} {agency.name} {0.__class__} %(name)s {% raw %}"


def test_templates_are_read_from_files_alone() -> None:
    makers: dict[str, set[str]] = {}
    for path, tree in sources.naming("jinja2", "Jinja2Templates", "typst", "templates.env"):
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                name = ast.unparse(node.func).rpartition(".")[2]
                makers.setdefault(name, set()).add(path.as_posix())
    # A template of a text would be made by one of these.
    assert not {"from_string", "Template", "compile_expression", "NativeEnvironment"} & set(makers)
    assert makers["Environment"] == {"child/page.py"}
    assert makers["FileSystemLoader"] == {"child/page.py"}
    assert makers["Jinja2Templates"] == {"dashboard/templating.py"}
    assert not {"DictLoader", "FunctionLoader"} & set(makers)


async def test_a_template_that_a_person_writes_is_text_in_a_letter(work: Work) -> None:
    await an_agency(work, "house")
    agency = await agency_of_code(work, "house")
    agency.name = WRITTEN
    assert WRITTEN in (await of_new_address(work, agency)).body
