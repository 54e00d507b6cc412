# buildah: builds in a storage of its own; shows certificates from a folder.

client_start() {
    export buildah_root=$work/buildah BUILDAH_ISOLATION=chroot
    buildah_run pull -q "docker-archive:$work/busybox.tar" >"$work/buildah.id"
}
client_present() { export buildah_certificates=$work/certificates/$1; }
buildah_run() { buildah --storage-driver vfs --root "$buildah_root" --runroot "$buildah_root.run" "$@"; }
client_push() { buildah_run push -q --cert-dir "$buildah_certificates" "$(cat "$work/buildah.id")" "docker://$1"; }

client_pull() {
    buildah_run rmi "$1" >/dev/null 2>&1
    buildah_run pull -q --policy always --cert-dir "$buildah_certificates" "docker://$1" >"$work/buildah.pulled" || return 1
    echo "sha256:$(buildah_run images -q --no-trunc "$1" | head -n 1 | sed 's/^sha256://')"
}
