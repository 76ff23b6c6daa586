//! The thread that carries the sound of calls by WebSocket: one task a session, and the door to them.

use std::collections::HashMap;
use std::io;
use std::net::UdpSocket;

use tokio::sync::{mpsc, oneshot};

use super::AudioLegs;
use super::door::{Door, Guest, NoEntry, Visitor};
use super::session::{Mail, Task};
use crate::appliance::pulse::{BEAT, Pulse};
use crate::base::{Entropy, limits};
use crate::sip::LegId;
use crate::websocket::{Opening, Wish};

/// What a session wants of its leg.
#[derive(Clone, Debug)]
pub struct LegWish {
    pub leg: LegId,
    pub wish: Wish,
}

/// A session that is to be.
#[derive(Debug)]
pub(super) struct NewSession {
    pub leg: LegId,
    pub opening: Opening,
    pub socket: UdpSocket,
    pub mail: mpsc::Sender<Mail>,
    pub inbox: mpsc::Receiver<Mail>,
}

/// Starts the thread, which ends with the net thread's side of it. Gives that side, what comes from sessions, and
/// the door for their clients.
pub fn start(entropy: Entropy) -> io::Result<(AudioLegs, mpsc::Receiver<LegWish>, Door)> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (new, sessions) = mpsc::channel(limits::API_COMMANDS);
    let (guests, coming) = mpsc::channel(limits::API_COMMANDS);
    let (wishes, wished) = mpsc::channel(limits::AUDIO_EVENTS);
    let pulse = Pulse::default();
    let beating = pulse.clone();
    std::thread::Builder::new().name("websocket".to_owned()).spawn(move || {
        let house = House { names: HashMap::new(), wishes, pulse: beating };
        runtime.block_on(house.run(sessions, coming));
    })?;
    Ok((AudioLegs::new(new, entropy, pulse), wished, Door::new(guests)))
}

/// The sessions that there are, by the names of their calls.
struct House {
    names: HashMap<String, mpsc::Sender<Mail>>,
    wishes: mpsc::Sender<LegWish>,
    pulse: Pulse,
}

impl House {
    async fn run(
        mut self,
        mut sessions: mpsc::Receiver<NewSession>,
        mut guests: mpsc::Receiver<Guest>,
    ) {
        loop {
            self.pulse.beat();
            tokio::select! {
                // Whoever knocks has been told of a session that is on its way here: it comes first.
                biased;
                session = sessions.recv() => match session {
                    Some(session) => self.open(session),
                    // The program stops.
                    None => return,
                },
                Some(guest) = guests.recv() => self.welcome(guest),
                () = tokio::time::sleep(BEAT) => {}
            }
        }
    }

    fn open(&mut self, session: NewSession) {
        self.names.retain(|_, mail| !mail.is_closed());
        let NewSession { leg, opening, socket, mail, inbox } = session;
        let name = opening.call_id.reveal().clone();
        match tokio::net::UdpSocket::from_std(socket) {
            Ok(socket) => {
                self.names.insert(name, mail);
                let task = Task::new(leg, opening, socket, inbox, self.wishes.clone());
                tokio::spawn(task.run());
            }
            Err(error) => tracing::error!(%error, "no socket for a call by WebSocket"),
        }
    }

    fn welcome(&mut self, guest: Guest) {
        let mail = |visitor: &Visitor| {
            let mail = self.names.get(visitor.call_id.reveal());
            mail.filter(|mail| !mail.is_closed())
        };
        match guest {
            Guest::Knocks { visitor, told } => match mail(&visitor) {
                Some(mail) => {
                    // What cannot be asked is answered by the end of the question.
                    let _ = mail.try_send(Mail::Knocks { visitor, told });
                }
                None => answer(told, Err(NoEntry::NoSuchCall)),
            },
            // Whom nobody takes in is closed by being dropped.
            Guest::Enters { visitor, handed } => {
                if let Some(mail) = mail(&visitor) {
                    let _ = mail.try_send(Mail::Enters { visitor, handed });
                }
            }
        }
    }
}

/// Whoever asked may have gone.
pub(super) fn answer(told: oneshot::Sender<Result<(), NoEntry>>, outcome: Result<(), NoEntry>) {
    let _ = told.send(outcome);
}
