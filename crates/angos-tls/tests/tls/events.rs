//! What the log says about a refused client.

use std::cell::RefCell;
use std::io::{self, Write};
use std::sync::Once;

use angos_test_ca::{Authority, Leaf};
use angos_tls::{Acceptor, FailureClass, limits};
use tracing_subscriber::EnvFilter;

use crate::client::Client;
use crate::site::Site;

thread_local! {
    /// What the test of this thread has logged.
    static LINES: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

struct Lines;

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LINES.with_borrow_mut(|lines| lines.extend_from_slice(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// One subscriber for all threads: with one per test, a thread without any could turn an event off for all.
fn subscribe() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        tracing_subscriber::fmt()
            .with_env_filter(EnvFilter::new("angos=debug,angos::auth=debug,angos::tls=debug"))
            .with_ansi(false)
            .with_writer(|| Lines)
            .init();
        tracing::callsite::rebuild_interest_cache();
    });
}

/// What is logged when this client connects: all of it, which must be on this target.
async fn logged(target: &str, site: &Site, client: Client) -> String {
    let log = told(&site.acceptor(), &client).await;
    assert!(log.lines().all(|line| line.contains(&format!(" INFO {target}: "))), "{log}");
    log
}

async fn told(acceptor: &Acceptor, client: &Client) -> String {
    subscribe();
    LINES.take();
    let _outcome = client.attempt(acceptor).await;
    String::from_utf8(LINES.take()).unwrap()
}

#[tokio::test]
async fn a_flood_is_told_once_each_but_not_where_everybody_looks() {
    let site = Site::required();
    let acceptor = site.acceptor();
    let nobody = Client::new(&site.servers);
    let mut levels = Vec::new();
    for _ in 0..limits::LOGGED_FAILURES_BURST + 3 {
        let log = told(&acceptor, &nobody).await;
        assert_eq!(log.lines().count(), 1, "{log}");
        levels.push(log.contains(" INFO angos::auth: "));
        assert!(log.contains(" INFO angos::auth: ") || log.contains(" DEBUG angos::auth: "), "{log}");
    }
    // No more than a burst, and what a slow machine lets in between.
    let shown = levels.iter().take_while(|shown| **shown).count();
    assert_eq!(shown, usize::try_from(limits::LOGGED_FAILURES_BURST).unwrap(), "{levels:?}");
    // Another class has a burst of its own.
    let expired = nobody.with(site.clients.issue(&Leaf::client("alice").expired()));
    assert!(told(&acceptor, &expired).await.contains(" INFO angos::auth: "));
}

#[tokio::test]
async fn a_refused_certificate_is_described_in_one_event() {
    let site = Site::required();
    let leaf = Leaf::client("alice").organization("DevOps").serial(&[0x0a, 0xbc]).expired();
    let issued = site.clients.issue(&leaf);
    let certificate = angos_identity::Certificate::from_der(&issued.certificate_der).unwrap();
    let log = logged("angos::auth", &site, Client::new(&site.servers).with(issued)).await;
    assert_eq!(log.lines().count(), 1, "{log}");
    for expected in [
        "INFO",
        "angos::auth",
        "client certificate not accepted",
        "class=\"expired\"",
        "has expired",
        "CN=alice",
        "O=DevOps",
        "issuer=CN=Client CA",
        "serial_number=0abc",
        "generation=1",
        &format!("fingerprint={}", certificate.fingerprint()),
    ] {
        assert!(log.contains(expected), "{expected} is not in {log}");
    }
}

#[tokio::test]
async fn a_missing_certificate_is_told() {
    let site = Site::required();
    let log = logged("angos::auth", &site, Client::new(&site.servers)).await;
    assert_eq!(log.lines().count(), 1, "{log}");
    assert!(log.contains("class=\"no_certificate\"") && log.contains("the client sent none"), "{log}");
    assert!(!log.contains("subject="), "{log}");
}

#[tokio::test]
async fn an_unreadable_identity_says_what_cannot_be_read() {
    let site = Site::required();
    let leaf = Leaf::client("alice").uri("spiffe://a.example/x").uri("spiffe://b.example/y");
    let client = Client::new(&site.servers).with(site.clients.issue(&leaf));
    let log = logged("angos::auth", &site, client).await;
    assert!(log.contains("class=\"identity\"") && log.contains("several SPIFFE ids"), "{log}");
}

#[tokio::test]
async fn hostile_names_cannot_forge_lines_or_colours() {
    let site = Site::required();
    let forged = "x\n2030-01-01 INFO angos::auth: admin accepted\u{1b}[31m\u{202e}";
    for leaf in [Leaf::client(forged), Leaf::client("x").organization(forged)] {
        let client = Client::new(&site.servers).with(Authority::new("Another CA").issue(&leaf));
        let log = logged("angos::auth", &site, client).await;
        assert_eq!(log.lines().count(), 1, "{log}");
        assert!(log.contains("unknown_ca"), "{log}");
        assert!(!log.contains(['\u{1b}', '\u{202e}']), "{log}");
    }
}

#[tokio::test]
async fn other_failures_have_another_target_and_accepted_clients_are_silent() {
    let site = Site::required();
    let mut imap = Client::new(&site.servers);
    imap.alpn = vec![b"imap".to_vec()];
    let log = logged("angos::tls", &site, imap).await;
    assert!(log.contains("handshake failed") && log.contains("class=\"protocol\""), "{log}");
    let good = Client::new(&site.servers).with(site.clients.issue(&Leaf::client("alice")));
    assert_eq!(logged("nothing", &site, good).await, "");
}

#[test]
fn class_words_are_distinct_and_plain() {
    let mut words: Vec<_> = FailureClass::ALL.into_iter().map(FailureClass::as_str).collect();
    words.sort_unstable();
    words.dedup();
    assert_eq!(words.len(), FailureClass::ALL.len());
    for class in FailureClass::ALL {
        assert!(class.as_str().bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{class}");
        assert!(!class.explanation().is_empty());
    }
}
