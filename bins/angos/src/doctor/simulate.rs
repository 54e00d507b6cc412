//! The configured server: its files read as at start, and a handshake with its listeners in memory. The same acceptors
//! serve the ports, so what they say of a client here is what they say there.

use std::path::PathBuf;
use std::time::Duration;

use angos_config::probe::{Inspected, Probe};
use angos_config::{Acceptor, Configuration, Problem, load};

use crate::check::environment;
use crate::doctor::catalogue as kind;
use crate::doctor::choice::{Attempt, candidates, judge};
use crate::doctor::client::Client;
use crate::doctor::door::{Door, Meant, meant};
use crate::doctor::report::Report;
use crate::doctor::target::Target;
use crate::doctor::verdict::{Case, Verdict};
use crate::limits::DOCTOR_PIPE_BYTES;

/// A server as configured, not running.
pub(crate) struct Simulated {
    /// The registry's own first; none where there is no TLS.
    doors: Vec<Door>,
    /// The files, as findings name them.
    files: String,
}

/// What a client brings.
pub(crate) struct Visit<'a> {
    /// Where it goes. None: to every listener that serves the registry.
    pub(crate) target: Option<&'a Target>,
    pub(crate) clients: &'a [Client],
    /// Whom it trusts. None: nobody asks who signed the server's certificate.
    pub(crate) trusted: Option<&'a [Inspected]>,
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
    let Configuration { tls, warnings, server, .. } = configuration;
    for warning in &warnings {
        report.add(&kind::CONFIGURATION_WARNING, &place, sentence(warning));
    }
    let Some(material) = tls else {
        report.add(&kind::TLS_NOT_CONFIGURED, &place, "It has no section [server.tls].");
        return Ok(None);
    };
    let acceptor = Acceptor::new(material);
    let door = |listener| Door::new(listener, &acceptor);
    Ok(Some(Simulated { doors: server.all_listeners(true).into_iter().map(door).collect(), files: place }))
}

fn sentence(problem: &Problem) -> String {
    let text = problem.summary();
    if text.ends_with('.') { text } else { text + "." }
}

impl Simulated {
    /// Performs a handshake in memory with each listener that is meant, and judges it. The server's certificate, if one
    /// was shown.
    pub(crate) async fn examine(&self, visit: &Visit<'_>, report: &mut Report) -> Option<Inspected> {
        let mut shown = None;
        match meant(&self.doors, visit.target) {
            Meant::Chosen(doors) => {
                for door in doors {
                    let place = self.place(door);
                    shown = shown.or(self.enter(door, visit, report).await);
                    if !door.listener.surfaces.registry {
                        let words = "This listener serves health and metrics, and no registry.";
                        report.add(&kind::NO_REGISTRY, place, words);
                    }
                }
            }
            Meant::All(doors) => {
                for door in doors {
                    match door.is_beside_the_point() {
                        Some(why) => report.good(format!("{}: not tried, as {why}", self.place(door))),
                        None => shown = shown.or(self.enter(door, visit, report).await),
                    }
                }
            }
        }
        shown
    }

    /// A listener, as findings name it.
    fn place(&self, door: &Door) -> String {
        format!("{}, {}", self.files, door.name())
    }

    async fn enter(&self, door: &Door, visit: &Visit<'_>, report: &mut Report) -> Option<Inspected> {
        let Some(acceptor) = &door.acceptor else {
            if visit.target.is_some_and(|target| target.tls) {
                report.add(&kind::PLAIN_HTTP, self.place(door), "This listener has `tls = false`.");
            }
            return None;
        };
        let mut attempts = Vec::new();
        for client in candidates(visit.clients, report) {
            attempts.push(self.shake(door, acceptor, client, visit).await);
            if !attempts.iter().all(Attempt::is_asked) {
                break;
            }
        }
        let shown = judge(&attempts, report)?;
        if let Some(Verdict::Accepted { subject }) = &shown.case.verdict {
            report.good(format!(
                "{}: a server so configured accepts the handshake of {subject}",
                self.place(door)
            ));
        }
        shown.seen.chain.first().cloned()
    }

    async fn shake<'a>(
        &self,
        door: &Door,
        acceptor: &Acceptor,
        client: Option<&'a Client>,
        visit: &'a Visit<'_>,
    ) -> Attempt<'a> {
        let host = visit.target.map(|target| target.host.as_str());
        let probe = host.and_then(|host| Probe::new(host).ok()).unwrap_or_else(Probe::nameless);
        let probe = visit.trusted.iter().fold(probe, |probe, trusted| probe.trusting(trusted.to_vec()));
        let pair = client.and_then(|client| client.pair.clone());
        let probe = pair.into_iter().fold(probe, Probe::showing);
        let (near, far) = tokio::io::duplex(DOCTOR_PIPE_BYTES);
        let patience = acceptor.material().handshake_timeout() + Duration::from_secs(1);
        let (seen, accepted) = tokio::join!(probe.run(near, b"", patience), async {
            // The stream is dropped: that closes the connection, which is what the probe waits for.
            acceptor.accept(far).await.map(|(_, peer)| peer)
        });
        let verdict = match accepted {
            Ok(peer) => {
                let subject = peer.certificate().map_or("an anonymous caller", |it| it.subject());
                Verdict::Accepted { subject: subject.to_owned() }
            }
            Err(error) => Verdict::Refused { class: error.class(), words: error.to_string() },
        };
        let nearby = visit.trusted.unwrap_or_default().iter().chain(&seen.chain).cloned().collect();
        let case = Case { place: self.place(door), host, client, nearby, verdict: Some(verdict) };
        Attempt { case, seen }
    }
}
