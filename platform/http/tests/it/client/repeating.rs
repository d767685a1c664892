//! What is sent again, and what is not.

use std::convert::Infallible;

use bytes::Bytes;
use http_body_util::StreamBody;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::*;

/// Reads a request and does `answer` with its connection; the probes are answered. Counts the requests.
async fn a_server<F>(
    answer: impl Fn(TcpStream, u64) -> F + Send + 'static,
) -> (SocketAddr, Arc<AtomicU64>, JoinHandle<()>)
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let count = Arc::new(AtomicU64::new(0));
    let counted = count.clone();
    let serving = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = vec![0; 4096];
            let length = stream.read(&mut head).await.unwrap_or(0);
            if head[..length].starts_with(b"GET /actuator") {
                let _ = stream
                    .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
                    .await;
            } else if length > 0 {
                let n = counted.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(answer(stream, n));
            }
        }
    });
    (address, count, serving)
}

async fn cut(_: TcpStream, _: u64) {}

#[tokio::test]
async fn a_get_whose_connection_breaks_is_sent_once_to_each_other_replica() {
    let (first, at_first, _server) = a_server(cut).await;
    let (second, at_second, _server) = a_server(cut).await;
    let client = client_of(&[first, second]);
    let error = ask(&client, a_get("/")).await.expect_err("both cut it");
    assert!(matches!(error, CallError::Broken(_)), "{error}");
    assert_eq!((at_first.load(Ordering::Relaxed), at_second.load(Ordering::Relaxed)), (1, 1));

    let third = Replica::start().await;
    let client = client_of(&[first, third.address]);
    for _ in 0..20 {
        assert_eq!(ask(&client, a_get("/")).await.unwrap(), "here ");
    }
}

#[tokio::test]
async fn where_everybody_fails_requests_are_not_multiplied() {
    let more = sent_again(config().repeated).await;
    assert!(more > 0, "some of them again");
    assert!(more <= REQUESTS / 5 + 150, "{more}: a tenth, and a hundred");
}

#[tokio::test]
async fn how_much_is_sent_again_is_a_setting() {
    let (none, half) = (sent_again(0.0).await, sent_again(0.5).await);
    assert!(none <= 150 && half >= REQUESTS * 2 / 5, "{none}, {half}");
}

const REQUESTS: u64 = 1_000;

/// How many requests more than these two replicas get that cut every connection.
async fn sent_again(repeated: f32) -> u64 {
    let (first, at_first, _server) = a_server(cut).await;
    let (second, at_second, _server) = a_server(cut).await;
    let client = a_client_of(&[first, second], &ClientConfig { repeated, ..config() });
    for _ in 0..REQUESTS {
        ask(&client, a_get("/")).await.expect_err("both cut it");
    }
    at_first.load(Ordering::Relaxed) + at_second.load(Ordering::Relaxed) - REQUESTS
}

#[tokio::test]
async fn a_post_whose_connection_breaks_is_never_sent_again() {
    let (first, at_first, _server) = a_server(cut).await;
    let (second, at_second, _server) = a_server(cut).await;
    let client = client_of(&[first, second]);
    for sent in 1..=10 {
        let error = ask(&client, a_post("once")).await.expect_err("it is cut");
        assert!(matches!(error, CallError::Broken(_)), "{error}");
        assert_eq!(at_first.load(Ordering::Relaxed) + at_second.load(Ordering::Relaxed), sent);
    }
}

#[tokio::test]
async fn a_post_that_could_not_be_sent_goes_to_another_replica_with_its_body() {
    let nobody = Nobody::there();
    let server = Replica::start().await;
    for _ in 0..10 {
        // A new client, which does not know yet that nobody is there.
        let client = client_of(&[nobody.address(), server.address]);
        let parts = ["a ", "body ", "in parts"]
            .map(|part| Ok::<_, Infallible>(http_body::Frame::data(Bytes::from(part))));
        let body = Body::new(StreamBody::new(futures_util::stream::iter(parts)));
        assert_eq!(ask(&client, a_post(body)).await.unwrap(), "here a body in parts");
    }
    assert_eq!(server.calls(), 10);
}

#[tokio::test]
async fn a_connection_that_the_server_has_closed_while_idle_is_no_error() {
    // Each answer is the last one on its connection, and does not say so.
    let one_each = |mut stream: TcpStream, _| async move {
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nhere").await.unwrap();
    };
    let (address, count, _server) = a_server(one_each).await;
    let client = client_of(&[address]);
    for sent in 1..=100 {
        assert_eq!(ask(&client, a_get("/")).await.unwrap(), "here");
        assert!(count.load(Ordering::Relaxed) >= sent);
    }
}

#[tokio::test]
async fn a_large_answer_comes_whole_and_one_that_stops_is_an_error_by_the_deadline() {
    let server = Replica::start().await;
    let client = client_of(&[server.address]);
    for _ in 0..10 {
        assert_eq!(ask(&client, a_get("/big")).await.unwrap().len(), 1 << 20);
    }
    let (stops, _count, _stopped) = a_server(|mut stream: TcpStream, _| async move {
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 40\r\n\r\nhalf").await.unwrap();
        let _ = stream.read_u8().await;
    })
    .await;
    let client = client_of(&[stops]);
    let answer = client.call(a_get("/"), Instant::now() + Duration::from_millis(100)).await.expect("a head");
    to_bytes(answer.into_body(), 100).await.expect_err("it is not whole");
}

#[tokio::test]
async fn connections_are_used_again_and_requests_at_once_have_their_own() {
    let server = Replica::start().await;
    let client = client_of(&[server.address]);
    let asking: Vec<_> = (0..64)
        .map(|n| {
            let client = client.clone();
            tokio::spawn(async move {
                for m in 0..20 {
                    let body = format!("{n} {m}");
                    assert_eq!(ask(&client, a_post(body.clone())).await.unwrap(), format!("here {body}"));
                }
            })
        })
        .collect();
    for asked in asking {
        asked.await.unwrap();
    }
    assert_eq!(server.calls(), 64 * 20);
}
