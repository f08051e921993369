"""Measures."""


def run_bench() -> None:
    """To be filled."""
