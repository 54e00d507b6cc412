#!/usr/bin/env bash
# Drives every client of this folder through the certificate matrix of README.md.
# usage: run.sh BINARY [CLIENT ...]
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
binary=$(realpath "$1")
shift
clients=("$@")
[ ${#clients[@]} -gt 0 ] || clients=(curl skopeo buildah podman docker ctr cri)

work=$(mktemp -d /tmp/angos-clients.XXXXXX)
export work here
required=registry.test:18443 # the port where a client certificate is required
optional=registry.test:18444 # and where it is optional
passed=0 failed=0
pids=()

# shellcheck source=certificates.sh
. "$here/certificates.sh"
# shellcheck source=image.sh
. "$here/image.sh"

cleanup() {
    client_stop >/dev/null 2>&1
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null; done
    for port in 18443 18444; do
        rm -rf "/etc/docker/certs.d/registry.test:$port" "/etc/containers/certs.d/registry.test:$port"
    done
    sed -i '/ registry\.test # angos client matrix$/d' /etc/hosts 2>/dev/null ||
        { grep -v ' registry\.test # angos client matrix$' /etc/hosts >"$work/hosts"; cat "$work/hosts" >/etc/hosts; }
    umount -R "$work" 2>/dev/null
    rm -rf "$work"
}
client_stop() { :; }
trap cleanup EXIT

report() { # outcome, what happened
    if [ "$1" = ok ]; then
        passed=$((passed + 1))
        printf 'ok      %-8s %s\n' "$client" "$2"
    else
        failed=$((failed + 1))
        printf 'FAILED  %-8s %s\n' "$client" "$2"
        tail -n 5 "$work/last.log" | sed 's/^/          | /'
    fi
}

attempt() { timeout 120 bash -c "$(declare -f); $*" >"$work/last.log" 2>&1; }

expect_push() { # certificate, image
    client_present "$1"
    if attempt client_push "$2"; then report ok "push $2 with $1"; else report no "push $2 with $1"; fi
}

expect_pull() { # certificate, image
    client_present "$1"
    if attempt client_pull "$2" && [ "$(tail -n 1 "$work/last.log")" = "$config_digest" ]; then
        report ok "pull $2 with $1"
    else
        report no "pull $2 with $1 (expected $config_digest)"
    fi
}

expect_refused() { # certificate, verb, image
    client_present "$1"
    if attempt "client_$2" "$3"; then report no "$2 $3 with $1 was let in"; else report ok "$2 $3 with $1 is refused"; fi
}

configure() { # file, port, mode, extra rule
    cat >"$1" <<CONFIG
[server]
bind_address = "::1"
port = $2

[server.tls]
server_certificate_bundle = "$work/certificates/server/client.cert"
server_private_key = "$work/certificates/server/client.key"
client_ca_bundle = "$work/certificates/ca.crt"
client_auth = "$3"

[blob_store.fs]
root_dir = "$work/data-$3"

[global.access_policy]
default = "deny"
rules = ["identity.certificate.organizations.contains('Clients')"$4]
CONFIG
}

start_registry() { # configuration
    "$binary" -c "$1" server >"$1.log" 2>&1 &
    pids+=($!)
}

wait_for() { # port
    for _ in $(seq 100); do
        curl -fsS -o /dev/null --cacert "$work/certificates/ca.crt" --cert "$work/certificates/good/client.cert" \
            --key "$work/certificates/good/client.key" "https://registry.test:$1/v2/" 2>/dev/null && return 0
        sleep 0.1
    done
    echo "the registry on port $1 did not answer:" && cat "$work"/*.log
    exit 1
}

matrix() {
    local bad
    if declare -F client_push >/dev/null; then
        expect_push good "$required/$client/busybox:1"
        expect_push good "$optional/private/$client:1"
        expect_push good "$optional/public/$client:1"
        expect_refused none push "$optional/public/$client:2"
    else
        seed "$required/$client/busybox:1" "$optional/private/$client:1" "$optional/public/$client:1"
    fi
    expect_pull good "$required/$client/busybox:1"
    expect_pull good "$optional/private/$client:1"
    expect_pull none "$optional/public/$client:1"
    expect_refused none pull "$optional/private/$client:1"
    for bad in none other-authority expired not-yet-valid server-usage; do
        expect_refused "$bad" pull "$required/$client/busybox:1"
        declare -F client_push >/dev/null && expect_refused "$bad" push "$required/$client/refused:1"
    done
}

seed() { # images that this client cannot push itself
    local image
    for image in "$@"; do
        skopeo copy -q --dest-cert-dir "$work/certificates/good" "oci:$work/layout:busybox" "docker://$image" ||
            { echo "cannot seed $image"; exit 1; }
    done
}

grep -q ' registry\.test' /etc/hosts || echo '::1 registry.test # angos client matrix' >>/etc/hosts
make_certificates "$work/certificates"
make_image "$work"
configure "$work/required.toml" 18443 required ''
configure "$work/optional.toml" 18444 optional \
    ", \"request.namespace.startsWith('public/') && request.action in ['get-manifest', 'get-blob']\", \"request.action == 'get-api-version'\""
start_registry "$work/required.toml"
start_registry "$work/optional.toml"
wait_for 18443
wait_for 18444

for client in "${clients[@]}"; do
    unset -f client_push client_pull client_present
    client_start() { :; }
    client_stop() { :; }
    # shellcheck source=/dev/null
    . "$here/$client.sh"
    client_start || { report no "could not be started"; continue; }
    matrix
    client_stop
done

echo "client matrix: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
