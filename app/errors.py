"""Refusals: what the house says no to, and the HTTP status that goes with it.

A refusal's class name is the `error` of the JSON answer, its text the `detail`.
No personal data in either.
"""


class Refusal(Exception):
    """Something that was asked for and is not done; nothing was changed."""

    status = 400
    default = "The request was refused."

    def __init__(self, detail: str | None = None) -> None:
        self.detail = detail or self.default
        super().__init__(self.detail)


class Invalid(Refusal):
    status = 422
    default = "The input is not valid."


class NotSignedIn(Refusal):
    status = 401
    default = "Sign in first."


class NotAllowed(Refusal):
    status = 403
    default = "Your role does not allow this."


class NotFound(Refusal):
    status = 404
    default = "There is no such thing, or not for you."


class Conflict(Refusal):
    status = 409
    default = "Somebody else was faster, or the state has moved on."


class TooMany(Refusal):
    status = 429
    default = "Too many tries. Wait a minute and try again."


class BadSettings(Exception):
    """The program cannot start with these settings; the text says what to change."""
