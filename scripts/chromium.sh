# Finds Chromium for the browser tests, or installs it where that is allowed.
if [ -z "${CHROMIUM:-}" ]; then
  CHROMIUM="$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)"
  if [ -z "$CHROMIUM" ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "Installing Chromium for the browser tests ..." >&2
    (apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium) >/dev/null 2>&1 || true
    CHROMIUM="$(command -v chromium || true)"
  fi
  [ -n "$CHROMIUM" ] || echo "SKIPPED: the browser tests, since there is no Chromium on this machine." >&2
fi
export CHROMIUM
