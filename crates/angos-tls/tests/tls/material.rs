//! Files: what does not load, what the operator is told, and what loads.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::time::Duration;

use angos_test_ca::{Authority, Key, Leaf};
use angos_tls::{
    ClientAuth, ClientCa, ClientCaSetting, Clients, LoadError, Material, Problem, Setting, limits,
};

use crate::client::Client;
use crate::site::Site;

const BUNDLE: Setting = Setting::ClientCa(0, ClientCaSetting::Bundle);

/// The one thing that is wrong with a site's settings.
fn only_error(site: &Site) -> LoadError {
    let mut errors = site.load().map(|_| ()).unwrap_err();
    assert_eq!(errors.len(), 1, "{errors:?}");
    errors.remove(0)
}

fn base64_lines(label: &str, pem: &str, lines: std::ops::Range<usize>) -> String {
    let body: Vec<_> = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    format!("-----BEGIN {label}-----\n{}\n", body[lines.start..lines.end.min(body.len())].join("\n"))
}

#[test]
fn a_file_of_something_else_is_named_with_its_remedy() {
    let site = Site::required();
    let ca = site.clients.certificate_pem();
    let cut = base64_lines("CERTIFICATE", &ca, 0..3);
    let rows: &[(&str, Vec<u8>, &str)] = &[
        ("empty", b"".to_vec(), "holds no certificate"),
        ("blank", b"\n\n  \n".to_vec(), "holds no certificate"),
        ("prose", b"put the certificates here\n".to_vec(), "holds no certificate"),
        ("binary", vec![0xff; 64], "holds no certificate"),
        ("DER", site.clients.certificate_der(), "is DER, not PEM"),
        ("cut off", cut.clone().into_bytes(), "looks cut off"),
        ("cut off after a good one", format!("{ca}{cut}").into_bytes(), "looks cut off"),
        ("indented", ca.replace("-----BEGIN", "  -----BEGIN").into_bytes(), "indented"),
        ("one of two indented", format!("{ca}{}", ca.replace("-----B", " -----B")).into_bytes(), "indented"),
        ("byte order mark", format!("\u{feff}{ca}").into_bytes(), "byte order mark"),
        ("three dashes", ca.replace("CATE-----\nM", "CATE---\nM").into_bytes(), "five dashes"),
        ("not base64", ca.replacen("\nM", "\n!", 1).into_bytes(), "base64"),
        (
            "empty section",
            b"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n".to_vec(),
            "certificate 1 cannot be used",
        ),
        (
            "not a certificate",
            b"-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n".to_vec(),
            "certificate 1 cannot be used",
        ),
        ("too large", vec![b'\n'; 1024 * 1024 + 1], "larger than 1048576 bytes"),
    ];
    for (name, content, expected) in rows {
        for setting in [BUNDLE, Setting::ServerCertificateBundle] {
            let mut site = Site::required();
            let file = site.file("wrong.pem", content);
            match setting {
                BUNDLE => site.settings.clients.cas = vec![ClientCa::new(&file)],
                _ => site.settings.server_certificate_bundle.clone_from(&file),
            }
            let error = only_error(&site);
            assert_eq!((error.setting(), error.file()), (setting, Some(file.as_path())), "{name}");
            let text = error.to_string();
            assert!(text.contains(expected), "{name}: {text}");
            assert!(text.contains("wrong.pem") && text.contains(&setting.to_string()), "{name}: {text}");
            assert!(text.ends_with(error.remedy()), "{name}: {text}");
        }
    }
}

#[test]
fn the_largest_file_is_read() {
    let mut site = Site::required();
    let mut content = site.clients.certificate_pem();
    content.push_str(&"\n".repeat(1024 * 1024 - content.len()));
    site.settings.clients.cas = vec![ClientCa::new(site.file("padded.pem", content))];
    assert!(site.load().is_ok());
}

#[test]
fn a_client_authority_must_be_one() {
    let site = Site::required();
    let issue = |leaf: &Leaf| site.clients.issue(leaf).certificate_pem;
    let (alice, old) = (issue(&Leaf::client("alice")), issue(&Leaf::client("old").expired()));
    let server = issue(&Leaf::server(["localhost"]));
    let ca = site.clients.certificate_pem();
    let crl = "-----BEGIN X509 CRL-----\naGVsbG8=\n-----END X509 CRL-----\n";
    let trusted = ca.replace("CERTIFICATE", "TRUSTED CERTIFICATE");
    let odd = issue(&Leaf::client("a").uri("spiffe://a.example/x").uri("spiffe://b.example/y"));
    let rows: &[(&str, String, &[&str])] = &[
        ("a leaf", alice.clone(), &["certificate 1 (CN=alice) is not a certificate authority"]),
        ("a server's leaf", server, &["certificate 1 (CN=localhost) is not a certificate authority"]),
        ("a leaf behind an authority", format!("{ca}{alice}"), &["certificate 2 (CN=alice)"]),
        ("an expired leaf", old.clone(), &["certificate 1 (CN=old) is not a certificate authority"]),
        ("two leaves", format!("{alice}{ca}{old}"), &["certificate 1 (CN=alice)", "certificate 3 (CN=old)"]),
        (
            "an unreadable one",
            format!("{ca}{odd}"),
            &["certificate 2 cannot be used: there are several SPIFFE"],
        ),
        ("a revocation list", format!("{ca}{crl}"), &["\"X509 CRL\", which does not belong there"]),
        ("OpenSSL's own wrapping", format!("{ca}{trusted}"), &["\"TRUSTED CERTIFICATE\""]),
        ("a key on one line", format!("-----BEGIN PRIVATE KEY-----{}", "aGVsbG8-----"), &["five dashes"]),
        ("a key", site.clients.issue(&Leaf::client("a")).key_pem, &["\"PRIVATE KEY\""]),
    ];
    for (name, content, expected) in rows {
        let mut site = Site::required();
        site.settings.clients.cas = vec![ClientCa::new(site.file("ca.pem", content))];
        let errors = site.load().map(|_| ()).unwrap_err();
        assert_eq!(errors.len(), expected.len(), "{name}: {errors:?}");
        for (error, expected) in errors.iter().zip(*expected) {
            assert!(error.to_string().contains(expected), "{name}: {error}");
        }
    }
}

#[test]
fn more_authorities_than_the_limit_are_refused() {
    let mut site = Site::required();
    // One certificate repeated: the bundle is larger than allowed either way, so the count must be what is told.
    let ca = site.clients.certificate_pem();
    let count = limits::CLIENT_CAS_MAX + 1;
    assert!(u64::try_from(ca.len() * count).unwrap() <= limits::PEM_MAX_BYTES);
    site.settings.clients.cas = vec![ClientCa::new(site.file("many.pem", ca.repeat(count)))];
    assert!(matches!(only_error(&site).problem(), Problem::TooManyCas));
    site.settings.clients.cas = vec![ClientCa::new(site.file("many.pem", ca.repeat(count - 1)))];
    assert!(site.load().is_ok());
}

#[test]
fn the_private_key_must_be_one_and_the_right_one() {
    let other = Authority::new("Other").issue(&Leaf::server(["localhost"])).key_pem;
    let encrypted = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\naGVsbG8=\n-----END RSA PRIVATE KEY-----\n";
    let secret = "aGVsbG8gdGhlcmUgdGhpcyBpcyBzZWNyZXQ=";
    let rows: &[(&str, String, &str)] = &[
        ("another key", other.clone(), "does not belong to the first certificate"),
        ("no key", Authority::new("A").certificate_pem(), "holds no private key"),
        ("empty", String::new(), "holds no private key"),
        ("two keys", format!("{other}{other}"), "more than one private key"),
        ("encrypted", other.replace("PRIVATE", "ENCRYPTED PRIVATE"), "is encrypted"),
        ("encrypted, the old way", encrypted.into(), "is encrypted"),
        (
            "nonsense",
            format!("-----BEGIN PRIVATE KEY-----\n{secret}\n-----END PRIVATE KEY-----\n"),
            "cannot be used",
        ),
        ("mislabelled", other.replace("PRIVATE", "RSA PRIVATE"), "cannot be used"),
        ("cut off", format!("-----BEGIN PRIVATE KEY-----\n{secret}\n"), "cut off"),
        (
            "on one line",
            format!("-----BEGIN PRIVATE KEY-----{secret}-----END PRIVATE KEY-----\n"),
            "five dashes",
        ),
        (
            "with text behind the label",
            format!("-----BEGIN PRIVATE KEY-----{secret}-----END PRIVATE KEY-----{secret}\n"),
            "five dashes",
        ),
        (
            "not base64",
            format!("-----BEGIN PRIVATE KEY-----\n{secret}!\n-----END PRIVATE KEY-----\n"),
            "base64",
        ),
    ];
    for (name, content, expected) in rows {
        let mut site = Site::new(None);
        site.settings.server_private_key = site.file("wrong.key", content);
        let error = only_error(&site);
        assert_eq!(error.setting(), Setting::ServerPrivateKey, "{name}");
        assert!(error.to_string().contains(expected), "{name}: {error}");
        let told = format!("{error}{error:?}");
        assert!(!told.contains("aGVsbG8") && !told.contains("hello"), "{name} shows the key: {told}");
    }
}

#[tokio::test]
async fn every_kind_of_key_in_every_wrapping_serves() {
    for key in [Key::P256, Key::P384, Key::P521, Key::Ed25519, Key::Rsa] {
        let mut site = Site::new(None);
        let issued = site.servers.issue(&Leaf::server(["localhost"]).key(key));
        site.settings.server_certificate_bundle = site.file("server.pem", &issued.certificate_pem);
        let (begin, rest) = ("-----BEGIN ", issued.key_pem.clone());
        let mut wrappings =
            vec![rest.clone(), rest.replace('\n', "\r\n"), format!("{}{rest}", issued.certificate_pem)];
        let parameters = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n";
        match key {
            Key::P256 | Key::P384 | Key::P521 => {
                wrappings.push(format!("{parameters}{}", traditional("EC PRIVATE KEY", &issued.key_der)));
            }
            Key::Rsa | Key::Rsa1024 | Key::Rsa4096 => {
                wrappings.push(traditional("RSA PRIVATE KEY", &issued.key_der));
            }
            Key::Ed25519 => {}
        }
        for wrapping in wrappings {
            assert!(wrapping.contains(begin));
            site.settings.server_private_key = site.file("server.key", &wrapping);
            let attempt = Client::new(&site.servers).attempt(&site.acceptor()).await;
            assert_eq!(attempt.client.as_deref(), Ok("welcome"), "{key:?}");
        }
    }
}

/// The key inside PKCS#8 (version, algorithm, OCTET STRING), in the wrapping OpenSSL calls traditional.
fn traditional(label: &str, pkcs8: &[u8]) -> String {
    fn split(der: &[u8]) -> (&[u8], &[u8]) {
        let (start, length) = match der[1] {
            short @ 0..=0x7f => (2, usize::from(short)),
            0x81 => (3, usize::from(der[2])),
            0x80 | 0x82.. => (4, usize::from(der[2]) << 8 | usize::from(der[3])),
        };
        (&der[start..start + length], &der[start + length..])
    }
    let (fields, _) = split(pkcs8);
    let (_version, rest) = split(fields);
    let (_algorithm, rest) = split(rest);
    let (key, _) = split(rest);
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", base64(key))
}

fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let word = chunk.iter().fold(0, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..=chunk.len() {
            text.push(char::from(ALPHABET[(word >> (18 - 6 * place)) as usize & 63]));
        }
        text.extend(std::iter::repeat_n('=', 3 - chunk.len()));
    }
    text
}

#[tokio::test]
async fn the_chain_is_sent() {
    let mut site = Site::new(None);
    let issued = site.servers.intermediate("Issuing CA").issue(&Leaf::server(["localhost"]));
    site.settings.server_certificate_bundle = site.file("server.pem", &issued.certificate_pem);
    site.settings.server_private_key = site.file("server.key", &issued.key_pem);
    let attempt = Client::new(&site.servers).attempt(&site.acceptor()).await;
    assert_eq!(attempt.client.as_deref(), Ok("welcome"));

    // In the wrong order the first certificate is not the server's.
    let [leaf, intermediate] = &issued.chain_der[..] else { panic!("a chain of two") };
    let wrap = |der| format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", base64(der));
    site.file("server.pem", format!("{}{}", wrap(intermediate), wrap(leaf)));
    let error = only_error(&site);
    assert!(matches!(error.problem(), Problem::KeyMismatch));
    assert!(error.remedy().contains("own certificate first"));

    site.file("server.pem", wrap(leaf).repeat(100));
    assert!(matches!(only_error(&site).problem(), Problem::ChainTooLarge));
}

#[test]
fn paths_that_lead_nowhere() {
    let mut site = Site::required();
    let check = |site: &Site, expected: &str| {
        let error = only_error(site);
        assert!(error.to_string().contains(expected), "{error}");
    };
    site.settings.clients.cas = vec![ClientCa::new(site.path().join("absent.pem"))];
    check(&site, "does not exist; check the path");
    site.settings.clients.cas = vec![ClientCa::new(site.path().to_owned())];
    check(&site, "not a regular file");
    symlink("nowhere", site.path().join("dangling.pem")).unwrap();
    site.settings.clients.cas = vec![ClientCa::new(site.path().join("dangling.pem"))];
    check(&site, "does not exist");
    site.settings.clients.cas = vec![ClientCa::new("/dev/zero")];
    check(&site, "not a regular file");
}

#[test]
fn a_file_that_may_not_be_read() {
    let mut site = Site::required();
    let file = site.file("secret.pem", site.clients.certificate_pem());
    fs::set_permissions(&file, fs::Permissions::from_mode(0o000)).unwrap();
    let denied = fs::File::open(&file).is_err(); // the superuser reads it all the same
    site.settings.clients.cas = vec![ClientCa::new(file)];
    match site.load() {
        Ok(_) => assert!(!denied),
        Err(errors) => {
            assert!(matches!(errors[0].problem(), Problem::PermissionDenied));
            assert!(errors[0].to_string().contains("may not be read by this process; give the user"));
        }
    }
}

#[test]
fn everything_wrong_is_told_at_once() {
    let clients = Clients::required([ClientCa::new("/absent/ca.pem")]);
    let mut settings = angos_tls::Settings::new("/absent/server.pem", "/absent/server.key", clients);
    settings.handshake_timeout = Duration::ZERO;
    let errors = Material::load(&settings).map(|_| ()).unwrap_err();
    let settings: Vec<_> = errors.iter().map(|error| error.setting().to_string()).collect();
    let expected =
        ["handshake_timeout", "server_certificate_bundle", "server_private_key", "clients.cas[0].bundle"];
    assert_eq!(settings, expected);
}

#[test]
fn settings_that_cannot_be_meant() {
    let mut site = Site::new(None);
    for auth in [ClientAuth::Required, ClientAuth::Optional] {
        site.settings.clients.auth = auth;
        let error = only_error(&site);
        assert_eq!((error.setting(), error.file()), (Setting::ClientAuth, None));
        assert!(error.to_string().contains("there are no client authorities"), "{error}");
    }

    for (timeout, good) in [
        (Duration::ZERO, false),
        (Duration::from_nanos(1), true),
        (limits::HANDSHAKE_TIMEOUT_MAX, true),
        (limits::HANDSHAKE_TIMEOUT_MAX + Duration::from_nanos(1), false),
        (Duration::MAX, false),
    ] {
        let mut site = Site::new(None);
        site.settings.handshake_timeout = timeout;
        assert_eq!(site.load().is_ok(), good, "{timeout:?}");
    }
}

#[test]
fn a_server_certificate_that_clients_refuse_is_a_warning() {
    for (leaf, expected) in [
        (Leaf::server(["localhost"]), None),
        (Leaf::server(["localhost"]).expired(), Some("certificate 1 (CN=localhost) has expired; clients")),
        (Leaf::server(["localhost"]).not_yet_valid(), Some("is not valid yet; clients will refuse it")),
    ] {
        let mut site = Site::required();
        let issued = site.servers.issue(&leaf);
        site.settings.server_certificate_bundle = site.file("server.pem", &issued.certificate_pem);
        site.settings.server_private_key = site.file("server.key", &issued.key_pem);
        let material = site.load().unwrap();
        let warnings: Vec<_> = material.warnings().iter().map(ToString::to_string).collect();
        assert_eq!(warnings.len(), expected.iter().count(), "{warnings:?}");
        assert!(
            warnings.iter().zip(expected).all(|(told, expected)| told.contains(expected)),
            "{warnings:?}"
        );
    }
}
