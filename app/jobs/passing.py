"""Errors that pass by themselves: a job that fails with one of them is tried again."""

import psycopg
from sqlalchemy.exc import DBAPIError

# The database is away or refuses for the moment; so is a file or another machine.
PASSING: tuple[type[Exception], ...] = (DBAPIError, psycopg.Error, OSError)
