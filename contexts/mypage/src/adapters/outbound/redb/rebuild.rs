//! A new file beside the live one, and the moment in which it takes its place.

use std::{fs, io, path::Path, sync::Arc};

use async_trait::async_trait;
use tokio::task::spawn_blocking;

use super::{RedbView, file, file::ViewFile, rebuild_path, rows::Changes};
use crate::{
    projection::OrderFact,
    query::{Rebuild, Unavailable},
};

/// See [`Rebuild`].
pub(super) struct RedbRebuild {
    view: RedbView,
    new: Arc<ViewFile>,
}

impl RedbRebuild {
    /// Blocks.
    pub(super) fn begin(view: RedbView) -> Result<Self, Unavailable> {
        let mut rebuilding = view.shared.writing.lock();
        if rebuilding.is_some() {
            return Err(Unavailable("a rebuild is already under way".to_owned()));
        }
        let path = rebuild_path(&view.shared.path);
        let failed = |error: file::OpenError| Unavailable(error.to_string());
        file::remove_leftover(&path).map_err(failed)?;
        let new = Arc::new(ViewFile::open(&path).map_err(failed)?);
        *rebuilding = Some(Arc::clone(&new));
        drop(rebuilding);
        Ok(Self { view, new })
    }

    /// Blocks. The rename is the moment: a crash before it leaves the old view, after it the new one.
    fn take_the_place(&self, sync: impl FnOnce(&Path) -> io::Result<()>) -> Result<(), Unavailable> {
        let shared = &self.view.shared;
        let mut rebuilding = shared.writing.lock();
        if !is_rebuilt(rebuilding.as_ref(), &self.new) {
            return Err(Unavailable(
                "the rebuild was given up, because the new file could not be written".to_owned(),
            ));
        }
        self.new.mark_complete()?;
        fs::rename(rebuild_path(&shared.path), &shared.path)
            .map_err(|error| Unavailable(format!("the new view cannot take its place: {error}")))?;
        // From here on the old file is gone, whatever else happens: what was written into it would be lost.
        *shared.live.write() = Arc::clone(&self.new);
        *rebuilding = None;
        drop(rebuilding);
        sync(&shared.path).map_err(|error| {
            Unavailable(format!(
                "the new view has taken its place, but a power cut may bring the old one back: {error}"
            ))
        })
    }
}

#[async_trait]
impl Rebuild for RedbRebuild {
    async fn apply(&mut self, facts: Vec<OrderFact>) -> Result<(), Unavailable> {
        let changes = Changes::of(facts);
        let new = Arc::clone(&self.new);
        spawn_blocking(move || new.apply(&changes)).await.map_err(|error| Unavailable(error.to_string()))?
    }

    async fn finish(self: Box<Self>) -> Result<(), Unavailable> {
        spawn_blocking(move || self.take_the_place(sync_folder))
            .await
            .map_err(|error| Unavailable(error.to_string()))?
    }
}

impl Drop for RedbRebuild {
    fn drop(&mut self) {
        let mut rebuilding = self.view.shared.writing.lock();
        // Where this one was finished or given up, the file beside the live one is nobody's, or another rebuild's.
        if is_rebuilt(rebuilding.as_ref(), &self.new) {
            self.view.shared.give_up(&mut rebuilding);
        }
    }
}

/// Whether `new` is the view that is being rebuilt.
fn is_rebuilt(rebuilding: Option<&Arc<ViewFile>>, new: &Arc<ViewFile>) -> bool {
    rebuilding.is_some_and(|rebuilding| Arc::ptr_eq(rebuilding, new))
}

/// Makes a rename in the folder of `path` durable.
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        contract::{fact, ordered},
        projection::Fact,
        query::View as _,
    };

    async fn a_view(folder: &Path) -> RedbView {
        let view = RedbView::open(&folder.join("mypage.redb")).expect("it opens");
        view.apply(vec![fact(1, Fact::Deferred, 1)]).await.expect("applied");
        view
    }

    async fn a_rebuild(view: &RedbView) -> RedbRebuild {
        let view = view.clone();
        spawn_blocking(move || RedbRebuild::begin(view)).await.expect("it ran").expect("a rebuild")
    }

    #[tokio::test]
    async fn a_new_view_whose_rename_is_not_synced_is_the_live_one_all_the_same() {
        let folder = tempfile::tempdir().expect("a folder");
        let view = a_view(folder.path()).await;
        let mut rebuild = a_rebuild(&view).await;
        rebuild.apply(vec![ordered(2, "COSMOS", "kim", 2)]).await.expect("applied");
        let told = rebuild.take_the_place(|_| Err(io::Error::other("no sync"))).expect_err("it is told");
        assert!(told.to_string().contains("has taken its place") && told.to_string().contains("no sync"));
        drop(rebuild);

        // What is read and written from now on is in the file that the next start will open.
        assert_eq!(view.get(1).await, Ok(None));
        view.apply(vec![ordered(3, "CONTACT", "kim", 3)]).await.expect("applied");
        drop(a_rebuild(&view).await);
        drop(view);
        let view = RedbView::open(&folder.path().join("mypage.redb")).expect("it opens");
        assert_eq!(view.total().await, Ok(2));
        assert!(view.get(2).await.expect("a read").is_some() && view.get(3).await.expect("a read").is_some());
    }

    #[tokio::test]
    async fn a_rebuild_that_was_given_up_leaves_the_next_one_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let view = a_view(folder.path()).await;
        let given_up = a_rebuild(&view).await;
        let leftover = rebuild_path(&view.shared.path);
        view.shared.give_up(&mut view.shared.writing.lock());
        assert!(!leftover.exists(), "it makes room at once");

        let mut next = a_rebuild(&view).await;
        drop(given_up);
        assert!(leftover.exists());
        next.apply(vec![ordered(2, "COSMOS", "kim", 2)]).await.expect("applied");
        Box::new(next).finish().await.expect("finished");
        assert_eq!(view.total().await, Ok(1));
        drop(view);
        let view = RedbView::open(&folder.path().join("mypage.redb")).expect("it opens");
        assert!(view.get(2).await.expect("a read").is_some());
    }
}
