//! Who is at the other end of a connection.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

/// On a request: the other end of its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer(pub SocketAddr);

/// The proxies whose word about the client is taken: addresses and networks, `10.0.0.7, 10.1.0.0/16`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedPeers(Vec<Network>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Network {
    address: IpAddr,
    bits: u8,
}

/// A list of peers that cannot be read.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is neither an IP address nor a network: write 10.0.0.7 or 10.1.0.0/16, several with commas")]
pub struct PeersError(String);

impl TrustedPeers {
    /// Whether this address is one of them.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(address))
    }
}

impl FromIterator<TrustedPeers> for TrustedPeers {
    fn from_iter<I: IntoIterator<Item = Self>>(lists: I) -> Self {
        Self(lists.into_iter().flat_map(|Self(networks)| networks).collect())
    }
}

impl Network {
    fn contains(self, address: IpAddr) -> bool {
        let same = |own: u128, other: u128, width: u32| {
            own.checked_shr(width - u32::from(self.bits)).unwrap_or(0)
                == other.checked_shr(width - u32::from(self.bits)).unwrap_or(0)
        };
        match (self.address, address) {
            (IpAddr::V4(own), IpAddr::V4(other)) => same(own.to_bits().into(), other.to_bits().into(), 32),
            (IpAddr::V6(own), IpAddr::V6(other)) => same(own.to_bits(), other.to_bits(), 128),
            _ => false,
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse().ok()?)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let width = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.unwrap_or(width);
        (bits <= width).then_some(Self { address, bits })
    }
}

impl FromStr for TrustedPeers {
    type Err = PeersError;

    fn from_str(text: &str) -> Result<Self, PeersError> {
        let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
        let parse = |entry: &str| Network::parse(entry).ok_or_else(|| PeersError(entry.to_owned()));
        entries.map(parse).collect::<Result<_, _>>().map(Self)
    }
}

#[cfg(test)]
mod tests;
