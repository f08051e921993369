"""The tables, functions and triggers of the first migration, a file for each area."""
