//! CPU seconds per GB of writing and reading, beside a floor that does the same with the fewest calls.
//!
//! `cargo run --release -p angos-storage --example throughput -- [FOLDER] [MiB] [ROUNDS]`

use std::{
    fs::{File, OpenOptions},
    io::Write,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use angos_oci::{Algorithm, Digest, Hasher};
use angos_storage::{BlobSettings, MetadataSettings, Settings, Storage};
use bytes::Bytes;

type Failure = Box<dyn std::error::Error>;

/// What a network read gives at once.
const FRAME: usize = 64 * 1024;

/// What the floor reads and writes at once.
const CHUNK: usize = 256 * 1024;

/// User and system time of this process.
fn cpu() -> Result<Duration, Failure> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let fields = stat.rsplit_once(')').ok_or("stat")?.1;
    let ticks = |index: usize| -> Result<u64, Failure> {
        Ok(fields.split_whitespace().nth(index).ok_or("stat")?.parse()?)
    };
    Ok(Duration::from_millis((ticks(11)? + ticks(12)?) * 10))
}

struct Measure {
    name: &'static str,
    cpu: Duration,
    wall: Duration,
    bytes: u64,
}

impl Measure {
    async fn of<F: Future<Output = Result<u64, Failure>>>(
        name: &'static str,
        work: F,
    ) -> Result<Measure, Failure> {
        let (started, before) = (Instant::now(), cpu()?);
        let bytes = work.await?;
        Ok(Measure { name, cpu: cpu()?.saturating_sub(before), wall: started.elapsed(), bytes })
    }

    #[expect(clippy::cast_precision_loss, reason = "for reading by people")]
    fn print(&self) -> Result<(), Failure> {
        let gigabytes = self.bytes as f64 / 1e9;
        writeln!(
            std::io::stdout(),
            "{:28} {:6.3} CPU-s/GB {:8.2} GB/s wall",
            self.name,
            self.cpu.as_secs_f64() / gigabytes,
            gigabytes / self.wall.as_secs_f64()
        )?;
        Ok(())
    }
}

/// Hash and write in 256 KiB pieces, sync, link: nothing less publishes content.
fn floor_write(folder: &Path, frames: &[Bytes], sync: bool) -> Result<(u64, PathBuf), Failure> {
    let path = folder.join("floor");
    let file = OpenOptions::new().create(true).truncate(true).read(true).write(true).open(&path)?;
    let mut hasher = Hasher::new(Algorithm::Sha256);
    let mut position = 0;
    let mut piece = Vec::with_capacity(CHUNK);
    for frame in frames {
        piece.extend_from_slice(frame);
        if piece.len() >= CHUNK {
            hasher.update(&piece);
            file.write_all_at(&piece, position)?;
            position += piece.len() as u64;
            piece.clear();
        }
    }
    hasher.update(&piece);
    file.write_all_at(&piece, position)?;
    position += piece.len() as u64;
    let digest = hasher.finish();
    if sync {
        file.sync_data()?;
    }
    let target = folder.join(digest.hex());
    std::fs::rename(path, &target)?;
    if sync {
        File::open(folder)?.sync_all()?;
    }
    Ok((position, target))
}

fn floor_read(path: &Path) -> Result<u64, Failure> {
    let file = File::open(path)?;
    let mut buffer = vec![0; CHUNK];
    let mut position = 0;
    loop {
        match file.read_at(&mut buffer, position)? {
            0 => return Ok(position),
            read => position += read as u64,
        }
    }
}

async fn store_write(storage: &Storage, frames: &[Bytes], digest: &Digest) -> Result<u64, Failure> {
    let mut writer = storage.blobs.stage(Algorithm::Sha256).await?;
    for frame in frames {
        writer.write(frame.clone()).await?;
        tokio::task::yield_now().await;
    }
    Ok(writer.commit(digest).await?)
}

async fn store_read(storage: &Storage, digest: &Digest) -> Result<u64, Failure> {
    let mut reader = storage.blobs.read(digest, None).await?.ok_or("lost")?;
    let mut total = 0;
    while let Some(chunk) = reader.next().await {
        total += chunk?.len() as u64;
    }
    Ok(total)
}

async fn round(folder: &Path, storage: &Storage, sync: bool, frames: &[Bytes]) -> Result<(), Failure> {
    let digest = {
        let mut hasher = Hasher::new(Algorithm::Sha256);
        for frame in frames {
            hasher.update(frame);
        }
        hasher.finish()
    };
    let mut floor = PathBuf::new();
    let names =
        if sync { ["floor write durable", "store write durable"] } else { ["floor write", "store write"] };
    Measure::of(names[0], async {
        let (bytes, path) = floor_write(folder, frames, sync)?;
        floor = path;
        Ok(bytes)
    })
    .await?
    .print()?;
    Measure::of(names[1], store_write(storage, frames, &digest)).await?.print()?;
    if !sync {
        Measure::of("floor read", async { floor_read(&floor) }).await?.print()?;
        Measure::of("store read", store_read(storage, &digest)).await?.print()?;
    }
    storage.blobs.delete(&digest).await?;
    std::fs::remove_file(floor)?;
    Ok(())
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let parent = arguments.next().map_or_else(std::env::temp_dir, PathBuf::from);
    let size: usize = arguments.next().map_or(Ok(512), |text| text.parse())?;
    let rounds: usize = arguments.next().map_or(Ok(3), |text| text.parse())?;
    let folder = parent.join(format!("angos-throughput-{}", std::process::id()));
    let content: Vec<u8> =
        (0..FRAME).map(|index| u8::try_from(index * 31 % 251).unwrap_or_default()).collect();
    let content = Bytes::from(content);
    for sync in [false, true] {
        let root_dir = folder.join(sync.to_string());
        let storage = Storage::open(&Settings {
            blobs: BlobSettings::Filesystem { root_dir },
            metadata: MetadataSettings::Memory,
            sync,
        })?;
        for number in 0..rounds {
            // Frames of memory of their own, as they come from a network.
            let mut frames = vec![Bytes::from(number.to_string())];
            frames.extend((0..size * 16).map(|_| Bytes::copy_from_slice(&content)));
            round(&folder, &storage, sync, &frames).await?;
        }
    }
    std::fs::remove_dir_all(folder)?;
    Ok(())
}
