//! What grivet says, all of it on stderr: messages, the line of statistics, and the reports of trouble.

pub mod fixed_text;
pub mod message;
pub mod overflow;
pub mod stats;
pub mod stuck;

pub(crate) use message::say;
