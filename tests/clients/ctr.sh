# ctr: containerd's own client, with --hosts-dir.

# shellcheck source=containerd.sh
. "$here/containerd.sh"
client_start() {
    start_containerd "$work/hosts" || return 1
    ctr_run images import --no-unpack --all-platforms "$work/busybox.tar" >"$work/last.log" 2>&1
}
client_stop() { stop_containerd; }
client_present() { install_hosts "$hosts" "$1"; }
ctr_run() { ctr -a "$containerd_socket" "$@"; }
client_push() { ctr_run images push --hosts-dir "$hosts" "$1" angos.test/busybox:1; }

client_pull() {
    ctr_run images rm --sync "$1" >/dev/null 2>&1
    ctr_run images pull --snapshotter native --hosts-dir "$hosts" "$1" >"$work/ctr.log" 2>&1 || { tail -n 3 "$work/ctr.log"; return 1; }
    local manifest
    manifest=$(ctr_run images ls name=="$1" | awk 'NR == 2 {print $3}')
    ctr_run content get "$manifest" | jq -r .config.digest
}
