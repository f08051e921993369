"""What production refuses because it is weak: secrets that can be guessed, what is sent in clear.

Whether something stays on this machine is told by its address, never by a setting that could be
left on.
"""

import os
from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict

from app.errors import BadSettings
from app.made_at_random import SHORTEST, is_made_at_random

# In `HELPLINE_SCAN_COMMAND`: documents are stored without a scan, and that was decided; in
# `HELPLINE_LEAKED_PASSWORDS`: new passwords are compared with the program's own lists alone; in
# `HELPLINE_ANCHOR_FILE`: the ends of the logs go nowhere; behind the address in
# `HELPLINE_MONITORING_HOST`: metrics, health and their token cross the network in clear.
WITHOUT = "without"
# Modes of libpq in which the server proves who it is.
_PROVEN = ("verify-full", "verify-ca")
# The estimate reads no more of a password than this: what is beyond only makes it better.
_READ = 64
# Words of this program that stand in no list of common ones.
_OUR_WORDS = ("helpline", "childline", "twilio", "somleng", "postgres", "token")
# A key of 32 random bytes has more different ones than this.
_FEWEST_BYTES = 16
# Characters of the secret key.
_SHORTEST_KEY = 32
# What signs the provider's webhooks: 128 bits, which are as many hexadecimal digits.
_SHORTEST_SIGNING = 32
# Bits of the widest public network of proxies, by its version; delivery networks have more.
_WIDEST = {4: 8, 6: 16}
# IPv4 addresses as a socket of IPv6 shows them.
_MAPPED = IPv6Network("::ffff:0:0/96")
# A password of a database on another machine that fewer guesses than this would find is refused.
_FEWEST_GUESSES = 10**10


class Checked(Protocol):
    """The settings that can be weak."""

    secret_key: str | None
    twilio_auth_token: str | None
    twilio_previous_auth_token: str | None
    twilio_api_key_secret: str | None
    monitoring_token: str | None
    monitoring_port: int | None
    monitoring_host: str
    database_url: str | None
    backup_database_url: str | None
    smtp_url: str | None
    scan_command: str | None
    leaked_passwords: str | None
    anchor_file: Path | None
    anchor_mail: str
    anchor_time_stamp_url: str | None
    translation_url: str | None
    signal_service_url: str | None

    @property
    def owner_url(self) -> str | None:
        """The address for the role that owns the tables, if one is set."""

    @property
    def proxies(self) -> list[str]:
        """Addresses and networks of the operator's own proxies, or the word `unix`."""

    @property
    def field_key_list(self) -> list[tuple[int, bytes]]:
        """The keys that seal, each with its number."""


def is_this_machine(host: str) -> bool:
    """Return whether a host is this machine itself: what is sent there never leaves it."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def check_strength(settings: Checked) -> None:
    """Refuse settings that are weak.

    Raises BadSettings.
    """
    _check_secrets(settings)
    _check_database("HELPLINE_DATABASE_URL", settings.database_url)
    _check_database("HELPLINE_MIGRATION_DATABASE_URL", settings.owner_url)
    _check_database("HELPLINE_BACKUP_DATABASE_URL", settings.backup_database_url)
    _check_services(settings)
    _check_monitoring(settings)
    _check_proxies(settings)
    mail = urlsplit(settings.smtp_url or "")
    if mail.scheme == "smtp" and not is_this_machine(mail.hostname or ""):
        raise BadSettings(
            "In production HELPLINE_SMTP_URL must start with smtp+starttls:// or smtps://, unless "
            "the mail server is on this machine. With smtp:// a letter about a child could go in "
            "clear."
        )
    if settings.scan_command is None:
        raise BadSettings(
            "In production HELPLINE_SCAN_COMMAND must be set, for example clamdscan --no-summary "
            f"-. To store documents unscanned, set it to {WITHOUT}."
        )
    if settings.leaked_passwords is None:
        raise BadSettings(
            "In production HELPLINE_LEAKED_PASSWORDS must be set: a sorted file of SHA-1 hashes of "
            "leaked passwords, or the https address of a service for ranges of them. To compare "
            f"new passwords with the program's own lists alone, set it to {WITHOUT}."
        )
    if not (settings.anchor_file or settings.anchor_mail or settings.anchor_time_stamp_url):
        raise BadSettings(
            "In production HELPLINE_ANCHOR_FILE, HELPLINE_ANCHOR_MAIL or "
            "HELPLINE_ANCHOR_TIME_STAMP_URL must be set: by what has gone there it shows if who "
            "owns the database has written the logs anew. To do without, set "
            f"HELPLINE_ANCHOR_FILE to {WITHOUT}."
        )


def _check_monitoring(settings: Checked) -> None:
    """Refuse to answer a port of monitoring to other machines in clear, unless that was decided."""
    if settings.monitoring_port is None:
        return
    address, _, word = settings.monitoring_host.partition(",")
    if word != WITHOUT and not is_this_machine(address):
        raise BadSettings(
            "In production HELPLINE_MONITORING_HOST must be an address of this machine, such as "
            "127.0.0.1: the port of monitoring has no encryption, and others on the network could "
            "read the token. To answer other machines without it, in a network of its own, set "
            f"it to {address},{WITHOUT}."
        )


def _check_proxies(settings: Checked) -> None:
    """Refuse to believe most of the internet: each client could say any address of itself."""
    for proxy in settings.proxies:
        network = None if proxy == "unix" else _network_of(proxy)
        if network and not network.is_private and network.prefixlen < _WIDEST[network.version]:
            raise BadSettings(
                f"HELPLINE_TRUSTED_PROXIES holds {proxy}, which is too wide: from there each "
                "client could choose the address by which its guesses are counted. Name the "
                "addresses of your proxies, or their network."
            )


def _network_of(proxy: str) -> IPv4Network | IPv6Network:
    """Return a network of proxies; of IPv4 addresses in IPv6, those addresses."""
    network = ip_network(proxy, strict=False)
    if not isinstance(network, IPv6Network) or not network.overlaps(_MAPPED):
        return network
    first = network.network_address.ipv4_mapped or "0.0.0.0"  # noqa: S104
    return IPv4Network(f"{first}/{max(network.prefixlen - _MAPPED.prefixlen, 0)}")


def _check_services(settings: Checked) -> None:
    """Refuse to send what children write over a network in clear."""
    for name, url in (
        ("HELPLINE_SIGNAL_SERVICE_URL", settings.signal_service_url),
        ("HELPLINE_TRANSLATION_URL", settings.translation_url),
    ):
        at = urlsplit(url or "")
        if at.scheme == "http" and not is_this_machine(at.hostname or ""):
            raise BadSettings(
                f"In production {name} must start with https://, unless the service is on this "
                "machine (127.0.0.1). What children write goes to it, and others on the network "
                "could read it."
            )


def _check_secrets(settings: Checked) -> None:
    for name, value, shortest in (
        ("HELPLINE_SECRET_KEY", settings.secret_key, SHORTEST),
        ("HELPLINE_TWILIO_AUTH_TOKEN", settings.twilio_auth_token, _SHORTEST_SIGNING),
        (
            "HELPLINE_TWILIO_PREVIOUS_AUTH_TOKEN",
            settings.twilio_previous_auth_token,
            _SHORTEST_SIGNING,
        ),
        ("HELPLINE_TWILIO_API_KEY_SECRET", settings.twilio_api_key_secret, SHORTEST),
        ("HELPLINE_MONITORING_TOKEN", settings.monitoring_token, SHORTEST),
    ):
        if value is not None:
            check_random(name, value, shortest)
    check_field_keys(settings.field_key_list)


def check_random(name: str, value: str, shortest: int = SHORTEST) -> None:
    """Refuse a secret that a person may have made up. `name`: of its setting.

    Raises BadSettings.
    """
    if len(value) < shortest or not is_made_at_random(value):
        raise BadSettings(
            f"{name} can be guessed: it is too short, or looks like words, rows of the "
            "keyboard or a repetition; a passphrase does not do, however long. Use one that "
            "was made at random, for example with: "
            'python3 -c "import secrets; print(secrets.token_urlsafe(48))"'
        )


def check_length(secret_key: str) -> None:
    """Refuse a secret key that is short, also outside production.

    Raises BadSettings.
    """
    if len(secret_key) < _SHORTEST_KEY:
        raise BadSettings(
            f"HELPLINE_SECRET_KEY is shorter than {_SHORTEST_KEY} characters. Make one with: "
            'python3 -c "import secrets; print(secrets.token_urlsafe(48))"'
        )


def check_field_keys(keys: list[tuple[int, bytes]]) -> None:
    """Refuse keys that can be guessed.

    Raises BadSettings.
    """
    for number, key in keys:
        # Of random bytes, about a third are printable characters, and hardly two are the same.
        if len(set(key)) < _FEWEST_BYTES or all(32 <= byte < 127 for byte in key):
            raise BadSettings(
                f"Key {number} in HELPLINE_FIELD_KEYS can be guessed: it is text, or repeats a few "
                'bytes. Make one with: python3 -c "import base64, secrets; '
                "print('NUMBER:' + base64.b64encode(secrets.token_bytes(32)).decode())\""
            )


def read_address(name: str, url: str) -> dict[str, Any]:
    """Return the parts of the address of a database. Raises BadSettings."""
    try:
        return dict(conninfo_to_dict(url))
    except (ProgrammingError, ValueError):
        raise BadSettings(
            f"{name} cannot be read. It looks like "
            "postgresql://helpline:PASSWORD@db.example.org/helpline?sslmode=verify-full."
        ) from None


def _check_database(name: str, url: str | None) -> None:
    """Refuse a database on another machine without encryption and proof of who it is."""
    if url is None:
        return
    parts = read_address(name, url)
    if parts.get("service") or os.environ.get("PGSERVICE"):
        raise BadSettings(
            f"In production {name} must say itself where the database is: leave out service= and "
            "unset PGSERVICE. What a file of services says is not checked."
        )
    # As libpq does: an address decides before a name, the environment says what the URL leaves
    # out, and without any of them it takes a socket of this machine.
    address = parts.get("hostaddr") or os.environ.get("PGHOSTADDR")
    hosts = str(address or parts.get("host") or os.environ.get("PGHOST") or "/").split(",")
    inside = all(host.startswith(("/", "@")) or is_this_machine(host) for host in hosts)
    mode = parts.get("sslmode") or os.environ.get("PGSSLMODE")
    if not inside and mode not in _PROVEN:
        raise BadSettings(
            f"In production {name} must say ?sslmode=verify-full (or verify-ca), "
            "because the database is on another machine. Without it, others on the network could "
            "read what is sent there, or answer in its place."
        )
    if not inside:
        _check_proof(name, parts)


def _check_proof(name: str, parts: Mapping[str, Any]) -> None:
    """Refuse an address by which the program proves nothing to a database on another machine."""
    password = parts.get("password") or os.environ.get("PGPASSWORD")
    if password is None and not _has_other_proof(parts):
        raise BadSettings(
            f"In production {name} must have a password or name a certificate of the program's "
            "own (sslcert and sslkey), because the database is on another machine. A file of "
            "passwords (passfile) does as well."
        )
    if password is not None and _guesses(str(password), parts) < _FEWEST_GUESSES:
        raise BadSettings(
            f"The password in {name} can be guessed. Give the role one that was made at random, "
            'for example with: python3 -c "import secrets; print(secrets.token_urlsafe(24))"'
        )


def _has_other_proof(parts: Mapping[str, Any]) -> bool:
    """Return whether libpq proves itself by a certificate, a file of passwords, or Kerberos."""
    environment = os.environ
    if any(parts.get(name) for name in ("sslcert", "passfile")):
        return True
    if any(environment.get(name) for name in ("PGSSLCERT", "PGPASSFILE")):
        return True
    demanded = parts.get("require_auth") or environment.get("PGREQUIREAUTH") or ""
    home = Path(environment.get("HOME", "/nonexistent"))
    usual = (home / ".pgpass", home / ".postgresql" / "postgresql.crt")
    return "gss" in demanded or any(path.is_file() for path in usual)


def _guesses(password: str, parts: Mapping[str, Any]) -> float:
    """Return how many guesses would find a password of the database."""
    from zxcvbn import zxcvbn

    own = [str(parts.get(part) or "") for part in ("user", "host", "dbname")]
    found = zxcvbn(password[:_READ], user_inputs=[*own, *_OUR_WORDS])
    return float(found["guesses"])
