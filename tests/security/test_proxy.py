"""The configuration of the proxy that the page for operators gives."""

import csv
import re
from pathlib import Path

from app.web.monitoring import PATHS

ROOT = Path(__file__).parent.parent.parent
_PAGE = (ROOT / "docs/operators.md").read_text()
_CONFIGURATION = _PAGE.split("```nginx\n")[1].split("```")[0]
_IN_CLEAR, _BY_TLS = (
    server for server in _CONFIGURATION.split("\nserver {\n") if "server_name helpline" in server
)


def _pattern(server: str) -> str:
    found = re.search(r"location ~ (\S+) \{", server)
    assert found
    return found[1]


def _paths() -> set[str]:
    with (ROOT / "docs/security/access.csv").open() as file:
        return {row["path"] for row in csv.DictReader(file)}


def test_in_clear_pages_are_led_on_and_programs_refused() -> None:
    refused = re.compile(_pattern(_IN_CLEAR))
    secret = re.compile(r"^/(r|calendar|wall)/")
    for path in _paths() | set(PATHS) | {"/openapi.json"}:
        for_programs = (
            path.startswith(("/telephony/", "/api/", "/login/provider"))
            or path in {*PATHS, "/openapi.json"}
            or secret.match(path)
        )
        assert bool(refused.search(path)) == bool(for_programs), path
    # The name is ours and not the one that the request gives.
    assert re.findall(r"return (\d+) ?(\S*);", _IN_CLEAR) == [
        ("403", ""),
        ("403", ""),
        ("301", "https://helpline.example.org$request_uri"),
    ]
    assert "$request_method !~ ^(GET|HEAD)$" in _IN_CLEAR
    assert "access_log off" in _IN_CLEAR
    assert "error_log /dev/null" in _IN_CLEAR


def test_secret_addresses_and_children_are_in_no_log_of_the_proxy() -> None:
    unlogged = re.compile(_pattern(_BY_TLS))
    part = _BY_TLS.split("location ~ ")[1]
    assert "access_log off" in part
    assert "error_log /dev/null" in part
    for path in _paths():
        wanted = path.startswith(("/r/", "/calendar/", "/wall/", "/chat/"))
        assert bool(unlogged.search(path)) == wanted, path


def test_every_cipher_of_the_proxy_has_forward_secrecy() -> None:
    (ciphers,) = re.findall(r"ssl_ciphers (\S+);", _CONFIGURATION)
    for cipher in ciphers.split(":"):
        assert re.fullmatch(r"ECDHE-(ECDSA|RSA)-(AES\d+-GCM-SHA\d+|CHACHA20-POLY1305)", cipher)
    assert ciphers.startswith("ECDHE-ECDSA-AES256-GCM")
    assert re.findall(r"ssl_protocols (.*);", _CONFIGURATION) == ["TLSv1.2 TLSv1.3"]
    assert "ssl_session_tickets off" in _CONFIGURATION
    assert "proxy_cache" not in _CONFIGURATION
