"""The exchange's idea of TwiML against the SDK's own signatures, and its strictness."""

import inspect

import pytest
from twilio.twiml import voice_response as sdk
from twilio.twiml.messaging_response import MessagingResponse

from app.practice.profiles import PROFILES, SOMLENG, TWILIO, Profile
from app.practice.twiml import IN_QUEUE, BadDocument, parse

PARENTS = {
    "Conference": sdk.Dial,
    "Number": sdk.Dial,
    "Sip": sdk.Dial,
    "Message": MessagingResponse,
}
NAMES = [(p, n) for p in PROFILES.values() for n in p.attributes if n != "Response"]


def camel(name: str) -> str:
    head, *rest = name.rstrip("_").split("_")
    return head + "".join(word.title() for word in rest)


@pytest.mark.parametrize(("profile", "name"), NAMES, ids=lambda v: getattr(v, "name", v))
def test_attribute_names_are_the_sdks(profile: Profile, name: str) -> None:
    parent = PARENTS.get(name, sdk.VoiceResponse)
    method = getattr(parent, name.lower())
    known = {camel(p) for p in inspect.signature(method).parameters}
    assert profile.attributes[name] <= known, profile.attributes[name] - known


@pytest.mark.parametrize("profile", PROFILES.values(), ids=lambda p: p.name)
def test_elements_nest_as_in_the_sdk(profile: Profile) -> None:
    classes = {"Response": sdk.VoiceResponse, "Gather": sdk.Gather, "Dial": sdk.Dial}
    for parent, children in profile.children.items():
        for child in children:
            known = MessagingResponse if child == "Message" else classes[parent]
            assert hasattr(known, child.lower()), f"{child} in {parent}"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("", 11770),
        ("<Response>", 12100),
        ("<Answer/>", 12102),
        ("<Response><Shout>x</Shout></Response>", 12200),
        ("<Response><Say bogus='1'>x</Say></Response>", 12200),
        ("<Response><Gather><Record/></Gather></Response>", 13320),
        ("<Response>stray</Response>", 12200),
        ("<Response><Message>x</Message></Response>", 12200),
        ("<Response><Redirect>/relative</Redirect></Response>", 11100),
        (
            "<Response><Dial><Conference statusCallbackEvent=\"['join', 'leave']\">c</Conference>"
            "</Dial></Response>",
            12200,
        ),
        ("<Response><Pause length='long'/></Response>", 12200),
        ("<Response>" + "<Pause/>" * 9000 + "</Response>", 11750),
        ("<!DOCTYPE x><Response/>", 12100),
    ],
)
def test_what_the_provider_would_refuse_is_refused(body: str, code: int) -> None:
    with pytest.raises(BadDocument) as refused:
        parse(body.encode(), "text/xml")
    assert refused.value.code == code


def test_what_a_document_may_be_depends_on_its_type_and_place() -> None:
    with pytest.raises(BadDocument):
        parse(b"<Response/>", "application/json")
    with pytest.raises(BadDocument):
        parse(b"<Response><Record/></Response>", "text/xml", IN_QUEUE)


@pytest.mark.parametrize(
    "body",
    [
        "<Pause length='1'/>",
        "<Enqueue>room</Enqueue>",
        "<Leave/>",
        "<Dial><Conference>c</Conference></Dial>",
        "<Dial><Number url='https://a.example/'>+38164999001</Number></Dial>",
        "<Dial answerOnBridge='true'><Number>+38164999001</Number></Dial>",
        "<Gather><Pause length='1'/></Gather>",
        "<Record recordingStatusCallbackEvent='completed'/>",
    ],
)
def test_what_somleng_does_not_know_is_refused(body: str) -> None:
    document = f"<Response>{body}</Response>".encode()
    parse(document, "text/xml", None, TWILIO)
    with pytest.raises(BadDocument):
        parse(document, "text/xml", None, SOMLENG)


def test_what_somleng_knows_is_read() -> None:
    body = (
        "<Response><Gather timeout='4' action='https://a.example/' actionOnEmptyResult='true'/>"
        "<Dial timeout='15'><Sip>sip:ana@desk.example</Sip></Dial><Hangup/></Response>"
    )
    assert [v.name for v in parse(body.encode(), "text/xml", None, SOMLENG)] == [
        "Gather",
        "Dial",
        "Hangup",
    ]
