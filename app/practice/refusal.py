"""How the REST interface refuses."""

from starlette.responses import JSONResponse

from app.practice.wire import error_body


class RestError(Exception):
    """A refusal in the provider's form: a status, a code of its own and a sentence."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.response = JSONResponse(error_body(status, code, message), status_code=status)
