//! Configurations with several listeners: which of them is tried, and what each says of a client.

use super::simulated::Fixture;
use super::{doctor, write};
use angos_test_ca::Leaf;
use std::fs;

/// Ports below 1024 on which nobody listens; nothing opens one here.
const LISTENERS: &str = r#"
[[server.listener]]
name = "open"
port = 2
client_auth = "none"

[[server.listener]]
name = "probes"
port = 3
tls = false
serve = ["management"]

[[server.listener]]
name = "health"
bind_address = "0.0.0.0"
port = 4
serve = ["management"]

[[server.listener]]
name = "strict"
port = 5
client_auth = "required"
"#;

fn fixture() -> Fixture {
    let fixture = Fixture::new("optional");
    let path = fixture.folder.path().join("config.toml");
    let text = fs::read_to_string(&path).unwrap();
    let server = "[server]\nbind_address = \"127.0.0.1\"\nport = 1\n";
    fs::write(path, format!("{server}{text}{LISTENERS}")).unwrap();
    fixture
}

const PAIR: [&str; 6] = ["-c", "config.toml", "--cert", "client.pem", "--key", "client.key"];

#[test]
fn without_an_address_every_listener_of_the_registry_is_tried() {
    let fixture = fixture();
    let found = doctor(fixture.folder.path(), &PAIR);
    assert_eq!(found.names(), [] as [&str; 0], "{}", found.text);
    for words in [
        "listener registry (127.0.0.1:1): a server so configured accepts the handshake of CN=alice",
        "listener strict (127.0.0.1:5): a server so configured accepts the handshake of CN=alice",
        "listener open (127.0.0.1:2): not tried, as it asks for no client certificate",
        "listener probes (127.0.0.1:3): not tried, as it speaks plain HTTP",
        "listener health (0.0.0.0:4): not tried, as it serves no registry",
    ] {
        assert!(found.text.contains(words), "no {words:?} in:\n{}", found.text);
    }
    // Only one of them insists on a certificate, and it is named.
    let found = doctor(fixture.folder.path(), &["-c", "config.toml"]);
    assert_eq!(found.names(), ["certificate_required"], "{}", found.text);
    assert_eq!(found.report["findings"][0]["about"], "config.toml, listener strict (127.0.0.1:5)");
    // What one of them refuses, all of them refuse.
    write(&fixture.pki.stranger.issue(&Leaf::client("alice")), fixture.folder.path(), "client");
    let found = doctor(fixture.folder.path(), &PAIR);
    assert_eq!(found.names(), ["unknown_ca"], "{}", found.text);
}

/// The address also leads to a server that runs. None does here, and that is told as well.
#[test]
fn an_address_chooses_the_listener() {
    let fixture = fixture();
    let rows: [(&str, &[&str], &str); 8] = [
        ("localhost:1", &[], "listener registry (127.0.0.1:1)"),
        ("localhost:2", &["certificate_not_asked"], "listener open (127.0.0.1:2)"),
        ("localhost:3", &["plain_http", "no_registry"], "listener probes (127.0.0.1:3)"),
        ("http://localhost:3", &["no_registry"], "listener probes (127.0.0.1:3)"),
        ("127.0.0.1:4", &["no_registry"], "listener health (0.0.0.0:4)"),
        ("localhost:5", &[], "listener strict (127.0.0.1:5)"),
        // Another address of the same port, and a port of nobody, as a balancer has.
        ("127.0.0.2:5", &["server_name_mismatch"], "listener registry (127.0.0.1:1)"),
        ("localhost:6", &[], "listener registry (127.0.0.1:1)"),
    ];
    for (address, names, place) in rows {
        let found = doctor(fixture.folder.path(), &[&PAIR[..], &[address, "--timeout", "1"]].concat());
        let expected = |name: &&String| *name != "connection_refused";
        let told: Vec<_> = found.names();
        let told: Vec<_> = told.iter().filter(expected).collect();
        assert_eq!(told, names, "{address}: {}", found.text);
        assert!(found.text.contains(place), "{address}: no {place:?} in:\n{}", found.text);
        let others = ["registry", "open", "probes", "health", "strict"];
        let others = others.iter().filter(|name| !place.contains(&format!("listener {name} ")));
        for other in others {
            assert!(!found.text.contains(&format!("listener {other} ")), "{address}: {}", found.text);
        }
    }
}
