# skopeo: copies between an OCI layout and the registry.

client_present() { export skopeo_certificates=$work/certificates/$1; }
client_push() { skopeo copy -q --dest-cert-dir "$skopeo_certificates" "oci:$work/layout:busybox" "docker://$1"; }

client_pull() {
    rm -rf "$work/pulled"
    skopeo copy -q --src-cert-dir "$skopeo_certificates" "docker://$1" "oci:$work/pulled:busybox" || return 1
    skopeo inspect --raw "oci:$work/pulled:busybox" | jq -r .config.digest
}
