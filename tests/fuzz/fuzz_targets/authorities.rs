//! Whatever certificates stand in a bundle of authorities, it loads or says which of them is none.
#![no_main]

mod site;

use angos_tls::Material;
use base64::Engine as _;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let section = |der: &Vec<u8>| {
        let text = base64::engine::general_purpose::STANDARD.encode(der);
        format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
    };
    let bundle = site::row(input);
    let text: String = bundle.iter().map(section).collect();
    std::fs::write(site::folder().join("bundle.pem"), text).unwrap();
    let loaded = Material::load(&site::settings("bundle.pem"));
    site::check(&loaded);
    if let Ok(material) = loaded {
        // One of the server, one for each authority.
        assert_eq!(material.expiries().len(), 1 + bundle.len());
    }
});
