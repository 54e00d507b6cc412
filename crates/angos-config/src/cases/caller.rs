//! `[caller.<name>]` → an identity: a certificate from a file or written out, a user, an address, or any of them together.

use std::path::Path;
use std::sync::Arc;

use angos_identity::{Certificate, CertificateFacts, Identity};
use figment::value::{Dict, Value};

use super::reader::Reader;
use crate::key_path::KeyPath;
use crate::layers::Part;
use crate::policies::read_certificate;

const KEYS: [&str; 4] = ["certificate", "ca", "user", "client_ip"];

const LISTS: [&str; 7] = [
    "common_names",
    "organizations",
    "organizational_units",
    "dns_names",
    "email_addresses",
    "uris",
    "ip_addresses",
];

const TEXTS: [&str; 5] = ["subject", "issuer", "serial_number", "fingerprint", "public_key_fingerprint"];

const TIMES: [&str; 2] = ["not_before", "not_after"];

impl Reader<'_> {
    pub(super) fn caller(&mut self, table: &Dict, path: &KeyPath) -> Option<Identity> {
        self.refuse_unknown(table, path, &KEYS);
        let certificate = match table.get("certificate") {
            Some(written) => {
                let ca = table.get("ca").map(|value| self.text(value, &path.key("ca")));
                Some(self.certificate(written, &path.key("certificate"), ca.flatten())?)
            }
            None if table.contains_key("ca") => {
                let message = format!("`{path}` has a `ca` and no certificate");
                self.error(&path.key("ca"), Part::Key, message, "");
                return None;
            }
            None => None,
        };
        let credential = match table.get("user") {
            Some(user) => {
                let path = path.key("user");
                let name = self.text(user, &path)?;
                match self.policies.credential(&name) {
                    Ok(credential) => Some(credential),
                    Err(message) => {
                        self.error(&path, Part::Value, message, "");
                        return None;
                    }
                }
            }
            None => None,
        };
        let client_ip = match table.get("client_ip") {
            Some(address) => {
                let path = path.key("client_ip");
                let parsed = self.text(address, &path)?.parse();
                if parsed.is_err() {
                    self.error(&path, Part::Value, format!("`{path}`: expected an IP address"), "");
                }
                parsed.ok()?
            }
            None => [127, 0, 0, 1].into(),
        };
        Some(Identity::new(client_ip, certificate.map(Arc::new), credential))
    }

    /// A file's name, or the facts.
    fn certificate(&mut self, written: &Value, path: &KeyPath, ca: Option<String>) -> Option<Certificate> {
        let read = match written {
            Value::String(_, file) => {
                let file = self.layers.resolve(path, Path::new(file));
                let name = crate::problem::escape(&file.to_string_lossy());
                read_certificate(&file).map_err(|message| format!("{name}: {message}"))
            }
            Value::Dict(_, facts) => {
                let before = self.problems.len();
                let facts = self.facts(facts, path);
                if self.problems.len() > before {
                    return None;
                }
                Certificate::described(facts).map_err(|error| format!("no certificate says this: {error}"))
            }
            _ => Err(format!("`{path}`: expected the name of a PEM file, or a table of facts")),
        };
        match read {
            Ok(certificate) => Some(match ca {
                Some(ca) => certificate.with_ca(ca),
                None => certificate,
            }),
            Err(message) => {
                self.error(path, Part::Value, message, "");
                None
            }
        }
    }

    fn facts(&mut self, table: &Dict, path: &KeyPath) -> CertificateFacts {
        let known = [&LISTS[..], &TEXTS, &TIMES].concat();
        self.refuse_unknown(table, path, &known);
        let [
            common_names,
            organizations,
            organizational_units,
            dns_names,
            email_addresses,
            uris,
            ip_addresses,
        ] = LISTS.map(|key| {
            let value = table.get(key);
            let texts = value.map(|value| self.texts(value, &path.key(key))).unwrap_or_default();
            texts.into_iter().map(|(_, text)| text).collect()
        });
        let [subject, issuer, serial_number, fingerprint, public_key_fingerprint] = TEXTS
            .map(|key| table.get(key).and_then(|value| self.text(value, &path.key(key))).unwrap_or_default());
        let [not_before, not_after] = TIMES.map(|key| self.seconds(table, &path.key(key), key));
        CertificateFacts {
            common_names,
            organizations,
            organizational_units,
            dns_names,
            email_addresses,
            uris,
            ip_addresses,
            subject,
            issuer,
            serial_number,
            fingerprint,
            public_key_fingerprint,
            not_before,
            not_after,
            ca: None,
        }
    }

    /// A moment in RFC 3339, in seconds since 1970; without one, 1970.
    fn seconds(&mut self, table: &Dict, path: &KeyPath, key: &str) -> i64 {
        let Some(text) = table.get(key).and_then(|value| self.text(value, path)) else { return 0 };
        match angos_access::parse_time(&text) {
            Ok(moment) => moment
                .duration_since(std::time::UNIX_EPOCH)
                .map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(i64::MAX)),
            Err(error) => {
                self.error(path, Part::Value, format!("`{path}`: {error}"), "");
                0
            }
        }
    }
}
