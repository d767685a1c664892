//! Bytes to a port, for what no proper client would send.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

/// Longest wait for the end of an answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// Sends `bytes` and reads until the other side closes; nothing where it closes without a word.
pub(crate) async fn exchange(port: u16, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.expect("a connection");
    // It may close before everything is sent: the answer is there all the same.
    let _ = stream.write_all(bytes).await;
    read(&mut stream).await
}

async fn read(stream: &mut TcpStream) -> String {
    let (mut answer, mut piece) = (Vec::new(), [0; 4096]);
    loop {
        match timeout(PATIENCE, stream.read(&mut piece)).await.expect("it closes the connection") {
            Ok(0) | Err(_) => break,
            Ok(n) => answer.extend_from_slice(&piece[..n]),
        }
    }
    String::from_utf8_lossy(&answer).into_owned()
}

/// A request for a book that does not come to its end.
pub(crate) struct Hanging(TcpStream);

impl Hanging {
    pub(crate) async fn begin(port: u16) -> Self {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.expect("a connection");
        let head = "POST /orders HTTP/1.1\r\nHost: library\r\nContent-Type: application/json\r\n\
                    Content-Length: 100\r\nConnection: close\r\n\r\n{\"item\":";
        stream.write_all(head.as_bytes()).await.expect("it is sent");
        Self(stream)
    }

    /// What it is answered in the end.
    pub(crate) async fn answer(mut self) -> String {
        read(&mut self.0).await
    }
}
