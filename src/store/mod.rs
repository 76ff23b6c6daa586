//! What outlives a call: its history with the messages that callers leave, flight records, recordings, the count of the calls that
//! we made, the name of the box, and the shelf of models; and how files are read that others may have written.

pub mod bounded;
pub mod flights;
pub mod history;
pub mod instance;
pub mod knowledge;
pub mod ledger;
pub mod phrases;
pub mod recordings;
pub mod restored;
pub mod shelf;
pub mod trusted;
pub mod wav;
pub mod whole;
