//! Timelines: what each green thread did when, as files that people look at. The library in the program records events
//! ([`event`]) and, when the program ends, writes them out through a renderer of this crate. Nothing here needs std.
#![cfg_attr(not(test), no_std)]

extern crate alloc;

pub mod event;

/// STUB until the renderers are merged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Json,
    Svg,
    Html,
}
impl Format {
    pub fn of_path(path: &[u8]) -> Option<Format> {
        if path.ends_with(b".json") {
            Some(Format::Json)
        } else if path.ends_with(b".svg") {
            Some(Format::Svg)
        } else if path.ends_with(b".html") {
            Some(Format::Html)
        } else {
            None
        }
    }
}
pub trait Sink {
    fn write(&mut self, bytes: &[u8]) -> bool;
}
pub enum Failed {
    Memory,
    Sink,
}
pub fn render(_format: Format, _recording: &event::Recording<'_>, _sink: &mut dyn Sink) -> Result<(), Failed> {
    Ok(())
}
