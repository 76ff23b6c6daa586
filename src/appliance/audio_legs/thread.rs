//! The thread that carries the sound of calls by WebSocket: one task a session, and the door to them.

use std::collections::HashMap;
use std::io;
use std::net::UdpSocket;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use super::bridge;
use super::door::{Door, Guest, NoEntry, Visitor};
use super::session::{Mail, Task};
use super::{Announced, Announcer, AudioLegs, NotAnnounced};
use crate::appliance::pulse::{BEAT, Pulse};
use crate::appliance::trust::Roots;
use crate::base::{Entropy, limits};
use crate::sip::LegId;
use crate::web::Board;
use crate::websocket::{Opening, Order, Wish};

/// What a session wants of its leg.
#[derive(Clone, Debug)]
pub struct LegWish {
    pub leg: LegId,
    pub wish: Wish,
}

/// What the websocket thread wants of the net thread.
#[derive(Debug)]
pub enum Wanted {
    Leg(LegWish),
    /// A bridge that we have called has a call.
    Announce {
        by: Announcer,
        order: Order,
        told: oneshot::Sender<Result<Announced, NotAnnounced>>,
    },
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
pub fn start(
    entropy: Entropy,
    bridges: Vec<bridge::Settings>,
    roots: &Roots,
    board: Arc<Board>,
) -> io::Result<(AudioLegs, mpsc::Receiver<Wanted>, Door)> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (new, sessions) = mpsc::channel(limits::API_COMMANDS);
    let (guests, coming) = mpsc::channel(limits::API_COMMANDS);
    let (wishes, wished) = mpsc::channel(limits::AUDIO_EVENTS);
    let reports = Arc::new(bridge::Reports::new(&bridges, board));
    let line = |(index, settings)| bridge::Task {
        index,
        way: bridge::Way::new(settings, roots),
        reports: Arc::clone(&reports),
        wanted: wishes.clone(),
        guests: guests.clone(),
    };
    let lines: Vec<_> = bridges.into_iter().enumerate().map(line).collect();
    let pulse = Pulse::default();
    let beating = pulse.clone();
    std::thread::Builder::new().name("websocket".to_owned()).spawn(move || {
        let house = House { names: HashMap::new(), wishes, pulse: beating };
        runtime.block_on(async {
            lines.into_iter().for_each(|line| drop(tokio::spawn(line.run())));
            house.run(sessions, coming).await;
        });
    })?;
    Ok((AudioLegs::new(new, entropy, pulse), wished, Door::new(guests)))
}

/// The sessions that there are, by the names of their calls.
struct House {
    /// A session ends with the net thread's own sender: these keep none up.
    names: HashMap<String, mpsc::WeakSender<Mail>>,
    wishes: mpsc::Sender<Wanted>,
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
        self.names.retain(|_, mail| mail.upgrade().is_some_and(|mail| !mail.is_closed()));
        let NewSession { leg, opening, socket, mail, inbox } = session;
        let name = opening.call_id.reveal().clone();
        match tokio::net::UdpSocket::from_std(socket) {
            Ok(socket) => {
                self.names.insert(name, mail.downgrade());
                let task = Task::new(leg, opening, socket, inbox, self.wishes.clone());
                tokio::spawn(task.run());
            }
            Err(error) => tracing::error!(%error, "no socket for a call by WebSocket"),
        }
    }

    fn welcome(&mut self, guest: Guest) {
        let mail = |visitor: &Visitor| {
            let mail = self.names.get(visitor.call_id.reveal())?.upgrade();
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
