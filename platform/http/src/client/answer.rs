//! The body of an answer: it reads from its connection, and gives the connection back at its end.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::BoxError;
use axum::body::Body;
use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep, sleep_until};

use super::connection::Connection;
use super::endpoint::Busy;

/// The body, and what it holds until its end. Dropped before, or late, it closes the connection.
pub(super) struct AnswerBody {
    body: Incoming,
    held: Option<(Connection, Busy)>,
    deadline: Instant,
    /// Only for a body that has to be waited for: most come with their head.
    timer: Option<Pin<Box<Sleep>>>,
}

impl AnswerBody {
    pub(super) fn of(body: Incoming, connection: Connection, busy: Busy, deadline: Instant) -> Body {
        if body.is_end_stream() {
            busy.give_back(connection);
            return Body::empty();
        }
        Body::new(Self { body, held: Some((connection, busy)), deadline, timer: None })
    }

    fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_late(&mut self, cx: &mut Context<'_>) -> bool {
        let deadline = self.deadline;
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        timer.as_mut().poll(cx).is_ready()
    }

    fn give_back(&mut self) {
        if let Some((connection, busy)) = self.held.take() {
            busy.give_back(connection);
        }
    }
}

impl http_body::Body for AnswerBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        // First it says that it wants something, then the connection brings it.
        let mut polled = self.poll_body(cx);
        if polled.is_pending()
            && let Some((connection, _)) = &mut self.held
        {
            connection.drive(cx);
            polled = self.poll_body(cx);
        }
        match &polled {
            Poll::Ready(None) => self.give_back(),
            // A reader that knows the length does not ask again after the last part.
            Poll::Ready(Some(Ok(_))) if self.body.is_end_stream() => self.give_back(),
            Poll::Ready(Some(Err(_))) => self.held = None,
            Poll::Pending if self.is_late(cx) => {
                self.held = None;
                return Poll::Ready(Some(Err(io::Error::from(io::ErrorKind::TimedOut).into())));
            }
            Poll::Ready(Some(Ok(_))) | Poll::Pending => {}
        }
        polled.map_err(Into::into)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
