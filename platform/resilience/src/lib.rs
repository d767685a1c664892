//! Deadline and circuit breaker around a call.
