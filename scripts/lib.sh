# What the scripts share: where things are kept, and how they speak. Sourced, never run.
# Data goes to stdout, everything else to stderr.
# shellcheck shell=bash disable=SC2034

cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit

# Outside the checkout, so that it survives a fresh clone.
cache="${COUNTERFOIL_CACHE:-$HOME/.cache/counterfoil}"
tools="$cache/tools"
target="${CARGO_TARGET_DIR:-$cache/target}"

cargo_deny_version=0.20.2
buf_version=1.75.0
grpcurl_version=1.9.4
ghz_version=0.93.0
tessera_version=1.0.4
litewitness_version=0.9.0
# Its parts are of this version too.
otelcol_version="$(sed -n 's/.*otlpreceiver v//p' tests/otel/builder.yaml)"
kafka_version=4.3.1
postgres_version=15

buf="$tools/npm/node_modules/.bin/buf"
# What the second verifier is compiled with.
verify_ts="$tools/verify-ts"

say() { echo "==> $*" >&2; }

die() {
    echo "error: $*" >&2
    exit 1
}

have() { command -v "$1" >/dev/null 2>&1; }

# Whether Node has what the second verifier and its tests need.
has_node() {
    have node && node -e 'process.exit(typeof crypto === "object" && "crc32" in require("zlib") ? 0 : 1)' 2>/dev/null
}

# Says what is left out and why. In CI nothing may be left out.
skip() {
    echo "SKIPPED: $1: $2" >&2
    [[ "${CI:-}" != true ]]
}

# Whether a file system can be mounted here.
can_mount() {
    local folder
    folder="$(mktemp -d)"
    mount -t tmpfs -o size=64k tmpfs "$folder" 2>/dev/null && umount "$folder"
    local mounted=$?
    rmdir "$folder"
    return "$mounted"
}
