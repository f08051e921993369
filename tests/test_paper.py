"""What is printed can be read, in whatever script it was typed."""

import re
from io import BytesIO
from pathlib import Path

import pytest
import typst
from pypdf import PdfReader

from app.paper import legible, print_page

# Two bytes of zero at the beginning of a glyph in a string of the page's content.
NO_GLYPH = re.compile(rb"\((?:\\\d{3}\\\d{3})*?\\000\\000")
NAMES = {
    "Serbian": "Јована Ђурђевић",
    "Romanian": "Ștefan Țepeș",
    "Albanian": "Përparim Çela",
    "Greek": "Αθηνά",
    "Arabic": "محمد رضایی",
    "Pashto": "پښتو ځ",
    "Urdu": "ڑھے",
    "Hindi": "अमित",
    "Tamil": "தமிழ்",
    "Telugu": "తెలుగు",
    "Thai": "สมชาย",
    "Khmer": "សុខា",
    "Georgian": "ნინო",
    "Hebrew": "דוד",
    "Chinese": "王明",
    "Amharic": "አበበ",
    "Bengali": "রহিম",
    "a phone": "🙂",
}


def test_letters_of_a_script_that_no_font_has_are_written_in_latin() -> None:
    assert legible("王明, 9") == "[WangMing], 9"
    assert legible("አበበ") == "['abebe]"
    assert legible("ok 🙂 „Јована“ – 5 €") == "ok [:slight_smile:] „Јована“ – 5 €"
    for script in ("Serbian", "Arabic", "Hindi", "Georgian", "Hebrew"):
        assert legible(NAMES[script]) == NAMES[script]


@pytest.mark.parametrize("script", NAMES)
async def test_no_letter_is_printed_as_an_empty_box(
    script: str, tmp_path: Path, anyio_backend: str
) -> None:
    template = tmp_path / "page.typ"
    template.write_text(
        '#set text(font: ("Libertinus Serif", "Noto Sans"))\n'
        "#let data = json(bytes(sys.inputs.data))\n#data.name"
    )
    made = tmp_path / "page.pdf"
    made.write_bytes(await print_page(template, {"name": NAMES[script]}))
    for page in PdfReader(made).pages:
        content = page.get_contents()
        assert content is not None
        # The glyph of a letter that a font does not have is its first one.
        assert not NO_GLYPH.search(content.get_data()), script


async def test_without_the_fonts_there_would_be_boxes() -> None:
    """What the test above looks for is what Typst writes when it has no letter."""
    page = PdfReader(BytesIO(typst.compile('#set text(font: "Libertinus Serif")\n王'.encode())))
    content = page.pages[0].get_contents()
    assert content is not None
    assert NO_GLYPH.search(content.get_data())
