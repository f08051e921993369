"""The page of a child without a browser: its headers, its words, and who may show it."""

import base64
import gzip
import hashlib
import json
import re
from typing import Any

import httpx2
import pytest

from app.calls.chat_rules import ICONS, ChatRules, check_chat, read_chat
from app.demo.stage import LINE, Stage
from app.errors import Invalid
from tests.support.program.quiet import QuietStage

# What all of the page may be on the wire.
MOST = 60_000


async def page(stage: Stage, line: str = "plavi", **headers: str) -> httpx2.Response:
    """Ask for the page as a browser does."""
    url = f"{stage.settings.public_url}/chat/{line}"
    accepts = {"accept-language": "en", **{k.replace("_", "-"): v for k, v in headers.items()}}
    return await stage.client.get(url, headers=accepts)


def policy_of(answer: httpx2.Response) -> dict[str, str]:
    parts = answer.headers["content-security-policy"].split("; ")
    return {name: rest for name, _, rest in (part.partition(" ") for part in parts)}


def facts_of(text: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="facts">(.*?)</script>', text, re.S)
    assert found is not None
    facts: dict[str, Any] = json.loads(found[1])
    return facts


def hash_of(text: str, tag: str) -> str:
    (inside,) = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.S)
    return f"'sha256-{base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()}'"


async def test_one_small_answer_without_a_trace_or_a_third_party(stage: Stage) -> None:
    await stage.let_write(slug="plavi", title="<Weather>", icon="sun", exit_site="https://a.rs/x")
    answer = await page(stage)
    assert answer.status_code == 200
    assert answer.headers["content-encoding"] == "gzip"
    assert len(gzip.compress(answer.content)) < MOST / 2
    assert "set-cookie" not in answer.headers
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "no-referrer"
    text, policy = answer.text, policy_of(answer)
    assert policy["default-src"] == "'none'"
    assert policy["connect-src"] == "'self'"
    # Only what is bundled runs: nothing else can be put into the page.
    assert policy["script-src"] == hash_of(text, "script")
    assert policy["style-src"] == hash_of(text, "style")
    assert "<title>&lt;Weather&gt;</title>" in text
    assert re.findall(r'(?:src|href)="(?!\?|tel:|data:)([^"]*)"', text) == [
        "https://a.rs/x",
        # The page of the country's hotline, before the child writes and at the end.
        *["https://pametnoibezbedno.gov.rs/"] * 2,
    ]
    facts = facts_of(text)
    assert (facts["exit"], facts["number"], facts["emergency"]) == ("https://a.rs/x", LINE, "192")
    assert facts["about"]["open"] is False
    # Without a script, the number stands there and nothing that would not work.
    assert f'<a href="tel:{LINE}"' in text
    assert re.search(r'<div id="begin" hidden>', text)


async def test_only_named_sites_show_the_page(stage: Stage) -> None:
    await stage.let_write(slug="plavi")
    answer = await page(stage)
    assert policy_of(answer)["frame-ancestors"] == "'none'"
    sites = ["https://school.rs", "https://www.school.rs:8443"]
    await stage.let_write(slug="plavi", sites=sites)
    answer = await page(stage)
    assert policy_of(answer)["frame-ancestors"] == " ".join(sites)
    assert "x-frame-options" not in answer.headers
    login = await stage.client.get(f"{stage.settings.public_url}/login")
    assert login.headers["x-frame-options"] == "DENY"


async def test_a_counsellor_of_another_language_is_none_for_this_child(stage: Stage) -> None:
    await stage.let_write(slug="plavi")
    await stage.add_counsellor("eve", languages="en", chats=2)
    for language, there in (("en", True), ("sr", False)):
        answer = await page(stage, f"plavi?language={language}")
        facts = facts_of(answer.text)
        assert (facts["language"], facts["about"]["open"]) == (language, there)
        url = f"{stage.settings.public_url}/chat/plavi/about"
        about = (await stage.client.get(url, params={"language": language})).json()
        assert about["open"] is there
    about = (await stage.client.get(url)).json()
    assert about["open"] is True, "without a language, any of them counts"


async def test_the_page_of_the_child_is_in_the_language_of_the_browser(stage: Stage) -> None:
    await stage.let_write(slug="plavi")
    for accepts, asked, code, words in (
        ("de, sr;q=0.8, en;q=0.5", "", "sr", "Počni da pišeš"),
        ("en-GB", "", "en", "Start writing"),
        ("xx", "", "sr", "Počni da pišeš"),
        ("en", "?language=sr-Cyrl", "sr-Cyrl", "Почни да пишеш"),
        ("en", "?language=hr", "en", "Start writing"),
    ):
        text = (await page(stage, f"plavi{asked}", accept_language=accepts)).text
        assert f'<html lang="{code}" dir="ltr">' in text
        assert words in text
        # The conversation is led in a language of the line, whatever the letters are.
        assert facts_of(text)["language"] == code.split("-")[0]


async def test_a_line_without_writing_gives_its_number(quiet: QuietStage) -> None:
    answer = await page(quiet, LINE.lstrip("+"))
    assert answer.status_code == 404
    assert "You cannot write to us here." in answer.text
    assert LINE in answer.text
    answer = await page(quiet, "nothing")
    assert answer.status_code == 404
    assert "This page does not exist." in answer.text


@pytest.mark.parametrize(
    "exit_site",
    ["http://a.rs", "javascript:alert(1)", "https://", "https://a.rs/ b", 'https://a.rs/"', ""],
)
def test_a_way_out_that_is_no_page_is_refused(exit_site: str) -> None:
    with pytest.raises(ValueError, match="page to leave to"):
        check_chat(ChatRules(exit_site=exit_site), ())


def test_how_the_page_looks_from_outside_is_kept() -> None:
    rules = ChatRules(title="Domaći", icon=ICONS[1], exit_site="https://a.rs/vreme?grad=Ni%C5%A1")
    assert read_chat(check_chat(rules, ())) == rules
    assert check_chat(ChatRules(), ()) == {}
    for wrong in ({"title": "a\nb"}, {"title": "a" * 41}, {"icon": "helpline"}):
        with pytest.raises(ValueError, match=r"title|pictures"):
            check_chat(ChatRules(**wrong), ())  # type: ignore[arg-type]


async def test_a_wrong_site_is_refused_in_words(stage: Stage) -> None:
    with pytest.raises(Invalid, match="page to leave to"):
        await stage.let_write(exit_site="https://[a")
