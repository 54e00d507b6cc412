# podman: certificates from /etc/containers/certs.d, as the how-to says.

client_start() {
    export podman_root=$work/podman
    podman_run load -q -i "$work/busybox.tar"
}
client_present() { install_certificate /etc/containers/certs.d "$1"; }
podman_run() { podman --storage-driver vfs --root "$podman_root" --runroot "$podman_root.run" "$@"; }
client_push() { podman_run push -q angos.test/busybox:1 "docker://$1"; }

client_pull() {
    podman_run rmi "$1" >/dev/null 2>&1
    podman_run pull -q "docker://$1" >/dev/null || return 1
    echo "sha256:$(podman_run image inspect --format '{{.Id}}' "$1" | sed 's/^sha256://')"
}
