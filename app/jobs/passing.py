"""Errors that pass by themselves: a job that fails with one of them is tried again."""

import psycopg
from sqlalchemy.exc import DBAPIError

from app.errors import KeptByNewerVersion, UnknownDefinition

# The database is away or refuses for the moment; so is a file or another machine. Or this server is
# not updated yet, or has not read the definitions that another one put in force.
PASSING: tuple[type[Exception], ...] = (
    DBAPIError,
    psycopg.Error,
    OSError,
    KeptByNewerVersion,
    UnknownDefinition,
)
