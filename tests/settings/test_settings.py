import base64
import random
import re
from pathlib import Path

import pytest

import app
from app.abilities import DIAL_ONLY
from app.errors import BadSettings
from app.reading_settings import check_settings, read_settings
from app.settings import Settings, parse_field_keys
from tests.support.profile import WHOLE
from tests.support.program.given_settings import GOOD, PASSWORD, set_only

# An authority that stamps, whose certificate is a file.
STAMP = {
    "ANCHOR_TIME_STAMP_URL": "https://time.example.org/stamp",
    "ANCHOR_TIME_STAMP_CERTIFICATE": __file__,
}


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    set_only(monkeypatch)


def _set(monkeypatch: pytest.MonkeyPatch, **values: str) -> None:
    for name, value in values.items():
        monkeypatch.setenv(f"HELPLINE_{name}", value)


def test_good_production_settings_start(monkeypatch: pytest.MonkeyPatch) -> None:
    _set(monkeypatch, **GOOD, **STAMP)
    assert read_settings().in_production


@pytest.mark.parametrize(
    "name", ["SECRET_KEY", "FIELD_KEYS", "TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN"]
)
def test_production_names_what_is_missing(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    _set(monkeypatch, **{k: v for k, v in GOOD.items() if k != name})
    with pytest.raises(BadSettings, match=f"HELPLINE_{name}"):
        read_settings()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PUBLIC_URL", "http://helpline.example.org"),
        ("PUBLIC_URL", "helpline.example.org"),
        ("PUBLIC_URL", "https://u:p@helpline.example.org"),
        ("PUBLIC_URL", "https://helpline.example.org/prefix"),
        ("SECRET_KEY", "short"),
        ("FIELD_KEYS", "1:short"),
        ("FIELD_KEYS", "nonsense"),
        ("DATABASE_URL", "sqlite:///x"),
        ("TWILIO_API_BASE_URL", "http://example.org"),
        ("TELEPHONE_SIGNALLING", "ws://signalling.example.org"),
        ("OFFER_SECONDS", "never"),
        ("ENV", "staging"),
        ("SECRET_KEY", "s" * 40),
        ("SECRET_KEY", "abcabcabc" * 5),
        ("FIELD_KEYS", "1:" + base64.b64encode(b"k" * 32).decode()),
        ("FIELD_KEYS", "1:" + base64.b64encode(b"practice-key-practice-key-123456").decode()),
        ("TWILIO_AUTH_TOKEN", "t"),
        ("MONITORING_TOKEN", "monitor"),
        ("MONITORING_TOKEN", "0123456789abcdef"),
        ("MONITORING_TOKEN", "monitoring-token-helpline"),
        ("MONITORING_TOKEN", "qwertyuiopasdfghjkl"),
        ("TWILIO_AUTH_TOKEN", "0123456789abcdef"),
        # At random, and half as long as a key of 128 bits.
        ("TWILIO_AUTH_TOKEN", "9bb60b91eb0207c5"),
        ("TWILIO_PREVIOUS_AUTH_TOKEN", "0123456789abcdef0123456789abcdef"),
        ("TWILIO_API_KEY_SECRET", "x"),
        ("TRUSTED_PROXIES", "10.0.0.1,0.0.0.0/0"),
        ("TRUSTED_PROXIES", "128.0.0.0/1"),
        ("TRUSTED_PROXIES", "::/0"),
        # All of IPv4, as a socket of IPv6 shows it; and half of it.
        ("TRUSTED_PROXIES", "::/64"),
        ("TRUSTED_PROXIES", "::ffff:0.0.0.0/96"),
        ("TRUSTED_PROXIES", "::1,::ffff:128.0.0.0/97"),
        ("SECRET_KEY", "practice-secret-key-practice-secret-key"),
        ("SECRET_KEY", "changeme-changeme-please-changeme-now"),
        ("SECRET_KEY", "abcdefghijklmnopqrstuvwxyz0123456789"),
        ("SECRET_KEY", "this-is-the-secret-key-of-the-helpline"),
        ("SECRET_KEY", "ThisIsTheSecretKeyOfTheHelpline"),
        ("DATABASE_URL", "postgresql://helpline@db/helpline?sslmode=verify-full"),
        ("DATABASE_URL", "postgresql://helpline:helpline@db/helpline?sslmode=verify-full"),
        ("DATABASE_URL", "postgresql://helpline:Postgres123@db/helpline?sslmode=verify-full"),
        ("MIGRATION_DATABASE_URL", "postgresql://db.example.org/helpline?sslmode=require"),
        ("BACKUP_DATABASE_URL", "postgresql://db.example.org/helpline?sslmode=require"),
        ("SIGNAL_SERVICE_URL", "http://10.0.0.5:8080"),
        ("SIGNAL_SERVICE_URL", "http://signal:8080"),
        ("TRANSLATION_URL", "http://10.0.0.5:8080"),
        ("DATABASE_URL", "postgresql://db.example.org/helpline"),
        ("DATABASE_URL", "postgresql://db.example.org/helpline?sslmode=require"),
        ("DATABASE_URL", "postgresql://127.0.0.1,db.example.org/helpline"),
        ("DATABASE_URL", "postgresql://localhost/helpline?hostaddr=10.0.0.7"),
        ("DATABASE_URL", "postgresql:///helpline?service=elsewhere"),
        ("SMTP_URL", "smtp://user:pw@mail.example.org"),
        ("SCAN_COMMAND", ""),
        ("LEAKED_PASSWORDS", ""),
        ("ANCHOR_FILE", ""),
        ("ANCHOR_TIME_STAMP_URL", "http://time.example.org/stamp"),
        ("LEAKED_PASSWORDS", "http://passwords.example.org/range"),
        ("LEAKED_PASSWORDS", "https://passwords.example.org/range?key=1"),
        ("LEAKED_PASSWORDS", "/nonexistent/hashes.txt"),
        ("LEAKED_PASSWORDS", __file__),
    ],
)
def test_unsafe_values_are_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    more = STAMP if name in STAMP else {}
    _set(monkeypatch, **{**GOOD, **more, name: value})
    with pytest.raises(BadSettings, match=f"HELPLINE_{name}"):
        read_settings()


@pytest.mark.parametrize(
    ("variable", "value", "url"),
    [
        ("PGHOST", "db.example.org", "postgresql:///helpline"),
        ("PGHOSTADDR", "10.0.0.7", "postgresql:///helpline"),
        # An address decides before a name, also if the URL has the name.
        ("PGHOSTADDR", "10.0.0.7", "postgresql://localhost/helpline"),
        ("PGSERVICE", "elsewhere", "postgresql:///helpline"),
    ],
)
def test_a_database_that_the_environment_puts_elsewhere_needs_encryption(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, url: str
) -> None:
    monkeypatch.setenv(variable, value)
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    _set(monkeypatch, **{**GOOD, "DATABASE_URL": url})
    with pytest.raises(BadSettings, match="HELPLINE_DATABASE_URL"):
        read_settings()
    _set(monkeypatch, DATABASE_URL=f"{url}?sslmode=verify-full")
    if variable == "PGSERVICE":
        with pytest.raises(BadSettings, match="PGSERVICE"):
            read_settings()
    else:
        assert read_settings().in_production


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "postgresql:///helpline"),
        ("DATABASE_URL", "postgresql://helpline@127.0.0.1/helpline"),
        ("DATABASE_URL", "postgresql://helpline@[::1]:5433/helpline"),
        ("DATABASE_URL", "postgresql:///helpline?host=/run/postgresql"),
        ("DATABASE_URL", f"postgresql://u:{PASSWORD}@db.example.org/helpline?sslmode=verify-ca"),
        ("DATABASE_URL", "postgresql://db/helpline?sslmode=verify-full&sslcert=/a.pem"),
        ("DATABASE_URL", "postgresql://db/helpline?sslmode=verify-full&passfile=/a"),
        ("DATABASE_URL", "postgresql://db/helpline?sslmode=verify-full&require_auth=gss"),
        ("DATABASE_URL", "postgresql://helpline:helpline@127.0.0.1/helpline"),
        ("SIGNAL_SERVICE_URL", "http://127.0.0.1:8080"),
        ("SIGNAL_SERVICE_URL", "https://10.0.0.5:8080"),
        ("TRANSLATION_URL", "http://localhost:5000"),
        ("TRANSLATION_URL", "https://translate:5000"),
        ("TELEPHONE_SIGNALLING", "wss://edge.example.org"),
        ("TRUSTED_PROXIES", "unix,10.0.0.0/8,fc00::/7,104.16.0.0/13,2400:cb00::/32"),
        ("TRUSTED_PROXIES", "::1,::ffff:10.0.0.0/104,::ffff:104.16.0.0/109"),
        ("SMTP_URL", "smtp://localhost"),
        ("SMTP_URL", "smtp+starttls://user:pw@mail.example.org"),
        ("SMTP_URL", "smtps://user:pw@mail.example.org"),
        ("SCAN_COMMAND", "without"),
        ("LEAKED_PASSWORDS", "without"),
        ("ANCHOR_FILE", "without"),
        ("MONITORING_TOKEN", "wR7xT2qLm9ZsK4vB"),
    ],
)
def test_what_stays_on_this_machine_or_is_encrypted_starts(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    _set(monkeypatch, **{**GOOD, name: value})
    without = (name, value) == ("SCAN_COMMAND", "without")
    assert read_settings().scanner == (None if without else GOOD["SCAN_COMMAND"])


def test_monitoring_in_clear_stays_on_this_machine_unless_that_was_decided(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _set(monkeypatch, **GOOD, MONITORING_PORT="9000")
    for outside in ("10.0.0.5", "0.0.0.0", "::"):
        _set(monkeypatch, MONITORING_HOST=outside)
        with pytest.raises(BadSettings, match="HELPLINE_MONITORING_HOST"):
            read_settings()
        _set(monkeypatch, MONITORING_HOST=f"{outside},without")
        assert read_settings().monitoring_address == outside
    for here in ("127.0.0.1", "::1"):
        _set(monkeypatch, MONITORING_HOST=here)
        assert read_settings().monitoring_address == here
    for wrong in ("10.0.0.5,", "10.0.0.5,with", "example.org,without", "without"):
        _set(monkeypatch, MONITORING_HOST=wrong)
        with pytest.raises(BadSettings, match="HELPLINE_MONITORING_HOST"):
            read_settings()


def test_what_was_made_at_random_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    chance = random.Random(20)
    for _ in range(100 if WHOLE else 10):
        made = base64.urlsafe_b64encode(chance.randbytes(48)).decode()
        digits = chance.randbytes(16).hex()
        _set(
            monkeypatch,
            **{**GOOD, "SECRET_KEY": made, "TWILIO_AUTH_TOKEN": digits, "MONITORING_TOKEN": digits},
        )
        assert read_settings().in_production


def test_a_server_that_others_reach_is_in_production(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """No setting that is left on makes it weak: the address tells."""
    _set(monkeypatch, DATA_DIR=str(tmp_path), PUBLIC_URL="https://helpline.example.org")
    with pytest.raises(BadSettings, match="HELPLINE_ENV=production"):
        read_settings()
    for here in ("http://127.0.0.1:8000", "http://localhost:8000", "http://[::1]:8000"):
        _set(monkeypatch, PUBLIC_URL=here)
        assert read_settings().is_local


def test_somleng_wants_the_address_of_its_server(monkeypatch: pytest.MonkeyPatch) -> None:
    _set(monkeypatch, **GOOD, TELEPHONY_PLATFORM="somleng")
    with pytest.raises(BadSettings) as refused:
        read_settings()
    assert "HELPLINE_TWILIO_API_BASE_URL" in str(refused.value)
    _set(monkeypatch, TWILIO_API_BASE_URL="https://telephony.example.org")
    assert read_settings().abilities is DIAL_ONLY
    _set(monkeypatch, TELEPHONY_PLATFORM="asterisk")
    with pytest.raises(BadSettings) as unknown:
        read_settings()
    assert "HELPLINE_TELEPHONY_PLATFORM" in str(unknown.value)


@pytest.mark.parametrize("gateway", ["user@host", "host?x=1", "host;transport=ws", "a b"])
def test_a_gateway_is_a_host(monkeypatch: pytest.MonkeyPatch, gateway: str) -> None:
    _set(monkeypatch, CALLBACK_GATEWAY=gateway)
    with pytest.raises(BadSettings) as refused:
        read_settings()
    assert "HELPLINE_CALLBACK_GATEWAY" in str(refused.value)


def test_development_makes_secrets_up_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _set(monkeypatch, DATA_DIR=str(tmp_path))
    first, second = read_settings(), read_settings()
    assert first.secret_key
    assert first.secret_key == second.secret_key
    assert first.field_keys == second.field_keys
    assert (tmp_path / "secret_key").stat().st_mode & 0o077 == 0
    check_settings(first)
    assert parse_field_keys(first.field_keys or "")[0][0] == 1


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("OFFER_SECOND", "OFFER_SECONDS"),
        ("SMPT_URL", "SMTP_URL"),
        ("TWILIO_AUTHTOKEN", "TWILIO_AUTH_TOKEN"),
        ("WRAPUP_SECONDS", "WRAP_UP_SECONDS"),
    ],
)
def test_a_misspelt_setting_is_named_with_the_right_one(
    monkeypatch: pytest.MonkeyPatch, wrong: str, right: str
) -> None:
    _set(monkeypatch, **GOOD, **{wrong: "30"})
    with pytest.raises(BadSettings, match=f"HELPLINE_{wrong} .* HELPLINE_{right}"):
        read_settings()


def test_a_variable_of_another_program_is_named_and_does_no_harm(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _set(monkeypatch, **GOOD, PORT_8000_TCP_ADDR="10.0.0.7", SERVICE_HOST="10.0.0.7")
    assert read_settings().in_production
    said = capsys.readouterr().err
    assert "HELPLINE_PORT_8000_TCP_ADDR" in said
    assert "HELPLINE_SERVICE_HOST" in said


@pytest.mark.parametrize("url", ["mail.example.org", "smtp://", "http://mail.example.org"])
def test_the_mail_server_is_checked_at_the_start(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    _set(monkeypatch, **GOOD, SMTP_URL=url)
    with pytest.raises(BadSettings, match="HELPLINE_SMTP_URL"):
        read_settings()


@pytest.mark.whole
def test_every_setting_is_read() -> None:
    folder = Path(app.__file__).parent
    own = {folder / "settings.py", folder / "reading_settings.py"}
    sources = (path.read_text() for path in folder.rglob("*.py") if path not in own)
    read = {word for source in sources for word in re.findall(r"\.(\w+)", source)}
    # Used inside the settings, by properties that the program reads.
    inside = {
        "twilio_previous_auth_token",
        "env",
        "push_services",
        "anchor_mail",
        "erasure_target",
        "trusted_proxies",
        "scan_command",
        "leaked_passwords",
    }
    assert set(Settings.model_fields) - read - inside == set()


# Defaults that the guide says in words, or by what the program makes of them.
_SAID_OTHERWISE = {
    "DATA_DIR": "`./var`",
    "SECRET_KEY": "generated",
    "FIELD_KEYS": "generated",
    "TWILIO_API_BASE_URL": "Twilio's",
    "TELEGRAM_API_BASE_URL": "Telegram's",
    "CALLBACK_FROM": "the line's",
    "PUSH_SERVICES": "those of Google, Mozilla, Apple and Microsoft",
    "ERASURE_TARGET": "`BACKUP_TARGET`",
}


def _as_written(value: object) -> str:
    if value in (None, ""):
        return "none"
    return f"`{str(value).lower() if isinstance(value, bool) else str(value).removesuffix('.0')}`"


def test_the_guide_for_operators_lists_each_setting_with_its_default() -> None:
    guide = (Path(app.__file__).parent.parent / "docs/operators.md").read_text()
    listed = re.findall(
        r"^\| `([A-Z_]+)` \| ([^|]+) \|", guide.partition("\n## Settings\n")[2], re.M
    )
    expected = {
        name.upper(): _SAID_OTHERWISE.get(name.upper(), _as_written(field.default))
        for name, field in Settings.model_fields.items()
    }
    assert sorted(listed) == sorted(expected.items())
