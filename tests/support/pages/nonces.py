"""What the policy of a page lets in: the scripts and styles that carry its nonce, and no others."""

import re

import lxml.html

# At least 128 random bits, in letters of base64.
_NONCE = re.compile(r"'nonce-([\w+/-]{22,}=*)'")


def policy_of(policy: str) -> dict[str, list[str]]:
    """Return the sources that a policy names, by what they are for."""
    said = [one.split() for one in policy.split(";") if one.strip()]
    return {name: sources for name, *sources in said}


def nonce_in(policy: str) -> str:
    """Return the nonce of a page, which its policy names alone for scripts and for styles."""
    said = policy_of(policy)
    assert not {name for name in said if name.startswith(("script-src-", "style-src-"))}, policy
    assert len(said["script-src"]) == 1, policy
    found = _NONCE.fullmatch(said["script-src"][0])
    assert found is not None, policy
    assert said["style-src"] == said["script-src"]
    return found[1]


def tags_in(text: str) -> list[str | None]:
    """Return the nonces of all scripts and styles of a page; None for one without."""
    if not text.strip():
        return []
    tags = lxml.html.fromstring(text).xpath(
        "//script[not(@type='application/json')] | //style | //link[@rel='stylesheet']"
    )
    return [tag.get("nonce") for tag in tags]
