"""Reads settings from the environment, and checks them before anything starts.

A secret may be in a file (`app/secret_files.py`). In development, missing secrets are generated and
kept in `DATA_DIR`; in production, the program refuses to start.
"""

import base64
import os
import re
import secrets
import sys
import time
from collections.abc import Mapping
from difflib import get_close_matches
from ipaddress import ip_network
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import ValidationError

from app.data_folder import cannot_write, make_folder
from app.errors import BadSettings
from app.private_networks import may_be_inside
from app.secret_files import check_files, names_of_files, read_files
from app.settings import Settings, parse_field_keys, read_smtp_url
from app.strength import WITHOUT, check_length, check_strength, read_address

# How alike two names are when one is taken for a misspelling of the other; 1 is the same name.
_NEAR = 0.88
# How often a secret that is kept is looked for, and the seconds between.
_LOOKS, _BETWEEN_LOOKS = 10, 0.05
# Each of several parts may stand in a line of its own.
_LISTS = ("field_keys", "trusted_proxies", "push_services", "anchor_mail", "backup_recipients")
# What must be an address, and is taken apart somewhere.
_ADDRESSES = (
    "public_url",
    "twilio_api_base_url",
    "telephone_signalling",
    "practice_exchange",
    "telegram_api_base_url",
    "signal_service_url",
    "translation_url",
    "leaked_passwords",
    "anchor_time_stamp_url",
)
_OF_BENCHMARKS = frozenset({"HELPLINE_BENCH_CALLS"})


def read_settings() -> Settings:
    """Read and check the settings of this environment.

    Raises BadSettings with a sentence that names the variable and says what to do.
    """
    _check_names(os.environ)
    prefix = _prefix()
    try:
        # mypy does not know that each name of a file is the name of a field.
        settings = Settings(**read_files(os.environ, prefix))  # type: ignore[arg-type]
    except ValidationError as error:
        wrong = error.errors()[0]
        name = "HELPLINE_" + "_".join(str(part) for part in wrong["loc"]).upper()
        raise BadSettings(f"{name} is not valid: {wrong['msg']}. Change or unset it.") from None
    check_settings(settings)
    if not settings.in_production:
        return with_generated_secrets(settings)
    check_files(os.environ, prefix)
    return settings


def _prefix() -> str:
    return Settings.model_config["env_prefix"]


def _check_names(environment: Mapping[str, str]) -> None:
    """Refuse a variable that looks like a misspelt setting; name any other that is unknown.

    Other programs may set variables with our prefix, such as the addresses that Kubernetes gives.
    Raises BadSettings.
    """
    prefix = _prefix()
    known = {f"{prefix}{name.upper()}" for name in Settings.model_fields}
    known.update(names_of_files(prefix))
    for name in sorted(environment):
        if not name.startswith(prefix) or name in known:
            continue
        near = get_close_matches(name, known, n=1, cutoff=_NEAR)
        if near:
            raise BadSettings(f"{name} is not a setting. Did you mean {near[0]}?")
        if name not in _OF_BENCHMARKS:
            print(f"helpline: {name} is not a setting; it is not used.", file=sys.stderr)


def check_settings(settings: Settings) -> None:
    """Refuse settings that are missing or unsafe.

    Raises BadSettings.
    """
    _check_texts(settings)
    _check_urls(settings)
    url = urlsplit(settings.public_url)
    if url.scheme not in ("http", "https") or not url.hostname:
        raise BadSettings(
            "HELPLINE_PUBLIC_URL must be the http(s) address under which the telephony provider "
            "and the counsellors reach this server, for example https://helpline.example.org."
        )
    if url.username or url.password or url.query or url.fragment or url.path not in ("", "/"):
        raise BadSettings(
            "HELPLINE_PUBLIC_URL must not contain a user name, a password, a path, a query or a "
            "fragment: the provider's signature would not match. Give scheme, host and port only."
        )
    _check_addresses(settings)
    if settings.field_keys is not None:
        parse_field_keys(settings.field_keys)
    if settings.keeper_socket is not None:
        _check_holds_none(settings)
    if settings.secret_key is not None:
        check_length(settings.secret_key)
    if bool(settings.twilio_api_key_sid) != bool(settings.twilio_api_key_secret):
        raise BadSettings(
            "Set both HELPLINE_TWILIO_API_KEY_SID and HELPLINE_TWILIO_API_KEY_SECRET, or neither."
        )
    if not settings.abilities.at_home and not settings.twilio_api_base_url:
        raise BadSettings(
            "HELPLINE_TELEPHONY_PLATFORM is somleng, so HELPLINE_TWILIO_API_BASE_URL must be the "
            "address of your Somleng server, for example https://api.somleng.org."
        )
    if settings.smtp_url is not None:
        read_smtp_url(settings.smtp_url)
    _check_proxies(settings)
    _check_documents(settings)
    _check_safekeeping(settings)
    _check_leaked(settings)
    _check_inside(settings)
    if settings.in_production:
        _check_production(settings)
        check_strength(settings)
    elif not settings.is_local:
        raise BadSettings(
            "HELPLINE_PUBLIC_URL is not an address of this machine, so others can reach this "
            "server: set HELPLINE_ENV=production. Without it the address must be one such as "
            "http://127.0.0.1:8000."
        )


def _check_texts(settings: Settings) -> None:
    """Refuse what no text has: line ends, control characters, bytes that are no UTF-8."""
    for name, value in settings:
        text = str(value) if isinstance(value, str | Path) else ""
        if name in _LISTS:
            text = text.replace("\n", " ")
        if text and not (text.isprintable() and text.strip()):
            raise BadSettings(
                f"HELPLINE_{name.upper()} holds only spaces, or characters that cannot be printed, "
                "such as the end of a line of Windows. Write it anew, or unset it."
            )


def _check_urls(settings: Settings) -> None:
    """Refuse addresses that cannot be taken apart."""
    for name in _ADDRESSES:
        value = getattr(settings, name)
        try:
            urlsplit(value or "").port  # noqa: B018
        except ValueError:
            raise BadSettings(
                f"HELPLINE_{name.upper()} is no address that can be read: look at its host and at "
                "its port, which is a number up to 65535."
            ) from None


def _check_proxies(settings: Settings) -> None:
    for proxy in settings.proxies:
        try:
            if proxy != "unix":
                ip_network(proxy, strict=False)
        except ValueError:
            raise BadSettings(
                "HELPLINE_TRUSTED_PROXIES must hold addresses or networks, separated by commas, "
                "for example 127.0.0.1,10.0.0.0/8, or the word unix for a proxy that comes by a "
                "socket file."
            ) from None


def _check_documents(settings: Settings) -> None:
    """Refuse limits within which the largest document would not fit."""
    smallest = min(settings.document_megabytes_per_day, settings.document_megabytes_per_case)
    if smallest < settings.document_megabytes:
        raise BadSettings(
            "HELPLINE_DOCUMENT_MEGABYTES_PER_DAY and HELPLINE_DOCUMENT_MEGABYTES_PER_CASE must not "
            "be smaller than HELPLINE_DOCUMENT_MEGABYTES: one document must fit."
        )


def _check_addresses(settings: Settings) -> None:
    """Refuse addresses of the database that cannot be used."""
    schemes = ("postgresql://", "postgres://")
    if settings.database_url is not None and not settings.database_url.startswith(schemes):
        raise BadSettings(
            "HELPLINE_DATABASE_URL must start with postgresql://. "
            "Leave it unset to run the embedded PostgreSQL in HELPLINE_DATA_DIR."
        )
    for name, url in (
        ("HELPLINE_MIGRATION_DATABASE_URL", settings.owner_url),
        ("HELPLINE_BACKUP_DATABASE_URL", settings.backup_database_url),
    ):
        if url is None:
            continue
        if not url.startswith(schemes):
            raise BadSettings(f"{name} must start with postgresql://.")
        if settings.database_url is None:
            raise BadSettings(
                f"{name} is set and HELPLINE_DATABASE_URL is not. Set both for a PostgreSQL of "
                "your own; the embedded one has its own roles and needs neither."
            )
    for name, url in (
        ("HELPLINE_DATABASE_URL", settings.database_url),
        ("HELPLINE_MIGRATION_DATABASE_URL", settings.owner_url),
        ("HELPLINE_BACKUP_DATABASE_URL", settings.backup_database_url),
    ):
        if url is not None:
            read_address(name, url)


def _check_inside(settings: Settings) -> None:
    """Refuse services of the helpline's own that are outside: what children write goes to them."""
    services = {
        "SIGNAL_SERVICE_URL": settings.signal_service_url,
        "TRANSLATION_URL": settings.translation_url,
    }
    for name, url in services.items():
        if url is not None and not may_be_inside(url):
            raise BadSettings(
                f"HELPLINE_{name} must be on this machine (http://127.0.0.1:8080), or in a private "
                "network by https://: what children write goes to it as it stands."
            )


def _check_safekeeping(settings: Settings) -> None:
    """Refuse settings of anchors and back-ups by which nothing would be kept apart."""
    data = settings.data_dir.resolve()
    for name, path in (
        ("HELPLINE_ANCHOR_FILE", settings.anchor_path),
        ("HELPLINE_BACKUP_TARGET", settings.backup_target),
        ("HELPLINE_ERASURE_TARGET", settings.erasure_target),
    ):
        if path is not None and path.resolve().is_relative_to(data):
            raise BadSettings(
                f"{name} is inside HELPLINE_DATA_DIR: what happens to that folder would happen to "
                "it, too. Choose a place outside, best on another machine."
            )
    if any("@" not in one or len(one.split()) > 1 for one in settings.anchor_addresses):
        raise BadSettings("HELPLINE_ANCHOR_MAIL must hold e-mail addresses, separated by commas.")
    if settings.anchor_addresses and settings.smtp_url is None:
        raise BadSettings("HELPLINE_ANCHOR_MAIL needs a mail server: set HELPLINE_SMTP_URL.")
    if bool(settings.anchor_time_stamp_url) != bool(settings.anchor_time_stamp_certificate):
        raise BadSettings(
            "Set both HELPLINE_ANCHOR_TIME_STAMP_URL and HELPLINE_ANCHOR_TIME_STAMP_CERTIFICATE, "
            "the file with the root certificate of the authority, or neither."
        )
    certificate = settings.anchor_time_stamp_certificate
    # Not by its own `is_file`: that raises an error if a path is too long.
    if certificate is not None and not os.path.isfile(certificate):
        raise BadSettings("HELPLINE_ANCHOR_TIME_STAMP_CERTIFICATE is not a file that can be read.")
    if settings.erasure_target is not None and not settings.backup_recipients:
        raise BadSettings(
            "HELPLINE_ERASURE_TARGET is set and HELPLINE_BACKUP_RECIPIENTS is not: the lists of "
            "what was erased are always encrypted. Make a pair of keys with `helpline backup key`, "
            "and keep the private one away from this machine."
        )
    if settings.backup_target is not None and not settings.backup_recipients:
        raise BadSettings(
            "HELPLINE_BACKUP_TARGET is set and HELPLINE_BACKUP_RECIPIENTS is not: back-ups are "
            "always encrypted. Make a pair of keys with `helpline backup key`, and keep the "
            "private one away from this machine."
        )


def _check_leaked(settings: Settings) -> None:
    """Refuse a file of leaked passwords that is none, and a service that is asked in clear."""
    if settings.leaked_file is not None:
        try:
            with settings.leaked_file.open("rb") as file:
                first = file.readline(200)
        except OSError:
            first = b""
        if re.fullmatch(rb"[0-9A-Fa-f]{40}:\d+\s*", first) is None:
            raise BadSettings(
                "HELPLINE_LEAKED_PASSWORDS is not a file of lines HASH:COUNT that can be read. "
                "Name a sorted file of SHA-1 hashes, the https address of a service for ranges of "
                f"them, or {WITHOUT}."
            )
    if settings.leaked_service is not None:
        url = urlsplit(settings.leaked_service)
        fine = {"https", "http"} if settings.reach_own_network else {"https"}
        if url.scheme not in fine or not url.hostname or url.username or url.query or url.fragment:
            raise BadSettings(
                "HELPLINE_LEAKED_PASSWORDS must be an address that begins with https:// and has "
                "neither a name, a password, a query nor a fragment: the beginning of a hash is "
                "added to it, for example https://passwords.example.org/range."
            )


def _check_holds_none(settings: Settings) -> None:
    """Refuse keys beside a keeper."""
    for name, value in (
        ("HELPLINE_FIELD_KEYS", settings.field_keys),
        ("HELPLINE_SECRET_KEY", settings.secret_key),
    ):
        if value is not None:
            raise BadSettings(
                f"HELPLINE_KEEPER_SOCKET and {name} are both set: with a keeper this program must "
                f"hold no key. Set {name} for `helpline keeper` alone."
            )


def _check_production(settings: Settings) -> None:
    needed = {
        "HELPLINE_SECRET_KEY (or HELPLINE_KEEPER_SOCKET)": settings.secret_key
        or settings.keeper_socket,
        "HELPLINE_FIELD_KEYS (or HELPLINE_KEEPER_SOCKET)": settings.field_keys
        or settings.keeper_socket,
        "HELPLINE_TWILIO_ACCOUNT_SID": settings.twilio_account_sid,
        "HELPLINE_TWILIO_AUTH_TOKEN": settings.twilio_auth_token,
    }
    missing = [name for name, value in needed.items() if not value]
    if missing:
        raise BadSettings(
            f"In production {', '.join(missing)} must be set. No key is generated there: it would "
            "be lost with the machine, and all that it sealed with it."
        )
    if not settings.public_url.startswith("https://"):
        raise BadSettings(
            "In production HELPLINE_PUBLIC_URL must start with https://. Without TLS, others on "
            "the network could read or forge what callers and counsellors send."
        )
    if settings.telephone_signalling and not settings.telephone_signalling.startswith("wss://"):
        raise BadSettings("In production HELPLINE_TELEPHONE_SIGNALLING must start with wss://.")
    if settings.twilio_api_base_url and not settings.twilio_api_base_url.startswith("https://"):
        raise BadSettings("In production HELPLINE_TWILIO_API_BASE_URL must start with https://.")
    if settings.telegram_api_base_url and not settings.telegram_api_base_url.startswith("https://"):
        raise BadSettings("In production HELPLINE_TELEGRAM_API_BASE_URL must start with https://.")
    if (settings.anchor_time_stamp_url or "https://").startswith("http://"):
        raise BadSettings("In production HELPLINE_ANCHOR_TIME_STAMP_URL must start with https://.")
    if settings.reach_own_network:
        raise BadSettings(
            "HELPLINE_REACH_OWN_NETWORK cannot be set in production: an address in the directory "
            "could lead to servers that only this machine can reach."
        )
    if settings.practice_exchange:
        raise BadSettings(
            "HELPLINE_PRACTICE_EXCHANGE cannot be set in production: the practice exchange is a "
            "telephone exchange for trainees. Run it on a server of its own, with data of its own."
        )


def with_generated_secrets(settings: Settings) -> Settings:
    """Generate missing secrets once and keep them in `DATA_DIR`; for development only."""
    changes: dict[str, str] = {}
    if settings.secret_key is None and settings.keeper_socket is None:
        changes["secret_key"] = _kept(settings.data_dir, "secret_key", secrets.token_urlsafe(48))
    if settings.field_keys is None and settings.keeper_socket is None:
        fresh = "1:" + base64.b64encode(secrets.token_bytes(32)).decode()
        changes["field_keys"] = _kept(settings.data_dir, "field_keys", fresh)
    return settings.model_copy(update=changes)


def _kept(folder: Path, name: str, fresh: str) -> str:
    path = folder / name
    try:
        if not path.exists():
            make_folder(folder)
            _write_new(path, fresh)
    except OSError as error:
        raise cannot_write(path, error) from None
    for _ in range(_LOOKS):
        try:
            if kept := path.read_text().strip():
                return kept
        except PermissionError as error:
            raise cannot_write(path, error) from None
        except (OSError, UnicodeDecodeError):
            pass
        # Another process may be about to write it.
        time.sleep(_BETWEEN_LOOKS)
    raise BadSettings(
        f"{path} holds no secret that can be read. If nothing is sealed with it yet, remove the "
        "file, and a new one is made. Otherwise bring it back from a copy."
    )


def _write_new(path: Path, text: str) -> None:
    try:
        file = open(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w")  # noqa: SIM115
    except FileExistsError:
        return
    try:
        with file:
            file.write(text)
    except OSError:
        path.unlink()
        raise
