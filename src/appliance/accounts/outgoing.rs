//! A call that goes out through an account: whose address it has, and the way to its server.

use super::{Accounts, Held};
use crate::appliance::sip_line::SipLine;
use crate::base::Private;
use crate::converse::people::Address;
use crate::sip::message::Uri;
use crate::sip::{self, AccountId};
use crate::trunk::AnswerPolicy;
use crate::trunk::dialling::Number;

/// RFC 3325 section 9.2: the number that we ask the provider to show.
const IDENTITY: &str = "P-Preferred-Identity";
/// What RingCentral takes for that.
const ASSERTED: &str = "P-Asserted-Identity";

/// An account as a call that we make needs it.
pub struct Trunk {
    pub name: String,
    pub answer: AnswerPolicy,
    /// Whether a remote agent holds its calls; `None`: it does not say.
    pub agent: Option<bool>,
    /// The INVITE without its offer.
    pub invite: sip::Invite,
}

/// Why no call goes out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoTrunk {
    #[error("there is no account to call through")]
    None,
    #[error("no account is called {name}; there are: {known}")]
    Unknown { name: String, known: String },
    #[error("account {0} is not registered")]
    NotReady(String),
    #[error("there is no way to the server of account {0}")]
    NoWay(String),
    #[error("account {0} has as many calls as it may have")]
    Full(String),
    #[error(
        "account {0}: nothing would tell when somebody answers: its telephony events do not come"
    )]
    NoEvents(String),
}

impl Accounts {
    /// The account of this name, the first without one, ready for a call of this number.
    ///
    /// # Errors
    /// Says why not.
    pub fn trunk(
        &self,
        name: Option<&str>,
        number: &Number,
        sip: &mut SipLine,
    ) -> Result<Trunk, NoTrunk> {
        let (id, held) = self.in_turn(name)?;
        let target = held.plan.target(number.reveal());
        Self::through(id, held, target, sip)
    }

    /// The first account, ready for a call to somebody whom the owner has named; `None` if there is none,
    /// or none that is ready.
    pub fn trunk_to(&self, to: &Address, sip: &mut SipLine) -> Option<Trunk> {
        let (id, held) = self.in_turn(None).ok()?;
        let target = match to {
            Address::Uri(uri) => Some(uri.clone()),
            Address::Number(number) => held.plan.target(number.reveal()),
        };
        Self::through(id, held, target, sip).ok()
    }

    fn through(
        id: AccountId,
        held: &Held,
        target: Option<Private<String>>,
        sip: &mut SipLine,
    ) -> Result<Trunk, NoTrunk> {
        let plan = &held.plan;
        let not_ready = || NoTrunk::NotReady(plan.name.clone());
        let servers = held.machine.servers();
        if servers.is_empty() {
            return Err(not_ready());
        }
        if held.is_full() {
            return Err(NoTrunk::Full(plan.name.clone()));
        }
        if plan.answer == AnswerPolicy::TelephonySession && !held.telling.has_events() {
            return Err(NoTrunk::NoEvents(plan.name.clone()));
        }
        let ways = servers.iter().filter_map(|server| sip.flow_towards(Some(id), *server));
        let mut ways = ways.collect::<Vec<_>>().into_iter();
        let flow = ways.next().ok_or_else(|| NoTrunk::NoWay(plan.name.clone()))?;
        // The offer names one address of ours: what is reached from another cannot take the same call.
        let others = ways.filter(|other| other.local.ip() == flow.local.ip()).collect();
        let target = target.ok_or_else(not_ready)?;
        let shown = plan.caller_id.as_ref().and_then(|caller| plan.target(caller.reveal()));
        let identity = shown.as_ref().map(|uri| match plan.platform {
            Some(_) => (ASSERTED.to_owned(), uri.reveal().clone()),
            None => (IDENTITY.to_owned(), format!("<{}>", uri.reveal())),
        });
        // Its caller is the extension, and the number a wish beside.
        let shown = shown.filter(|_| plan.platform.is_none());
        Ok(Trunk {
            name: plan.name.clone(),
            answer: plan.answer,
            agent: plan.agent,
            invite: sip::Invite {
                flow,
                others,
                target,
                from: Some(shown.unwrap_or_else(|| plan.address_of_record.clone())),
                display: None,
                sdp: None,
                credentials: plan.credentials.clone(),
                headers: identity.into_iter().collect(),
            },
        })
    }

    /// Whether an account has this name, or there is one at all.
    ///
    /// # Errors
    /// `None` or `Unknown`.
    pub fn has_trunk(&self, name: Option<&str>) -> Result<(), NoTrunk> {
        self.find(name).map(|_| ())
    }

    pub(super) fn find(&self, name: Option<&str>) -> Result<(AccountId, &Held), NoTrunk> {
        let mut all = (0..).map(AccountId).zip(&self.all);
        let Some(name) = name else { return all.next().ok_or(NoTrunk::None) };
        let found = all.find(|(_, held)| held.plan.name == name);
        found.ok_or_else(|| {
            let known: Vec<&str> = self.all.iter().map(|held| held.plan.name.as_str()).collect();
            let name = name.chars().filter(|c| !c.is_control()).take(40).collect();
            NoTrunk::Unknown { name, known: known.join(", ") }
        })
    }
}

impl super::Plan {
    /// A number as the account's server knows it.
    fn target(&self, number: &str) -> Option<Private<String>> {
        let user = number.replacen('+', &self.number_prefix, 1);
        self.with_user(&user).map(|uri| Private::new(uri.to_string()))
    }

    /// An address at the account's server.
    fn with_user(&self, user: &str) -> Option<Uri> {
        let registrar = Uri::parse(self.registrar.reveal())?;
        Some(Uri::sip(Some(user), registrar.host()?.clone(), registrar.port()))
    }
}
