//! What outlives a call: the messages that callers leave, flight records, the count of the calls that
//! we made, the name of the box, and the shelf of models; and how files are read that others may have written.

pub mod bounded;
pub mod flights;
pub mod instance;
pub mod knowledge;
pub mod ledger;
pub mod messages;
pub mod phrases;
pub mod shelf;
pub mod trusted;
pub mod wav;
pub mod whole;
