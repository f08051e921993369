# Sets everything up in .venv; sourced by the other scripts. Quick when nothing has changed.
set -euo pipefail
# Without compiled files every process starts four times as slowly.
unset PYTHONDONTWRITEBYTECODE
cd "$(dirname "${BASH_SOURCE[0]}")/.."

find_python() {
  for candidate in "${PYTHON:-}" python3.13 python3.12 python3.11 python3 python; do
    [ -n "$candidate" ] || continue
    if "$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      echo "$candidate"; return
    fi
  done
  echo "Python 3.11 or newer with venv is needed (on Debian: apt-get install python3-venv)." >&2
  exit 1
}

stamp="$(cat requirements.lock installer.lock pyproject.toml | cksum)"
if [ "$(cat .venv/.stamp 2>/dev/null)" != "$stamp" ]; then
  echo "Setting up .venv (once) ..." >&2
  [ -x .venv/bin/python ] || "$(find_python)" -m venv .venv
  .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r installer.lock
  # Quick with uv; with pip where uv cannot reach the index (pip reads settings that uv does not).
  .venv/bin/uv --system-certs pip sync --quiet --python .venv/bin/python --require-hashes \
    requirements.lock installer.lock 2>/dev/null ||
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes \
      -r requirements.lock
  .venv/bin/uv pip install --quiet --python .venv/bin/python --no-deps --no-build-isolation --editable .
  echo "$stamp" > .venv/.stamp
fi
.venv/bin/python scripts/assets
