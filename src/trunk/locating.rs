//! Where a name's servers are: which records are followed, and in which order (RFC 3263 section 4,
//! RFC 2782, RFC 3403 section 4).
//!
//! ```text
//! name ─ NAPTR ─▶ services by transport ─ SRV ─▶ machines and ports ─ A, AAAA ─▶ addresses
//!          └ none: each transport's own service, else the machine of that name
//! ```
//!
//! What was read of records comes in; who asks and reads is the shell. Bad records are left out.

use crate::base::Entropy;
use crate::sip::Transport;

/// Records of one answer that are followed: the foremost, in their order. Providers have a handful.
const FOLLOWED: usize = 16;

/// One machine of a service (SRV).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    pub priority: u16,
    pub weight: u16,
    pub port: u16,
    /// Without a dot at the end; empty: the service is decidedly not there.
    pub target: String,
}

/// One pointer to a service (NAPTR).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pointer {
    pub order: u16,
    pub preference: u16,
    pub flags: String,
    /// As in `SIPS+D2T`.
    pub service: String,
    pub has_expression: bool,
    /// Without a dot at the end.
    pub replacement: String,
}

/// Where a pointer leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lead {
    /// To a service, which SRV records describe.
    Service(Transport, String),
    /// To a machine with the usual port.
    Machine(Transport, String),
}

impl Lead {
    pub const fn transport(&self) -> Transport {
        match self {
            Self::Service(transport, _) | Self::Machine(transport, _) => *transport,
        }
    }
}

/// The name of the SRV records of `name` for a transport.
pub fn service_name(transport: Transport, name: &str) -> String {
    match transport {
        Transport::Tls => format!("_sips._tcp.{name}"),
        // RFC 7118 section 8.4.
        Transport::Wss => format!("_sips._ws.{name}"),
        other => format!("_sip._{}.{name}", other.uri_token()),
    }
}

/// Where to go by these pointers with these transports, the first to be tried first: as the name's owner
/// likes them (RFC 3263 section 4.1). After a secure one only secure ones: who can break the first must not
/// get the calls unencrypted.
pub fn leads(mut pointers: Vec<Pointer>, transports: &[Transport]) -> Vec<Lead> {
    pointers.sort_by_key(|pointer| (pointer.order, pointer.preference));
    let known = pointers.iter().filter_map(|pointer| {
        let transport = transport_of(&pointer.service).filter(|t| transports.contains(t))?;
        let name = Some(pointer.replacement.clone()).filter(|name| !name.is_empty())?;
        let is_plain = !pointer.has_expression;
        match pointer.flags.as_str() {
            "s" | "S" if is_plain => Some((transport, Lead::Service(transport, name))),
            "a" | "A" if is_plain => Some((transport, Lead::Machine(transport, name))),
            _ => None,
        }
    });
    let known: Vec<_> = known.collect();
    let is_secure = known.first().is_some_and(|(transport, _)| transport.is_secure());
    let fits = known.into_iter().filter(|(transport, _)| !is_secure || transport.is_secure());
    fits.map(|(_, lead)| lead).take(FOLLOWED).collect()
}

/// RFC 3263 section 4.1, RFC 7118 section 8.4.
fn transport_of(service: &str) -> Option<Transport> {
    let all = [
        ("SIP+D2U", Transport::Udp),
        ("SIP+D2T", Transport::Tcp),
        ("SIPS+D2T", Transport::Tls),
        ("SIP+D2W", Transport::Ws),
        ("SIPS+D2W", Transport::Wss),
    ];
    let found = all.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(service));
    found.map(|(_, transport)| transport)
}

/// The machines in the order in which they are to be tried: the lower priority first, and among
/// equals by chance, as their weights say (RFC 2782).
pub fn ordered(mut machines: Vec<Machine>, entropy: &mut Entropy) -> Vec<Machine> {
    // Those without weight come first, so that they have a small chance.
    machines.sort_by_key(|machine| (machine.priority, machine.weight > 0));
    let mut ordered = Vec::new();
    while let Some(priority) = machines.first().map(|machine| machine.priority) {
        if ordered.len() == FOLLOWED {
            break;
        }
        let equals = machines.iter().take_while(|machine| machine.priority == priority);
        let weights: Vec<u32> = equals.map(|machine| u32::from(machine.weight)).collect();
        let total: u32 = weights.iter().sum();
        let chance = entropy.next_u32() % (total + 1);
        let mut sum = 0;
        let chosen = weights.iter().position(|weight| {
            sum += weight;
            sum >= chance
        });
        ordered.push(machines.remove(chosen.unwrap_or(0)));
    }
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(priority: u16, weight: u16, port: u16) -> Machine {
        Machine { priority, weight, port, target: "t".to_owned() }
    }

    fn pointer(order: u16, preference: u16, service: &str) -> Pointer {
        Pointer {
            order,
            preference,
            flags: "s".to_owned(),
            service: service.to_owned(),
            has_expression: false,
            replacement: format!("{}.example.net", service.to_ascii_lowercase().replace('+', "-")),
        }
    }

    const ALL: [Transport; 3] = [Transport::Udp, Transport::Tcp, Transport::Tls];

    fn transports(pointers: &[Pointer], ours: &[Transport]) -> Vec<Transport> {
        let leads = leads(pointers.to_vec(), ours);
        leads.iter().map(Lead::transport).collect()
    }

    #[test]
    fn the_owner_of_the_name_says_which_transport_we_take() {
        let pointers = [
            pointer(50, 50, "SIP+D2T"),
            pointer(90, 10, "SIPS+D2T"),
            pointer(50, 40, "sip+d2u"),
            pointer(10, 10, "SIP+D2S"),
            pointer(10, 10, "E2U+sip"),
        ];
        assert_eq!(transports(&pointers, &ALL), [Transport::Udp, Transport::Tcp, Transport::Tls]);
        assert_eq!(transports(&pointers, &ALL[1..]), [Transport::Tcp, Transport::Tls]);
        assert_eq!(transports(&pointers, &[Transport::Ws]), []);
        let first = leads(pointers.to_vec(), &ALL).remove(0);
        assert_eq!(first, Lead::Service(Transport::Udp, "sip-d2u.example.net".to_owned()));
    }

    #[test]
    fn after_a_secure_transport_no_plain_one_is_tried() {
        let pointers =
            [pointer(1, 1, "SIPS+D2T"), pointer(2, 1, "SIP+D2U"), pointer(3, 1, "SIP+D2T")];
        assert_eq!(transports(&pointers, &ALL), [Transport::Tls]);
        assert_eq!(transports(&pointers, &ALL[..2]), [Transport::Udp, Transport::Tcp]);
    }

    #[test]
    fn pointers_that_lead_nowhere_are_left_out() {
        let sound = pointer(1, 1, "SIP+D2U");
        for wrong in [
            Pointer { flags: String::new(), ..sound.clone() },
            Pointer { flags: "u".to_owned(), ..sound.clone() },
            Pointer { has_expression: true, ..sound.clone() },
            Pointer { replacement: String::new(), ..sound.clone() },
        ] {
            assert_eq!(leads(vec![wrong], &ALL), []);
        }
        let host = Pointer { flags: "A".to_owned(), ..sound.clone() };
        assert!(matches!(leads(vec![host], &ALL)[..], [Lead::Machine(Transport::Udp, _)]));
        assert_eq!(leads(vec![sound; 1_000], &ALL).len(), FOLLOWED);
    }

    #[test]
    fn each_transport_has_a_service_of_its_own() {
        let names = [Transport::Udp, Transport::Tcp, Transport::Tls, Transport::Ws, Transport::Wss]
            .map(|transport| service_name(transport, "a.de"));
        let expected = [
            "_sip._udp.a.de",
            "_sip._tcp.a.de",
            "_sips._tcp.a.de",
            "_sip._ws.a.de",
            "_sips._ws.a.de",
        ];
        assert_eq!(names, expected);
    }

    #[test]
    fn the_lower_priority_is_first_and_weights_share_the_rest() {
        let all =
            vec![machine(20, 0, 3), machine(10, 75, 1), machine(10, 25, 2), machine(10, 0, 4)];
        let mut entropy = Entropy::new([5; 32]);
        let mut first = [0; 5];
        for _ in 0..1_000 {
            let ordered = ordered(all.clone(), &mut entropy);
            assert_eq!((ordered.len(), ordered[3].port), (4, 3));
            first[usize::from(ordered[0].port)] += 1;
        }
        assert!((680..820).contains(&first[1]) && (180..320).contains(&first[2]), "{first:?}");
        assert!(first[4] > 0 && first[4] < 40, "{first:?}");
        let many = (0..1_000).map(|n| machine(1_000 - n, 1, n)).collect();
        let ordered = ordered(many, &mut entropy);
        assert_eq!((ordered.len(), ordered[0].port), (FOLLOWED, 999));
    }
}
