//! Every finding there is: a stable name, how bad it is, what it means and what to do. Scripts and the page
//! `docs/reference/doctor.md` rest on the names; a test compares the two.

use std::fmt;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Severity {
    /// It keeps the client from working.
    Error,
    /// It works, but not as it should, or not for long.
    Warning,
    /// Nothing is wrong; worth knowing.
    Note,
}

impl Severity {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One kind of finding.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    pub(crate) severity: Severity,
    pub(crate) meaning: &'static str,
    pub(crate) remedy: &'static str,
}

macro_rules! kinds {
    ($($constant:ident $severity:ident $name:literal $meaning:literal $remedy:literal)*) => {
        $(pub(crate) const $constant: Kind =
            Kind { name: $name, severity: Severity::$severity, meaning: $meaning, remedy: $remedy };)*
        /// Every kind, in the order of the page.
        #[cfg(test)]
        const ALL: &[Kind] = &[$($constant),*];
    };
}

kinds! {
    FILE_MISSING Error "file_missing"
        "a file that is named does not exist"
        "check the path; a relative one counts from the folder you are in"
    FILE_UNREADABLE Error "file_unreadable"
        "a file cannot be read, or is not a regular file"
        "give the user that runs the client read permission on the file and on its folders"
    NOT_PEM Error "not_pem"
        "a file is not PEM: binary DER, PKCS #12, or cut off"
        "convert it: `openssl x509 -inform der -in FILE -out FILE.pem` for a certificate, `openssl pkcs12 -in FILE -nodes -out FILE.pem` for a .p12 or .pfx file"
    WRONG_FILE Error "wrong_file"
        "a file holds something else than expected, for example a key where a certificate belongs"
        "name the right file; certificate and key may be in one file"
    KEY_ENCRYPTED Error "key_encrypted"
        "the private key is protected by a passphrase; container runtimes never ask for one"
        "remove the passphrase: `openssl pkey -in FILE -out FILE.plain`"
    KEY_UNUSABLE Error "key_unusable"
        "the private key is of an unknown kind, too short, broken, or not the only one in its file"
        "make a new key (ECDSA P-256, say) and have a certificate issued for it"
    KEY_MISMATCH Error "key_mismatch"
        "the private key does not belong to the first certificate of the file"
        "use the key the certificate was made with, and put the client's own certificate first, before its intermediates"
    KEY_EXPOSED Warning "key_exposed"
        "every user of the machine can read the private key"
        "`chmod 600 FILE`; if other users of the machine are not trusted, make a new key"
    CLIENT_EXPIRED Error "client_expired"
        "the client's certificate has expired"
        "renew it; if its dates are good, the server's clock is ahead"
    CLIENT_NOT_YET_VALID Error "client_not_yet_valid"
        "the client's certificate is not valid yet"
        "wait, or have it issued anew; if its dates are good, one of the clocks is wrong"
    CLIENT_EXPIRES_SOON Warning "client_expires_soon"
        "the client's certificate expires within a week, and four fifths of its lifetime have passed"
        "renew it now"
    CLIENT_WRONG_USAGE Error "client_wrong_usage"
        "the certificate's extended key usage does not include client authentication"
        "have it issued with `extendedKeyUsage = clientAuth`"
    CLIENT_KEY_USAGE Error "client_key_usage"
        "the key usage of the client's certificate lacks digitalSignature, or that of an intermediate lacks keyCertSign"
        "have it issued with `keyUsage = digitalSignature`, and intermediates with `keyCertSign`"
    CLIENT_SELF_SIGNED Error "client_self_signed"
        "the client's certificate is self-signed, and no CA of the server issued it"
        "have a CA of the server's `client_ca_bundle` issue a certificate for the client's key"
    ISSUER_NAME Error "issuer_name"
        "the issuer's name in the certificate and the CA's own name differ in letter case, spaces or string types"
        "the operator adds the CA certificate with this very name to `client_ca_bundle`, or the CA issues the certificate again"
    CLIENT_IS_CA Error "client_is_ca"
        "the certificate given as the client's is a CA certificate"
        "use the certificate that the CA issued to the client"
    CLIENT_UNUSABLE Error "client_unusable"
        "the client's certificate is malformed, of version 1, or has an unknown critical extension"
        "have it issued anew, with extensions (`openssl x509 -req … -extfile FILE`)"
    CLIENT_IDENTITY_UNREADABLE Error "client_identity_unreadable"
        "the certificate may be valid, but the identity in it cannot be read; Angos refuses it"
        "have it issued with the value that the finding names in its proper form, without control characters, and with at most one SPIFFE id"
    CLIENT_TRUST_DOMAIN Error "client_trust_domain"
        "the certificate is valid, but it has no SPIFFE id of the trust domain its CA may issue for (`spiffe_trust_domain`); a server other than Angos may send this alert for other reasons"
        "have it issued with a SPIFFE id of that trust domain, or by a CA that is not bound to one"
    CLIENT_REFUSED Error "client_refused"
        "the server refuses the client's certificate for a reason that its alert does not name"
        "look into the server's log: `RUST_LOG=angos::auth=debug`"
    INTERMEDIATE_EXPIRED Error "intermediate_expired"
        "an intermediate that the client sends has expired"
        "put the renewed intermediate into the client's file"
    INTERMEDIATE_NOT_YET_VALID Error "intermediate_not_yet_valid"
        "an intermediate that the client sends is not valid yet"
        "check the clocks, and put the right intermediate into the client's file"
    MISSING_INTERMEDIATE Error "missing_intermediate"
        "the client does not send the intermediate between its certificate and a CA of the server"
        "append the intermediate to the client's certificate file, after the client's own: `cat client.pem intermediate.pem > chain.pem`"
    UNKNOWN_CA Error "unknown_ca"
        "the server does not accept certificates of the CA that signed the client's"
        "use a certificate of one of the CAs the server names, let the operator add yours to `client_ca_bundle`, or, if yours is an intermediate below one of them, append it to the client's certificate file"
    CA_EXPIRED Warning "ca_expired"
        "a CA in a file has expired or is not valid yet"
        "replace it with its successor"
    NOT_A_CA Error "not_a_ca"
        "a certificate in the file of CAs is not a CA certificate"
        "put the certificate of the CA that signed it there (basic constraints CA:TRUE)"
    REVOKED Error "revoked"
        "the client's certificate, or one above it, is on a CRL"
        "have a new certificate issued for a new key"
    REVOCATION_UNKNOWN Error "revocation_unknown"
        "no current CRL covers the client's certificate, so the server refuses it"
        "the operator renews the CA's CRL, or sets `unknown_status` or `expired_list`"
    SIGNATURE_REFUSED Error "signature_refused"
        "a signature is wrong: another CA of the same name signed the certificate, or the key is not the certificate's"
        "compare the authority key identifier in both: `openssl x509 -noout -text -in FILE`"
    KEY_KIND_REFUSED Error "key_kind_refused"
        "the client's key, or a signature of its chain, is of a kind the server does not accept"
        "use a key of ECDSA P-256 or RSA with 2048 bits or more, in a certificate signed with SHA-256"
    CERTIFICATE_REQUIRED Error "certificate_required"
        "the server requires a client certificate and received none"
        "give the client one (`--cert`, `--key`); a container runtime looks for it in a folder named after the registry, port included"
    CERTIFICATE_NOT_ASKED Warning "certificate_not_asked"
        "the server requests no client certificate, so the client stays anonymous"
        "the operator sets `client_ca_bundle` and `client_auth`; or the address leads to another listener or to a proxy that ends TLS"
    SERVER_NAME_MISMATCH Error "server_name_mismatch"
        "the server's certificate is not for the name it was reached by"
        "use one of its names, or have it issued with this one as a subject alternative name; a common name alone does not count"
    SERVER_NOT_TRUSTED Error "server_not_trusted"
        "no CA that the client trusts signed the server's certificate, or the server does not send its intermediate"
        "give the client the server's CA: `--ca` here, ca.crt in certs.d, `ca` in hosts.toml"
    SERVER_EXPIRED Error "server_expired"
        "the server's certificate has expired"
        "the operator replaces it; Angos loads it without a restart"
    SERVER_NOT_YET_VALID Error "server_not_yet_valid"
        "the server's certificate is not valid yet"
        "check the clocks; the operator replaces it with a valid one"
    SERVER_WRONG_USAGE Error "server_wrong_usage"
        "the server's certificate is not meant for servers"
        "the operator has it issued with `extendedKeyUsage = serverAuth`"
    SERVER_CERTIFICATE_BAD Error "server_certificate_bad"
        "the server's certificate is refused for another reason"
        "the operator has it issued anew"
    SERVER_DIFFERS Warning "server_differs"
        "the running server shows another certificate than the configuration names"
        "look for a refused reload in its log, and whether the address leads to this server"
    NAME_NOT_RESOLVED Error "name_not_resolved"
        "the host name has no address"
        "check its spelling, DNS and /etc/hosts"
    CONNECTION_REFUSED Error "connection_refused"
        "nothing listens on this address and port"
        "check that the server runs, its `bind_address` and `port`; `angos check` says what keeps it from starting"
    CONNECTION_TIMEOUT Error "connection_timeout"
        "the connection was not established in time"
        "check the address, routes and firewalls"
    CONNECTION_FAILED Error "connection_failed"
        "the connection failed below TLS"
        "check the network between the two"
    HANDSHAKE_TIMEOUT Error "handshake_timeout"
        "the connection was established, but the handshake did not finish"
        "check that TLS is spoken on this port and that nothing in between holds bytes back"
    CONNECTION_CLOSED Error "connection_closed"
        "the server closed the connection without a reason"
        "look into the server's log; a proxy or balancer in between may close it too"
    PLAIN_HTTP Error "plain_http"
        "the port speaks HTTP without TLS"
        "use the port that speaks TLS; the operator adds `[server.tls]`, which takes effect at the next start"
    TLS_ON_HTTP Error "tls_on_http"
        "the address says http://, and the port speaks TLS"
        "write https://"
    NO_TLS Warning "no_tls"
        "the address says http://: everything, passwords included, is sent in the clear and no certificate is shown"
        "use https:// unless this is a loopback address"
    NOT_TLS Error "not_tls"
        "another service than TLS or HTTP answers on this port"
        "check the port"
    TOO_MUCH_DATA Error "too_much_data"
        "the server sends more than a handshake has"
        "check the port: this is no TLS server of an ordinary kind"
    HELLO_CHANGED Error "hello_changed"
        "the server cannot read the first message of the handshake, which is valid when it leaves this machine: something in between changes it"
        "a balancer must pass bytes as they are: turn off the PROXY protocol (`send-proxy` in HAProxy, `proxy_protocol` in nginx), which Angos does not speak"
    PROTOCOL_VERSION Error "protocol_version"
        "client and server share no version of TLS; Angos speaks 1.2 and 1.3"
        "update whichever side is older"
    NO_COMMON_PARAMETERS Error "no_common_parameters"
        "client and server share no cipher suite, signature algorithm or key exchange"
        "use a server key of ECDSA P-256 or RSA with 2048 bits or more, and a current TLS library"
    ALPN Error "alpn"
        "the server does not speak HTTP/1.1 by ALPN"
        "check the port: another protocol is served there"
    SERVER_NAME_UNKNOWN Error "server_name_unknown"
        "the server does not know the name it was reached by"
        "use one of its names"
    SERVER_ERROR Error "server_error"
        "the server reported an internal error"
        "look into the server's log"
    ALERT Error "alert"
        "the server ended the handshake with another alert"
        "look into the server's log: `RUST_LOG=angos::tls=debug`"
    NOT_PERMITTED Warning "not_permitted"
        "the handshake succeeded, but the policy denies this caller `GET /v2/`"
        "let a rule allow `get-api-version`; `angos policy explain` shows why none does"
    CREDENTIAL_WANTED Note "credential_wanted"
        "the handshake succeeded, and the registry asks for a user name and password"
        "log in with them, or show a certificate that a rule allows"
    NO_REGISTRY Warning "no_registry"
        "the handshake succeeded, but the server is not a registry"
        "check address and port; a proxy may have answered"
    CONFIGURATION_ERROR Error "configuration_error"
        "the configuration has an error: a server would not start with it, and a reload would refuse it"
        "correct it; `angos check` prints its file, line and column"
    CONFIGURATION_WARNING Warning "configuration_warning"
        "the configuration loads, but probably does not do what was meant"
        "read the warning"
    TLS_NOT_CONFIGURED Error "tls_not_configured"
        "the configuration has no `[server.tls]`: the server speaks plain HTTP and no certificate counts"
        "add `[server.tls]`"
    LAYOUT_NO_FOLDER Error "layout_no_folder"
        "the client has no folder for this registry"
        "name the folder after the registry as it stands in image names, with the port unless image names have none"
    LAYOUT_NO_CLIENT Warning "layout_no_client"
        "the folder holds no client certificate"
        "put client.cert and client.key into it"
    LAYOUT_KEY_MISSING Error "layout_key_missing"
        "a client certificate has no key of the same name beside it"
        "name the key like the certificate: client.cert and client.key"
    LAYOUT_CERTIFICATE_MISSING Error "layout_certificate_missing"
        "a key has no certificate of the same name beside it; Docker and Podman then refuse the whole folder"
        "name the certificate like the key, with the ending .cert: client.cert and client.key"
    LAYOUT_PAIR_NOT_SHOWN Warning "layout_pair_not_shown"
        "the folder holds several client certificates, and this one is not shown to this server, which would refuse it"
        "remove it, or renew it; the runtime shows the first one whose issuer the server names"
    LAYOUT_CLIENT_NAMED_CRT Error "layout_client_named_crt"
        "a client certificate ends in .crt, which is the ending for CAs, so it is never shown"
        "rename it to end in .cert"
    LAYOUT_CA_NAMED_CERT Error "layout_ca_named_cert"
        "a CA certificate ends in .cert, which is the ending for client certificates, so it is not trusted"
        "rename it to end in .crt"
    LAYOUT_IGNORED_FILE Warning "layout_ignored_file"
        "a file in the folder is never read, because its ending is not .crt, .cert or .key"
        "rename it, or remove it"
    LAYOUT_LOOPBACK Error "layout_loopback"
        "Docker treats loopback addresses as insecure registries and reads no certificate for them"
        "reach the registry by a name or address outside 127.0.0.0/8 (and ::1, in newer versions)"
    LAYOUT_HOSTS_INVALID Error "layout_hosts_invalid"
        "hosts.toml cannot be read, so containerd ignores it"
        "correct it; containerd's docs/hosts.md describes the format"
    LAYOUT_HOSTS_NOT_NESTED Error "layout_hosts_not_nested"
        "`client` in hosts.toml is a list of two files, which means two certificates that hold their own keys"
        "write a list of pairs: client = [[\"client.cert\", \"client.key\"]]"
    LAYOUT_HOSTS_OTHER Warning "layout_hosts_other"
        "hosts.toml gives no client certificate to the address in question"
        "put `ca` and `client` into the table of that host; keys above the first table belong to `server` alone"
    LAYOUT_HOSTS_NO_TABLE Error "layout_hosts_no_table"
        "hosts.toml has no `[host]` table: containerd 1 refuses the file and every pull; containerd 2 accepts it"
        "put the keys into a table: [host.\"https://REGISTRY\"]"
    LAYOUT_HOSTS_PLAIN Error "layout_hosts_plain"
        "hosts.toml names the registry with http://, so containerd may send requests without TLS and without a certificate"
        "write https://"
    LAYOUT_HOSTS_PATH Error "layout_hosts_path"
        "hosts.toml makes containerd send requests to another path than /v2, where Angos serves the registry"
        "write the address without a path, and remove `override_path`"
    LAYOUT_HOSTS_CAPABILITIES Warning "layout_hosts_capabilities"
        "hosts.toml does not use this host for everything: other requests go to the next host, or to `server`, with its files"
        "name all capabilities: [\"pull\", \"resolve\", \"push\"], or leave the key out"
    LAYOUT_HOSTS_AUTHORIZATION Warning "layout_hosts_authorization"
        "hosts.toml sends an Authorization header of its own; a wrong credential is refused even beside a good certificate"
        "remove the header, unless the registry has this user and password"
    LAYOUT_CA_KEY Error "layout_ca_key"
        "the folder holds the private key of a CA: who can read it can issue certificates for any client"
        "move the key to where certificates are issued, and put the client's own client.cert and client.key here"
    LAYOUT_SKIP_VERIFY Warning "layout_skip_verify"
        "hosts.toml tells containerd to trust any server"
        "remove `skip_verify`, and set `ca`"
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/doctor.md");
    const BEGIN: &str = "<!-- made from the code; `BLESS=1 cargo test -p angos-doctor` renews it -->\n";
    const END: &str = "<!-- end -->";

    #[test]
    fn names_are_distinct_words() {
        for kind in ALL {
            assert!(kind.name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{}", kind.name);
            assert_eq!(ALL.iter().filter(|other| other.name == kind.name).count(), 1, "{}", kind.name);
        }
    }

    #[test]
    fn every_finding_is_documented() {
        let rows = ALL.iter().map(|Kind { name, severity, meaning, remedy }| {
            format!("| `{name}` | {severity} | {meaning} | {remedy} |\n")
        });
        let table = "| finding | severity | what it means | what to do |\n|---|---|---|---|\n".to_owned()
            + &rows.collect::<String>();
        let page = std::fs::read_to_string(PAGE).expect("the page");
        let (before, rest) = page.split_once(BEGIN).expect("a place for the table");
        let (documented, after) = rest.split_once(END).expect("its end");
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(PAGE, format!("{before}{BEGIN}{table}{END}{after}")).expect("the page");
            return;
        }
        assert_eq!(documented, table, "BLESS=1 renews docs/reference/doctor.md");
    }
}
