# Finds the browsers of the tests, or installs them where that is allowed: the headless shell of
# Chromium, and Chromium itself for notifications. Where there is no shell, Chromium does all.
if [ -z "${CHROMIUM:-}" ]; then
  for package in chromium-headless-shell chromium; do
    if ! command -v "$package" >/dev/null && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
      echo "Installing $package for the browser tests ..." >&2
      timeout 240 sh -c "apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $package" >/dev/null 2>&1 || true
    fi
  done
  CHROMIUM="$(command -v chromium-headless-shell || command -v chromium || command -v chromium-browser || command -v google-chrome || true)"
  [ -n "$CHROMIUM" ] || echo "SKIPPED: the browser tests, since there is no Chromium on this machine." >&2
fi
export CHROMIUM
