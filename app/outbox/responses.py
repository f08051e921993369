"""How a request to another system can fail, by what may be done next. Pure."""


class RequestFailed(Exception):
    """A request failed. It carries a status and a code, never a number, an address or a text."""

    def __init__(self, what: str, *, status: int = 0, code: int = 0, after: float = 0) -> None:
        super().__init__(f"{what} (status {status}, code {code})" if status or code else what)
        self.what, self.status, self.code, self.after = what, status, code, after


class TryAgain(RequestFailed):
    """The request was certainly not carried out. `after` is the wait asked for, in seconds."""


class Uncertain(RequestFailed):
    """The request may or may not have been carried out."""


class Refused(RequestFailed):
    """The request was understood and will not be carried out."""
