//! HTTP as the services speak it: HAL, problem+json, limits, the server.
