//! What a call that we made does once it is known who answered.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Verdict;

/// What becomes of a call that an answering machine took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnMachine {
    /// As with a person.
    Talk,
    /// Its message is said after the beep.
    LeaveMessage,
    #[default]
    HangUp,
}

impl OnMachine {
    const ALL: [Self; 3] = [Self::Talk, Self::LeaveMessage, Self::HangUp];

    /// One word for configuration, database and API, stable.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Talk => "talk",
            Self::LeaveMessage => "leave-message",
            Self::HangUp => "hang-up",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// What becomes of a call that is asked who calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnScreening {
    /// It says who calls and why, and waits for a person.
    #[default]
    Introduce,
    HangUp,
}

/// How the calls of one campaign behave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Campaign {
    pub on_machine: OnMachine,
    pub on_screening: OnScreening,
    /// A machine's beep is waited for as long, after it was known to be one: greetings have a minute at
    /// most.
    pub beep_within: Duration,
    /// A machine that has been quiet for so long after its greeting records already: its beep was not
    /// heard, or it has none.
    pub no_beep_after: Duration,
    /// Who answers without a word is spoken to after [`Verdict::Silence`] and given up after so long.
    pub silence_within: Duration,
}

impl Default for Campaign {
    fn default() -> Self {
        Self {
            on_machine: OnMachine::default(),
            on_screening: OnScreening::default(),
            beep_within: Duration::from_secs(60),
            no_beep_after: Duration::from_secs(4),
            silence_within: Duration::from_secs(15),
        }
    }
}

/// What is known of the call at a moment after its answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// The last verdict, and how long ago it was given.
    pub verdict: Option<(Verdict, Duration)>,
    /// A beep has been heard to its end.
    pub has_beeped: bool,
    /// How long nothing has been said.
    pub quiet: Duration,
}

/// What the call does now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing yet.
    Listen,
    /// The conversation begins.
    Talk,
    /// The campaign's message is said, then the call ends.
    LeaveMessage,
    /// Who calls and why is said.
    Introduce,
    HangUp,
}

impl Campaign {
    /// Asked with each verdict, with a beep, and every second or so while it says [`Step::Listen`].
    pub fn step(&self, known: &Known) -> Step {
        let Some((verdict, ago)) = known.verdict else { return Step::Listen };
        match verdict {
            Verdict::Person => Step::Talk,
            Verdict::Machine => self.at_machine(known, ago),
            Verdict::Screening => match self.on_screening {
                OnScreening::Introduce => Step::Introduce,
                OnScreening::HangUp => Step::HangUp,
            },
            // Perhaps somebody listens who waits for us.
            Verdict::Silence if ago < self.silence_within => Step::Talk,
            Verdict::Ringback | Verdict::Announcement => Step::Listen,
            Verdict::Silence
            | Verdict::Busy
            | Verdict::Congestion
            | Verdict::SpecialInformation
            | Verdict::Continuous
            | Verdict::Fax => Step::HangUp,
        }
    }

    fn at_machine(&self, known: &Known, ago: Duration) -> Step {
        match self.on_machine {
            OnMachine::Talk => Step::Talk,
            OnMachine::HangUp => Step::HangUp,
            OnMachine::LeaveMessage if known.has_beeped || known.quiet >= self.no_beep_after => {
                Step::LeaveMessage
            }
            OnMachine::LeaveMessage if ago >= self.beep_within => Step::HangUp,
            OnMachine::LeaveMessage => Step::Listen,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(verdict: Verdict, ago_s: u64, has_beeped: bool, quiet_s: u64) -> Known {
        Known {
            verdict: Some((verdict, Duration::from_secs(ago_s))),
            has_beeped,
            quiet: Duration::from_secs(quiet_s),
        }
    }

    #[test]
    fn each_verdict_has_its_step() {
        let campaign = Campaign { on_machine: OnMachine::LeaveMessage, ..Campaign::default() };
        let machine = Verdict::Machine;
        for (known, step) in [
            (Known::default(), Step::Listen),
            (known(Verdict::Person, 0, false, 1), Step::Talk),
            (known(machine, 0, false, 0), Step::Listen),
            (known(machine, 8, true, 0), Step::LeaveMessage),
            (known(machine, 8, false, 4), Step::LeaveMessage),
            (known(machine, 60, false, 0), Step::HangUp),
            (known(Verdict::Screening, 0, false, 0), Step::Introduce),
            (known(Verdict::Silence, 0, false, 4), Step::Talk),
            (known(Verdict::Silence, 15, false, 19), Step::HangUp),
            (known(Verdict::Ringback, 3, false, 3), Step::Listen),
            (known(Verdict::Busy, 0, false, 0), Step::HangUp),
            (known(Verdict::Fax, 0, false, 0), Step::HangUp),
            (known(Verdict::SpecialInformation, 0, false, 0), Step::HangUp),
        ] {
            assert_eq!(campaign.step(&known), step, "{known:?}");
        }
    }

    #[test]
    fn the_owner_chooses_what_a_machine_gets() {
        let at = |on_machine, has_beeped| {
            let campaign = Campaign { on_machine, ..Campaign::default() };
            campaign.step(&known(Verdict::Machine, 1, has_beeped, 0))
        };
        assert_eq!(at(OnMachine::Talk, false), Step::Talk);
        assert_eq!(at(OnMachine::HangUp, false), Step::HangUp);
        assert_eq!(at(OnMachine::LeaveMessage, false), Step::Listen);
        let refuses = Campaign { on_screening: OnScreening::HangUp, ..Campaign::default() };
        assert_eq!(refuses.step(&known(Verdict::Screening, 0, false, 0)), Step::HangUp);
    }
}
