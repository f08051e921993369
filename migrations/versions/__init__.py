"""The migrations; `prompts_of` lets tests read the shipped words."""

import importlib


def prompts_of(language: str) -> dict[str, str]:
    """The shipped prompts of a language."""
    module = importlib.import_module("migrations.versions.0004_prompts")
    texts: dict[str, str] = {"en": module.ENGLISH, "sr": module.SERBIAN}[language]
    return texts
