//! Files that are needed for a while only.

use std::{
    fs, io,
    path::PathBuf,
    sync::atomic::{AtomicU64, Ordering},
};

use mypage::adapters::outbound::redb::{OpenError, RedbView};

use crate::data_folder::DataFolder;

const BEGIN: &str = "audit-";
const END: &str = ".redb";

/// Where such files are made: in the data folder, whose disk has room for a copy of the view.
#[derive(Debug)]
pub struct Scratch {
    folder: PathBuf,
}

impl Scratch {
    /// Removes what a process has left behind that was killed. The folder is ours, so nobody uses it any more.
    #[must_use]
    pub fn of(folder: &DataFolder) -> Self {
        let scratch = Self { folder: folder.path().to_owned() };
        if let Err(error) = scratch.remove_leftovers() {
            tracing::warn!(%error, folder = %scratch.folder.display(), "files that are not needed any more stay behind");
        }
        scratch
    }

    /// Where there is no data folder: in the system's own place for such files.
    #[must_use]
    pub fn elsewhere() -> Self {
        Self { folder: std::env::temp_dir() }
    }

    fn remove_leftovers(&self) -> io::Result<()> {
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            let is_ours =
                entry.file_name().to_str().is_some_and(|name| name.starts_with(BEGIN) && name.ends_with(END));
            if is_ours {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }

    /// A new view in a file that has lost its name when this returns: it ends with the view, however the process
    /// ends, and two of them never meet.
    pub fn view(&self) -> Result<RedbView, OpenError> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = self.folder.join(format!("{BEGIN}{}-{n}{END}", std::process::id()));
        let view = RedbView::open(&path);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(%error, file = %path.display(), "a file that is not needed any more stays behind");
            }
            _ => {}
        }
        view
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use mypage::{
        contract::{fact, ordered},
        projection::Fact,
        query::View as _,
    };

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry"));
        let mut names: Vec<_> = entries.map(|entry| entry.file_name().display().to_string()).collect();
        names.sort();
        names
    }

    #[tokio::test]
    async fn two_views_at_once_have_nothing_in_common_and_leave_nothing() {
        let place = tempfile::tempdir().expect("a folder");
        let scratch = Scratch::of(&DataFolder::open(place.path()).expect("the folder"));
        let (one, other) = (scratch.view().expect("a view"), scratch.view().expect("another one"));
        assert_eq!(names(place.path()), ["lock"], "killed now, nothing would stay behind");
        one.apply(vec![ordered(1, "COSMOS", "kim", 1), fact(2, Fact::Ordered, 2)]).await.expect("applied");
        other.apply(vec![fact(3, Fact::Ordered, 3)]).await.expect("applied");
        assert_eq!((one.total().await, other.total().await), (Ok(2), Ok(1)));
    }

    #[test]
    fn what_a_killed_process_has_left_is_removed() {
        let place = tempfile::tempdir().expect("a folder");
        for name in ["audit-17.redb", "audit-4711-0.redb", "audit.txt", "mypage.redb"] {
            fs::write(place.path().join(name), "rows").expect("a file");
        }
        let _scratch = Scratch::of(&DataFolder::open(place.path()).expect("the folder"));
        assert_eq!(names(place.path()), ["audit.txt", "lock", "mypage.redb"]);
    }
}
