# Certificates of the matrix, one folder a kind, in the layout of certs.d: ca.crt client.cert client.key.

make_authority() { # folder, common name
    mkdir -p "$1"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$1/ca.key" -out "$1/ca.crt" \
        -days 2 -subj "/CN=$2" -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign
}

make_leaf() { # folder, authority, extensions, from (relative to now), until
    mkdir -p "$1"
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$1/client.key" -out "$1/client.csr" \
        -subj "/O=Clients/CN=$(basename "$1")"
    mkdir -p "$2/issued"
    : >"$2/issued/index.txt"
    cat >"$1/ca.cnf" <<CNF
[ca]
default_ca = test
[test]
database = $2/issued/index.txt
new_certs_dir = $2/issued
certificate = $2/ca.crt
private_key = $2/ca.key
rand_serial = yes
default_md = sha256
policy = anything
x509_extensions = leaf
unique_subject = no
[anything]
organizationName = optional
commonName = supplied
[leaf]
basicConstraints = critical,CA:FALSE
authorityKeyIdentifier = keyid
$3
CNF
    openssl ca -batch -notext -config "$1/ca.cnf" -in "$1/client.csr" -out "$1/client.cert" \
        -startdate "$(date -u -d "$4" +%Y%m%d%H%M%SZ)" -enddate "$(date -u -d "$5" +%Y%m%d%H%M%SZ)"
    chmod 600 "$1/client.key"
    rm "$1/client.csr" "$1/ca.cnf"
}

make_certificates() { # folder
    local client='extendedKeyUsage = clientAuth' server='extendedKeyUsage = serverAuth'
    {
        make_authority "$1" "Client matrix authority"
        make_authority "$1/another" "Another authority"
        make_leaf "$1/server" "$1" "$server
subjectAltName = DNS:registry.test,DNS:localhost,IP:::1,IP:127.0.0.1" '-1 hour' '+1 day'
        make_leaf "$1/good" "$1" "$client" '-1 hour' '+1 day'
        make_leaf "$1/other-authority" "$1/another" "$client" '-1 hour' '+1 day'
        make_leaf "$1/expired" "$1" "$client" '-2 days' '-1 day'
        make_leaf "$1/not-yet-valid" "$1" "$client" '+1 day' '+2 days'
        make_leaf "$1/server-usage" "$1" "$server" '-1 hour' '+1 day'
        mkdir "$1/none"
    } >"$1.log" 2>&1 || { cat "$1.log"; exit 1; }
    local kind
    for kind in good other-authority expired not-yet-valid server-usage none; do cp "$1/ca.crt" "$1/$kind/ca.crt"; done
}

# Puts the folder of a certificate where a client looks for it.
install_certificate() { # certs.d folder, kind
    local port
    for port in 18443 18444; do
        rm -rf "$1/registry.test:$port"
        mkdir -p "$1/registry.test:$port"
        cp "$work/certificates/$2/"* "$1/registry.test:$port/"
    done
}

# The same for containerd, which wants a hosts.toml beside it.
install_hosts() { # hosts folder, kind
    local port show
    for port in 18443 18444; do
        rm -rf "$1/registry.test:$port"
        mkdir -p "$1/registry.test:$port"
        cp "$work/certificates/$2/"* "$1/registry.test:$port/"
        show=
        [ "$2" = none ] || show="client = [[\"$1/registry.test:$port/client.cert\", \"$1/registry.test:$port/client.key\"]]"
        cat >"$1/registry.test:$port/hosts.toml" <<HOSTS
server = "https://registry.test:$port"
[host."https://registry.test:$port"]
capabilities = ["pull", "resolve", "push"]
ca = "$1/registry.test:$port/ca.crt"
$show
HOSTS
    done
}
