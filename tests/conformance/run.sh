#!/usr/bin/env bash
# Runs the OCI conformance suite against a fresh registry, twice: over plain HTTP, and over mutual TLS through a
# proxy that adds the client certificate (the suite cannot present one).
# usage: run.sh BINARY [RESULTS]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
binary=$(realpath "$1")
results=$(realpath -m "${2:-results}")
work=$(mktemp -d /tmp/angos-conformance.XXXXXX)
pids=()
cleanup() {
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null || true; done # a killed child is no failure
    rm -rf "$work"
}
trap cleanup EXIT

# shellcheck source=../clients/certificates.sh
. "$here/../clients/certificates.sh"
(cd "$here" && go build -o "$work/suite" github.com/opencontainers/distribution-spec/conformance)
make_certificates "$work/certificates"

cat >"$work/plain.toml" <<CONFIG
[server]
bind_address = "127.0.0.1"
port = 18445
[blob_store.fs]
root_dir = "$work/plain"
[global]
require_references = false # the suite pushes sparse indexes
[global.access_policy]
default = "allow"
CONFIG
cat >"$work/mutual.toml" <<CONFIG
[server]
bind_address = "127.0.0.1"
port = 18446
[server.tls]
server_certificate_bundle = "$work/certificates/server/client.cert"
server_private_key = "$work/certificates/server/client.key"
client_ca_bundle = "$work/certificates/ca.crt"
client_auth = "required"
[blob_store.fs]
root_dir = "$work/mutual"
[global]
require_references = false # the suite pushes sparse indexes
[global.access_policy]
default = "deny"
rules = ["identity.certificate.organizations.contains('Clients')"]
CONFIG

start() { "$@" >>"$work/log" 2>&1 & pids+=($!); }
await() { # port
    for _ in $(seq 100); do (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null && return; sleep 0.1; done
    echo "nothing listens on port $1:" && cat "$work/log" && exit 1
}

suite() { # label, port
    local status=0
    OCI_VERSION=dev OCI_DATA_SPARSE=true OCI_REGISTRY=127.0.0.1:$2 OCI_TLS=disabled OCI_RESULTS_DIR=$results/$1 \
        OCI_REPO1=conformance/repo1 OCI_REPO2=conformance/repo2 "$work/suite" >"$work/suite.log" 2>&1 || status=$?
    if [ $status -ne 0 ]; then tail -n 60 "$work/suite.log"; fi
    # The suite exits 0 when it skips; a skip is a failure here.
    python3 - "$results/$1/junit.xml" "$1" <<'PYTHON'
import sys
import xml.etree.ElementTree as tree
cases = list(tree.parse(sys.argv[1]).iter("testcase"))
passed = [c for c in cases if c.get("status") == "passed"]
skipped = [c for c in cases if c.get("status") == "skipped"]
for case in cases:
    if case.get("status") != "passed":
        print(f"{case.get('status')}: {case.get('name')}")
failed = len(cases) - len(passed) - len(skipped)
print(f"conformance over {sys.argv[2]}: {len(passed)} passed, {failed} failed, {len(skipped)} skipped")
sys.exit(len(passed) != len(cases) or not cases)
PYTHON
    return $status
}

start "$binary" -c "$work/plain.toml" server
start "$binary" -c "$work/mutual.toml" server
await 18445
await 18446
start socat TCP-LISTEN:18447,bind=127.0.0.1,fork,reuseaddr \
    "OPENSSL:localhost:18446,pf=ip4,cafile=$work/certificates/ca.crt,cert=$work/certificates/good/client.cert,key=$work/certificates/good/client.key,verify=1"
await 18447
suite plain 18445
suite mutual-tls 18447
