//! The crate graph of `docs/architecture.md`, edge by edge, against what cargo says it is.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

/// Every package of the product and all it may depend on inside the workspace.
const GRAPH: &[(&str, &[&str])] = &[
    (
        "angos",
        &[
            "angos-access",
            "angos-auth",
            "angos-config",
            "angos-doctor",
            "angos-quickstart",
            "angos-registry",
            "angos-server",
            "angos-storage",
            "angos-tls",
        ],
    ),
    ("angos-quickstart", &["angos-config"]),
    ("angos-doctor", &["angos-config", "angos-server", "angos-tls"]),
    (
        "angos-config",
        &[
            "angos-access",
            "angos-auth",
            "angos-identity",
            "angos-oci",
            "angos-policy",
            "angos-registry",
            "angos-server",
            "angos-storage",
            "angos-tls",
        ],
    ),
    (
        "angos-server",
        &[
            "angos-access",
            "angos-auth",
            "angos-identity",
            "angos-oci",
            "angos-policy",
            "angos-registry",
            "angos-tls",
        ],
    ),
    ("angos-access", &["angos-identity", "angos-oci", "angos-policy"]),
    ("angos-registry", &["angos-oci", "angos-storage"]),
    ("angos-auth", &["angos-identity"]),
    ("angos-tls", &["angos-identity"]),
    ("angos-policy", &["angos-identity"]),
    ("angos-storage", &["angos-oci"]),
    ("angos-identity", &[]),
    ("angos-oci", &[]),
];

/// Foreign libraries with one owner each; no other crate of the product names them.
const OWNERS: &[(&str, &str)] = &[
    ("rustls", "angos-tls"),
    ("tokio-rustls", "angos-tls"),
    ("rustls-webpki", "angos-tls"),
    ("rustls-pki-types", "angos-tls"),
    ("x509-cert", "angos-identity"),
    ("der", "angos-identity"),
    ("argon2", "angos-auth"),
    ("bcrypt", "angos-auth"),
    ("subtle", "angos-auth"),
    ("cel", "angos-policy"),
    ("hyper", "angos-server"),
    ("hyper-util", "angos-server"),
    ("http-body-util", "angos-server"),
    ("prometheus-client", "angos-server"),
    ("figment", "angos-config"),
    ("notify", "angos-config"),
    ("redb", "angos-storage"),
    ("rcgen", "angos-quickstart"),
    ("clap", "angos"),
];

/// Crates that promise to hold no I/O and no runtime.
const PURE: &[&str] = &["angos-oci", "angos-identity", "angos-policy", "angos-access"];

/// Package name to the names of its ordinary (not test-only) dependencies.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--no-deps", "--offline"])
        .current_dir(crate::root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut graph = BTreeMap::new();
    for package in metadata["packages"].as_array().unwrap() {
        let names = package["dependencies"].as_array().unwrap().iter();
        let normal = names
            .filter(|it| it["kind"] != "dev")
            .map(|it| it["name"].as_str().unwrap().to_owned())
            .collect();
        graph.insert(package["name"].as_str().unwrap().to_owned(), normal);
    }
    graph
}

#[test]
fn the_arrows_are_exactly_those_of_the_architecture() {
    let found = dependencies();
    for (package, expected) in GRAPH {
        let internal: Vec<&str> =
            found[*package].iter().filter(|it| it.starts_with("angos")).map(String::as_str).collect();
        assert_eq!(&internal, expected, "dependencies of {package} inside the workspace");
    }
    let known: BTreeSet<&str> = GRAPH.iter().map(|(name, _)| *name).collect();
    let helpers = ["angos-examples", "angos-test-ca", "angos-e2e", "angos-house", "angos-bench"];
    for package in found.keys() {
        assert!(
            known.contains(package.as_str()) || helpers.contains(&package.as_str()),
            "{package} is not in the graph: draw it in docs/architecture.md first"
        );
    }
}

#[test]
fn each_foreign_library_has_one_owner() {
    let found = dependencies();
    for (library, owner) in OWNERS {
        for (package, _) in GRAPH {
            assert!(
                package == owner || !found[*package].contains(*library),
                "{package} uses {library}, which only {owner} may wrap"
            );
        }
        assert!(found[*owner].contains(*library), "{owner} no longer uses {library}: drop the row");
    }
}

#[test]
fn the_pure_crates_have_no_runtime() {
    let found = dependencies();
    for package in PURE {
        for library in ["tokio", "hyper", "notify", "rustix"] {
            assert!(!found[*package].contains(library), "{package} must not depend on {library}");
        }
    }
}
