#!/usr/bin/env bash
# What the services of docker-compose.yml need before they start: the ledger, once, and certificates and tokens, which are
# made anew in the last month before they expire. Each service sees its own folder of /secrets alone.
set -euo pipefail
umask 077

valid_days=397
renew_seconds=$((30 * 86400))
ledger="$COUNTERFOIL_DATA"

# Where one of the two was lost, no other ledger is made in its place.
if [[ ! -e "$ledger" && ! -e "$COUNTERFOIL_ANCHOR" ]]; then
    counterfoil init --origin "$ORIGIN"
elif [[ ! -e "$ledger" ]]; then
    echo "error: there is an anchor, and no ledger to it: bring back the volume of the ledger" >&2
    exit 1
fi
cp "$ledger.policy" /secrets/query/ledger.policy

# Prints a new token: who shows it, the file of those whom the server lets in, and what they may do.
token() { counterfoil token create --name "$1" --tokens "$2" "${@:3}" --expires "${valid_days}d"; }

# A key and its certificate, for a service by its name in the network, and on its own machine.
certificate() {
    local name="$1" work="$2"
    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=$name" \
        -keyout "/secrets/$name/server.key" -out "$work/$name.csr"
    openssl x509 -req -in "$work/$name.csr" -CA "$work/ca.pem" -CAkey "$work/ca.key" -CAcreateserial -days "$valid_days" \
        -extfile <(echo "subjectAltName = DNS:$name, DNS:localhost, IP:127.0.0.1") -out "/secrets/$name/server.pem"
}

# The authority's key is not kept: whoever wants another certificate makes all anew. Its certificate, which is there last,
# says that everything is.
renew() {
    local work
    work="$(mktemp -d)"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=Counterfoil's own authority" \
        -days "$valid_days" -keyout "$work/ca.key" -out "$work/ca.pem"
    certificate ingest "$work"
    certificate query "$work"
    token query "$ledger.tokens" --role read --role payload > /secrets/query/ingest.token
    token ask "$ledger.tokens" --role read --role payload --role write > /secrets/ask/ingest.token
    token ask /secrets/query/callers.tokens --role read --role payload > /secrets/ask/query.token
    cp "$work/ca.pem" /secrets/ingest/ca.pem
    cp "$work/ca.pem" /secrets/query/ca.pem
    cp "$work/ca.pem" /secrets/ask/ca.pem
    rm -rf "$work"
}

expires_late() { [[ -e "$1" ]] && openssl x509 -checkend "$renew_seconds" -noout -in "$1"; }

if ! expires_late /secrets/ask/ca.pem; then
    renew
    echo "certificates and tokens for $valid_days days were made"
fi
