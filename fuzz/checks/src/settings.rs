//! Settings: what is written on a command line, in the environment or in a file.

use std::net::{IpAddr, Ipv4Addr};

use contracts::WireClock;
use gateway::check_origin;
use platform_http::{TrustedPeers, client::ServiceAddress};
use rentalbook::faults::Fault;

/// What is no setting is told; what is one is the same when it is written and read again.
pub fn setting(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Err(mistakes) = ServiceAddress::parse(text) {
        assert!(!mistakes.is_empty(), "{text:?}: why it is no address");
        assert!(mistakes.iter().all(|mistake| !mistake.to_string().is_empty()));
    }
    if let Ok(peers) = text.parse::<TrustedPeers>() {
        let _ = peers.contains(IpAddr::V4(Ipv4Addr::LOCALHOST));
    }
    if let Ok(fault) = text.parse::<Fault>() {
        let written = fault.to_string();
        assert_eq!(written.parse::<Fault>(), Ok(fault), "{text:?} is written as {written:?}");
    }
    if check_origin(text).is_ok() {
        let text = text.to_ascii_lowercase();
        assert!(text.starts_with("http://") || text.starts_with("https://"), "{text:?} is an origin");
        assert!(!text.contains(['@', '?', '#']), "{text:?} is an origin");
    }
    let _ = WireClock::in_zone(text);
}
