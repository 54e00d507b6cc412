#![doc = include_str!("../README.md")]
//!
//! # The path of an examination
//!
//! | stage | file | in → out |
//! |---|---|---|
//! | address | `target.rs` | an address as people write it → scheme, host, port |
//! | client | `layout.rs`, `client.rs` | files and folders of a client → certificate, key, CAs |
//! | server | `listener.rs`, `simulate.rs`, `live.rs` | a configured or a running server → what happened in a handshake |
//! | diagnose | `candidates.rs`, `diagnosis.rs` | what happened → findings, all listed in `findings.rs` |
//! | report | `report.rs` | findings → text or JSON |

mod candidates;
mod client;
mod diagnosis;
mod findings;
mod layout;
pub mod limits;
mod listener;
mod live;
mod options;
mod report;
mod simulate;
mod target;

use std::time::Duration;

use angos_tls::probe::{self, CertificateInfo};
use tokio::runtime::Builder;

pub use self::options::Options;
pub use self::report::Report;
pub use self::target::Target;

use self::client::Client;
use self::live::LiveServer;
use self::simulate::ClientSetup;

/// Examines what `options` name and returns every finding.
///
/// `environment` holds the variables that the configuration is read with, as [`angos_config::load`] takes them. Blocks
/// until every step ended or its timeout passed; must not be called within a tokio runtime.
///
/// # Errors
///
/// A message for the user: nothing to examine was named, or a named configuration file cannot be opened.
pub fn examine(
    options: &Options,
    environment: impl Iterator<Item = (String, String)>,
) -> Result<Report, String> {
    if options.address.is_none() && options.configuration.is_empty() && !options.names_client_files() {
        return Err("name a server (https://HOST:PORT), a configuration (-c) or files of a client; angos doctor --help shows how".to_owned());
    }
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("cannot start: {error}"))?;
    let mut report = Report::new();
    let outcome = runtime.block_on(examine_all(options, environment, &mut report));
    // A name lookup may still hang; do not wait for it.
    runtime.shutdown_timeout(Duration::ZERO);
    outcome.map(|()| report)
}

async fn examine_all(
    options: &Options,
    environment: impl Iterator<Item = (String, String)>,
    report: &mut Report,
) -> Result<(), String> {
    let simulated = if options.configuration.is_empty() {
        None
    } else {
        simulate::configured(&options.configuration, environment, report)?
    };
    let ClientFiles { clients, trusted } = ClientFiles::read(options, report);
    let (clients, target) = (clients.as_slice(), options.address.as_ref());
    let configured = match &simulated {
        Some(server) => {
            server.examine(&ClientSetup { target, clients, trusted: trusted.as_deref() }, report).await
        }
        None => None,
    };
    let Some(target) = target else { return Ok(()) };
    let trusted = trusted.unwrap_or_else(|| probe::system_cas().unwrap_or_default());
    let live = LiveServer { target, clients, trusted: &trusted, step_timeout: options.timeout };
    let running = live.examine(report).await;
    compare(configured, running, &target.to_string(), report);
    Ok(())
}

/// The client's files.
struct ClientFiles {
    /// Every certificate the client may show, in the order it looks at them.
    clients: Vec<Client>,
    /// The CAs the client trusts, if any were named.
    trusted: Option<Vec<CertificateInfo>>,
}

impl ClientFiles {
    fn read(options: &Options, report: &mut Report) -> Self {
        let Some(layout) = layout::examine(options, report) else {
            let client = options.certificate.iter().map(|certificate| {
                let key = options.key.as_ref().unwrap_or(certificate);
                Client::read(certificate, key, report)
            });
            let clients = client.collect();
            let trusted = options.ca.as_ref().map(|bundle| client::read_cas(bundle, report));
            return Self { clients, trusted };
        };
        let clients =
            layout.pairs.iter().map(|(certificate, key)| Client::read(certificate, key, report)).collect();
        let mut trusted = probe::system_cas().unwrap_or_default();
        for bundle in &layout.cas {
            trusted.extend(client::read_cas(bundle, report));
        }
        Self { clients, trusted: Some(trusted) }
    }
}

/// Reports a running server that shows another certificate than the configured one.
fn compare(
    configured: Option<CertificateInfo>,
    running: Option<CertificateInfo>,
    place: &str,
    report: &mut Report,
) {
    let (Some(configured), Some(running)) = (configured, running) else { return };
    if configured.fingerprint() != running.fingerprint() {
        let words = format!(
            "It shows the certificate {} (SHA-256 {}); configured is {} (SHA-256 {}).",
            running.subject(),
            running.fingerprint(),
            configured.subject(),
            configured.fingerprint(),
        );
        report.add(&findings::SERVER_DIFFERS, place, words);
    }
}
