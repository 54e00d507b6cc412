//! Whatever stands in a file of revocation lists, it loads or says what is wrong with it.
#![no_main]

mod site;

use angos_tls::Material;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let file = site::folder().join("list.crl");
    std::fs::write(&file, input).unwrap();
    let mut settings = site::settings("authority.pem");
    settings.clients.cas[0].crls = Some(vec![file]);
    site::check(&Material::load(&settings));
});
