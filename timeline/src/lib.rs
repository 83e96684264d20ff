//! Timelines: what each green thread did when, as files that people look at. The library in the program records events
//! ([`event`]) and, when the program ends, writes them out through a renderer of this crate. Nothing here needs std.
//!
//! All renderers go through the events twice ([`walk`]): once for who the threads are ([`tracks`]), for names come late
//! and the head of a file comes first, and once for what they did, which is written as it is met. So the memory taken
//! grows with the number of threads, not with that of events; where there is none left, [`render`] says so.
#![cfg_attr(not(test), no_std)]

extern crate alloc;

pub mod event;
mod html;
mod json;
mod out;
mod state;
mod svg;
#[cfg(test)]
mod testing;
mod tracks;
mod walk;
mod words;

use event::Recording;

/// Where a file's bytes go.
pub trait Sink {
    /// Takes all of them. False: they could not be written, and none that follow will be.
    fn write(&mut self, bytes: &[u8]) -> bool;
}

/// Kinds of files that a recording is written as.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// Chrome's trace event format, which Perfetto and chrome://tracing open.
    Json,
    /// A picture.
    Svg,
    /// A page to zoom, hover and search in.
    Html,
}

impl Format {
    /// What a file of this name is to be, by its ending.
    pub fn of_path(path: &[u8]) -> Option<Format> {
        let endings: [(&[u8], Format); 3] =
            [(b".json", Format::Json), (b".svg", Format::Svg), (b".html", Format::Html)];
        endings.into_iter().find(|(ending, _)| path.ends_with(ending)).map(|(_, format)| format)
    }
}

/// Why there is no whole file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Failed {
    /// There is not enough memory.
    Memory,
    /// The sink takes no more.
    Sink,
}

impl From<alloc::collections::TryReserveError> for Failed {
    fn from(_: alloc::collections::TryReserveError) -> Failed {
        Failed::Memory
    }
}

/// Writes the recording.
pub fn render(format: Format, recording: &Recording, sink: &mut dyn Sink) -> Result<(), Failed> {
    let tracks = tracks::Tracks::of(recording)?;
    let mut out = out::Out::new(sink)?;
    match format {
        Format::Json => json::write(recording, &tracks, &mut out)?,
        Format::Svg => svg::write(recording, &tracks, &mut out)?,
        Format::Html => html::write(recording, &tracks, &mut out)?,
    }
    out.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_is_known_by_the_ending() {
        assert_eq!(Format::of_path(b"/tmp/a.json"), Some(Format::Json));
        assert_eq!(Format::of_path(b"a.b.svg"), Some(Format::Svg));
        assert_eq!(Format::of_path(b"\xff.html"), Some(Format::Html));
        assert_eq!([b"a.txt".as_slice(), b"json", b"a.json.gz", b""].map(Format::of_path), [None; 4]);
    }
}
