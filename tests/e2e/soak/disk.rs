//! A disk of its own for the data folder, which can be filled. Only root may mount one.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// A file system in memory. Dropping it unmounts it.
pub(super) struct Disk {
    folder: PathBuf,
    ballast: Option<(File, Instant)>,
    times: usize,
    full: Duration,
}

impl Disk {
    /// Deleting frees no space yet, so that the disk has to hold all that is pushed: some MiB a second on a fast machine.
    /// `None` where this process may not mount.
    pub(super) fn mount(folder: &Path, length: Duration) -> Option<Self> {
        let options = format!("size={}m,mode=0755", 160 + 2 * length.as_secs());
        std::fs::create_dir(folder).unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &options, "angos-soak"]).arg(folder);
        let is_mounted = mount.output().is_ok_and(|output| output.status.success());
        let (folder, full) = (folder.to_owned(), Duration::ZERO);
        is_mounted.then_some(Self { folder, ballast: None, times: 0, full })
    }

    fn ballast(&self) -> PathBuf {
        self.folder.join(".soak-ballast")
    }

    pub(super) fn is_full(&self) -> bool {
        self.ballast.is_some()
    }

    /// Takes all the space there is, also what was freed since.
    pub(super) fn fill(&mut self) {
        let path = self.ballast();
        let (file, _) = self.ballast.get_or_insert_with(|| {
            self.times += 1;
            (File::create(path).unwrap(), Instant::now())
        });
        // Down to the last page: what is written whole, then byte by byte.
        for size in [1 << 20, 4096] {
            while file.write_all(&vec![1; size]).is_ok() {}
        }
    }

    pub(super) fn free(&mut self) {
        if let Some((_, since)) = self.ballast.take() {
            self.full += since.elapsed();
            std::fs::remove_file(self.ballast()).unwrap();
        }
    }

    pub(super) fn summary(&self) -> String {
        format!("{} times, {} s", self.times, self.full.as_secs())
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: a server that a failed test leaves behind is killed a moment later.
        let _unmounted = Command::new("umount").arg("-l").arg(&self.folder).status();
    }
}
