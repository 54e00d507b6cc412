//! Processor time of a handshake on the server's side: the whole acceptor on a socket, beside rustls alone in memory with
//! the same provider and certificates. One thread serves, and only what that thread spends is counted.

use crate::report::Ratios;
use angos_test_ca::{Authority, Issued, Leaf};
use angos_tls::{Acceptor, ClientAuth, Material, Settings};
use rustix::time::{ClockId, clock_gettime};
use rustls::client::Resumption;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, ClientConnection, HandshakeKind, RootCertStore, ServerConfig, ServerConnection};
use std::io::Read as _;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio_rustls::TlsAcceptor;

/// Handshakes a round and kind.
const HANDSHAKES: usize = 400;
/// Handshakes before each measurement, so that memory is there and sessions exist.
const WARM_UP: usize = 20;

/// One kind of handshake, and the share of the bare rate it should reach.
struct Kind {
    title: &'static str,
    target: f64,
    auth: ClientAuth,
    /// Whether each client is one the server has not seen: what it remembers of chains is then worth nothing.
    strangers: bool,
    resumes: bool,
}

const KINDS: [Kind; 4] = [
    Kind { title: "full", target: 0.70, auth: ClientAuth::None, strangers: false, resumes: false },
    Kind { title: "mutual", target: 0.75, auth: ClientAuth::Required, strangers: true, resumes: false },
    Kind {
        title: "mutual, known chain",
        target: 0.75,
        auth: ClientAuth::Required,
        strangers: false,
        resumes: false,
    },
    Kind {
        title: "mutual resumed",
        target: 0.60,
        auth: ClientAuth::Required,
        strangers: false,
        resumes: true,
    },
];

/// Measures every kind, round by round, and prints the ratios.
pub(crate) fn measure(rounds: usize, only: &str) {
    let site = Site::new();
    for kind in KINDS {
        let title = format!("handshake, {}", kind.title);
        if !title.contains(only) {
            continue;
        }
        let names = ["angos", "rustls alone", "rustls on a socket"];
        let mut ratios = Ratios::new(&title, names, kind.target);
        for _ in 0..rounds {
            let acceptor = Served::Whole(site.acceptor(&kind));
            let bare = Served::Bare(TlsAcceptor::from(site.bare(&kind)));
            ratios.add([
                site.on_a_socket(&kind, acceptor),
                site.in_memory(&kind),
                site.on_a_socket(&kind, bare),
            ]);
        }
        ratios.print();
    }
}

/// What shakes hands on a socket.
enum Served {
    /// Our acceptor.
    Whole(Acceptor),
    /// What it is built on, with rustls as it comes: the difference is ours, the rest the system's.
    Bare(TlsAcceptor),
}

impl Served {
    /// One handshake; whether a session was resumed. The connection is closed.
    async fn accept(&self, socket: tokio::net::TcpStream) -> bool {
        match self {
            Self::Whole(acceptor) => acceptor.accept(socket).await.unwrap().1.is_resumed(),
            Self::Bare(acceptor) => {
                let stream = acceptor.accept(socket).await.unwrap();
                stream.get_ref().1.handshake_kind() == Some(HandshakeKind::Resumed)
            }
        }
    }
}

/// Authorities, certificates and settings of the servers measured.
struct Site {
    folder: tempfile::TempDir,
    authority: Authority,
    server: Issued,
    /// As many clients as one measurement takes.
    clients: Vec<Issued>,
}

impl Site {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::new("Benchmark authority");
        authority.write(folder.path(), "ca");
        let server = authority.issue(&Leaf::server(["localhost"]));
        server.write(folder.path(), "server");
        let client =
            |number| authority.issue(&Leaf::client(&format!("client {number}")).organization("Bench"));
        let clients = (0..HANDSHAKES + WARM_UP).map(client).collect();
        Self { folder, authority, server, clients }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A new acceptor, which remembers nothing.
    fn acceptor(&self, kind: &Kind) -> Acceptor {
        let mut settings = Settings::new(self.path().join("server.pem"), self.path().join("server.key"));
        if kind.auth != ClientAuth::None {
            settings = settings.client_authorities(self.path().join("ca.pem"), kind.auth);
        }
        Acceptor::new(Material::load(&settings).unwrap())
    }

    fn provider(&self) -> Arc<CryptoProvider> {
        let kind = Kind { auth: ClientAuth::None, ..KINDS[0] };
        Arc::clone(self.acceptor(&kind).server_config().crypto_provider())
    }

    fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from(self.authority.certificate_der())).unwrap();
        roots
    }

    /// rustls as it comes, with its own verifier and its own memory of sessions.
    fn bare(&self, kind: &Kind) -> Arc<ServerConfig> {
        let provider = self.provider();
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
        let builder = builder.with_safe_default_protocol_versions().unwrap();
        let builder = if kind.auth == ClientAuth::None {
            builder.with_no_client_auth()
        } else {
            let roots = Arc::new(self.roots());
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider).build().unwrap();
            builder.with_client_cert_verifier(verifier)
        };
        let (chain, key) = pair(&self.server);
        let mut config = builder.with_single_cert(chain, key).unwrap();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Arc::new(config)
    }

    /// The clients of one measurement, in their order.
    fn dialers(&self, kind: &Kind) -> Vec<Arc<ClientConfig>> {
        let provider = self.provider();
        let config = |client: &Issued| {
            let builder = ClientConfig::builder_with_provider(Arc::clone(&provider));
            let builder = builder.with_safe_default_protocol_versions().unwrap();
            let builder = builder.with_root_certificates(self.roots());
            let mut config = if kind.auth == ClientAuth::None {
                builder.with_no_client_auth()
            } else {
                let (chain, key) = pair(client);
                builder.with_client_auth_cert(chain, key).unwrap()
            };
            config.alpn_protocols = vec![b"http/1.1".to_vec()];
            if !kind.resumes {
                config.resumption = Resumption::disabled();
            }
            Arc::new(config)
        };
        if kind.strangers {
            self.clients.iter().map(config).collect()
        } else {
            vec![config(&self.clients[0]); HANDSHAKES + WARM_UP]
        }
    }

    /// Microseconds a handshake over a socket of the loopback, from accepting it to closing it.
    fn on_a_socket(&self, kind: &Kind, served: Served) -> f64 {
        let dialers = self.dialers(kind);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let resumes = kind.resumes;
        let serving = std::thread::spawn(move || serve(listener, &served, resumes));
        for dialer in dialers {
            let mut socket = TcpStream::connect(address).unwrap();
            socket.set_nodelay(true).unwrap();
            let mut connection = ClientConnection::new(dialer, name()).unwrap();
            connection.complete_io(&mut socket).unwrap();
            // Up to the end: the tickets are on their way.
            let _ = rustls::Stream::new(&mut connection, &mut socket).read_to_end(&mut Vec::new());
        }
        microseconds(serving.join().unwrap())
    }

    /// Microseconds of the server's half of a handshake without any socket.
    fn in_memory(&self, kind: &Kind) -> f64 {
        let (config, dialers) = (self.bare(kind), self.dialers(kind));
        let mut spent = Duration::ZERO;
        for (number, dialer) in dialers.into_iter().enumerate() {
            let (cost, how) = shake_hands(&config, dialer);
            if number >= WARM_UP {
                assert_eq!(how == HandshakeKind::Resumed, kind.resumes);
                spent += cost;
            }
        }
        microseconds(spent)
    }
}

/// Serves one connection after the other on this thread; what that cost it, the warm-up aside.
fn serve(listener: TcpListener, served: &Served, resumes: bool) -> Duration {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        listener.set_nonblocking(true).unwrap();
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        let mut began = Duration::ZERO;
        for number in 0..HANDSHAKES + WARM_UP {
            if number == WARM_UP {
                began = thread_time();
            }
            let (socket, _) = listener.accept().await.unwrap();
            socket.set_nodelay(true).unwrap();
            let continued = served.accept(socket).await;
            assert!(number < WARM_UP || continued == resumes);
        }
        since(began)
    })
}

/// Both ends in memory; what the server's end cost, and what kind of handshake it was.
fn shake_hands(config: &Arc<ServerConfig>, dialer: Arc<ClientConfig>) -> (Duration, HandshakeKind) {
    let mut client = ClientConnection::new(dialer, name()).unwrap();
    let began = thread_time();
    let mut server = ServerConnection::new(Arc::clone(config)).unwrap();
    let mut spent = since(began);
    let (mut there, mut back) = (Vec::new(), Vec::new());
    loop {
        while client.wants_write() {
            client.write_tls(&mut there).unwrap();
        }
        if there.is_empty() {
            break;
        }
        let began = thread_time();
        let mut unread = there.as_slice();
        while !unread.is_empty() {
            server.read_tls(&mut unread).unwrap();
            server.process_new_packets().unwrap();
        }
        while server.wants_write() {
            server.write_tls(&mut back).unwrap();
        }
        spent += since(began);
        let mut unread = back.as_slice();
        while !unread.is_empty() {
            client.read_tls(&mut unread).unwrap();
            client.process_new_packets().unwrap();
        }
        there.clear();
        back.clear();
    }
    assert!(!server.is_handshaking() && !client.is_handshaking());
    let kind = server.handshake_kind().unwrap();
    let began = thread_time();
    drop(server);
    (spent + since(began), kind)
}

/// Processor time this thread has spent, in user and system mode.
fn thread_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap())
}

fn since(began: Duration) -> Duration {
    thread_time().saturating_sub(began)
}

fn microseconds(spent: Duration) -> f64 {
    spent.as_secs_f64() * 1e6 / HANDSHAKES as f64
}

fn name() -> ServerName<'static> {
    ServerName::try_from("localhost").unwrap()
}

fn pair(issued: &Issued) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
    let chain = CertificateDer::pem_slice_iter(issued.certificate_pem.as_bytes());
    (
        chain.collect::<Result<_, _>>().unwrap(),
        PrivateKeyDer::from_pem_slice(issued.key_pem.as_bytes()).unwrap(),
    )
}
