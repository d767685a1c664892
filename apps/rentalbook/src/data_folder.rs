//! The data folder: one process at a time.

use std::{
    fs::{File, TryLockError},
    io,
    path::{Path, PathBuf},
};

/// A data folder that belongs to this process until it is dropped.
#[derive(Debug)]
pub struct DataFolder {
    path: PathBuf,
    _lock: File,
}

/// Why the folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// Another process has it.
    #[error(
        "the data folder {0} is in use by a running library; stop it first, or give another folder with --data"
    )]
    InUse(PathBuf),
    /// It cannot be made or written.
    #[error("the data folder {0} cannot be used: {1}")]
    Unusable(PathBuf, io::Error),
}

impl DataFolder {
    /// Makes the folder where it is missing, and takes it. The lock is the operating system's: it ends with the
    /// process, however that ends.
    pub fn open(path: &Path) -> Result<Self, FolderError> {
        let unusable = |error| FolderError::Unusable(path.to_owned(), error);
        std::fs::create_dir_all(path).map_err(unusable)?;
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path.join("lock"))
            .map_err(unusable)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(FolderError::InUse(path.to_owned())),
            Err(TryLockError::Error(error)) => Err(unusable(error)),
        }
    }

    /// A file in it.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_never_share_a_folder() {
        let place = tempfile::tempdir().expect("a folder");
        let folder = place.path().join("deep").join("data");
        let first = DataFolder::open(&folder).expect("made and taken");
        let second = DataFolder::open(&folder).expect_err("taken");
        assert!(matches!(second, FolderError::InUse(_)) && second.to_string().contains("--data"), "{second}");
        drop(first);
        DataFolder::open(&folder).expect("free again");
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_said() {
        let place = tempfile::tempdir().expect("a folder");
        let file = place.path().join("file");
        std::fs::write(&file, "x").expect("write");
        assert!(matches!(DataFolder::open(&file.join("data")), Err(FolderError::Unusable(..))));
    }
}
