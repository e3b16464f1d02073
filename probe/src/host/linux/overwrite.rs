//! Zeros over every byte of a drive, and the proof that they are there.

use std::io::{self, SeekFrom};
use std::path::Path;

use nix::fcntl::{OFlag, PosixFadviseAdvice, posix_fadvise};
use tokio::fs::{File, OpenOptions};
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};
use tracing::info;

use crate::host::{Drive, HostError};

/// How much is written or read at once.
const CHUNK_BYTES: usize = 4 << 20;

/// Overwrites the whole drive and returns when the drive has said that it is stored.
pub(super) async fn with_zeros(device: &Path, drive: &Drive) -> Result<(), HostError> {
    let failed = |source: io::Error| match source.raw_os_error() {
        Some(code) if code == nix::errno::Errno::EBUSY as i32 => HostError::DriveInUse {
            drive: drive.name.clone(),
            by: "the kernel or another process".to_owned(),
        },
        _ => HostError::Erase {
            drive: drive.name.clone(),
            source: source.into(),
        },
    };
    // The kernel refuses an exclusive open of a block device that anybody uses, in whatever mount namespace.
    let mut options = OpenOptions::new();
    options.write(true).custom_flags(OFlag::O_EXCL.bits());
    let mut file = options.open(device).await.map_err(failed)?;
    let size = whole_size(&mut file, drive).await.map_err(failed)?;
    file.set_max_buf_size(CHUNK_BYTES);
    let zeros = vec![0; CHUNK_BYTES];
    let mut progress = Progress::new("overwriting", drive, size);
    while let Some(length) = progress.next_chunk() {
        file.write_all(&zeros[..length]).await.map_err(failed)?;
        progress.advance(length);
    }
    file.sync_all().await.map_err(failed)
}

/// Reads the whole drive and fails at the first byte that is not zero.
pub(super) async fn verify(device: &Path, drive: &Drive) -> Result<(), HostError> {
    let failed = |source: io::Error| HostError::Verify {
        drive: drive.name.clone(),
        source: source.into(),
    };
    let mut file = File::open(device).await.map_err(failed)?;
    let size = whole_size(&mut file, drive).await.map_err(failed)?;
    // Else the page cache would prove what was sent, not what was stored.
    posix_fadvise(&file, 0, 0, PosixFadviseAdvice::POSIX_FADV_DONTNEED).map_err(|error| failed(error.into()))?;
    file.set_max_buf_size(CHUNK_BYTES);
    let mut buffer = vec![0; CHUNK_BYTES];
    let mut progress = Progress::new("verifying", drive, size);
    while let Some(length) = progress.next_chunk() {
        file.read_exact(&mut buffer[..length]).await.map_err(failed)?;
        if let Some(position) = buffer[..length].iter().position(|byte| *byte != 0) {
            return Err(HostError::NotErased {
                drive: drive.name.clone(),
                offset: progress.done + position as u64,
            });
        }
        progress.advance(length);
    }
    Ok(())
}

/// The size of the opened device. One that differs from what was enumerated is another drive, or no drive.
async fn whole_size(file: &mut File, drive: &Drive) -> io::Result<u64> {
    let size = file.seek(SeekFrom::End(0)).await?;
    file.rewind().await?;
    if size == drive.size_bytes {
        return Ok(size);
    }
    Err(io::Error::other(format!(
        "it is {size} bytes long instead of {}; the drive was exchanged",
        drive.size_bytes
    )))
}

/// Says every tenth of the way where it is.
struct Progress<'a> {
    action: &'static str,
    drive: &'a Drive,
    size: u64,
    done: u64,
}

impl<'a> Progress<'a> {
    fn new(action: &'static str, drive: &'a Drive, size: u64) -> Self {
        Self {
            action,
            drive,
            size,
            done: 0,
        }
    }

    fn next_chunk(&self) -> Option<usize> {
        let left = self.size - self.done;
        (left > 0).then(|| usize::try_from(left).unwrap_or(usize::MAX).min(CHUNK_BYTES))
    }

    fn advance(&mut self, bytes: usize) {
        let tenths = |done: u64| u128::from(done) * 10 / u128::from(self.size);
        let before = tenths(self.done);
        let done = self.done + bytes as u64;
        if tenths(done) != before {
            info!(drive = self.drive.name, percent = tenths(done) * 10, "{}", self.action);
        }
        self.done = done;
    }
}
