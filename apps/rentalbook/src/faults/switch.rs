//! Faults are switched over HTTP where the services are processes of their own: `/actuator/faults`, which is only there
//! in a process that was started for drills.

use axum::{Json, Router, extract::State, http::Method, routing::get};
use platform_http::{Problem, RawBody};
use serde::{Deserialize, Serialize};

use super::{Fault, Faults};

const PATH: &str = "/actuator/faults";

/// Those that are switched on; in a request those that are to be switched.
#[derive(Deserialize, Serialize)]
struct Switched {
    faults: Vec<Fault>,
}

/// Where faults are read and switched.
pub(crate) fn routes(faults: Faults) -> Router {
    let on = async |State(faults): State<Faults>| Json(Switched { faults: faults.on() });
    let switch = async |State(faults): State<Faults>, body: RawBody| {
        let switched: Switched = serde_json::from_slice(&body.bytes).map_err(no_faults)?;
        switched.faults.into_iter().for_each(|fault| faults.set(fault));
        Ok::<_, Problem>(Json(Switched { faults: faults.on() }))
    };
    let neither = async |method: Method| {
        Problem::method_not_allowed(
            &method,
            "GET,HEAD,POST",
            "Read the faults that are on, or POST those to switch.",
        )
    };
    Router::new().route(PATH, get(on).post(switch).fallback(neither)).with_state(faults)
}

fn no_faults(error: serde_json::Error) -> Problem {
    if error.is_data() {
        Problem::invalid_field("faults", format!("{error}. Send {{\"faults\": [\"rent.fail=10%\"]}}."))
    } else {
        Problem::malformed_json(error)
    }
}

#[cfg(feature = "distributed")]
pub(crate) use everywhere::switch_in_all;

#[cfg(feature = "distributed")]
mod everywhere {
    use std::{fmt::Write as _, net::SocketAddr, time::Duration};

    use axum::body::{Body, to_bytes};
    use futures_util::future::join_all;
    use hyper::{Request, StatusCode, header};
    use platform_http::client::{Client, ClientConfig};
    use tokio::time::Instant;

    use super::{Fault, PATH, Switched};
    use crate::tools::Outcome;

    /// All replicas have to answer within this time.
    const PATIENCE: Duration = Duration::from_secs(10);

    /// Longest answer, in bytes.
    const MOST: usize = 64 * 1024;

    /// Switches faults in every replica of `services`, which have these names, and says of each which are on.
    pub(crate) async fn switch_in_all(services: &[(&str, Client)], faults: &[Fault]) -> Outcome {
        let deadline = Instant::now() + PATIENCE;
        let asked = services.iter().map(async |(name, service)| {
            let replicas = service.addresses(deadline).await;
            let said = join_all(replicas.iter().map(|replica| switch(*replica, faults, deadline))).await;
            (*name, replicas.into_iter().zip(said).collect::<Vec<_>>())
        });
        let mut outcome = Outcome { text: String::new(), code: 0 };
        let mut say = |who: &dyn std::fmt::Display, said: Result<String, String>| {
            outcome.code |= u8::from(said.is_err());
            let said = said.unwrap_or_else(|reason| reason);
            // Writing to a string has no way to fail.
            let _ = writeln!(outcome.text, "{who}: {said}");
        };
        for (name, replicas) in join_all(asked).await {
            if replicas.is_empty() {
                say(&name, Err("no replica of it is known".to_owned()));
            }
            replicas.into_iter().for_each(|(replica, said)| say(&format_args!("{name} at {replica}"), said));
        }
        outcome
    }

    async fn switch(replica: SocketAddr, faults: &[Fault], deadline: Instant) -> Result<String, String> {
        let replica = Client::new(&[replica].into_iter().collect(), &ClientConfig::default());
        let wanted =
            serde_json::to_vec(&Switched { faults: faults.to_vec() }).map_err(|error| error.to_string())?;
        let request = Request::post(PATH)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from(wanted))
            .map_err(|error| error.to_string())?;
        let answer = replica.call(request, deadline).await.map_err(|error| error.to_string())?;
        match answer.status() {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND => {
                return Err("it was not started for drills: start it with --drills".to_owned());
            }
            status => return Err(format!("it answered {status}")),
        }
        let body = to_bytes(answer.into_body(), MOST).await.map_err(|error| error.to_string())?;
        let Switched { faults } = serde_json::from_slice(&body).map_err(|error| error.to_string())?;
        let on: Vec<_> = faults.iter().map(Fault::to_string).collect();
        Ok(if on.is_empty() { "no fault is on".to_owned() } else { on.join(", ") })
    }
}
