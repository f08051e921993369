"""Refusals of the REST interface."""

from starlette.responses import JSONResponse

from app.practice.wire import error_body


class RestError(Exception):
    """A refusal in the provider's form: a status, the provider's code and a sentence."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.response = JSONResponse(error_body(status, code, message), status_code=status)
