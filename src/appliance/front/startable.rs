//! Whether a program that runs could be started with another configuration, as far as that can be known before.

use std::net::{SocketAddr, UdpSocket};

use super::{accounts, checked_ports, settings};
use crate::appliance::config::Config;
use crate::appliance::listener;
use crate::appliance::start_error::StartError;
use crate::sip::Transport;

/// What a start looks at beside files and secrets: its certificates, its servers, and addresses that are free. `held` is the
/// configuration that we run with, whose addresses are taken by ourselves.
pub fn startable(config: &Config, held: &Config) -> Result<(), StartError> {
    settings::call(config)?;
    settings::check_model(config)?;
    settings::tls(config)?;
    settings::llm(config)?;
    accounts(config)?;
    for (key, transport, address) in wanted(config) {
        let is_ours = wanted(held).any(|(_, ours, at)| {
            is_datagrams(ours) == is_datagrams(transport) && overlaps(at, address)
        });
        if is_ours {
            continue;
        }
        let bound = match is_datagrams(transport) {
            true => UdpSocket::bind(address).map(drop),
            false => listener::tcp(address).map(drop),
        };
        bound.map_err(|source| StartError::from_bind(key, address, source))?;
    }
    if config.media.ports != held.media.ports || config.calls.max != held.calls.max {
        checked_ports(config)?;
    }
    Ok(())
}

/// The addresses that a start takes.
fn wanted(config: &Config) -> impl Iterator<Item = (&'static str, Transport, SocketAddr)> {
    let sip = config.sip.listen.iter().map(|one| ("sip.listen", one.transport, one.address));
    let web = std::iter::once(("web.listen", Transport::Tcp, config.web.listen));
    let baresip = config.baresip.iter().map(|one| ("baresip.listen", Transport::Tcp, one.listen));
    sip.chain(web).chain(baresip)
}

fn is_datagrams(transport: Transport) -> bool {
    transport == Transport::Udp
}

/// Whoever has one of them keeps everybody from the other.
fn overlaps(one: SocketAddr, other: SocketAddr) -> bool {
    let is_any = one.ip().is_unspecified() || other.ip().is_unspecified();
    one.port() == other.port() && (is_any || one.ip() == other.ip())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::appliance::config::from_text;

    #[test]
    fn an_address_of_another_program_is_told_by_its_key_and_our_own_is_none() {
        let other = listener::tcp("127.0.0.1:0".parse().unwrap()).unwrap();
        let taken = other.local_addr().unwrap();
        let with =
            |text: &str| from_text(&format!("[media]\nports = \"43000-43039\"\n{text}")).unwrap();
        let (free, busy) = (with(""), with(&format!("[web]\nlisten = \"{taken}\"\n")));
        let fault = startable(&busy, &free).unwrap_err();
        assert!(matches!(fault, StartError::PortBusy { key: "web.listen", .. }), "{fault}");
        startable(&busy, &busy).unwrap();
        let any = SocketAddr::new([0, 0, 0, 0].into(), taken.port());
        startable(&busy, &with(&format!("[web]\nlisten = \"{any}\"\n"))).unwrap();
        let datagrams = UdpSocket::bind("127.0.0.1:0").unwrap();
        let at = datagrams.local_addr().unwrap();
        let fault =
            startable(&with(&format!("[sip]\nlisten = [\"udp:{at}\"]\n")), &free).unwrap_err();
        assert!(matches!(fault, StartError::PortBusy { key: "sip.listen", .. }), "{fault}");
        let tls = "[sip]\nlisten = [\"tls:127.0.0.1:43100\"]\n[sip.tls]\ncertificate = \"/nowhere.crt\"\nkey = \"/nowhere.key\"\n";
        let fault = startable(&with(tls), &free).unwrap_err();
        assert!(fault.to_string().contains("sip.tls.certificate"), "{fault}");
        assert_eq!(fault.key(), Some("sip.tls.certificate"));
    }
}
