//! The load generator: closed loop, a number of connections that each ask again as soon as they are answered.
//!
//! It speaks just enough HTTP/1.1 to read our answers. A client library would take more processor time than the
//! servers that are measured, and both sides share the machine.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::Result;

/// Connections of every measurement.
pub(crate) const CONNECTIONS: usize = 64;

/// When the load ends.
#[derive(Clone, Copy)]
pub(crate) enum Until {
    Elapsed(Duration),
    Sent(u64),
}

/// What came of a load.
pub(crate) struct Outcome {
    /// Answers with the wanted status.
    pub(crate) answered: u64,
    /// Answers with another one.
    pub(crate) refused: u64,
    pub(crate) elapsed: Duration,
    /// Microseconds, sorted.
    pub(crate) latencies: Vec<u32>,
}

impl Outcome {
    pub(crate) fn per_second(&self) -> f64 {
        self.answered as f64 / self.elapsed.as_secs_f64()
    }

    /// Milliseconds below which a share of the answers came.
    pub(crate) fn percentile_ms(&self, share: f64) -> f64 {
        let last = self.latencies.len().saturating_sub(1);
        let at = (last as f64 * share) as usize;
        self.latencies.get(at).map_or(0.0, |micros| f64::from(*micros) / 1000.0)
    }
}

/// A request with the number that it is given.
pub(crate) type Make = Arc<dyn Fn(u64, &mut Vec<u8>) + Send + Sync>;

/// POST of an order.
pub(crate) fn post_orders() -> Make {
    Arc::new(|n, out| {
        let body = format!("{{\"item\":\"book {n}\",\"status\":\"Ordered\"}}");
        out.extend_from_slice(
            format!(
                "POST /orders HTTP/1.1\r\nHost: localhost:8081\r\nContent-Type: application/json\r\n\
                 Accept: application/json\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            )
            .as_bytes(),
        );
    })
}

/// GET of one of the first `items` items of a collection, at random.
pub(crate) fn get_items(collection: &'static str, items: u64) -> Make {
    Arc::new(move |n, out| {
        // A multiplicative hash: spread over all ids, repeatable, and cheap.
        let id = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) % items + 1;
        let head = format!(
            "GET /{collection}/{id} HTTP/1.1\r\nHost: localhost:8081\r\nAccept: application/json\r\n\r\n"
        );
        out.extend_from_slice(head.as_bytes());
    })
}

/// Loads `address` and expects `status`.
pub(crate) async fn run(address: SocketAddr, make: &Make, status: u16, until: Until) -> Result<Outcome> {
    paced(address, make, status, until, None).await
}

/// The same at no more than `per_second`, over all connections.
pub(crate) async fn paced(
    address: SocketAddr,
    make: &Make,
    status: u16,
    until: Until,
    per_second: Option<f64>,
) -> Result<Outcome> {
    let sent = Arc::new(AtomicU64::new(0));
    let start = Instant::now();
    let connections: Vec<_> = (0..CONNECTIONS)
        .map(|_| {
            let (make, sent) = (Arc::clone(make), Arc::clone(&sent));
            tokio::spawn(async move { drive(address, make, status, until, per_second, sent, start).await })
        })
        .collect();
    let mut outcome = Outcome { answered: 0, refused: 0, elapsed: Duration::ZERO, latencies: Vec::new() };
    for connection in connections {
        let (answered, refused, latencies) = connection.await??;
        outcome.answered += answered;
        outcome.refused += refused;
        outcome.latencies.extend(latencies);
    }
    outcome.elapsed = start.elapsed();
    outcome.latencies.sort_unstable();
    Ok(outcome)
}

type Driven = std::io::Result<(u64, u64, Vec<u32>)>;

async fn drive(
    address: SocketAddr,
    make: Make,
    status: u16,
    until: Until,
    per_second: Option<f64>,
    sent: Arc<AtomicU64>,
    start: Instant,
) -> Driven {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (mut request, mut answer) = (Vec::new(), Vec::new());
    let (mut answered, mut refused, mut latencies) = (0, 0, Vec::new());
    loop {
        let n = sent.fetch_add(1, Ordering::Relaxed);
        let over = match until {
            Until::Elapsed(limit) => start.elapsed() >= limit,
            Until::Sent(limit) => n >= limit,
        };
        if over {
            return Ok((answered, refused, latencies));
        }
        if let Some(per_second) = per_second {
            tokio::time::sleep_until((start + Duration::from_secs_f64(n as f64 / per_second)).into()).await;
        }
        request.clear();
        make(n, &mut request);
        let asked = Instant::now();
        stream.write_all(&request).await?;
        if read_answer(&mut stream, &mut answer).await? == status {
            answered += 1;
        } else {
            refused += 1;
        }
        latencies.push(u32::try_from(asked.elapsed().as_micros()).unwrap_or(u32::MAX));
    }
}

/// Nobody is waited for longer: one request that is never answered would hold up a whole measurement for ever.
const ANSWERED_WITHIN: Duration = Duration::from_secs(30);

/// Reads one answer with a Content-Length into `answer` and returns its status.
pub(crate) async fn read_answer(stream: &mut TcpStream, answer: &mut Vec<u8>) -> std::io::Result<u16> {
    tokio::time::timeout(ANSWERED_WITHIN, read_whole(stream, answer)).await?
}

async fn read_whole(stream: &mut TcpStream, answer: &mut Vec<u8>) -> std::io::Result<u16> {
    answer.clear();
    loop {
        if stream.read_buf(answer).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let Some(head) = answer.windows(4).position(|end| end == b"\r\n\r\n") else { continue };
        let length = content_length(&answer[..head]);
        while answer.len() < head + 4 + length {
            if stream.read_buf(answer).await? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
        }
        let status = answer.get(9..12).and_then(|digits| std::str::from_utf8(digits).ok());
        return Ok(status.and_then(|digits| digits.parse().ok()).unwrap_or(0));
    }
}

fn content_length(head: &[u8]) -> usize {
    let digits = header(head, b"content-length").and_then(|digits| std::str::from_utf8(digits).ok());
    digits.and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

/// The value of a header, whose name is given in lower case.
pub(crate) fn header<'a>(head: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let lines = head.split(|byte| *byte == b'\n').take_while(|line| *line != b"\r");
    lines.filter_map(|line| line.split_at_checked(name.len())).find_map(|(found, rest)| {
        let value = rest.strip_prefix(b":")?;
        found.eq_ignore_ascii_case(name).then(|| value.trim_ascii())
    })
}

/// A kept connection for requests outside a measurement.
pub(crate) struct Client(TcpStream);

impl Client {
    pub(crate) async fn connect(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self(stream))
    }

    /// Status and body.
    pub(crate) async fn ask(&mut self, request: &str) -> Result<(u16, String)> {
        self.0.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        let status = read_answer(&mut self.0, &mut answer).await?;
        let text = String::from_utf8(answer)?;
        let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        Ok((status, body.to_owned()))
    }

    pub(crate) async fn get(&mut self, path: &str) -> Result<(u16, String)> {
        let head = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\n\r\n");
        self.ask(&head).await
    }
}

/// One request outside a measurement: status and body.
pub(crate) async fn ask(address: SocketAddr, request: &str) -> Result<(u16, String)> {
    Client::connect(address).await?.ask(request).await
}

/// GET outside a measurement.
pub(crate) async fn get(address: SocketAddr, path: &str) -> Result<(u16, String)> {
    Client::connect(address).await?.get(path).await
}

/// An order with the number, as text for [`ask`].
pub(crate) fn an_order(n: u64) -> Result<String> {
    let mut request = Vec::new();
    post_orders()(n, &mut request);
    Ok(String::from_utf8(request)?)
}
