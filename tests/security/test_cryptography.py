"""Cryptography in the code: each use is in the inventory, secrets are compared in equal time."""

import ast
import re
import secrets
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from app.privacy.codes import new_code
from app.referrals.channels.links import new_token
from tests.support.profile import WHOLE
from tests.support.program.sources import nodes, texts

pytestmark = pytest.mark.whole

ROOT = Path(__file__).parent.parent.parent
_RULES = ROOT / "docs/security/rules.md"
# Libraries that compute with keys, hash, or make random numbers.
_LIBRARIES = frozenset(
    "OpenSSL argon2 bcrypt blake3 crypt cryptography hashlib hmac http_ece joserfc jose jwcrypto "
    "jwt nacl py_vapid pwdlib pyotp pyrage pywebpush rfc3161_client secrets ssl standardwebhooks "
    "twilio webauthn Crypto Cryptodome random".split()
)
# Only this part of the provider's library computes with keys.
_OF_TWILIO = ("twilio.jwt", "twilio.request_validator")
# Its numbers are no secret: pauses between two attempts.
_PAUSES = "app/telephony/retries.py"
_ROW = re.compile(r"^\| `(app/[\w/.]+)` \| ((?:`\w+`(?:, )?)+) \|", re.MULTILINE)
_IN_PAGES = re.compile(r"\bcrypto\.(getRandomValues|subtle)\b")

# Names of what could be a secret.
_SECRET = frozenset(
    "token code hash mark secret password pin signature digest proof mac nonce verifier "
    "challenge".split()
)
_A_NAME = "the code of a definition, a record or an agency: a name, and no secret"
_A_PROMPT = "the name of what callers hear"
_STATUS = "a status that another program gives"
_BOTH_OURS = "both sides are stored or computed here: no request brings one"
_BOTH_TYPED = "both sides are typed by the same person"
_MAY_DIFFER = {
    "app/api/own/sessions.py: one.token_key == mine": _BOTH_OURS,
    "app/server/processes.py: code == _REFUSED": "with what a process ended",
    "app/staff/sessions.py: duty.record == session.token_key": _BOTH_OURS,
    "app/calls/callers.py: flag.caller_key != key_of(call)": _BOTH_OURS,
    "app/calls/prompts.py: prompt_key in SOUNDS": _A_PROMPT,
    "app/cli/agencies.py: one.agency.code == code": _A_NAME,
    "app/contacts/cases/removing/ogg_sound.py: mark != _MARK": "the sign of a kind of file",
    "app/contacts/finding/search.py: model.code == bindparam('code')": _A_NAME,
    "app/contacts/registry.py: known[key] != libraries.digest_of(text)": _BOTH_OURS,
    "app/country/marked.py: getattr(table, name) == code": _A_NAME,
    "app/administration/undoing.py: bots.token_of(work, present) != token": _BOTH_OURS,
    "app/dashboard/directory/pages.py: entry.code != code": _A_NAME,
    "app/dashboard/directory/pages.py: one.agency.code == code": _A_NAME,
    "app/dashboard/directory/pages.py: one[1].code == code": _A_NAME,
    "app/dashboard/palette.py: model.code == written": _A_NAME,
    "app/dashboard/people/own.py: pin != again": _BOTH_TYPED,
    "app/dashboard/people/welcome.py: password != again": _BOTH_TYPED,
    "app/dashboard/referrals/referral_views.py: event.detail.get('agency') == agency.code": _A_NAME,
    "app/dashboard/templating.py: one.code == code": _A_NAME,
    "app/definitions/answers.py: here[0] == code": _A_NAME,
    "app/definitions/checking.py: section.code == RECORD": _A_NAME,
    "app/definitions/forms.py: s.code == code": _A_NAME,
    "app/definitions/forms.py: option.code == chosen": _A_NAME,
    "app/definitions/risk.py: DANGER_KEY not in seen": "a question of the form",
    "app/definitions/workflow.py: m.from_ == code": _A_NAME,
    "app/definitions/workflow.py: s.code == code": _A_NAME,
    "app/people/connection_tests.py: prompt_key not in SOUNDS": _A_PROMPT,
    "app/people/emergency/emergencies.py: model.code == code": _A_NAME,
    "app/people/leaked.py: digest[_TOLD:] in found": "the list is public",
    "app/people/links.py: work.keys.session_key(token) == link.token_key": _BOTH_OURS,
    "app/privacy/safe.py: len(stored) == PLAIN_HASH": "a length",
    "app/referrals/directory/entries.py: entry.deputy == entry.code": _A_NAME,
    "app/referrals/channels/code_limits.py: RecordEvent.detail['agency'].astext == agency.code": (
        _A_NAME
    ),
    "app/referrals/printing.py: RecordEvent.detail['agency'].astext == agency.code": _A_NAME,
    "app/referrals/replies/details.py: Notice.detail['agency'].astext == agency.code": _A_NAME,
    "app/referrals/replies/links.py: RecordEvent.detail['agency'].astext == found.agency.code": (
        _A_NAME
    ),
    "app/retention/data_requests/children.py: code == record": _A_NAME,
    "app/retention/data_requests/finding.py: model.code == named": _A_NAME,
    "app/retention/data_requests/finding.py: shared.c.caller_key == own.caller_key": _BOTH_OURS,
    "app/retention/holds.py: model.code == code": _A_NAME,
    "app/safekeeping/backups/restoring.py: digest != made.sha256": "whether a copy is whole",
    "app/safekeeping/verifying.py: hashes.get(n) == hash_": "heads of chains are published",
    "app/safekeeping/verifying.py: hashes.get(n, hash_) != hash_": "heads of chains are published",
    "app/staff/phone_proofs.py: proof.code_until == until": "until when a code lives",
    "app/staff/phone_proofs.py: pin[:2] * 3 == pin": "whether a new PIN is easy to guess",
    "app/staff/phone_proofs.py: pin[:3] == pin[3:]": "whether a new PIN is easy to guess",
    "app/staff/sessions.py: duty.telephone == session.token_key": _BOTH_OURS,
    "app/statistics/counting/labels.py: path[0] != code": _A_NAME,
    "app/statistics/exports/spoken.py: column.labels == CODE": _A_NAME,
    "app/statistics/exports/spoken.py: found == code": _A_NAME,
    "app/telephony/counsellor/move_jobs.py: error.code != NOT_IN_PROGRESS": _STATUS,
    "app/telephony/messaging/signal/service.py: code == PROOF_WANTED": _STATUS,
    "app/telephony/messaging/signal/service.py: code == _NETWORK": _STATUS,
    "app/telephony/provider/client.py: error.code != NOT_IN_PROGRESS": _STATUS,
    "app/training/debrief.py: code == section": _A_NAME,
    "app/web/sign_in/signing_in.py: found.password_hash != staff.password_hash": _BOTH_OURS,
    "app/words/pages.py: one.lower() == code": "the code of a language",
    "app/retention/data_requests/reports/report.py: call.caller_key not in paper.keys": _BOTH_OURS,
    "app/routing/callbacks/rung_by_writer.py: _CONVERSATION.caller_key == caller_key": _BOTH_OURS,
}


# What leads a file to one of these libraries names it, and so does what calls one of these.
_NAMES_ONE = re.compile(rf"\b({'|'.join(_LIBRARIES)})\b")
_CALLS_BROKEN = re.compile(r"\b(md5|md4|des|tripledes|arc4|ecb|cbc|sha1)\b", re.IGNORECASE)


def _texts() -> dict[str, str]:
    """What production runs: neither the demo nor the practice exchange."""
    return {
        f"app/{path.as_posix()}": text
        for path, text in texts().items()
        if path.parts[0] not in ("demo", "practice")
    }


def _nodes(path: str) -> list[ast.AST]:
    """Return what one of these files holds, read as code."""
    return nodes(Path(path).relative_to("app"))


def _naming(pattern: re.Pattern[str]) -> dict[str, list[ast.AST]]:
    return {path: _nodes(path) for path, text in _texts().items() if pattern.search(text)}


def _imported(module: list[ast.AST]) -> set[str]:
    found: set[str] = set()
    for node in module:
        if isinstance(node, ast.Import):
            found.update(one.name for one in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module)
            found.update(f"{node.module}.{one.name}" for one in node.names)
    return found


def _libraries_of(module: list[ast.AST]) -> set[str]:
    used = set()
    for name in _imported(module):
        top = name.split(".")[0]
        if top == "twilio" and not name.startswith(_OF_TWILIO):
            continue
        used |= {top} & _LIBRARIES
    return used


def test_every_use_of_cryptography_stands_in_the_inventory() -> None:
    found: dict[str, set[str]] = defaultdict(set)
    for path, module in _naming(_NAMES_ONE).items():
        if libraries := _libraries_of(module):
            found[path] = libraries
    assert found.pop(_PAUSES) == {"random"}
    for script in sorted((ROOT / "app").rglob("source/**/*.js")):
        if calls := set(_IN_PAGES.findall(script.read_text())):
            found[script.relative_to(ROOT).as_posix()] = calls
    rows = {
        path: set(re.findall(r"`(\w+)`", calls)) for path, calls in _ROW.findall(_RULES.read_text())
    }
    assert rows == dict(found)


def _names_in(node: ast.AST) -> list[str]:
    """Return what a part of a source calls things: by a name, by an import, or by a text."""
    match node:
        case ast.Attribute(attr=name) | ast.Name(id=name) | ast.alias(name=name):
            return [name.rpartition(".")[2].lower()]
        case ast.Call(func=function, args=[ast.Constant(value=str(text)), *_]):
            # Like `hashlib.new("md5")`.
            return [text.lower()] if _last_name(function) in ("new", "file_digest") else []
    return []


def test_broken_hashes_and_modes_are_called_nowhere() -> None:
    broken = {"md5", "md4", "des", "tripledes", "arc4", "ecb", "cbc"}
    for path, module in _naming(_CALLS_BROKEN).items():
        for node in module:
            for name in _names_in(node):
                assert name not in broken, path
                assert name != "sha1" or path == "app/staff/leaked.py", path


@pytest.mark.parametrize(
    "source",
    [
        "import hashlib; hashlib.md5(b'')",
        "from hashlib import md5",
        "from hashlib import md5 as quick",
        "import hashlib; hashlib.new('MD5')",
        "from cryptography.hazmat.primitives.ciphers.modes import ECB",
    ],
)
def test_a_broken_hash_is_seen_however_it_is_called(source: str) -> None:
    names = {name for node in ast.walk(ast.parse(source)) for name in _names_in(node)}
    assert names & {"md5", "ecb"}


def test_the_inventory_says_how_to_go_on_and_who_looks_when() -> None:
    plan = _RULES.read_text().split("**The way to what comes after.**")[1].split("**Life of")[0]
    rows = re.findall(r"^\| ([^|]+) \|.*\| ([^|]*)\|$", plan, re.MULTILINE)[2:]
    assert len(rows) >= 8
    for part, until in rows:
        assert re.search(r"20(2[6-9]|3[0-5])|with the provider", until), part
    for words in ("ML-KEM", "ML-DSA", "every year in January", "The maintainers"):
        assert words in plan, words


def _last_name(side: ast.AST) -> str:
    if isinstance(side, ast.Name):
        return side.id
    if isinstance(side, ast.Attribute):
        return side.attr
    if isinstance(side, ast.Call):
        return _last_name(side.func)
    if isinstance(side, ast.Await):
        return _last_name(side.value)
    if isinstance(side, ast.Subscript):
        key = side.slice.value if isinstance(side.slice, ast.Constant) else None
        return key if isinstance(key, str) else _last_name(side.value)
    return ""


def _is_column(side: ast.AST) -> bool:
    """Whether the database compares: it finds a keyed hash, which tells nothing of the secret."""
    return (
        isinstance(side, ast.Attribute)
        and isinstance(side.value, ast.Name)
        and side.value.id[:1].isupper()
    )


def _could_be_secret(side: ast.AST) -> set[str]:
    name = _last_name(side).lower().strip("_")
    return (set(name.split("_")) & _SECRET) | ({"key"} if name.endswith("_key") else set())


def _compares_secrets(node: ast.Compare) -> bool:
    sides = [node.left, *node.comparators]
    if any(isinstance(one, (ast.Eq, ast.NotEq)) for one in node.ops):
        if any(isinstance(side, ast.Constant) or _is_column(side) for side in sides):
            return False
        return any(_could_be_secret(side) for side in sides)
    if any(isinstance(one, (ast.In, ast.NotIn)) for one in node.ops):
        return bool(_could_be_secret(node.left) - {"code"})
    return False


def test_what_could_be_a_secret_is_compared_in_equal_time() -> None:
    found = {
        f"{path}: {ast.unparse(node)}"
        for path in _texts()
        for node in _nodes(path)
        if isinstance(node, ast.Compare) and _compares_secrets(node)
    }
    # One that is not here needs `hmac.compare_digest`, or a reason in the list.
    assert found == set(_MAY_DIFFER)
    for line in ("token != given", "if x.secret == work.y: pass", "one.token in tokens"):
        (node,) = (one for one in ast.walk(ast.parse(line)) if isinstance(one, ast.Compare))
        assert _compares_secrets(node), line


def test_random_values_stay_different_under_load() -> None:
    """Of many that are made at once, in threads, no two are the same and none is short."""
    kinds = (_session_token, new_token, new_code)
    for make in kinds:
        with ThreadPoolExecutor(16) as threads:
            made = list(threads.map(lambda _, one=make: one(), range(4_000 if WHOLE else 1_000)))
        assert len(set(made)) == len(made), make
        assert len({len(one) for one in made}) == 1, make


def _session_token() -> str:
    """As tokens of sessions are made."""
    return secrets.token_urlsafe(32)
