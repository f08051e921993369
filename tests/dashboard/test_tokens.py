"""The look of the pages is made of a few values: the styles name no other size, space or colour."""

import re
from collections.abc import Iterator
from pathlib import Path

SOURCE = Path("app/dashboard/static/source")
TOKENS = SOURCE / "styles" / "tokens.css"
# What may stand where a space is written, beside a token: none, a border's width, a share.
_PLAIN = re.compile(r"-?(0|1px|auto|[\d.]+(%|v[hw]|fr))")
_DECLARED = re.compile(r"(?<![\w-])(--[\w-]+|[a-z-]+)\s*:\s*([^;{}]+)")
_SPACE = re.compile(r"(margin|padding|scroll-margin|scroll-padding)(-[a-z]+)*|(row-|column-)?gap")
_COLOUR = re.compile(
    r"#[0-9a-f]{3,8}\b|\b(rgba?|hsla?|oklch|color-mix)\(|\b(red|white|black|gr[ae]y)\b"
)


def _declared(text: str) -> Iterator[tuple[str, str]]:
    """Return each property with its value; what is in brackets of a selector is none."""
    bodies = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    for body in re.findall(r"\{([^{}]*)\}", bodies):
        for name, value in _DECLARED.findall(body):
            yield name, value.replace("!important", "").strip()


def _departs(name: str, value: str) -> bool:
    """Return whether a declaration names a size, a space or a colour that is no token."""
    if _COLOUR.search(value):
        return True
    if name == "font-size":
        known = re.fullmatch(r"var\(--(type|wall-type)-\d\)|inherit", value)
        return known is None and value != "var(--pico-font-size)"
    if _SPACE.fullmatch(name):
        # In a sum, each part.
        parts = re.sub(r"var\(--[\w-]+\)|calc|\b(min|max)\b|env\([^)]*\)", "", value)
        found = [one for one in re.split(r"[\s(),*]+| [+-] ", parts) if one not in ("", "+", "-")]
        return any(not _PLAIN.fullmatch(one) and one not in ("1", "-1", "inherit") for one in found)
    return False


def test_no_style_names_a_size_a_space_or_a_colour_that_is_no_token() -> None:
    found = [
        f"{file.relative_to(SOURCE)}: {name}: {value}"
        for file in sorted(SOURCE.rglob("*.css"))
        if file != TOKENS
        for name, value in _declared(file.read_text())
        if _departs(name, value)
    ]
    assert not found, "\n".join(found)


def test_a_departure_is_seen() -> None:
    for name, value in (
        ("font-size", "0.9rem"),
        ("color", "#b00020"),
        ("box-shadow", "0 1px 3px rgb(0 0 0 / 9%)"),
        ("padding", "6px var(--space-2)"),
        ("padding-top", "calc(var(--space-4) + 56px)"),
        ("gap", "0.3rem"),
        ("background", "white"),
    ):
        assert _departs(name, value), (name, value)
    for name, value in (
        ("font-size", "var(--type-1)"),
        ("color", "currentcolor"),
        ("padding", "0 var(--space-2)"),
        ("margin", "-1px auto 0 calc(-1 * var(--space-2))"),
        ("padding-block", "var(--bar) calc(var(--foot) + var(--dock))"),
        ("padding", "2vh 2vw"),
    ):
        assert not _departs(name, value), (name, value)


def _tokens(block: str) -> dict[str, str]:
    return dict(re.findall(r"(--[\w-]+):\s*([^;]+);", block))


def _themes() -> dict[str, dict[str, str]]:
    blocks = re.findall(r"\n\s*(:root[^{]*)\{([^{}]*)\}", TOKENS.read_text())
    light = {
        k: v for name, body in blocks if name.strip() == ":root" for k, v in _tokens(body).items()
    }
    asked, chosen = (
        _tokens(next(body for name, body in blocks if name.strip() == wanted))
        for wanted in (':root:not([data-theme="light"])', ':root[data-theme="dark"]')
    )
    assert asked == chosen, "dark is the same, however it was chosen"
    return {"light": light, "dark": light | asked}


def test_the_scales_are_those_of_the_design() -> None:
    light = _themes()["light"]
    spaces = [int(light[f"--space-{n}"].removesuffix("px")) for n in range(1, 7)]
    assert spaces == [4, 8, 12, 16, 24, 32]
    types = [float(light[f"--type-{n}"].removesuffix("rem")) * 16 for n in range(1, 6)]
    assert types == [12, 14, 16, 20, 28]
    compact = re.search(r'data-density="compact"\] \{([^}]*)\}', TOKENS.read_text())
    assert compact
    smaller = {
        float(v.removesuffix("rem")) * 16 for k, v in _tokens(compact[1]).items() if "type" in k
    }
    assert smaller <= set(types), "compact has no size of its own"


def _light_of(colour: str) -> float:
    digits = colour.removeprefix("#")
    digits = "".join(one * 2 for one in digits) if len(digits) == 3 else digits
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = (p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _contrast(one: str, other: str) -> float:
    lighter, darker = sorted((_light_of(one), _light_of(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def test_every_text_is_read_on_every_ground_in_both_themes() -> None:
    grounds = ["--ground", "--ground-2", "--card"]
    pairs = [(text, ground) for text in ("--ink", "--quiet", "--info") for ground in grounds]
    for one in ("now", "soon", "well", "info"):
        pairs += [(f"--{one}", ground) for ground in (*grounds, f"--{one}-ground")]
        pairs.append(("--ink", f"--{one}-ground"))
    solids = ("now-solid", "info-solid", "info-solid-2", "quiet-solid", "quiet-solid-2")
    pairs += [("--on-solid", f"--{one}") for one in solids]
    pairs.append(("--now-on-solid", "--on-solid"))
    for theme, known in _themes().items():
        for text, ground in pairs:
            assert _contrast(known[text], known[ground]) >= 4.5, (theme, text, ground)
        for ground in grounds:
            assert _contrast(known["--edge"], known[ground]) >= 3, (theme, "a field's edge", ground)
