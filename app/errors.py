"""Refusals: requests that are not carried out, each with its HTTP status.

A refusal's class name is the `error` of the JSON answer, its text the `detail`.
Neither holds personal data.
"""


class Refusal(Exception):
    """A request that is not carried out; nothing was changed."""

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
    default = "Not found, or you do not have access."


class Conflict(Refusal):
    status = 409
    default = "The state has changed in the meantime. Reload and try again."


class TooMany(Refusal):
    status = 429
    default = "Too many attempts. Wait a minute and try again."


class BadSettings(Exception):
    """The program cannot start with these settings; the text says what to change."""
