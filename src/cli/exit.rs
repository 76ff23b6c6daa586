//! Exit codes: the contract with systemd, scripts and tests.
//!
//! Codes from 64 on have the meaning of sysexits(3) where it has one.

use std::process::ExitCode;

use crate::appliance::start_error::StartError;

/// How the program ends. `RestartPreventExitStatus=` of the unit lists those that a restart cannot
/// mend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    Done = 0,
    Failed = 1,
    Usage = 2,
    CallFailed = 3,
    NotAsExpected = 4,
    DecidesOtherwise = 5,
    NoFlight = 6,
    NotDialled = 7,
    Busy = 8,
    NoAnswer = 9,
    NoPerson = 10,
    Down = 11,
    TakesNone = 12,
    Again = 13,
    ModelCorrupt = 65,
    ModelMissing = 66,
    PullFailed = 68,
    PortBusy = 69,
    EngineFailed = 70,
    DiskFull = 73,
    PortsExhausted = 75,
    BadConfig = 78,
}

impl Exit {
    pub const ALL: [Self; 22] = [
        Self::Done,
        Self::Failed,
        Self::Usage,
        Self::CallFailed,
        Self::NotAsExpected,
        Self::DecidesOtherwise,
        Self::NoFlight,
        Self::NotDialled,
        Self::Busy,
        Self::NoAnswer,
        Self::NoPerson,
        Self::Down,
        Self::TakesNone,
        Self::Again,
        Self::ModelCorrupt,
        Self::ModelMissing,
        Self::PullFailed,
        Self::PortBusy,
        Self::EngineFailed,
        Self::DiskFull,
        Self::PortsExhausted,
        Self::BadConfig,
    ];

    pub const fn code(self) -> u8 {
        self as u8
    }

    /// For an engine that ended with this code. It is this program: its codes are ours.
    pub(super) fn of_engine(code: i32) -> Self {
        let known = Self::ALL.into_iter().find(|exit| i32::from(exit.code()) == code);
        known.unwrap_or(Self::EngineFailed)
    }

    /// For `--help` and the README.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Done => "done as asked",
            Self::Failed => "the operating system refused something; standard error says what",
            Self::Usage => "wrong command line",
            Self::CallFailed => "call, dial: the call was refused, not answered, or broke off",
            Self::NotAsExpected => {
                "call: the call went through and was not as --expect or --script wants it"
            }
            Self::DecidesOtherwise => "replay: a decision is not the recorded one",
            Self::NoFlight => "replay: the file is missing, damaged, or no flight record",
            Self::NotDialled => "dial: the number is not called; standard error says why",
            Self::Busy => "dial: the other end was busy",
            Self::NoAnswer => "dial: nobody answered",
            Self::NoPerson => "dial: a machine took the call, or a tone was heard",
            Self::Down => "status: no program answers at the box's HTTP interface",
            Self::TakesNone => "status: the box answers and takes no calls",
            Self::Again => {
                "run, safe: it is to be started again, as was asked at the page or after --for"
            }
            Self::ModelCorrupt => {
                "a model file is damaged or not the pinned one, no Whisper model, or hears less than 10 s at once"
            }
            Self::ModelMissing => {
                "a model file is missing or unreadable, or no model has that name"
            }
            Self::PullFailed => {
                "models: the server cannot be reached, breaks off, or refuses the file"
            }
            Self::PortBusy => "another program has the port that sip.listen or web.listen names",
            Self::EngineFailed => "the speech engine cannot work, or the voice can say nothing",
            Self::DiskFull => "models: the disk has too little room",
            Self::PortsExhausted => "too few free ports in media.ports for calls.max",
            Self::BadConfig => "the configuration, or a file that it names, has faults",
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

impl From<&StartError> for Exit {
    fn from(error: &StartError) -> Self {
        match error {
            StartError::Config(_) | StartError::BadFile { .. } | StartError::BadVoice { .. } => {
                Self::BadConfig
            }
            StartError::ModelMissing { .. } | StartError::NotPulled { .. } => Self::ModelMissing,
            StartError::ModelCorrupt(_) => Self::ModelCorrupt,
            StartError::PortBusy { .. } => Self::PortBusy,
            StartError::PortsExhausted { .. } => Self::PortsExhausted,
            StartError::Engine(_) | StartError::Mute { .. } => Self::EngineFailed,
            StartError::EngineGone { code } => Self::of_engine((*code).into()),
            StartError::Address { .. }
            | StartError::StateFolder { .. }
            | StartError::System { .. } => Self::Failed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_exit_has_a_code_of_its_own() {
        let codes: HashSet<u8> = Exit::ALL.iter().map(|exit| exit.code()).collect();
        assert_eq!(codes.len(), Exit::ALL.len());
    }

    #[test]
    fn a_busy_port_is_told_from_one_that_we_may_not_have() {
        let address = "127.0.0.1:5060".parse().unwrap();
        for (kind, exit) in [
            (std::io::ErrorKind::AddrInUse, Exit::PortBusy),
            (std::io::ErrorKind::PermissionDenied, Exit::Failed),
        ] {
            let error = StartError::from_bind("sip.listen", address, kind.into());
            assert_eq!(Exit::from(&error), exit);
            assert!(error.to_string().starts_with("sip.listen: "), "{error}");
        }
    }
}
