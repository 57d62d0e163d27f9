//! The proxies in front of a server, whose `X-Forwarded-For` is trusted.

use std::net::IpAddr;
use std::str::FromStr;

/// Addresses and networks of proxies.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct TrustedProxies(Vec<Network>);

/// A range of addresses with a common prefix. An IPv4 address counts as its IPv4-mapped IPv6
/// address.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Network {
    bits: u128,
    prefix: u32,
}

impl TrustedProxies {
    pub fn new(networks: Vec<Network>) -> Self {
        Self(networks)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(address))
    }

    /// Returns the address of the client for which `peer` forwards a request.
    ///
    /// `hops` are the addresses in `X-Forwarded-For`, to which each proxy appends its own peer. A
    /// client can write any addresses before those, so its address is the last one that is not a
    /// proxy's.
    pub fn client(&self, peer: IpAddr, hops: &[&str]) -> IpAddr {
        let mut client = peer;
        for hop in hops.iter().rev() {
            if !self.contains(client) {
                break;
            }
            let Some(address) = address_of(hop.trim()) else { break };
            client = address;
        }
        client
    }
}

/// Parses the address of a hop. Some proxies add the port.
fn address_of(hop: &str) -> Option<IpAddr> {
    let bare = hop.strip_prefix('[').and_then(|hop| hop.strip_suffix(']'));
    let address = bare.unwrap_or(hop).parse().ok();
    address.or_else(|| hop.parse().ok().map(|with_port: std::net::SocketAddr| with_port.ip()))
}

fn bits(address: IpAddr) -> u128 {
    match address.to_canonical() {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().to_bits(),
        IpAddr::V6(ip) => ip.to_bits(),
    }
}

impl Network {
    fn contains(&self, address: IpAddr) -> bool {
        (self.bits ^ bits(address)).leading_zeros() >= self.prefix
    }
}

impl FromStr for Network {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const FORM: &str = "must be an address or a network, such as 10.0.0.0/8";
        let (address, length) =
            text.split_once('/').map_or((text, None), |(address, length)| (address, Some(length)));
        let address: IpAddr = address.parse().map_err(|_| FORM)?;
        let width = if address.is_ipv4() { 32 } else { 128 };
        let length: u32 = length.map_or(Ok(width), str::parse).map_err(|_| FORM)?;
        match length {
            0 => Err("must not include every address: list only the proxies"),
            length if length > width => Err(FORM),
            length => Ok(Self { bits: bits(address), prefix: 128 - width + length }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(list: &[&str]) -> TrustedProxies {
        TrustedProxies::new(list.iter().map(|network| network.parse().unwrap()).collect())
    }

    fn ip(address: &str) -> IpAddr {
        address.parse().unwrap()
    }

    #[test]
    fn a_network_contains_the_addresses_with_its_prefix() {
        let proxies = proxies(&["10.1.0.0/16", "192.0.2.7", "fd00::/8"]);
        for inside in ["10.1.2.3", "192.0.2.7", "::ffff:10.1.2.3", "fd12::1"] {
            assert!(proxies.contains(ip(inside)), "{inside}");
        }
        for outside in ["10.2.0.0", "192.0.2.8", "fe80::1", "::ffff:10.2.0.0", "::1"] {
            assert!(!proxies.contains(ip(outside)), "{outside}");
        }
        for wrong in ["10.0.0.0/33", "::/129", "10.0.0.0/", "proxy", "0.0.0.0/0", "::/0"] {
            assert!(wrong.parse::<Network>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_client_is_the_last_address_that_is_not_a_proxy() {
        let proxies = proxies(&["10.0.0.0/8", "fd00::/8"]);
        let client = |peer, hops: &[&str]| proxies.client(ip(peer), hops).to_string();
        assert_eq!(client("203.0.113.9", &["198.51.100.1"]), "203.0.113.9", "not a proxy");
        assert_eq!(client("10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(client("10.0.0.1", &["198.51.100.1"]), "198.51.100.1");
        assert_eq!(client("10.0.0.1", &["192.0.2.1", " 198.51.100.1 "]), "198.51.100.1", "forged");
        assert_eq!(client("fd00::1", &["198.51.100.1:4711", "10.0.0.2"]), "198.51.100.1");
        assert_eq!(client("10.0.0.1", &["[2001:db8::1]:443"]), "2001:db8::1");
        assert_eq!(client("10.0.0.1", &["[2001:db8::1]"]), "2001:db8::1");
        assert_eq!(client("10.0.0.1", &["198.51.100.1", "unknown", "10.0.0.2"]), "10.0.0.2");
    }
}
