# curl: the verification command of the how-to, and a pull of every byte by hand.

client_present() { export curl_kind=$1; }

with_certificate() {
    local folder=$work/certificates/$curl_kind show=()
    [ "$curl_kind" = none ] || show=(--cert "$folder/client.cert" --key "$folder/client.key")
    curl -fsS --cacert "$folder/ca.crt" "${show[@]}" "$@"
}

client_push() {
    local host=${1%%/*} path=${1#*/} name tag blob location
    name=${path%:*} tag=${path##*:}
    for blob in $(jq -r '.config.digest, .layers[].digest' "$work/layout/blobs/sha256/$(manifest_hash)"); do
        location=$(with_certificate -X POST -D - -o /dev/null "https://$host/v2/$name/blobs/uploads/" |
            tr -d '\r' | sed -n 's/^location: *//Ip')
        case $location in /*) location=https://$host$location ;; esac
        with_certificate -T "$work/layout/blobs/sha256/${blob#sha256:}" \
            "$location$(case $location in *\?*) echo '&' ;; *) echo '?' ;; esac)digest=$blob" || return 1
    done
    with_certificate -X PUT -H 'Content-Type: application/vnd.oci.image.manifest.v1+json' \
        --data-binary "@$work/layout/blobs/sha256/$(manifest_hash)" "https://$host/v2/$name/manifests/$tag"
}

manifest_hash() { jq -r '.manifests[0].digest' "$work/layout/index.json" | cut -d: -f2; }

client_pull() {
    local host=${1%%/*} path=${1#*/} name tag digest
    name=${path%:*} tag=${path##*:}
    with_certificate -H 'Accept: application/vnd.oci.image.manifest.v1+json' \
        "https://$host/v2/$name/manifests/$tag" >"$work/pulled.json" || return 1
    for digest in $(jq -r '.config.digest, .layers[].digest' "$work/pulled.json"); do
        with_certificate "https://$host/v2/$name/blobs/$digest" >"$work/pulled.blob" || return 1
        [ "sha256:$(sha256sum <"$work/pulled.blob" | cut -d' ' -f1)" = "$digest" ] || return 1
    done
    jq -r .config.digest "$work/pulled.json"
}
