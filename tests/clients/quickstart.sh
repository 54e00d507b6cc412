#!/usr/bin/env bash
# Starts `angos quickstart` and runs every command it prints, as printed and in order.
# A command whose comment says it is refused or denied must fail; every other must succeed.
# usage: quickstart.sh BINARY
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
binary=$(realpath "$1")
work=$(mktemp -d /tmp/angos-quickstart.XXXXXX)
export work here
pids=() passed=0 failed=0
port=18448

# shellcheck source=containerd.sh
. "$here/containerd.sh"
cleanup() {
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null; done
    rm -rf "/etc/docker/certs.d/0.0.0.0:$port"
    umount -R "$work" 2>/dev/null
    rm -rf "$work"
}
trap cleanup EXIT

# What a desktop has and a bare machine has not: sudo for root, a service manager, crictl.
shims() {
    mkdir -p "$work/bin"
    # shellcheck disable=SC2016
    printf '#!/bin/sh\nexec "$@"\n' >"$work/bin/sudo"
    printf '#!/bin/sh\nexit 0\n' >"$work/bin/systemctl"
    # shellcheck disable=SC2016
    printf '#!/bin/sh\nexec "%s" "%s" "$@"\n' "$work/cri" "$containerd_socket" >"$work/bin/crictl"
    chmod +x "$work/bin/"*
    export PATH=$work/bin:$PATH
    export CONTAINERD_ADDRESS=$containerd_socket CONTAINERD_SNAPSHOTTER=native
    printf '[storage]\ndriver = "vfs"\ngraphroot = "%s"\nrunroot = "%s"\n' "$work/storage" "$work/run" >"$work/storage.conf"
    export CONTAINERS_STORAGE_CONF=$work/storage.conf
}

start_dockerd() {
    export DOCKER_HOST=unix://$work/docker.sock
    dockerd --iptables=false --ip6tables=false --bridge=none --storage-driver=vfs --data-root "$work/docker" \
        --exec-root "$work/docker-exec" --pidfile "$work/docker.pid" -H "$DOCKER_HOST" >"$work/dockerd.log" 2>&1 &
    pids+=($!)
    for _ in $(seq 300); do docker version >/dev/null 2>&1 && return 0; sleep 0.1; done
    tail -n 5 "$work/dockerd.log" && exit 1
}

"$binary" quickstart --dir "$work/quickstart" --port $port >"$work/printed" 2>"$work/angos.log" &
pids+=($!)
for _ in $(seq 100); do grep -q listening "$work/angos.log" && break; sleep 0.1; done

(cd "$here/cri" && go build -o "$work/cri" .) || exit 1
start_containerd "$work/quickstart/containerd" || exit 1
start_dockerd
shims

# Commands are indented by two spaces and begin with the name of a program.
grep -E '^  (cd|curl|skopeo|podman|sudo|tar) ' "$work/printed" | sed 's/^  //' >"$work/commands"
[ "$(wc -l <"$work/commands")" -ge 15 ] || { echo "too few commands were printed:"; cat "$work/printed"; exit 1; }
cd "$work" || exit 1
while IFS= read -r command; do
    # The shell the reader pastes into: a `cd` stays in force for the lines after it.
    case $command in "cd "*) eval "$command" && continue ;; esac
    timeout 60 bash -c "$command" >"$work/last.log" 2>&1 </dev/null
    status=$?
    case $command in *'# '*refused* | *'# '*denied*) expected=refused ;; *) expected=done ;; esac
    # curl ends well whatever the registry answers, so an error in its answer counts as a refusal.
    grep -q '"errors"' "$work/last.log" && status=1
    if { [ $expected = done ] && [ $status -eq 0 ]; } || { [ $expected = refused ] && [ $status -ne 0 ]; }; then
        passed=$((passed + 1))
        printf 'ok      %-7s %s\n' $expected "$command"
    else
        failed=$((failed + 1))
        printf 'FAILED  %-7s %s\n' $expected "$command"
        tail -n 5 "$work/last.log" | sed 's/^/          | /'
    fi
done <"$work/commands"

echo "quickstart: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
