"""What a test of a connection found, as a sentence: what happened, and what to do."""

from app.errors import Message
from app.people.connection_rows import ConnectionTest, Found, Means


def words_of(test: ConnectionTest, agency: str) -> Message:
    """Return what a test found. `agency` is the name of the agency that it asked, if any."""
    found = Found(test.result) if test.result is not None else None
    match Means(test.means):
        case Means.MAIL:
            return _of_mail(found, test)
        case Means.SMS:
            return _of_text(found, test)
        case Means.TELEPHONY:
            return _of_call(found, test)
    return _of_system(found, test, agency)


def _of_mail(found: Found | None, test: ConnectionTest) -> Message:
    if found is None:
        return Message("The letter is on its way.")
    if found is Found.ACCEPTED:
        return Message("The mail server took the letter. Look whether it arrives.")
    return Message(
        "The mail server did not take the letter: %(why)s. The operator of the server can "
        "check the address and the password of the mail server.",
        why=list(test.details),
    )


def _of_text(found: Found | None, test: ConnectionTest) -> Message:
    match found:
        case None:
            return Message("The text is on its way.")
        case Found.ACCEPTED:
            return Message("The provider took the text. It has not said yet that it arrived.")
        case Found.DELIVERED:
            return Message("The text arrived.")
        case Found.UNDELIVERED:
            return Message(
                "The provider took the text, and the phone did not get it (code %(code)s). Look "
                "whether the number is that of a mobile phone that is switched on.",
                code=test.status or "–",
            )
        case Found.NOT_DIALLED:
            return Message(
                "The number is not dialled any more: the rules have changed. Look at them "
                "(Administration, Dialling)."
            )
        case Found.NOT_IN_TIME:
            return Message(
                "The provider could not be reached within two minutes, so no text was sent. Check "
                "the account in the settings of the server."
            )
        case Found.NO_ANSWER:
            return Message(
                "The provider did not answer and has no trace of the text. Test again in some "
                "minutes."
            )
    return Message(
        "The provider refused the text (code %(code)s). Look up the code at the provider: most "
        "often the number takes no texts, or the line's own number may send none.",
        code=test.status or "–",
    )


def _of_call(found: Found | None, test: ConnectionTest) -> Message:
    match found:
        case None:
            return Message("The phone is being rung.")
        case Found.DELIVERED:
            return Message("The phone was answered, and the words were said.")
        case Found.TOO_BUSY:
            return Message("The phone is busy. Test again when no call is on it.")
        case Found.UNDELIVERED:
            return Message("The phone rang and was not answered.")
        case Found.NO_CONNECTION:
            return Message(
                "The phone was answered, and the provider did not fetch our words. Look whether "
                "the public address in the settings of the server is reached from outside."
            )
        case Found.NOT_THERE:
            return Message(
                "The provider could not reach the phone (code %(code)s). Check the number, and "
                "that the phone is switched on.",
                code=test.status or "–",
            )
        case Found.NOT_DIALLED:
            return Message(
                "The number is not dialled any more: the rules have changed. Look at them "
                "(Administration, Dialling)."
            )
        case Found.NOT_IN_TIME:
            return Message(
                "The provider was not reached or reported nothing within two minutes. Check the "
                "account and the public address in the settings of the server."
            )
        case Found.NO_ANSWER:
            return Message(
                "The provider did not answer and has no trace of the call. Test again in some "
                "minutes."
            )
    return Message(
        "The provider refused the call (code %(code)s). Look up the code at the provider: most "
        "often the account may not ring this country, or the line's own number may not be shown.",
        code=test.status or "–",
    )


def _of_system(found: Found | None, test: ConnectionTest, agency: str) -> Message:
    hooks = test.means == Means.WEBHOOKS
    match found:
        case None:
            return Message("%(agency)s: the test has no result. Test again.", agency=agency)
        case Found.ACCEPTED if hooks:
            return Message("The system of %(agency)s took the test event.", agency=agency)
        case Found.ACCEPTED:
            return Message(
                "The case system of %(agency)s lets us in, and its forms have every field that "
                "is sent. No case was made.",
                agency=agency,
            )
        case Found.MISFITS:
            return Message(
                "The case system of %(agency)s lets us in, and its forms lack fields that are "
                "sent: %(fields)s. Correct the mapping, or ask the agency to add them.",
                agency=agency,
                fields=list(test.details),
            )
        case Found.NO_CONNECTION:
            return Message(
                "There is no connection to the system of %(agency)s. Check the address in the "
                "directory: its name, its certificate, and that it is on the public internet.",
                agency=agency,
            )
        case Found.NO_ANSWER:
            return Message(
                "The system of %(agency)s did not answer in time. Ask the agency whether it is "
                "running.",
                agency=agency,
            )
    return _of_status(found, test.status or "–", agency, hooks=hooks)


def _of_status(found: Found, status: int | str, agency: str, *, hooks: bool) -> Message:
    """Return what an answer of an agency's system means that is not the right one."""
    match found:
        case Found.REDIRECTED:
            return Message(
                "The system of %(agency)s sends us to another address (status %(status)s), where "
                "we do not go. Enter the right address in the directory.",
                agency=agency,
                status=status,
            )
        case Found.NOT_LET_IN if hooks:
            return Message(
                "The system of %(agency)s did not accept the signature (status %(status)s). Make "
                "a new secret and give it to the agency.",
                agency=agency,
                status=status,
            )
        case Found.NOT_LET_IN:
            return Message(
                "The case system of %(agency)s did not let us in (status %(status)s). Check the "
                "account and its password with the agency.",
                agency=agency,
                status=status,
            )
        case Found.NOT_THERE:
            return Message(
                "The system of %(agency)s has nothing at this address (status %(status)s). Check "
                "the address in the directory.",
                agency=agency,
                status=status,
            )
        case Found.TOO_BUSY:
            return Message(
                "The system of %(agency)s has too many requests (status %(status)s). Test again "
                "in some minutes.",
                agency=agency,
                status=status,
            )
        case Found.THEIR_FAULT:
            return Message(
                "The system of %(agency)s has a fault (status %(status)s). The agency finds the "
                "cause in its own log.",
                agency=agency,
                status=status,
            )
        case Found.NOT_ITS_API:
            return Message(
                "What answered for %(agency)s is not its case system, but perhaps a page to sign "
                "in. Check the address in the directory.",
                agency=agency,
            )
    return Message(
        "The system of %(agency)s refused the request (status %(status)s). Ask the agency what it "
        "expects.",
        agency=agency,
        status=status,
    )
