"""A file whose details cannot be removed. Pure."""


class CannotRemove(Exception):
    """The details cannot be removed from this file."""
