//! What name servers and this machine say of a name, by hickory-resolver.
//!
//! It knows the system's name servers, search domains and hosts file, asks again over TCP what a datagram does
//! not hold, follows aliases within bounds and keeps a bounded number of answers for as long as they are
//! good. Names that it does not find are asked of the system's own resolver, which knows others, as those of
//! the local link.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{LookupIpStrategy, ResolverOpts};
use hickory_resolver::proto::rr::rdata::{NAPTR, SRV};
use hickory_resolver::proto::rr::{Name, RData, RecordType};

use crate::trunk::locating::{Machine, Pointer};

/// What its configuration is made of.
const FILES: [&str; 2] = ["/etc/resolv.conf", "/etc/hosts"];
/// How long a name server is waited for, and how often each is asked.
const PATIENCE: Duration = Duration::from_millis(1_500);
const ATTEMPTS: usize = 2;
/// Answers that are kept: some for each of the accounts' names.
const KEPT: u64 = 256;
/// How long an answer is good at most, whatever it says of itself.
const KEPT_FOR: Duration = Duration::from_secs(3_600);

/// Answers, and until when they are good.
pub(super) struct Found<T> {
    pub all: Vec<T>,
    pub until: Instant,
}

/// See the module. Clones share what is kept.
#[derive(Clone, Debug)]
pub(super) struct Names {
    resolver: Option<TokioResolver>,
    made_of: [Option<SystemTime>; 2],
    is_fixed: bool,
}

impl Names {
    /// The system's, as they are now.
    pub fn of_system() -> Self {
        let made_of = changed_at();
        // Without a resolv.conf nobody is asked but the system.
        let resolver = TokioResolver::builder_tokio().ok().and_then(|mut builder| {
            limit(builder.options_mut());
            builder.build().ok()
        });
        Self { resolver, made_of, is_fixed: false }
    }

    /// The same again, anew if the system's files have changed: networks come and go.
    pub fn refreshed(self) -> Self {
        match self.is_fixed || self.made_of == changed_at() {
            true => self,
            false => Self::of_system(),
        }
    }

    pub async fn pointers(&self, name: &str) -> Option<Found<Pointer>> {
        self.records(name, RecordType::NAPTR, |data| match data {
            RData::NAPTR(record) => Some(pointer(record)),
            _ => None,
        })
        .await
    }

    pub async fn machines(&self, service: &str) -> Option<Found<Machine>> {
        self.records(service, RecordType::SRV, |data| match data {
            RData::SRV(record) => Some(machine(record)),
            _ => None,
        })
        .await
    }

    /// `None`: there are none, or nobody says.
    async fn records<T>(
        &self,
        name: &str,
        kind: RecordType,
        read: impl Fn(&RData) -> Option<T>,
    ) -> Option<Found<T>> {
        let name = absolute(name)?;
        let answer = self.resolver.as_ref()?.lookup(name, kind).await.ok()?;
        let all: Vec<T> = answer.answers().iter().filter_map(|record| read(&record.data)).collect();
        Some(Found { all, until: answer.valid_until() }).filter(|found| !found.all.is_empty())
    }

    /// The addresses of a machine. `is_absolute`: the name is whole, as those in records are.
    pub async fn addresses(&self, name: &str, is_absolute: bool) -> Option<Found<IpAddr>> {
        let asked = match is_absolute {
            true => absolute(name),
            false => Name::from_ascii(name).ok(),
        };
        if let (Some(resolver), Some(asked)) = (&self.resolver, asked)
            && let Ok(found) = resolver.lookup_ip(asked).await
        {
            let (all, until) = (found.iter().collect::<Vec<_>>(), found.valid_until());
            if !all.is_empty() {
                return Some(Found { all, until });
            }
        }
        if self.is_fixed {
            return None;
        }
        let found = tokio::net::lookup_host((name, 0)).await.ok()?;
        let all = found.map(|address: SocketAddr| address.ip()).collect();
        Some(Found { all, until: now() + KEPT_FOR })
    }
}

fn limit(options: &mut ResolverOpts) {
    options.timeout = PATIENCE;
    options.attempts = ATTEMPTS;
    options.cache_size = KEPT;
    options.positive_max_ttl = Some(KEPT_FOR);
    options.negative_max_ttl = Some(KEPT_FOR);
    options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
}

fn changed_at() -> [Option<SystemTime>; 2] {
    FILES.map(|path| std::fs::metadata(Path::new(path)).ok()?.modified().ok())
}

fn now() -> Instant {
    Instant::now()
}

/// A name that no search domain is put behind.
fn absolute(name: &str) -> Option<Name> {
    let mut name = Name::from_ascii(name).ok()?;
    name.set_fqdn(true);
    Some(name)
}

fn plain(name: &Name) -> String {
    name.to_ascii().trim_end_matches('.').to_owned()
}

fn machine(record: &SRV) -> Machine {
    let SRV { priority, weight, port, target, .. } = record;
    Machine { priority: *priority, weight: *weight, port: *port, target: plain(target) }
}

fn pointer(record: &NAPTR) -> Pointer {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Pointer {
        order: record.order,
        preference: record.preference,
        flags: text(&record.flags),
        service: text(&record.services),
        has_expression: !record.regexp.is_empty(),
        replacement: plain(&record.replacement),
    }
}

#[cfg(test)]
pub(super) mod tests;
