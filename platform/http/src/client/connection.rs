//! One connection to a replica, driven by whoever uses it.
//!
//! No task of its own: a request would have to wake that task and be woken by it, perhaps on another thread.

use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::task::{Context, Waker};
use std::time::Duration;

use axum::body::Body;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// An open connection.
pub(super) struct Connection {
    sender: http1::SendRequest<Body>,
    /// `None`: it is over.
    driver: Option<Pin<Box<Driver>>>,
}

type Driver = http1::Connection<TokioIo<TcpStream>, Body>;

/// Why there is no answer.
pub(super) enum Unanswered {
    /// The connection was closed before it took anything of the request.
    NotSent(Box<Request<Body>>),
    /// It broke after that: nobody knows what came of the request.
    Broken(hyper::Error),
}

impl Connection {
    /// Connects within `limit`.
    pub(super) async fn open(address: SocketAddr, limit: Duration) -> io::Result<Self> {
        let connecting = async {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)
        };
        let late = |_| io::Error::new(io::ErrorKind::TimedOut, "no connection in time");
        let (sender, driver) = timeout(limit, connecting).await.map_err(late)??;
        Ok(Self { sender, driver: Some(Box::pin(driver)) })
    }

    /// Whether a request can be sent now. That the server has closed an idle connection is found out here.
    pub(super) fn is_idle(&mut self) -> bool {
        self.drive(&mut Context::from_waker(Waker::noop()));
        self.driver.is_some() && self.sender.is_ready()
    }

    /// Reads and writes what can be read and written now.
    pub(super) fn drive(&mut self, cx: &mut Context<'_>) {
        if self.driver.as_mut().is_some_and(|driver| driver.as_mut().poll(cx).is_ready()) {
            // Dropped, it tells whoever waits for an answer or a body why there is none.
            self.driver = None;
        }
    }

    /// Sends a request and waits for the head of the answer.
    pub(super) async fn send(&mut self, request: Request<Body>) -> Result<Response<Incoming>, Unanswered> {
        let mut answer = pin!(self.sender.try_send_request(request));
        let answered = poll_fn(|cx| {
            self.drive(cx);
            answer.as_mut().poll(cx)
        });
        answered.await.map_err(|mut error| match error.take_message() {
            Some(request) => Unanswered::NotSent(Box::new(request)),
            None => Unanswered::Broken(error.into_error()),
        })
    }
}
