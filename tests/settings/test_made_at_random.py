"""Which secrets count as made at random, and which as made up by a person."""

import base64
import random
import string
import uuid
from collections.abc import Callable

import pytest

from app.made_at_random import is_made_at_random

_LETTERS_AND_DIGITS = string.ascii_letters + string.digits


def _chosen(chance: random.Random, signs: str, count: int) -> str:
    return "".join(chance.choices(signs, k=count))


# With the share of good ones that is refused at most: about twice what 20,000 of each gave. The
# commands of the operators' guide, and what providers make, come first.
_MAKES: dict[str, tuple[Callable[[random.Random], str], float]] = {
    "secrets.token_urlsafe(48)": (
        lambda chance: base64.urlsafe_b64encode(chance.randbytes(48)).decode(),
        0.001,
    ),
    "openssl rand -hex 32": (lambda chance: chance.randbytes(32).hex(), 0.001),
    "openssl rand -base64 48": (
        lambda chance: base64.b64encode(chance.randbytes(48)).decode(),
        0.001,
    ),
    "a token of Twilio": (lambda chance: chance.randbytes(16).hex(), 0.001),
    "a token of Somleng": (lambda chance: _chosen(chance, _LETTERS_AND_DIGITS, 43), 0.005),
    "uuidgen": (lambda chance: str(uuid.UUID(bytes=chance.randbytes(16), version=4)), 0.005),
    "openssl rand -base64 24": (
        lambda chance: base64.b64encode(chance.randbytes(24)).decode(),
        0.01,
    ),
    "base32": (lambda chance: base64.b32encode(chance.randbytes(20)).decode(), 0.01),
    "with signs": (
        lambda chance: _chosen(chance, _LETTERS_AND_DIGITS + string.punctuation, 40),
        0.02,
    ),
    "short": (lambda chance: _chosen(chance, _LETTERS_AND_DIGITS, 20), 0.03),
}


@pytest.mark.parametrize("how", _MAKES)
def test_what_a_program_makes_at_random_is_taken(how: str) -> None:
    make, refused_at_most = _MAKES[how]
    # Of its own: which tests ran before in the same process makes no difference.
    chance = random.Random(how)
    refused = sum(not is_made_at_random(make(chance)) for _ in range(1000))
    assert refused <= refused_at_most * 1000


@pytest.mark.parametrize(
    "secret",
    [
        # Repeated.
        "deadbeef" * 8,
        "deadbeefcafebabefeedfacebadc0de5",
        "Xk9#" * 12,
        "0123456789abcdef" * 2,
        # Walks over the keyboard, and rows of the alphabet.
        "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p",
        "zaq12wsxcde34rfvbgt56yhnmju78ik9",
        "qwertyuiopasdfghjklzxcvbnm1234567890",
        "qwertzuiopasdfghjklyxcvbnm1234567890",
        "q1w2e3r4t5y6u7i8o9p0a1s2d3f4g5h6",
        "a1b2c3d4e5f6g7h8i9j0k1l2m3n4o5p6",
        "0f1e2d3c4b5a69788796a5b4c3d2e1f0",
        "ZYXWVUTSRQPONMLKJIHGFEDCBA9876543210",
        # Words, of whatever language, together or apart.
        "this-is-the-secret-key-of-the-helpline",
        "correct horse battery staple wagon river",
        "dies-ist-der-geheime-schluessel-der-helpline",
        "DiesIstDerGeheimeSchluesselDerHelpline2024",
        "VierundzwanzigKleineSchildkroetenSchwimmenImFluss",
        "ovo-je-tajni-kljuc-telefona-za-decu",
        "OvoJeTajniKljucTelefonaZaDecu2025!",
        "ово-је-тајни-кључ-телефона-за-децу",
        "ky-eshte-celesi-sekret-i-linjes-se-femijeve",
        "hii-ndiyo-siri-ya-simu-ya-watoto-wa-taifa",
        "gizliAnahtarYardimHattiCocuklar",
        "geheimespasswort1234567890geheim",
        # With digits for letters.
        "h3lpl1n3s3cr3tk3yf0rk1dsh3lpl1n3",
        "Th1sIsTh3S3cr3tK3yF0rTheH3lpline",
        # Dates, or numbers of telephones.
        "01.01.2024-02.02.2025-03.03.2026-04",
        "+381641234567+381601112233+38111785",
        # Too short for what they are made of.
        "wR7xT2qLm9ZsK4v",
        "9bb60b91eb0207c5",
        "#+!(%/&)=?-_.:,;<>|^~*@$",
        "",
    ],
)
def test_what_a_person_makes_up_is_refused(secret: str) -> None:
    assert not is_made_at_random(secret)
