//! The configured server: its files read as at start, and a handshake with it in memory. The same acceptor serves the port,
//! so what it says of a client here is what it says there.

use std::path::PathBuf;
use std::time::Duration;

use angos_config::probe::{Inspected, Probe};
use angos_config::{Acceptor, Configuration, Problem, load};

use crate::check::environment;
use crate::doctor::catalogue as kind;
use crate::doctor::client::Client;
use crate::doctor::report::Report;
use crate::doctor::verdict::{Case, Verdict};
use crate::limits::DOCTOR_PIPE_BYTES;

/// A server as configured, not running.
pub(crate) struct Simulated {
    acceptor: Option<Acceptor>,
    /// As findings name it.
    place: String,
}

/// Reads the configuration. What is wrong with it are findings; the error is that there is none to read.
pub(crate) fn configured(files: &[PathBuf], report: &mut Report) -> Result<Option<Simulated>, String> {
    for file in files {
        std::fs::File::open(file).map_err(|error| format!("cannot read {}: {error}", file.display()))?;
    }
    let place = files.iter().map(|file| file.display().to_string()).collect::<Vec<_>>().join(", ");
    let configuration = match load(files, environment()) {
        Ok(configuration) => configuration,
        Err(problems) => {
            for problem in problems.iter() {
                report.add(&kind::CONFIGURATION_ERROR, &place, sentence(problem));
            }
            return Ok(None);
        }
    };
    let Configuration { tls, warnings, .. } = configuration;
    for warning in &warnings {
        report.add(&kind::CONFIGURATION_WARNING, &place, sentence(warning));
    }
    if tls.is_none() {
        report.add(&kind::TLS_NOT_CONFIGURED, &place, "It has no section [server.tls].");
    }
    Ok(Some(Simulated { acceptor: tls.map(Acceptor::new), place }))
}

fn sentence(problem: &Problem) -> String {
    let text = problem.summary();
    if text.ends_with('.') { text } else { text + "." }
}

impl Simulated {
    /// Performs the handshake in memory and judges it. The server's certificate, if it has one.
    ///
    /// Without `host` its certificate is not compared with a name; without `trusted` nobody asks who signed it.
    pub(crate) async fn examine(
        &self,
        host: Option<&str>,
        client: Option<&Client>,
        trusted: Option<&[Inspected]>,
        report: &mut Report,
    ) -> Option<Inspected> {
        let acceptor = self.acceptor.as_ref()?;
        let probe = host.and_then(|host| Probe::new(host).ok()).unwrap_or_else(Probe::nameless);
        let probe = trusted.iter().fold(probe, |probe, trusted| probe.trusting(trusted.to_vec()));
        let pair = client.and_then(|client| client.pair.clone());
        let probe = pair.into_iter().fold(probe, Probe::showing);
        let (near, far) = tokio::io::duplex(DOCTOR_PIPE_BYTES);
        let patience = acceptor.material().handshake_timeout() + Duration::from_secs(1);
        let (seen, accepted) = tokio::join!(probe.run(near, b"", patience), async {
            // The stream is dropped: that closes the connection, which is what the probe waits for.
            acceptor.accept(far).await.map(|(_, peer)| peer)
        });
        let nearby = trusted.unwrap_or_default().iter().chain(&seen.chain).cloned().collect();
        let verdict = match &accepted {
            Ok(_) => Verdict::Accepted,
            Err(error) => Verdict::Refused { class: error.class(), words: error.to_string() },
        };
        let place = self.place.clone();
        Case { place, host, client, nearby, verdict: Some(verdict) }.judge(&seen, report);
        if let Ok(peer) = accepted {
            let who = peer.certificate().map_or("an anonymous caller", |certificate| certificate.subject());
            report.good(format!("{}: a server so configured accepts the handshake of {who}", self.place));
        }
        seen.chain.into_iter().next()
    }
}
