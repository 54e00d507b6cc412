//! Whatever stands in the three files of the TLS settings, they load or say which file is wrong.
#![no_main]

use angos_tls::{ClientCa, Clients, Material, Settings};
use libfuzzer_sys::fuzz_target;
use std::path::PathBuf;
use std::sync::OnceLock;

/// One folder for the whole run; it goes with the system's temporary files.
fn folder() -> &'static PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| tempfile::tempdir().unwrap().keep())
}

// The same bytes serve as all three, so that a bundle of everything gets as far as it can.
fuzz_target!(|pem: &[u8]| {
    let file = folder().join("bundle.pem");
    std::fs::write(&file, pem).unwrap();
    let settings = Settings::new(&file, &file, Clients::required([ClientCa::new(&file)]));
    match Material::load(&settings) {
        Ok(material) => drop(material.warnings().len()),
        Err(errors) => {
            assert!(!errors.is_empty());
            assert!(errors.iter().all(|error| error.to_string().len() < 64 << 10));
        }
    }
});
