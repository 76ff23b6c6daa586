//! The thread of a handset: its tick, and orders between two of them.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use rtrb::{Consumer, Producer, RingBuffer};

use super::card::Cards;
use super::shared::Shared;
use super::station::{Order, Settings, Station, TICK};
use crate::appliance::realtime::{self, Clocks};
use crate::base::limits;

/// The net thread's end of a handset. Dropping it ends the thread, unless a driver holds it.
#[derive(Debug)]
pub struct Line {
    pub orders: Producer<Order>,
    /// Sound of announcements, 16 kHz.
    pub announced: Producer<i16>,
    pub shared: Arc<Shared>,
}

/// Starts the thread with cards of this machine.
pub fn start(settings: Settings, priority: Option<i32>) -> io::Result<Line> {
    #[cfg(feature = "alsa")]
    let cards = Box::new(super::alsa::AlsaCards);
    #[cfg(not(feature = "alsa"))]
    let cards = Box::new(super::card::NoCards);
    start_with(settings, priority, cards)
}

fn start_with(
    settings: Settings,
    priority: Option<i32>,
    cards: Box<dyn Cards>,
) -> io::Result<Line> {
    let (orders, taken) = RingBuffer::new(limits::HANDSET_ORDERS);
    let (announced, heard) = RingBuffer::new(limits::ANNOUNCED_SAMPLES);
    let shared = Arc::new(Shared::new(Instant::now()));
    let shown = Arc::clone(&shared);
    // The kernel cuts names off at 15 characters.
    let name = format!("hs-{}", settings.name);
    std::thread::Builder::new().name(name).spawn(move || {
        // Below the audio thread, whose ticks are every call's. What is refused here was refused there, and told.
        let priority = priority.map(|priority| (priority - 1).max(1));
        let _ = realtime::become_real_time(realtime::Wish { priority, core: None });
        run(Station::new(settings, cards, shown, heard), taken);
    })?;
    Ok(Line { orders, announced, shared })
}

/// Until nobody is left who could order anything.
fn run(mut station: Station, mut orders: Consumer<Order>) {
    let clocks = Clocks::read();
    let mut due = Instant::now();
    while !orders.is_abandoned() {
        while let Ok(order) = orders.pop() {
            station.order(order);
        }
        let now = Instant::now();
        station.tick(now);
        due += TICK;
        // A driver that has held it up is not made good for.
        if now > due + 5 * TICK {
            due = now + TICK;
        }
        clocks.sleep_until(due);
    }
}
