# A real image without the internet: Debian's static busybox as one layer.

make_image() { # folder; leaves an OCI layout and a docker archive, and sets config_digest
    {
        umoci init --layout "$1/layout"
        umoci new --image "$1/layout:busybox"
        umoci unpack --image "$1/layout:busybox" "$1/bundle"
        mkdir -p "$1/bundle/rootfs/bin"
        cp /bin/busybox "$1/bundle/rootfs/bin/busybox"
        ln -s busybox "$1/bundle/rootfs/bin/sh"
        umoci repack --image "$1/layout:busybox" "$1/bundle"
        umoci config --image "$1/layout:busybox" --config.cmd /bin/sh
        umoci gc --layout "$1/layout"
        skopeo copy "oci:$1/layout:busybox" "docker-archive:$1/busybox.tar:angos.test/busybox:1"
    } >"$1/image.log" 2>&1 || { cat "$1/image.log"; exit 1; }
    config_digest=$(skopeo inspect --raw "oci:$1/layout:busybox" | jq -r .config.digest)
    export config_digest
}
