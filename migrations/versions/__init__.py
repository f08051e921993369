"""The migrations; `prompts_of` lets tests read the shipped words."""

import importlib


def prompts_of(language: str) -> dict[str, str]:
    """The shipped prompts of a language."""
    module = importlib.import_module("migrations.versions.0004_prompts")
    texts: dict[str, str] = dict({"en": module.ENGLISH, "sr": module.SERBIAN}[language])
    for name in (
        "0010_known_callers",
        "0011_others_in_a_talk",
        "0013_call_backs",
        "0014_the_second_bridge",
    ):
        texts |= importlib.import_module(f"migrations.versions.{name}").PROMPTS[language]
    return texts
