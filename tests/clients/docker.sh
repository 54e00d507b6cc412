# dockerd, started by hand on a socket of its own: certificates from /etc/docker/certs.d, as the how-to says.
# The registry's name must not resolve into 127.0.0.0/8, which dockerd treats as insecure and without certs.d.

client_start() {
    export DOCKER_HOST=unix://$work/docker.sock
    dockerd --iptables=false --ip6tables=false --bridge=none --storage-driver=vfs --data-root "$work/docker" \
        --exec-root "$work/docker-exec" --pidfile "$work/docker.pid" -H "$DOCKER_HOST" >"$work/dockerd.log" 2>&1 &
    docker_pid=$!
    pids+=("$docker_pid")
    for _ in $(seq 300); do docker version >/dev/null 2>&1 && break; sleep 0.1; done
    docker load -q -i "$work/busybox.tar" >"$work/last.log" 2>&1 || { tail -n 5 "$work/dockerd.log"; return 1; }
}
client_stop() { kill "$docker_pid" 2>/dev/null && wait "$docker_pid" 2>/dev/null; }
client_present() { install_certificate /etc/docker/certs.d "$1"; }
client_push() { docker tag angos.test/busybox:1 "$1" && docker push -q "$1"; }

client_pull() {
    docker rmi "$1" >/dev/null 2>&1
    docker pull -q "$1" >/dev/null || return 1
    docker image inspect --format '{{.Id}}' "$1"
}
