//! How a running library is asked: HTTP over a socket in its data folder, which only its owner can open.

use std::{io, path::Path, sync::Arc};

use axum::{Json, Router, extract::State, routing::post};
use http_body_util::{BodyExt as _, Full};
use hyper::{Request, body::Bytes};
use hyper_util::rt::TokioIo;
use tokio::net::{UnixListener, UnixStream};

use crate::{
    cli::Tool,
    tools::{Outcome, Toolbox},
};

const SOCKET: &str = "control.sock";

/// The library cannot be asked, or cannot be made to listen.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// The socket cannot be made.
    #[error("the control socket {0} cannot be made ({1}); a data folder with a shorter path may help")]
    Listen(String, io::Error),
    /// The library does not answer as it should.
    #[error("the running library does not answer: {0}")]
    Ask(String),
}

/// Listens in `data`. A socket that an earlier process left behind is replaced: the folder is locked.
pub fn listen(data: &Path) -> Result<UnixListener, ControlError> {
    let path = data.join(SOCKET);
    let _ = std::fs::remove_file(&path);
    let listener =
        UnixListener::bind(&path).map_err(|error| ControlError::Listen(path.display().to_string(), error))?;
    only_for_the_owner(&path).map_err(|error| ControlError::Listen(path.display().to_string(), error))?;
    Ok(listener)
}

fn only_for_the_owner(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))
}

/// Answers for ever.
pub async fn serve(listener: UnixListener, toolbox: Arc<Toolbox>) {
    let run = |State(toolbox): State<Arc<Toolbox>>, Json(tool): Json<Tool>| async move {
        Json(toolbox.run(&tool).await)
    };
    let router = Router::new().route("/tool", post(run)).with_state(toolbox);
    if let Err(error) = axum::serve(listener, router).await {
        tracing::error!(%error, "the control socket is closed");
    }
}

/// Asks the library that runs on `data`; `None` where none does.
pub async fn ask(data: &Path, tool: &Tool) -> Result<Option<Outcome>, ControlError> {
    let Ok(stream) = UnixStream::connect(data.join(SOCKET)).await else { return Ok(None) };
    let failed = |error: String| ControlError::Ask(error);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| failed(error.to_string()))?;
    tokio::spawn(connection);
    let body = serde_json::to_vec(tool).map_err(|error| failed(error.to_string()))?;
    let request = Request::post("/tool")
        .header("host", "library")
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from(body)))
        .map_err(|error| failed(error.to_string()))?;
    let response = sender.send_request(request).await.map_err(|error| failed(error.to_string()))?;
    let body = response.into_body().collect().await.map_err(|error| failed(error.to_string()))?.to_bytes();
    serde_json::from_slice(&body)
        .map(Some)
        .map_err(|_| failed(format!("{} (is it another version?)", String::from_utf8_lossy(&body))))
}
