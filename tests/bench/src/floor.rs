//! The least a push can cost: receive a body, SHA-256 it, write it in 256 KiB pieces, sync the data once.

use sha2::Digest as _;
use std::io::{BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;

const PIECE: usize = 256 * 1024;

/// Serves pushes one connection after another, for ever; prints the port first.
pub(crate) fn serve(folder: &Path) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    println!("{}", listener.local_addr().unwrap().port());
    for (number, stream) in listener.incoming().enumerate() {
        let stream = stream.unwrap();
        let mut reader = BufReader::with_capacity(PIECE, stream.try_clone().unwrap());
        while let Some(length) = content_length(&mut reader) {
            receive(&mut reader, length, &folder.join(format!("floor-{number}")));
            let mut answer = &stream;
            answer.write_all(b"HTTP/1.1 201 Created\r\ncontent-length: 0\r\n\r\n").unwrap();
        }
    }
}

fn content_length(reader: &mut impl std::io::BufRead) -> Option<usize> {
    let mut length = None;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if line == "\r\n" {
            return Some(length.unwrap_or(0));
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok();
        }
    }
}

fn receive(reader: &mut BufReader<std::net::TcpStream>, mut left: usize, path: &Path) {
    let mut file = std::fs::File::create(path).unwrap();
    let mut hasher = sha2::Sha256::new();
    let mut piece = vec![0; PIECE];
    while left > 0 {
        let wanted = left.min(PIECE);
        reader.read_exact(&mut piece[..wanted]).unwrap();
        hasher.update(&piece[..wanted]);
        file.write_all(&piece[..wanted]).unwrap();
        left -= wanted;
    }
    let _ = std::hint::black_box(hasher.finalize());
    file.sync_data().unwrap();
    std::fs::remove_file(path).unwrap();
}
