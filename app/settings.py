"""Settings: what each is, and what stands when the environment says nothing.

Every name has the prefix `HELPLINE_`. They are read and checked in `app/reading_settings.py`.
"""

import base64
import ipaddress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal
from urllib.parse import parse_qs, unquote, urlsplit

from pydantic import Field
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from app.abilities import PLATFORMS, Abilities, EndpointKind
from app.errors import BadSettings
from app.strength import WITHOUT, is_this_machine

_MAIL_PORTS = {"smtp": 25, "smtp+starttls": 587, "smtps": 465}


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="HELPLINE_", extra="ignore", env_ignore_empty=True)

    env: Literal["development", "production"] = "development"
    data_dir: Path = Path("./var")
    database_url: str | None = None
    # For the role that owns the tables. Unset, another process migrates; `without`: the role of
    # `database_url` owns them, as was decided.
    migration_database_url: str | None = None
    public_url: str = "http://127.0.0.1:8000"
    secret_key: str | None = None
    field_keys: str | None = None
    # The socket of `helpline keeper`, which then holds both in place of this program.
    keeper_socket: Path | None = None

    # Addresses and networks of our own proxies, separated by commas; `unix` is one that comes by a
    # socket file. Only what these say about the address of a client is believed.
    trusted_proxies: str = ""

    # Whether agencies' systems may be on this machine or in its network: for the demo and tests.
    reach_own_network: bool = False

    # Whether single-use codes are texted or read out. `false`: no code that came by phone opens
    # anything; see `docs/operators.md`, Codes by phone.
    codes_by_telephone: bool = True
    # Whether codes of agencies go by e-mail. `false`: none that came so opens anything.
    codes_by_mail: bool = True

    # The platform decides what telephony can do; see `app/abilities.py`.
    telephony_platform: Literal["twilio", "somleng"] = "twilio"
    twilio_account_sid: str | None = None
    twilio_auth_token: str | None = None
    twilio_previous_auth_token: str | None = None
    twilio_api_base_url: str | None = None
    twilio_api_key_sid: str | None = None
    twilio_api_key_secret: str | None = None
    # Where the telephones in the pages connect: the provider's edges, the nearest first.
    telephone_edges: str = Field(default="frankfurt,dublin", pattern=r"^[a-z0-9-]+(,[a-z0-9-]+)*$")
    # The practice exchange instead of the edges: `ws://HOST:PORT`.
    telephone_signalling: str | None = Field(
        default=None, pattern=r"^wss?://[A-Za-z0-9.-]+(:\d{1,5})?$"
    )
    # Where the practice exchange begins practice calls: `http://HOST:PORT`. Only where it is the
    # telephone exchange of this server; see `docs/developers/exchange.md`.
    practice_exchange: str | None = Field(
        default=None, pattern=r"^https?://[A-Za-z0-9.-]+(:\d{1,5})?$"
    )
    # Where the Bot API of Telegram is, if it is a server of our own.
    telegram_api_base_url: str | None = Field(default=None, pattern=r"^https?://[^\s?#]+$")
    # Seconds that one request to it may take.
    telegram_timeout: float = Field(default=5.0, gt=0, le=60)
    # Where signal-cli-rest-api plays a phone with Signal: on this machine, because it asks for
    # no password, or by HTTPS in a private network. Unset: children cannot write with Signal.
    signal_service_url: str | None = Field(default=None, pattern=r"^https?://[^\s?#@]+$")
    # Seconds that one request to it may take: it begins a program for each, and they wait.
    signal_timeout: float = Field(default=30.0, gt=0, le=120)
    # An engine for translations that speaks as LibreTranslate does: on this machine, or by HTTPS in
    # a private network. Unset: no page translates, nor says that it could.
    translation_url: str | None = Field(default=None, pattern=r"^https?://[^\s?#@]+$")
    translation_key: str | None = None
    # Seconds that one translation may take.
    translation_timeout: float = Field(default=5.0, gt=0, le=30)
    # Seconds that one request to the provider's REST API may take.
    twilio_timeout: float = Field(default=5.0, gt=0, le=60)

    # How long an offer rings, in seconds.
    offer_seconds: int = Field(default=20, ge=5, le=120)
    # Seconds from acceptance until caller and counsellor must both be in the conference.
    connect_seconds: int = Field(default=20, ge=5, le=120)
    # How long a counsellor whose line was lost is rung again before the child returns to the
    # queue, in seconds.
    grace_seconds: int = Field(default=20, ge=5, le=60)
    # The same for a counsellor at a browser, whose page is back in a second after a reload.
    page_grace_seconds: int = Field(default=10, ge=3, le=60)
    # The longest wrap-up, in seconds.
    wrap_up_seconds: int = Field(default=60, ge=0, le=3600)
    # A caller who hangs up within this many seconds of waiting is a short abandon.
    short_abandon_seconds: int = Field(default=10, ge=0, le=60)
    # A call that waits at most this many seconds is answered within the service level.
    service_level_seconds: int = Field(default=20, ge=1, le=3600)
    # Figures are published once for each of these periods.
    public_period: Literal["year", "quarter", "month"] = "year"
    # Seconds of waiting after which a caller is offered to leave a voice message.
    long_wait_seconds: int = Field(default=120, ge=5, le=7200)
    # A counsellor is away when their browser has sent no heartbeat for this many seconds.
    heartbeat_seconds: int = Field(default=90, ge=15, le=600)
    # Children who write with a counsellor go back to the queue when the counsellor's page has not
    # been heard for this many seconds.
    # A hidden page is heard once a minute, and a beat may be late.
    writing_grace_seconds: int = Field(default=90, ge=75, le=600)
    # A child who waits in writing is gone when their page has not been heard for this many seconds.
    chat_silence_seconds: int = Field(default=75, ge=60, le=600)
    # A written talk ends when the child has not come back within this many seconds.
    chat_return_seconds: int = Field(default=600, ge=60, le=7200)
    # How long a code can be used with which a child comes back for an answer, in days.
    chat_code_days: int = Field(default=14, ge=1, le=90)
    # When the provider has reported nothing about a call for this many seconds, we ask it.
    silence_seconds: int = Field(default=120, ge=10, le=3600)
    # A call that is in no talk for this many seconds is ended, after a spoken farewell.
    longest_wait_seconds: int = Field(default=7200, ge=300, le=86_400)
    # The platform ends a leg after this many seconds; a talk is moved to new legs before that.
    longest_leg_seconds: int = Field(default=14_400, ge=1800, le=86_400)
    # Legs that may be started per second: an ordinary account allows one.
    calls_per_second: float = Field(default=1.0, gt=0, le=1000)
    # How long an invitation can be used, in days.
    invitation_days: int = Field(default=7, ge=1, le=30)
    # Days after which a request about a person's data that is not decided is reminded of. The law
    # gives a month, which has 28 days at least.
    data_request_reminder_days: int = Field(default=20, ge=1, le=27)
    # The number of a caller is forgotten this many days after the call.
    number_retention_days: int = Field(default=365, ge=1, le=3650)
    # The number that call-backs show instead of the line's: one that the child's family does not
    # recognise.
    callback_from: str | None = None
    # The helpline's own SIP gateway; call-backs through it show no number at all.
    callback_gateway: str | None = Field(
        default=None, pattern=r"^[A-Za-z0-9.-]+(:\d{1,5})?(;transport=(udp|tcp|tls))?$"
    )
    # A country's own forms, trees and workflows, in addition to the shipped ones.
    definitions_dir: Path | None = None
    # The largest document of a case, in megabytes.
    document_megabytes: int = Field(default=10, ge=1, le=100)
    # How many documents a person may add in a day and a case may hold, and their megabytes.
    documents_per_day: int = Field(default=100, ge=1, le=10_000)
    document_megabytes_per_day: int = Field(default=300, ge=1, le=100_000)
    documents_per_case: int = Field(default=300, ge=1, le=10_000)
    document_megabytes_per_case: int = Field(default=1000, ge=1, le=100_000)
    # A command that reads a document on standard input and exits with 0 if it is clean, with 1
    # if it is not; for example `clamdscan --no-summary -`.
    # In production it must be set; `without` says that documents are stored unscanned.
    scan_command: str | None = None
    # With what new passwords are compared: a sorted file of the hashes of leaked ones, or the
    # address of a service that is asked for ranges of them. In production it must be set; `without`
    # says that the program's own lists are enough.
    leaked_passwords: str | None = None
    # A request with this bearer token may read metrics and health. Without it they are closed where
    # others can reach this server.
    monitoring_token: str | None = None
    # Metrics and health are answered at this port and address, and no longer beside the pages: in
    # clear. In production an address outside this machine has `,without` behind it, which says that
    # they are answered without encryption.
    monitoring_port: int | None = Field(default=None, ge=1, le=65535)
    monitoring_host: str = Field(default="127.0.0.1", pattern=r"^[0-9A-Fa-f.:]+(,without)?$")
    smtp_url: str | None = None
    # The push services to which messages for browsers may go: a host, a suffix that begins with a
    # dot, or a whole origin.
    push_services: str = (
        "fcm.googleapis.com,updates.push.services.mozilla.com,web.push.apple.com,"
        ".notify.windows.com"
    )
    # The logs are anchored once a day: in a file outside `data_dir`, by mail to these addresses, by
    # a time stamp of an authority whose root certificate is in a file. In production one way must
    # be set; `without` as the file says that nothing outside proves what the logs held.
    anchor_file: Path | None = None
    anchor_mail: str = ""
    anchor_time_stamp_url: str | None = Field(default=None, pattern=r"^https?://[^\s]+$")
    anchor_time_stamp_certificate: Path | None = None
    # Where back-ups go, for whom they are encrypted, and how many are kept.
    backup_target: Path | None = None
    backup_recipients: str = ""
    # For the role that makes back-ups of a PostgreSQL that is not the program's own.
    backup_database_url: str | None = None
    backup_keep: int = Field(default=14, ge=1, le=1000)
    # Hours after which the last back-up is too old.
    backup_hours: int = Field(default=26, ge=1, le=24 * 31)
    # What is written is with the back-ups after this many seconds, and a minute.
    backup_log_seconds: int = Field(default=60, ge=10, le=3600)
    # Where it is listed what was erased, for the time after a restore; unset: with the back-ups.
    erasure_target: Path | None = None
    # Days for which the oldest copy of the database lasts, also those made by other tools.
    erasure_days: int | None = Field(default=None, ge=1, le=3660)
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read what is given and the environment alone: to look for each in files takes as long."""
        return init_settings, env_settings

    @property
    def erasure_folder(self) -> Path | None:
        """The folder of the lists of what was erased, if there is one."""
        folder = self.erasure_target or self.backup_target
        return folder / "erased" if folder is not None else None

    @property
    def push_service_list(self) -> list[str]:
        return [one.strip() for one in self.push_services.split(",") if one.strip()]

    @property
    def anchor_path(self) -> Path | None:
        """The file to which anchors are added, if one is set."""
        return None if self.anchor_file == Path(WITHOUT) else self.anchor_file

    @property
    def anchor_addresses(self) -> list[str]:
        """The addresses to which anchors are mailed."""
        return [one.strip() for one in self.anchor_mail.split(",") if one.strip()]

    @property
    def in_production(self) -> bool:
        return self.env == "production"

    @property
    def is_local(self) -> bool:
        """Whether the program is reached on this machine alone, by its own address."""
        return is_this_machine(urlsplit(self.public_url).hostname or "")

    @property
    def has_name(self) -> bool:
        """Whether the address of the pages has a name, and not a number."""
        try:
            ipaddress.ip_address(urlsplit(self.public_url).hostname or "")
        except ValueError:
            return True
        return False

    @property
    def has_tls(self) -> bool:
        """Whether browsers reach the program by https."""
        return self.public_url.startswith("https://")

    @property
    def field_key_list(self) -> list[tuple[int, bytes]]:
        """The keys that seal, each with its number."""
        return parse_field_keys(self.field_keys) if self.field_keys else []

    @property
    def owner_url(self) -> str | None:
        """The address of the database for the role that owns the tables, if one is set."""
        return None if self.migration_database_url == WITHOUT else self.migration_database_url

    @property
    def monitoring_address(self) -> str:
        """The address at which metrics and health are answered."""
        return self.monitoring_host.partition(",")[0]

    @property
    def scanner(self) -> str | None:
        """The command that scans documents, if there is one."""
        return None if self.scan_command == WITHOUT else self.scan_command

    @property
    def leaked_service(self) -> str | None:
        """The address of the service that knows leaked passwords, if one is set."""
        value = self.leaked_passwords
        return value if value is not None and "://" in value else None

    @property
    def leaked_file(self) -> Path | None:
        """The file with the hashes of leaked passwords, if one is set."""
        value = self.leaked_passwords
        if value is None or value == WITHOUT or "://" in value:
            return None
        return Path(value)

    @property
    def abilities(self) -> Abilities:
        """What the chosen telephony platform can do here.

        A browser can only be rung with an API key, which signs what lets its telephone connect.
        """
        found = PLATFORMS[self.telephony_platform]
        if self.twilio_api_key_sid is not None or EndpointKind.BROWSER not in found.rings:
            return found
        return replace(found, rings=found.rings - {EndpointKind.BROWSER})

    @property
    def has_telephony(self) -> bool:
        """Whether there is an account at the telephony provider to ask, and its secret."""
        return bool(self.twilio_account_sid and self.twilio_auth_token)

    @property
    def has_page_telephones(self) -> bool:
        """Whether a page can be a telephone."""
        return EndpointKind.BROWSER in self.abilities.rings

    @property
    def telephone_hosts(self) -> list[str]:
        """The addresses outside to which a page may connect: those of its telephone."""
        if not self.has_page_telephones:
            return []
        if self.telephone_signalling is not None:
            return [self.telephone_signalling]
        signalling = self.abilities.signalling
        return [signalling.format(edge=edge) for edge in self.telephone_edges.split(",")]

    @property
    def proxies(self) -> list[str]:
        """The addresses and networks of our own proxies, and `unix` for a socket file."""
        return [part.strip() for part in self.trusted_proxies.split(",") if part.strip()]

    @property
    def public_origin(self) -> str:
        """Scheme, host and port of `PUBLIC_URL`, as a browser writes an origin."""
        parts = urlsplit(self.public_url)
        return f"{parts.scheme}://{parts.netloc}"

    @property
    def auth_tokens(self) -> list[str]:
        """Both tokens while they are being rotated, the current one first."""
        return [t for t in (self.twilio_auth_token, self.twilio_previous_auth_token) if t]


def parse_field_keys(text: str) -> list[tuple[int, bytes]]:
    """Read the keys of `HELPLINE_FIELD_KEYS`: `NUMBER:BASE64` pairs, separated by commas.

    The first key seals; the others only open. The keyed hashes are derived from
    the last key, so it must stay last for ever. Raises BadSettings.
    """
    keys: list[tuple[int, bytes]] = []
    for part in (p.strip() for p in text.split(",") if p.strip()):
        number, colon, encoded = part.partition(":")
        if not colon:
            number, encoded = "1", part
        try:
            padded = encoded + "=" * (-len(encoded) % 4)
            key = base64.b64decode(padded.replace("-", "+").replace("_", "/"), validate=True)
            identifier = int(number)
        except ValueError:
            key, identifier = b"", 0
        if len(key) != 32 or not 1 <= identifier <= 255:
            raise BadSettings(
                "HELPLINE_FIELD_KEYS must hold NUMBER:BASE64 pairs of 32-byte keys, separated by "
                'commas. Make a key with: python3 -c "import base64, secrets; '
                "print('1:' + base64.b64encode(secrets.token_bytes(32)).decode())\""
            )
        keys.append((identifier, key))
    if not keys or len({number for number, _ in keys}) != len(keys):
        raise BadSettings("HELPLINE_FIELD_KEYS needs at least one key, each with its own number.")
    return keys


@dataclass(frozen=True)
class Mailbox:
    """The server of `HELPLINE_SMTP_URL`."""

    scheme: str
    host: str
    port: int
    user: str | None
    password: str | None
    sender: str


def read_smtp_url(url: str) -> Mailbox:
    """Read the mail server and the sender from a URL. Raises BadSettings."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in _MAIL_PORTS or not parts.hostname:
        raise BadSettings(
            "HELPLINE_SMTP_URL must look like smtp://user:password@host:587?from=line@example.org; "
            "the schemes are smtp, smtp+starttls and smtps."
        )
    sender = parse_qs(parts.query).get("from", [""])[0] or f"helpline@{parts.hostname}"
    return Mailbox(
        parts.scheme,
        parts.hostname,
        port or _MAIL_PORTS[parts.scheme],
        unquote(parts.username) if parts.username else None,
        unquote(parts.password) if parts.password else None,
        sender,
    )
