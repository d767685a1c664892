#!/usr/bin/env bash
# Installs siege(1), the load generator of the breaker drill, where it is missing.
set -euo pipefail

# shellcheck source=scripts/engines/install.sh
. "$(dirname "$0")/engines/install.sh"

is_installed() { command -v siege >/dev/null; }

ensure_installed siege is_installed siege
