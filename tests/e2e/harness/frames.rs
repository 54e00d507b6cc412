//! HTTP/2 frames written by hand, since no client library sends what a test wants sent.

use crate::harness::{Client, TIMEOUT};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;

pub(crate) const END_STREAM: u8 = 1;
pub(crate) const ACK: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;

pub(crate) const CANCEL: [u8; 4] = [0, 0, 0, 8];

/// A connection of which the test writes every frame.
pub(crate) struct Frames {
    pub(crate) stream: TlsStream<TcpStream>,
}

/// One frame from the server.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut bytes = length[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// A header field as HPACK literal: never indexed, no Huffman code. Lengths are below 254.
pub(crate) fn field(name: &str, value: &str) -> Vec<u8> {
    let mut bytes = vec![0x10];
    for text in [name, value] {
        match u8::try_from(text.len()).unwrap() {
            short @ ..127 => bytes.push(short),
            long => bytes.extend([127, long - 127]),
        }
        bytes.extend(text.as_bytes());
    }
    bytes
}

pub(crate) fn head(method: &str, path: &str) -> Vec<u8> {
    [
        field(":method", method),
        field(":path", path),
        field(":scheme", "https"),
        field(":authority", "localhost"),
    ]
    .concat()
}

impl Frames {
    /// Connects; `settings` are pairs of an identifier and a value.
    pub(crate) async fn open(client: &Client, settings: &[(u16, u32)]) -> Self {
        let mut stream = client.dial().await.unwrap();
        let payload: Vec<u8> = settings
            .iter()
            .flat_map(|(key, value)| [&key.to_be_bytes()[..], &value.to_be_bytes()].concat())
            .collect();
        let preface = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &frame(SETTINGS, 0, 0, &payload)[..]].concat();
        stream.write_all(&preface).await.unwrap();
        stream.flush().await.unwrap();
        Frames { stream }
    }

    /// Writes; an error only says that the server has had enough.
    pub(crate) async fn send(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).await.is_ok() && self.stream.flush().await.is_ok()
    }

    pub(crate) async fn ask(&mut self, stream: u32, method: &str, path: &str, flags: u8) -> bool {
        self.send(&frame(HEADERS, END_HEADERS | flags, stream, &head(method, path))).await
    }

    /// The next frame, none when the connection is over.
    pub(crate) async fn next(&mut self) -> Option<Frame> {
        let mut header = [0; 9];
        let read = tokio::time::timeout(TIMEOUT, self.stream.read_exact(&mut header));
        read.await.expect("an answer or an end").ok()?;
        let length = u32::from_be_bytes([0, header[0], header[1], header[2]]);
        let mut payload = vec![0; usize::try_from(length).unwrap()];
        self.stream.read_exact(&mut payload).await.ok()?;
        let stream = u32::from_be_bytes([header[5], header[6], header[7], header[8]]);
        Some(Frame { kind: header[3], flags: header[4], stream, payload })
    }

    /// Reads until a frame is as wanted, acknowledging nothing.
    pub(crate) async fn wait(&mut self, mut wanted: impl FnMut(&Frame) -> bool) -> Option<Frame> {
        loop {
            let frame = self.next().await?;
            if wanted(&frame) {
                return Some(frame);
            }
        }
    }

    /// Whether the server ends the connection, by itself or with a GOAWAY that names an error.
    pub(crate) async fn is_ended(&mut self) -> bool {
        let is_complaint = |it: &Frame| it.kind == GOAWAY && it.payload[4..8] != [0; 4];
        tokio::time::timeout(TIMEOUT, self.wait(is_complaint)).await.is_ok()
    }
}
