"""What reads from the left on a page that reads from the right, and is not set apart from it.

A plus sign, the slash at the end of an address or the hyphens of a day belong to no direction: the
letters around them decide, and `+38111` beside Arabic is shown as `38111+`.
"""

import re

import lxml.html

# Numbers of telephones, addresses of mail and of pages, days and spans as programs write them.
_RUN = re.compile(
    r"(?<![\w+])\+\d[\d…]*|[\w.+-]+@[\w-]+(?:\.\w+)+|\b\w+://\S+|\bsip:\S+"
    r"|\b\d{4}-\d\d(?:-\d\d)?\b|\b\d\d:\d\d-\d\d:\d\d|(?<!\w)[A-Z]-[0-9A-Z]{3,}"
)
_ISOLATED = re.compile("\u2066[^\u2069]*\u2069")
_OTHER_DIRECTION = re.compile("[\u0590-\u08ff]")
# Nothing of these is read as text of the page; the styles give codes a direction of their own.
_APART = {"script", "style", "template", "textarea", "code", "kbd", "pre"}


def bare_runs(html: str) -> list[str]:
    """Return the runs of a page that are in no element, and between no signs, of their own."""
    page = lxml.html.fromstring(html)
    found = []
    for element in page.iter():
        if not isinstance(element.tag, str) or element.tag == "head":
            continue
        for text, around in ((element.text, element), (element.tail, element.getparent())):
            runs = _RUN.findall(_ISOLATED.sub(" ", text or ""))
            if runs and around is not None and not _is_apart(around):
                found += [f"{one} in: {_shortly(around)}" for one in runs]
    return found


def _is_apart(element: lxml.html.HtmlElement) -> bool:
    """Return whether what stands in an element is read from the left."""
    for one in (element, *element.iterancestors()):
        if one.tag in _APART or one.tag == "head":
            return True
        direction = one.get("dir", "auto" if one.tag == "bdi" else None)
        if direction is not None:
            return direction == "ltr" or (
                direction == "auto" and not _OTHER_DIRECTION.search(one.text_content())
            )
    return False


def _shortly(element: lxml.html.HtmlElement) -> str:
    return " ".join(lxml.html.tostring(element, encoding="unicode").split())[:160]
