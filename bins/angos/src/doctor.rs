//! `angos doctor`: why a client and a registry do not come together, in plain words, and what to do.
//!
//! | stage | file | in → out |
//! |---|---|---|
//! | address | `target.rs` | what people write → scheme, host, port |
//! | client | `layout.rs`, `client.rs` | files and folders of a client → certificate, key, authorities |
//! | handshake | `door.rs`, `simulate.rs`, `live.rs` | a configured or a running server → what was seen of it |
//! | judge | `choice.rs`, `verdict.rs` | what was seen → findings of `catalogue.rs` |
//! | report | `report.rs` | findings → text or JSON |

mod catalogue;
mod choice;
mod client;
mod door;
mod layout;
mod live;
mod report;
mod simulate;
mod target;
mod verdict;

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use angos_config::probe::{self, Inspected};
use tokio::runtime::Builder;

use self::client::Client;
use self::live::Live;
use self::report::Report;
use self::simulate::Visit;
pub(crate) use self::target::Target;
use crate::arguments::Doctor;

/// Nothing is wrong.
const HEALTHY: u8 = 0;
/// Something is.
const FINDINGS: u8 = 1;
/// It could not be told.
const COULD_NOT_RUN: u8 = 2;

/// Looks, reports on standard output, and says by the exit code what came of it.
pub(crate) fn run(options: &Doctor, files: &[PathBuf]) -> ExitCode {
    let mut report = Report::new();
    let code = match examine(options, files, &mut report) {
        Ok(()) if report.is_healthy() => HEALTHY,
        Ok(()) => FINDINGS,
        Err(message) => {
            let _ = writeln!(io::stderr(), "{message}");
            return COULD_NOT_RUN.into();
        }
    };
    // Whoever closed standard output does not want to read it.
    let _ = report.write(options.format, &mut io::stdout().lock());
    code.into()
}

fn examine(options: &Doctor, files: &[PathBuf], report: &mut Report) -> Result<(), String> {
    if options.address.is_none() && files.is_empty() && !options.names_files() {
        return Err("name a server (https://HOST:PORT), a configuration (-c) or files of a client; angos doctor --help shows how".to_owned());
    }
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("cannot start: {error}"))?;
    let outcome = runtime.block_on(diagnose(options, files, report));
    // A look-up of a name may still hang; nobody waits for it.
    runtime.shutdown_timeout(Duration::ZERO);
    outcome
}

async fn diagnose(options: &Doctor, files: &[PathBuf], report: &mut Report) -> Result<(), String> {
    let simulated = if files.is_empty() { None } else { simulate::configured(files, report)? };
    let Files { clients, trusted } = read(options, report);
    let (clients, target) = (clients.as_slice(), options.address.as_ref());
    let configured = match &simulated {
        Some(server) => server.examine(&Visit { target, clients, trusted: trusted.as_deref() }, report).await,
        None => None,
    };
    let Some(target) = target else { return Ok(()) };
    let trusted = trusted.unwrap_or_else(|| probe::system_authorities().unwrap_or_default());
    let live = Live { target, clients, trusted: &trusted, patience: options.timeout() };
    let running = live.examine(report).await;
    compare(configured, running, &target.to_string(), report);
    Ok(())
}

/// The client's files.
struct Files {
    /// Every certificate it may show, in the order it looks at them.
    clients: Vec<Client>,
    /// The authorities it trusts, if any were named.
    trusted: Option<Vec<Inspected>>,
}

fn read(options: &Doctor, report: &mut Report) -> Files {
    let Some(layout) = layout::examine(options, report) else {
        let client = options.cert.iter().map(|certificate| {
            let key = options.key.as_ref().unwrap_or(certificate);
            Client::examine(certificate, key, report)
        });
        let clients = client.collect();
        let trusted = options.ca.as_ref().map(|bundle| client::authorities(bundle, report));
        return Files { clients, trusted };
    };
    let clients =
        layout.pairs.iter().map(|(certificate, key)| Client::examine(certificate, key, report)).collect();
    let mut trusted = probe::system_authorities().unwrap_or_default();
    for bundle in &layout.authorities {
        trusted.extend(client::authorities(bundle, report));
    }
    Files { clients, trusted: Some(trusted) }
}

/// Whether the server that runs is the one that is configured.
fn compare(configured: Option<Inspected>, running: Option<Inspected>, place: &str, report: &mut Report) {
    let (Some(configured), Some(running)) = (configured, running) else { return };
    if configured.fingerprint() != running.fingerprint() {
        let words = format!(
            "It shows the certificate {} (SHA-256 {}); configured is {} (SHA-256 {}).",
            running.subject(),
            running.fingerprint(),
            configured.subject(),
            configured.fingerprint(),
        );
        report.add(&catalogue::SERVER_DIFFERS, place, words);
    }
}
