//! Seeing what the green threads do: from outside ([`layout`]), and as a record that the process makes of itself.

pub mod layout;
