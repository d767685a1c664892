//! Where the replicas of a service are, as the configuration says it.

use std::net::SocketAddr;
use std::str::FromStr;

use http::Uri;
use http::uri::Scheme;

/// The replicas of a service: one or several URLs with commas between them, each with a name or an address,
/// `http://rent:8080` or `http://127.0.0.1:8082,http://127.0.0.1:8182`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceAddress(Vec<Origin>);

/// A name or an address, and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) host: String,
    pub(super) port: u16,
}

/// Why a text says not where a service is; one sentence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// There is none.
    #[error("there is no address: write http://name:port, several with commas between them")]
    Empty,
    /// It is no URL.
    #[error(
        "\"{0}\" is not the address of a service: write http://name:port, several with commas between them"
    )]
    NoUrl(String),
    /// It asks for TLS.
    #[error("\"{0}\" asks for TLS, which services do not speak to each other: write http://name:port")]
    Tls(String),
    /// It has more than name and port.
    #[error(
        "\"{0}\" has more than a name and a port: the paths are known, leave out what comes after the port"
    )]
    TooMuch(String),
}

impl ServiceAddress {
    /// Reads it. All mistakes are told at once.
    ///
    /// # Errors
    /// Where there is no address, or some are none.
    pub fn parse(text: &str) -> Result<Self, Vec<AddressError>> {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        let (mut origins, mut mistakes) = (Vec::new(), Vec::new());
        for part in parts {
            match Origin::from_str(part) {
                Ok(origin) if !origins.contains(&origin) => origins.push(origin),
                Ok(_twice) => {}
                Err(mistake) => mistakes.push(mistake),
            }
        }
        if origins.is_empty() && mistakes.is_empty() {
            mistakes.push(AddressError::Empty);
        }
        if mistakes.is_empty() { Ok(Self(origins)) } else { Err(mistakes) }
    }

    pub(super) fn origins(&self) -> &[Origin] {
        &self.0
    }
}

/// Addresses that somebody has in hand.
impl FromIterator<SocketAddr> for ServiceAddress {
    fn from_iter<I: IntoIterator<Item = SocketAddr>>(addresses: I) -> Self {
        let origin = |address: SocketAddr| Origin { host: address.ip().to_string(), port: address.port() };
        Self(addresses.into_iter().map(origin).collect())
    }
}

impl FromStr for Origin {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let no_url = || AddressError::NoUrl(text.to_owned());
        let uri: Uri = text.parse().map_err(|_| no_url())?;
        match uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTP => {}
            Some(scheme) if *scheme == Scheme::HTTPS => return Err(AddressError::Tls(text.to_owned())),
            _ => return Err(no_url()),
        }
        let authority = uri.authority().ok_or_else(no_url)?;
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        let ends_with_host = authority.as_str().ends_with(authority.host());
        if host.is_empty() || !(ends_with_host || authority.port_u16().is_some_and(|port| port > 0)) {
            return Err(no_url());
        }
        if uri.path() != "/" || uri.query().is_some() || authority.as_str().contains('@') {
            return Err(AddressError::TooMuch(text.to_owned()));
        }
        Ok(Self { host: host.to_owned(), port: authority.port_u16().unwrap_or(80) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_or_several_urls_are_an_address() {
        let origins = |text| ServiceAddress::parse(text).unwrap().0;
        let of = |host: &str, port| Origin { host: host.to_owned(), port };
        assert_eq!(origins("http://rent:8080"), [of("rent", 8080)]);
        assert_eq!(
            origins("http://127.0.0.1:8082, http://[::1]:8182/,,http://127.0.0.1:8082"),
            [of("127.0.0.1", 8082), of("::1", 8182)]
        );
        assert_eq!(origins("http://rent"), [of("rent", 80)]);
    }

    #[test]
    fn every_mistake_is_one_sentence() {
        let mistakes = |text| ServiceAddress::parse(text).unwrap_err();
        assert_eq!(mistakes(" , "), [AddressError::Empty]);
        assert_eq!(
            mistakes(
                "rent:8080,http://ok:1,https://rent,http://rent/rents,http://rent:99999,http://rent:,http://rent:0,http://a@b,ftp://x"
            ),
            [
                AddressError::NoUrl("rent:8080".to_owned()),
                AddressError::Tls("https://rent".to_owned()),
                AddressError::TooMuch("http://rent/rents".to_owned()),
                AddressError::NoUrl("http://rent:99999".to_owned()),
                AddressError::NoUrl("http://rent:".to_owned()),
                AddressError::NoUrl("http://rent:0".to_owned()),
                AddressError::TooMuch("http://a@b".to_owned()),
                AddressError::NoUrl("ftp://x".to_owned()),
            ]
        );
        let sentence = mistakes("rent:8080")[0].to_string();
        assert!(
            sentence.contains("\"rent:8080\"") && sentence.contains("write http://name:port"),
            "{sentence}"
        );
    }
}
