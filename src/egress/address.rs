//! Which network addresses are the public internet's. A table and a look into it; knows nothing of
//! names or connections.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// IPv4 networks that nobody outside can be asked under: the special-purpose registry of IANA, and
/// one address that a cloud answers for by itself.
const CLOSED_V4: [([u8; 4], u32); 17] = [
    ([0, 0, 0, 0], 8),          // this network
    ([10, 0, 0, 0], 8),         // private
    ([100, 64, 0, 0], 10),      // shared by a carrier's customers
    ([127, 0, 0, 0], 8),        // loopback
    ([168, 63, 129, 16], 32),   // Azure's own services, from inside a virtual machine
    ([169, 254, 0, 0], 16),     // link-local, and the clouds' metadata
    ([172, 16, 0, 0], 12),      // private
    ([192, 0, 0, 0], 24),       // protocol assignments
    ([192, 0, 2, 0], 24),       // documentation
    ([192, 88, 99, 0], 24),     // relays of 6to4
    ([192, 168, 0, 0], 16),     // private
    ([198, 18, 0, 0], 15),      // benchmarks
    ([198, 51, 100, 0], 24),    // documentation
    ([203, 0, 113, 0], 24),     // documentation
    ([224, 0, 0, 0], 4),        // multicast
    ([240, 0, 0, 0], 4),        // reserved
    ([255, 255, 255, 255], 32), // broadcast
];

/// What is open of IPv6 at all: global unicast. Loopback, unspecified, mapped and compatible IPv4,
/// unique-local, link-local, site-local and multicast lie outside.
const OPEN_V6: ([u16; 8], u32) = ([0x2000, 0, 0, 0, 0, 0, 0, 0], 3);

/// Networks inside it that are not.
const CLOSED_V6: [([u16; 8], u32); 4] = [
    ([0x2001, 0, 0, 0, 0, 0, 0, 0], 23), // protocol assignments: Teredo, benchmarks, ORCHID
    ([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32), // documentation
    ([0x2002, 0, 0, 0, 0, 0, 0, 0], 16), // 6to4, which may hold any IPv4 address
    ([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20), // documentation
];

/// Networks without IPv4 of their own see all of it under this prefix (NAT64); then the IPv4 address decides.
const TRANSLATED: ([u16; 8], u32) = ([0x64, 0xff9b, 0, 0, 0, 0, 0, 0], 96);

/// True for an address that anybody on the internet may be asked under.
pub(super) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) if holds_v6(TRANSLATED, address) => {
            let [.., a, b, c, d] = address.octets();
            is_public_v4(Ipv4Addr::new(a, b, c, d))
        }
        IpAddr::V6(address) => {
            holds_v6(OPEN_V6, address) && !CLOSED_V6.iter().any(|network| holds_v6(*network, address))
        }
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let holds = |(network, length): &([u8; 4], u32)| {
        let mask = u32::MAX << (32 - length);
        u32::from(address) & mask == u32::from_be_bytes(*network) & mask
    };
    !CLOSED_V4.iter().any(holds)
}

fn holds_v6((network, length): ([u16; 8], u32), address: Ipv6Addr) -> bool {
    let mask = u128::MAX << (128 - length);
    u128::from(address) & mask == u128::from(Ipv6Addr::from(network)) & mask
}

#[cfg(test)]
mod tests {
    use super::is_public;
    use proptest::prelude::*;
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

    #[test]
    fn the_borders_of_every_closed_network_are_where_the_registry_says() {
        // First and last address of each, and the neighbours outside where those are public.
        let closed = [
            "0.0.0.0 0.255.255.255",
            "10.0.0.0 10.255.255.255",
            "100.64.0.0 100.127.255.255",
            "127.0.0.0 127.255.255.255",
            "168.63.129.16 168.63.129.16",
            "169.254.0.0 169.254.255.255",
            "172.16.0.0 172.31.255.255",
            "192.0.0.0 192.0.0.255",
            "192.0.2.0 192.0.2.255",
            "192.88.99.0 192.88.99.255",
            "192.168.0.0 192.168.255.255",
            "198.18.0.0 198.19.255.255",
            "198.51.100.0 198.51.100.255",
            "203.0.113.0 203.0.113.255",
            "224.0.0.0 255.255.255.255",
            ":: 1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
            "2001:: 2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff",
            "2001:db8:: 2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
            "2002:: 2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
            "3fff:: 3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff",
            "4000:: ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        ];
        for ends in closed {
            for address in ends.split(' ') {
                assert!(!is_public(address.parse().unwrap()), "{address}");
            }
        }
        let open = [
            "1.0.0.0",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "168.63.129.15",
            "168.63.129.17",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "192.0.3.0",
            "192.88.98.255",
            "192.88.100.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "203.0.112.255",
            "203.0.114.0",
            "223.255.255.255",
            "2000::",
            "2001:200::",
            "2001:db7:ffff::",
            "2001:db9::",
            "2003::",
            "3fff:1000::",
            "64:ff9b::8.8.8.8",
        ];
        for address in open {
            assert!(is_public(address.parse().unwrap()), "{address}");
        }
    }

    proptest! {
        /// The standard library's own words for what is not public agree.
        #[test]
        fn nothing_that_has_a_name_is_public(bits: u32) {
            let address = Ipv4Addr::from(bits);
            let named = address.is_private() || address.is_loopback() || address.is_link_local()
                || address.is_multicast() || address.is_broadcast() || address.is_documentation()
                || address.is_unspecified();
            prop_assert!(!(named && is_public(IpAddr::V4(address))));
        }

        #[test]
        fn nor_of_ipv6(bits: u128) {
            let address = Ipv6Addr::from(bits);
            let named = address.is_loopback() || address.is_unspecified() || address.is_multicast()
                || address.is_unique_local() || address.is_unicast_link_local() || address.to_ipv4().is_some();
            prop_assert!(!(named && is_public(IpAddr::V6(address))));
            prop_assert!(!is_public(IpAddr::V6(address)) || address.segments()[0] & 0xe000 == 0x2000);
        }

        /// An IPv4 address in disguise is as closed as itself, and only translation lets an open one through.
        #[test]
        fn a_disguise_opens_nothing(bits: u32) {
            let address = Ipv4Addr::from(bits);
            let [a, b, c, d] = address.octets();
            let [high, low] = [u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])];
            let disguised = [
                address.to_ipv6_mapped(),
                Ipv6Addr::new(0, 0, 0, 0, 0, 0, high, low),
                Ipv6Addr::new(0, 0, 0, 0, 0xffff, 0, high, low),
                Ipv6Addr::new(0x64, 0xff9b, 1, 0, 0, 0, high, low),
                Ipv6Addr::new(0x2002, high, low, 0, 0, 0, 0, 1),
                Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, !high, !low),
                Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0x5efe, high, low),
            ];
            for disguise in disguised {
                prop_assert!(!is_public(IpAddr::V6(disguise)), "{}", disguise);
            }
            let translated = Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, low);
            prop_assert_eq!(is_public(IpAddr::V6(translated)), is_public(IpAddr::V4(address)));
        }

        /// The table says the same as ranges written out in another way.
        #[test]
        fn a_private_range_is_closed_to_its_last_address(low in 0_u32..=0x00ff_ffff) {
            prop_assert!(!is_public(IpAddr::V4(Ipv4Addr::from(0x0a00_0000 | low))));
            prop_assert!(!is_public(IpAddr::V4(Ipv4Addr::from(0x7f00_0000 | low))));
            prop_assert!(!is_public(IpAddr::V4(Ipv4Addr::from(0xac10_0000 | (low & 0x000f_ffff)))));
            prop_assert!(!is_public(IpAddr::V4(Ipv4Addr::from(0x6440_0000 | (low & 0x003f_ffff)))));
        }
    }
}
