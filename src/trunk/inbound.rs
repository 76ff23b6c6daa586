//! Who may call: anyone, the servers of the accounts, or networks that the owner names.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

use crate::sip::{Network, Sources};

/// Addresses of one account's servers at most, of all that its names have had.
const ADDRESSES: usize = 64;

/// The list of `[inbound]`, with the addresses of the accounts as they become known.
#[derive(Clone)]
pub struct Callers {
    anyone: bool,
    accounts: bool,
    networks: Vec<Network>,
    /// By account, the newest last.
    addresses: BTreeMap<usize, Vec<IpAddr>>,
}

impl fmt::Debug for Callers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { anyone, accounts, networks, .. } = self;
        write!(f, "Callers(anyone {anyone}, accounts {accounts}, {} networks)", networks.len())
    }
}

impl Callers {
    /// Everybody.
    pub const fn anyone() -> Self {
        Self::new(true, false, Vec::new())
    }

    /// `anyone` makes the rest of no account; `accounts` lets the servers of all of them call.
    pub const fn new(anyone: bool, accounts: bool, networks: Vec<Network>) -> Self {
        Self { anyone, accounts, networks, addresses: BTreeMap::new() }
    }

    /// The addresses of the account's servers as they are now. Those before may call on: names of
    /// providers give other addresses from one minute to the next.
    pub fn learn(&mut self, account: usize, servers: impl Iterator<Item = IpAddr>) {
        let known = self.addresses.entry(account).or_default();
        for address in servers.map(|address| address.to_canonical()) {
            known.retain(|before| *before != address);
            known.push(address);
        }
        let surplus = known.len().saturating_sub(ADDRESSES);
        known.drain(..surplus);
    }

    /// The accounts that have a server with this address.
    pub fn accounts_at(&self, address: IpAddr) -> impl Iterator<Item = usize> {
        let address = address.to_canonical();
        let servers = self.addresses.iter();
        servers.filter(move |(_, known)| known.contains(&address)).map(|(account, _)| *account)
    }

    /// What the SIP core is to let in.
    pub fn sources(&self) -> Sources {
        if self.anyone {
            return Sources::Anyone;
        }
        let of_accounts = self.addresses.values().flatten().map(|address| Network::one(*address));
        let of_accounts = of_accounts.filter(|_| self.accounts);
        Sources::Of(self.networks.iter().copied().chain(of_accounts).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn accounts_networks_and_nobody_else() {
        let network = Network::parse("198.51.100.0/24").unwrap();
        let mut callers = Callers::new(false, true, vec![network]);
        assert!(!callers.sources().admit(ip("192.0.2.1")));
        callers.learn(0, [ip("192.0.2.1")].into_iter());
        callers.learn(1, [ip("::ffff:192.0.2.9")].into_iter());
        callers.learn(0, [ip("192.0.2.2")].into_iter());
        for (address, admitted) in [
            ("192.0.2.1", true),
            ("192.0.2.2", true),
            ("192.0.2.9", true),
            ("198.51.100.200", true),
            ("192.0.2.3", false),
            ("2001:db8::1", false),
        ] {
            assert_eq!(callers.sources().admit(ip(address)), admitted, "{address}");
        }
        callers.learn(1, [ip("192.0.2.1")].into_iter());
        let at = |text| callers.accounts_at(ip(text)).collect::<Vec<_>>();
        assert_eq!(at("::ffff:192.0.2.1"), [0, 1]);
        assert_eq!((at("192.0.2.9"), at("198.51.100.200")), (vec![1], vec![]));
    }

    #[test]
    fn the_servers_may_call_only_where_the_owner_lets_them() {
        let mut callers = Callers::new(false, false, Vec::new());
        callers.learn(0, [ip("192.0.2.1")].into_iter());
        assert!(!callers.sources().admit(ip("192.0.2.1")));
        assert_eq!(Callers::anyone().sources(), Sources::Anyone);
    }

    #[test]
    fn a_name_that_changes_without_end_takes_no_memory_without_end() {
        let mut callers = Callers::new(false, true, Vec::new());
        for n in 0..1_000_u32 {
            callers.learn(0, [IpAddr::V4(n.into())].into_iter());
        }
        let Sources::Of(networks) = callers.sources() else { panic!() };
        assert_eq!(networks.len(), ADDRESSES);
        assert!(callers.sources().admit(IpAddr::V4(999.into())));
    }
}
