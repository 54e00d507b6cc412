//! The configured server: its files read as at start, and a handshake with its listeners in memory. The same acceptors
//! serve the ports, so they decide the same about a client.

use std::path::PathBuf;
use std::time::Duration;

use angos_config::limits::FILE_MAX_BYTES;
use angos_config::{Configuration, Problem, load};
use angos_tls::probe::{CertificateInfo, Probe};
use angos_tls::{Acceptor, Files};

use crate::candidates::{Attempt, candidates, diagnose};
use crate::client::Client;
use crate::diagnosis::{HandshakeContext, ServerDecision};
use crate::findings as kind;
use crate::limits::PIPE_BYTES;
use crate::listener::{Selected, SimulatedListener, select};
use crate::report::Report;
use crate::target::Target;

/// A server as configured, not running.
pub(crate) struct SimulatedServer {
    /// The registry's own listener first.
    listeners: Vec<SimulatedListener>,
    /// The files, as findings name them.
    files: String,
}

/// How a client connects.
pub(crate) struct ClientSetup<'a> {
    /// The address it connects to. `None`: every listener that serves the registry.
    pub(crate) target: Option<&'a Target>,
    pub(crate) clients: &'a [Client],
    /// The CAs it trusts. `None`: the server's certificate is not verified.
    pub(crate) trusted: Option<&'a [CertificateInfo]>,
}

/// Reads the configuration. Its problems become findings; the error is a file that cannot be opened.
pub(crate) fn configured(
    files: &[PathBuf],
    environment: impl Iterator<Item = (String, String)>,
    report: &mut Report,
) -> Result<Option<SimulatedServer>, String> {
    for file in files {
        // Only the error of reading is reported here; the load below reports what is wrong in the file. The reader
        // refuses pipes and devices without waiting for them.
        Files::new()
            .read(file, FILE_MAX_BYTES)
            .map_err(|error| format!("cannot read {}: {error}", file.display()))?;
    }
    let place = files.iter().map(|file| file.display().to_string()).collect::<Vec<_>>().join(", ");
    let configuration = match load(files, environment) {
        Ok(configuration) => configuration,
        Err(problems) => {
            for problem in problems.iter() {
                report.add(&kind::CONFIGURATION_ERROR, &place, sentence(problem));
            }
            return Ok(None);
        }
    };
    let Configuration { tls, warnings, server, .. } = configuration;
    for warning in &warnings {
        report.add(&kind::CONFIGURATION_WARNING, &place, sentence(warning));
    }
    let Some(material) = tls else {
        report.add(&kind::TLS_NOT_CONFIGURED, &place, "It has no section [server.tls].");
        return Ok(None);
    };
    let acceptor = Acceptor::new(material);
    let listener = |listener| SimulatedListener::new(listener, &acceptor);
    Ok(Some(SimulatedServer {
        listeners: server.all_listeners(true).into_iter().map(listener).collect(),
        files: place,
    }))
}

fn sentence(problem: &Problem) -> String {
    let text = problem.summary();
    if text.ends_with('.') { text } else { text + "." }
}

impl SimulatedServer {
    /// Performs a handshake in memory with each selected listener and reports findings. Returns the server's certificate,
    /// if one was shown.
    pub(crate) async fn examine(
        &self,
        setup: &ClientSetup<'_>,
        report: &mut Report,
    ) -> Option<CertificateInfo> {
        let mut shown = None;
        match select(&self.listeners, setup.target) {
            Selected::Addressed(listeners) => {
                for listener in listeners {
                    let place = self.place(listener);
                    shown = shown.or(self.handshakes(listener, setup, report).await);
                    if !listener.listener.surfaces.registry {
                        let words = "This listener serves health and metrics, and no registry.";
                        report.add(&kind::NO_REGISTRY, place, words);
                    }
                }
            }
            Selected::All(listeners) => {
                for listener in listeners {
                    match listener.skip_reason() {
                        Some(why) => report.good(format!("{}: not tried, as {why}", self.place(listener))),
                        None => shown = shown.or(self.handshakes(listener, setup, report).await),
                    }
                }
            }
        }
        shown
    }

    /// A listener, as findings name it.
    fn place(&self, listener: &SimulatedListener) -> String {
        format!("{}, {}", self.files, listener.name())
    }

    async fn handshakes(
        &self,
        listener: &SimulatedListener,
        setup: &ClientSetup<'_>,
        report: &mut Report,
    ) -> Option<CertificateInfo> {
        let Some(acceptor) = &listener.acceptor else {
            if setup.target.is_some_and(|target| target.tls) {
                report.add(&kind::PLAIN_HTTP, self.place(listener), "This listener has `tls = false`.");
            }
            return None;
        };
        let mut attempts = Vec::new();
        for client in candidates(setup.clients, report) {
            attempts.push(self.handshake(listener, acceptor, client, setup).await);
            if !attempts.iter().all(Attempt::was_requested) {
                break;
            }
        }
        let shown = diagnose(&attempts, report)?;
        if let Some(ServerDecision::Accepted { subject }) = &shown.context.decision {
            report.good(format!(
                "{}: a server so configured accepts the handshake of {subject}",
                self.place(listener)
            ));
        }
        shown.seen.chain.first().cloned()
    }

    async fn handshake<'a>(
        &self,
        listener: &SimulatedListener,
        acceptor: &Acceptor,
        client: Option<&'a Client>,
        setup: &'a ClientSetup<'_>,
    ) -> Attempt<'a> {
        let host = setup.target.map(|target| target.host.as_str());
        let probe = host.and_then(|host| Probe::new(host).ok()).unwrap_or_else(Probe::nameless);
        let probe = setup.trusted.iter().fold(probe, |probe, trusted| probe.trusting(trusted.to_vec()));
        let pair = client.and_then(|client| client.pair.clone());
        let probe = pair.into_iter().fold(probe, Probe::showing);
        let (near, far) = tokio::io::duplex(PIPE_BYTES);
        let timeout = acceptor.material().handshake_timeout() + Duration::from_secs(1);
        let (seen, accepted) = tokio::join!(probe.run(near, b"", timeout), async {
            // The stream is dropped: that closes the connection, which is what the probe waits for.
            acceptor.accept(far).await.map(|(_, peer)| peer)
        });
        let decision = match accepted {
            Ok(peer) => {
                let subject = peer.certificate().map_or("an anonymous caller", |it| it.subject());
                ServerDecision::Accepted { subject: subject.to_owned() }
            }
            Err(error) => ServerDecision::Refused { class: error.class(), words: error.to_string() },
        };
        let nearby = setup.trusted.unwrap_or_default().iter().chain(&seen.chain).cloned().collect();
        let context =
            HandshakeContext { place: self.place(listener), host, client, nearby, decision: Some(decision) };
        Attempt { context, seen }
    }
}
