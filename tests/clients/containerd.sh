# One containerd for ctr and for the CRI plugin, started by hand; certificates from a hosts folder.

start_containerd() { # hosts folder
    export hosts=$1 containerd_socket=$work/containerd.sock
    mkdir -p "$hosts"
    cat >"$work/containerd.toml" <<CONFIG
version = 2
root = "$work/containerd"
state = "$work/containerd-state"
[grpc]
address = "$containerd_socket"
[plugins."io.containerd.grpc.v1.cri"]
disable_cgroup = true
[plugins."io.containerd.grpc.v1.cri".containerd]
snapshotter = "native"
[plugins."io.containerd.grpc.v1.cri".registry]
config_path = "$hosts"
CONFIG
    containerd -c "$work/containerd.toml" >"$work/containerd.log" 2>&1 &
    containerd_pid=$!
    pids+=("$containerd_pid")
    for _ in $(seq 300); do ctr -a "$containerd_socket" version >/dev/null 2>&1 && return 0; sleep 0.1; done
    tail -n 5 "$work/containerd.log"
    return 1
}
stop_containerd() { kill "$containerd_pid" 2>/dev/null && wait "$containerd_pid" 2>/dev/null; }
