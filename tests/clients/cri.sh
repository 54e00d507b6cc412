# The kubelet's way: the container runtime interface of containerd, with config_path. It pulls only.

# shellcheck source=containerd.sh
. "$here/containerd.sh"
client_start() {
    (cd "$here/cri" && go build -o "$work/cri" .) || return 1
    start_containerd "$work/hosts"
}
client_stop() { stop_containerd; }
client_present() { install_hosts "$hosts" "$1"; }

client_pull() {
    "$work/cri" "$containerd_socket" remove "$1" >/dev/null 2>&1
    "$work/cri" "$containerd_socket" pull "$1"
}
