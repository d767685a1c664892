//! Faults are switched over HTTP where the services are processes of their own: `/actuator/faults`, which is only there
//! in a process that was started for drills.

use axum::{Json, Router, extract::State, routing::get};
use serde::{Deserialize, Serialize};

use super::{Fault, Faults};

const PATH: &str = "/actuator/faults";

/// Those that are switched on; in a request those that are to be switched.
#[derive(Deserialize, Serialize)]
struct Switched {
    faults: Vec<Fault>,
}

/// The address.
pub(crate) fn routes(faults: Faults) -> Router {
    let on = async |State(faults): State<Faults>| Json(Switched { faults: faults.on() });
    let switch = async |State(faults): State<Faults>, Json(switched): Json<Switched>| {
        switched.faults.into_iter().for_each(|fault| faults.set(fault));
        Json(Switched { faults: faults.on() })
    };
    Router::new().route(PATH, get(on).post(switch)).with_state(faults)
}

#[cfg(feature = "distributed")]
pub(crate) use everywhere::switch_in_all;

#[cfg(feature = "distributed")]
mod everywhere {
    use std::{fmt::Write as _, net::SocketAddr, time::Duration};

    use axum::body::{Body, to_bytes};
    use hyper::{Request, StatusCode, header};
    use platform_http::client::{Client, ClientConfig};
    use tokio::time::Instant;

    use super::{Fault, PATH, Switched};
    use crate::tools::Outcome;

    /// All replicas have to answer within this time.
    const PATIENCE: Duration = Duration::from_secs(10);

    /// Longest answer, in bytes.
    const MOST: usize = 64 * 1024;

    /// Switches faults in every replica of `services`, and says of each which are on.
    pub(crate) async fn switch_in_all(services: &[Client], faults: &[Fault]) -> Outcome {
        let deadline = Instant::now() + PATIENCE;
        let mut outcome = Outcome { text: String::new(), code: 0 };
        for service in services {
            for address in service.addresses(deadline).await {
                let said = switch(address, faults, deadline).await.unwrap_or_else(|reason| {
                    outcome.code = 1;
                    reason
                });
                // Writing to a string has no way to fail.
                let _ = writeln!(outcome.text, "{address}: {said}");
            }
        }
        outcome
    }

    async fn switch(address: SocketAddr, faults: &[Fault], deadline: Instant) -> Result<String, String> {
        let replica = Client::new(&[address].into_iter().collect(), &ClientConfig::default());
        let wanted =
            serde_json::to_vec(&Switched { faults: faults.to_vec() }).map_err(|error| error.to_string())?;
        let request = Request::post(PATH)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from(wanted))
            .map_err(|error| error.to_string())?;
        let answer = replica.call(request, deadline).await.map_err(|error| error.to_string())?;
        if answer.status() == StatusCode::NOT_FOUND {
            return Err("it was not started for drills: start it with --drills".to_owned());
        }
        let body = to_bytes(answer.into_body(), MOST).await.map_err(|error| error.to_string())?;
        let Switched { faults } = serde_json::from_slice(&body).map_err(|error| error.to_string())?;
        let on: Vec<_> = faults.iter().map(Fault::to_string).collect();
        Ok(if on.is_empty() { "no fault is on".to_owned() } else { on.join(", ") })
    }
}
