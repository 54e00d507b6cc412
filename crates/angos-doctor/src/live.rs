//! The running server: name lookup, connection, handshake and one request.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use angos_tls::probe::{CertificateInfo, Probe, ProbeEnd, ProbeReport};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

use crate::candidates::{Attempt, candidates, diagnose};
use crate::client::Client;
use crate::diagnosis::HandshakeContext;
use crate::findings as kind;
use crate::limits::{ADDRESSES_MAX, ANSWER_BYTES};
use crate::report::Report;
use crate::target::Target;

/// The server to examine, and the client to examine it with.
pub(crate) struct LiveServer<'a> {
    pub(crate) target: &'a Target,
    pub(crate) clients: &'a [Client],
    /// The authorities the client trusts.
    pub(crate) trusted: &'a [CertificateInfo],
    /// Time for each step.
    pub(crate) step_timeout: Duration,
}

impl<'a> LiveServer<'a> {
    /// Performs the handshakes and reports findings. Returns the server's certificate, if one was shown.
    pub(crate) async fn examine(&self, report: &mut Report) -> Option<CertificateInfo> {
        let addresses = self.resolve(report).await?;
        if !self.target.tls {
            self.examine_plain(&addresses, report).await;
            return None;
        }
        let probe = match Probe::new(&self.target.host) {
            Ok(probe) => probe.trusting(self.trusted.to_vec()),
            Err(error) => {
                report.add(&kind::NAME_NOT_RESOLVED, self.place(), format!("The host is {error}."));
                return None;
            }
        };
        let mut attempts = Vec::new();
        for client in candidates(self.clients, report) {
            let stream = self.connect(&addresses, report).await?;
            attempts.push(self.handshake(&probe, client, stream, &addresses).await);
            if !attempts.iter().all(Attempt::was_requested) {
                break;
            }
        }
        let Attempt { seen, .. } = diagnose(&attempts, report)?;
        if let ProbeEnd::Answered(answer) = &seen.end {
            self.report_answer(answer, report);
        }
        seen.chain.first().cloned()
    }

    async fn handshake(
        &self,
        probe: &Probe,
        client: Option<&'a Client>,
        stream: TcpStream,
        addresses: &[SocketAddr],
    ) -> Attempt<'a> {
        let pair = client.and_then(|client| client.pair.clone());
        let probe = pair.into_iter().fold(probe.clone(), Probe::showing);
        let mut seen = probe.run(stream, self.request().as_bytes(), self.step_timeout).await;
        self.listen_for_http(&mut seen, addresses).await;
        let nearby = self.trusted.iter().chain(&seen.chain).cloned().collect();
        let host = Some(self.target.host.as_str());
        Attempt {
            context: HandshakeContext { place: self.place(), host, client, nearby, decision: None },
            seen,
        }
    }

    fn place(&self) -> String {
        self.target.to_string()
    }

    fn request(&self) -> String {
        let (host, version) = (self.target.authority(), env!("CARGO_PKG_VERSION"));
        format!(
            "GET /v2/ HTTP/1.1\r\nHost: {host}\r\nUser-Agent: angos-doctor/{version}\r\nConnection: close\r\n\r\n"
        )
    }

    async fn resolve(&self, report: &mut Report) -> Option<Vec<SocketAddr>> {
        let Target { host, port, .. } = self.target;
        let looked_up = timeout(self.step_timeout, lookup_host((host.as_str(), *port))).await;
        let words = match looked_up {
            Ok(Ok(found)) => {
                let addresses: Vec<_> = found.take(ADDRESSES_MAX).collect();
                if !addresses.is_empty() {
                    return Some(addresses);
                }
                "The look-up found nothing.".to_owned()
            }
            Ok(Err(error)) => format!("The look-up of {host} failed: {error}."),
            Err(_elapsed) => format!("The look-up of {host} was not answered in time."),
        };
        report.add(&kind::NAME_NOT_RESOLVED, self.place(), words);
        None
    }

    /// Connects to the first address that accepts; if none does, reports the reason of each.
    async fn connect(&self, addresses: &[SocketAddr], report: &mut Report) -> Option<TcpStream> {
        let mut failures = Vec::new();
        for address in addresses {
            let (kind, words) = match timeout(self.step_timeout, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => return Some(stream),
                Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => {
                    (&kind::CONNECTION_REFUSED, format!("{address} refuses the connection."))
                }
                Ok(Err(error)) => (&kind::CONNECTION_FAILED, format!("{address}: {error}.")),
                Err(_elapsed) => {
                    let waited = self.step_timeout.as_secs_f32();
                    (&kind::CONNECTION_TIMEOUT, format!("{address} did not answer within {waited} s."))
                }
            };
            failures.push((kind, words));
        }
        for (kind, words) in failures {
            report.add(kind, self.place(), words);
        }
        None
    }

    /// A server of plain HTTP may say nothing to the first message of TLS; it answers a plain request.
    async fn listen_for_http(&self, seen: &mut ProbeReport, addresses: &[SocketAddr]) {
        let is_silent = seen.greeting.is_empty() && matches!(seen.end, ProbeEnd::Closed | ProbeEnd::TimedOut);
        if !is_silent {
            return;
        }
        let answer = self.ask_plainly(addresses).await;
        if answer.starts_with(b"HTTP/") {
            (seen.greeting, seen.end) = (answer, ProbeEnd::NotTls);
        }
    }

    async fn examine_plain(&self, addresses: &[SocketAddr], report: &mut Report) {
        let Some(stream) = self.connect(addresses, report).await else { return };
        drop(stream);
        let answer = self.ask_plainly(addresses).await;
        if answer.starts_with(b"HTTP/") && !is_about_tls(&answer) {
            let words = "The port speaks HTTP without TLS, as the address says.";
            report.add(&kind::NO_TLS, self.place(), words);
            self.report_answer(&answer, report);
            return;
        }
        let probe = Probe::nameless();
        let Some(stream) = self.connect(addresses, report).await else { return };
        // A TLS server answers this request at once.
        let seen = probe.run(stream, self.request().as_bytes(), self.step_timeout).await;
        if matches!(seen.end, ProbeEnd::NotTls) || (seen.greeting.is_empty() && !seen.established) {
            let begin: String = String::from_utf8_lossy(&answer).escape_debug().collect();
            report.add(
                &kind::NOT_TLS,
                self.place(),
                format!("It speaks neither HTTP nor TLS: it says \"{begin}\"."),
            );
        } else {
            report.add(&kind::TLS_ON_HTTP, self.place(), "The port answers TLS, and no HTTP without it.");
        }
    }

    /// The first bytes of the answer to a request without TLS; empty without one.
    async fn ask_plainly(&self, addresses: &[SocketAddr]) -> Vec<u8> {
        let conversation = async {
            let mut stream = TcpStream::connect(addresses).await?;
            stream.write_all(self.request().as_bytes()).await?;
            let mut answer = vec![0; ANSWER_BYTES];
            let read = stream.read(&mut answer).await?;
            answer.truncate(read);
            io::Result::Ok(answer)
        };
        timeout(self.step_timeout, conversation).await.ok().and_then(Result::ok).unwrap_or_default()
    }

    fn report_answer(&self, answer: &[u8], report: &mut Report) {
        let text = String::from_utf8_lossy(answer);
        let line: String = text.lines().next().unwrap_or_default().chars().take(80).collect();
        let line = line.escape_debug();
        let words = format!("It answers GET /v2/ with \"{line}\".");
        match status(answer) {
            Some(200) => report.good(format!("{}: the registry answers GET /v2/ with 200", self.place())),
            Some(401) => report.add(&kind::CREDENTIAL_WANTED, self.place(), words),
            Some(403) => report.add(&kind::NOT_PERMITTED, self.place(), words),
            _ => report.add(&kind::NO_REGISTRY, self.place(), words),
        }
    }
}

/// Servers of TLS often answer a plain request with a plain 400 that says so; a registry answers with something else.
fn is_about_tls(answer: &[u8]) -> bool {
    status(answer) == Some(400)
}

fn status(answer: &[u8]) -> Option<u16> {
    let line = answer.strip_prefix(b"HTTP/1.")?.get(2..5)?;
    std::str::from_utf8(line).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::status;

    #[test]
    fn the_status_of_an_answer() {
        for (answer, expected) in [
            (&b"HTTP/1.1 200 OK\r\n"[..], Some(200)),
            (b"HTTP/1.0 401 ", Some(401)),
            (b"HTTP/1.1 2", None),
            (b"HTTP/1.1 abc", None),
            (b"HTTP/2 200", None),
            (b"", None),
        ] {
            assert_eq!(status(answer), expected);
        }
    }
}
