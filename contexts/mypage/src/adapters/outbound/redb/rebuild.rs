//! A new file beside the live one, and the moment in which it takes its place.

use std::{fs, path::Path, sync::Arc};

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
    fn take_the_place(&self) -> Result<(), Unavailable> {
        let shared = &self.view.shared;
        let mut rebuilding = shared.writing.lock();
        if !rebuilding.as_ref().is_some_and(|new| Arc::ptr_eq(new, &self.new)) {
            return Err(Unavailable(
                "the rebuild was given up, because the new file could not be written".to_owned(),
            ));
        }
        self.new.mark_complete()?;
        let renamed =
            fs::rename(rebuild_path(&shared.path), &shared.path).and_then(|()| sync_folder(&shared.path));
        renamed.map_err(|error| Unavailable(format!("the new view cannot take its place: {error}")))?;
        *shared.live.write() = Arc::clone(&self.new);
        *rebuilding = None;
        Ok(())
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
        spawn_blocking(move || self.take_the_place()).await.map_err(|error| Unavailable(error.to_string()))?
    }
}

impl Drop for RedbRebuild {
    fn drop(&mut self) {
        let mut rebuilding = self.view.shared.writing.lock();
        let finished = Arc::ptr_eq(&self.new, &self.view.live());
        if !finished {
            // Whatever cannot be removed now is removed before the next rebuild and at the next start.
            let _ = fs::remove_file(rebuild_path(&self.view.shared.path));
            *rebuilding = None;
        }
    }
}

/// Makes a rename in the folder of `path` durable.
fn sync_folder(path: &Path) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::File::open(folder)?.sync_all()
}
