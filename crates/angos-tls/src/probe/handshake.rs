//! A client's handshake from the first byte to the last, with everything that was seen on the way.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::Resumption;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::{ClientConfig, InvalidMessage, PeerIncompatible, ProtocolVersion};
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::client_cert_info::printable;
use crate::limits;
use crate::peer::Protocol;
use crate::probe::recorder::{Answer, Recorder, Seen};
use crate::probe::recording_stream::{Received, RecordingStream};
use crate::probe::{Alert, CertificateInfo, CertificateRequest, Pair, ServerCertError};

/// A client that wants to know.
#[derive(Clone, Debug)]
pub struct Probe {
    name: ServerName<'static>,
    checks_name: bool,
    trusted: Option<Vec<CertificateInfo>>,
    pair: Option<Pair>,
}

/// What a server is called is neither a DNS name nor an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("neither a DNS name nor an IP address")]
pub struct BadName;

/// All that was seen of a server.
#[derive(Clone, Debug)]
pub struct ProbeReport {
    /// The server's certificate, then what it sent beside it. Empty if it came to none.
    pub chain: Vec<CertificateInfo>,
    /// Why its certificate is not trusted. Empty if it is, or if everything was to be trusted.
    pub server_errors: Vec<ServerCertError>,
    /// What it said of the client certificates it wants. None if it asked for none.
    pub request: Option<CertificateRequest>,
    /// `TLSv1.3` or `TLSv1.2`, once agreed on.
    pub version: Option<&'static str>,
    /// What ALPN agreed on; none if the server has no say in it.
    pub protocol: Option<String>,
    /// Whether the client's side of the handshake was done. A TLS 1.3 server refuses a certificate after that.
    pub established: bool,
    /// The first bytes the server sent, as they were on the wire.
    pub greeting: Vec<u8>,
    /// How it ended.
    pub end: ProbeEnd,
}

/// How a handshake, or the connection behind it, ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProbeEnd {
    /// The server answered what was said after the handshake; the first bytes of it. It accepted the client.
    Answered(Vec<u8>),
    /// The server ended it, and said why.
    Alert(Alert),
    /// The server closed the connection without a reason.
    Closed,
    /// The client ended it: the server is not trusted.
    ServerNotTrusted,
    /// The server speaks a version of TLS before 1.2.
    OldVersion,
    /// What the server sends is not TLS.
    NotTls,
    /// The client's side of the TLS library ended it, in its words.
    Incompatible(String),
    /// The deadline passed.
    TimedOut,
    /// The server sent more than [`limits::PROBE_READ_MAX_BYTES`], or more at once than a handshake has.
    TooMuch,
    /// The connection failed below TLS.
    Failed(String),
}

impl Probe {
    /// A client of the server called `name`, which is sent to it (unless it is an address) and looked for in its
    /// certificate. Trusts everybody and shows nothing until told otherwise.
    pub fn new(name: &str) -> Result<Self, BadName> {
        let name = ServerName::try_from(name.to_owned()).map_err(|_| BadName)?;
        Ok(Self { name, checks_name: true, trusted: None, pair: None })
    }

    /// A client that does not know what the server is called: no name is sent, and none looked for.
    pub fn nameless() -> Self {
        let name = ServerName::IpAddress(std::net::Ipv4Addr::UNSPECIFIED.into());
        Self { name, checks_name: false, trusted: None, pair: None }
    }

    /// Trusts these authorities, and no others.
    #[must_use]
    pub fn trusting(self, authorities: Vec<CertificateInfo>) -> Self {
        Self { trusted: Some(authorities), ..self }
    }

    /// Shows this certificate to a server that asks for one and is trusted.
    #[must_use]
    pub fn showing(self, pair: Pair) -> Self {
        Self { pair: Some(pair), ..self }
    }

    /// Performs the handshake, says `words`, and listens for the first of the answer: a TLS 1.3 server refuses a
    /// certificate only after the client's handshake is done, and says nothing when it accepts one.
    ///
    /// Ends after `deadline` and after [`limits::PROBE_READ_MAX_BYTES`]. Must run inside a tokio runtime with its
    /// timer enabled.
    pub async fn run<S>(&self, stream: S, words: &[u8], deadline: Duration) -> ProbeReport
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let recorder = Arc::new(Recorder::new(
            Arc::clone(&provider),
            self.trusted.as_deref(),
            self.checks_name,
            self.pair.clone(),
        ));
        let received = Received::default();
        let mut progress = Progress::default();
        let tap = RecordingStream::new(stream, received.clone());
        let conversation = progress.follow(config(provider, &recorder), self.name.clone(), tap, words);
        let end = timeout(deadline, conversation).await.unwrap_or(ProbeEnd::TimedOut);
        let Seen { chain, server_errors, request } = recorder.seen();
        let end = match end {
            _ if received.is_too_much() => ProbeEnd::TooMuch,
            ProbeEnd::Incompatible(_) if !chain.is_empty() && !server_errors.is_empty() => {
                ProbeEnd::ServerNotTrusted
            }
            other => other,
        };
        let greeting = received.greeting();
        let Progress { established, version, protocol } = progress;
        ProbeReport { chain, server_errors, request, version, protocol, established, greeting, end }
    }
}

/// A recorder is of use for one handshake, and so is the configuration around it.
fn config(provider: Arc<CryptoProvider>, recorder: &Arc<Recorder>) -> Result<ClientConfig, rustls::Error> {
    let verifier: Arc<Recorder> = Arc::clone(recorder);
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_client_cert_resolver(Arc::new(Answer(Arc::clone(recorder))));
    config.alpn_protocols = vec![Protocol::HTTP1_ALPN.to_vec()];
    config.resumption = Resumption::disabled();
    Ok(config)
}

/// How far it got.
#[derive(Debug, Default)]
struct Progress {
    established: bool,
    version: Option<&'static str>,
    protocol: Option<String>,
}

impl Progress {
    async fn follow<S>(
        &mut self,
        config: Result<ClientConfig, rustls::Error>,
        name: ServerName<'static>,
        stream: S,
        words: &[u8],
    ) -> ProbeEnd
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let config = match config {
            Ok(config) => config,
            Err(error) => return ProbeEnd::Incompatible(error.to_string()),
        };
        let connecting = TlsConnector::from(Arc::new(config)).connect(name, stream);
        let mut tls = match connecting.await {
            Ok(tls) => tls,
            Err(error) => return ended(error),
        };
        self.note(&tls);
        // A server that has refused may have closed already: what it said is still to be read.
        let unsent = async {
            tls.write_all(words).await?;
            tls.flush().await
        }
        .await;
        let mut answer = vec![0; limits::PROBE_ANSWER_BYTES];
        match tls.read(&mut answer).await {
            Ok(0) => match unsent {
                Ok(()) => ProbeEnd::Closed,
                Err(error) => ended(error),
            },
            Ok(read) => {
                answer.truncate(read);
                ProbeEnd::Answered(answer)
            }
            Err(error) => ended(error),
        }
    }

    fn note<S>(&mut self, tls: &TlsStream<S>) {
        let (_, connection) = tls.get_ref();
        self.established = true;
        self.version = match connection.protocol_version() {
            Some(ProtocolVersion::TLSv1_3) => Some("TLSv1.3"),
            Some(ProtocolVersion::TLSv1_2) => Some("TLSv1.2"),
            _ => None,
        };
        self.protocol = connection
            .alpn_protocol()
            .map(|it| printable(&String::from_utf8_lossy(it), limits::CERT_TEXT_MAX_CHARS));
    }
}

fn ended(error: io::Error) -> ProbeEnd {
    let error = match error.downcast::<rustls::Error>() {
        Ok(error) => error,
        Err(error) => return failed(&error),
    };
    match error {
        rustls::Error::AlertReceived(description) => ProbeEnd::Alert(Alert::new(description)),
        rustls::Error::InvalidMessage(
            InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion,
        ) => ProbeEnd::NotTls,
        rustls::Error::PeerIncompatible(
            PeerIncompatible::ServerDoesNotSupportTls12Or13
            | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig,
        ) => ProbeEnd::OldVersion,
        other => ProbeEnd::Incompatible(printable(&other.to_string(), limits::CERT_TEXT_MAX_CHARS)),
    }
}

fn failed(error: &io::Error) -> ProbeEnd {
    use io::ErrorKind as Kind;
    match error.kind() {
        Kind::UnexpectedEof | Kind::ConnectionReset | Kind::ConnectionAborted | Kind::BrokenPipe => {
            ProbeEnd::Closed
        }
        // The TLS library has no room for all that the server sends at once.
        Kind::InvalidData => ProbeEnd::TooMuch,
        _ => ProbeEnd::Failed(printable(&error.to_string(), limits::CERT_TEXT_MAX_CHARS)),
    }
}
