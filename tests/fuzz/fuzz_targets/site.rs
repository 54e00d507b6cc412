//! What every target of `angos-tls` needs: a folder, a server certificate and an authority.

use angos_tls::{ClientCa, Clients, LoadError, Material, Settings};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// One folder for the whole run; it goes with the system's temporary files.
pub fn folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap().keep();
        for (name, bytes) in [
            ("server.pem", &include_bytes!("../seeds/server.pem")[..]),
            ("server.key", include_bytes!("../seeds/server.key")),
            ("authority.pem", include_bytes!("../seeds/authority.pem")),
        ] {
            std::fs::write(folder.join(name), bytes).unwrap();
        }
        folder
    })
}

/// Settings with a good server certificate, and this bundle of authorities.
pub fn settings(bundle: &str) -> Settings {
    let clients = Clients::required([ClientCa::new(folder().join(bundle))]);
    Settings::new(folder().join("server.pem"), folder().join("server.key"), clients)
}

/// Whatever was loaded or not: what is said about it is bounded, and fit for a log.
pub fn check(loaded: &Result<Material, Vec<LoadError>>) {
    let said: Vec<String> = match loaded {
        Ok(material) => material.warnings().iter().map(ToString::to_string).collect(),
        Err(errors) => {
            assert!(!errors.is_empty());
            errors.iter().map(ToString::to_string).collect()
        }
    };
    for text in said {
        assert!(text.len() < 64 << 10 && !text.contains(char::is_control), "{text:?}");
    }
}

/// Certificates in a row, each behind two bytes of length, big end first; what is cut off ends the row.
#[allow(dead_code, reason = "not every target has rows")]
pub fn row(mut input: &[u8]) -> Vec<Vec<u8>> {
    let mut certificates = Vec::new();
    while let Some((length, rest)) = input.split_first_chunk::<2>() {
        let length = usize::from(u16::from_be_bytes(*length)).min(rest.len());
        certificates.push(rest[..length].to_vec());
        input = &rest[length..];
    }
    certificates
}
