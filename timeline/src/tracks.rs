//! Who the threads of a recording are, and what can be said of all of them together. It is found in a walk of its own,
//! before anything is written: a name may come after what is to be named.

use crate::Failed;
use crate::event::Recording;
use crate::state::{PerState, State};
use crate::walk::{Beginning, Clock, Slice, Visitor, walk};
use crate::words::Short;
use alloc::vec::Vec;

/// A thread. There may be a million, so this is small.
pub struct Track {
    /// As the program knows it; 0 if it is not known.
    pub tid: u32,
    place: u32,
    /// Of a spawned call, the function's number.
    function: Option<u32>,
    name: [u8; 16],
    pub began: u64,
    /// How long it ran.
    pub ran: u64,
    /// The first thread at its place. A thread's id goes with the place, so later ones may have the same.
    pub is_first: bool,
}

pub struct Tracks {
    pub list: Vec<Track>,
    /// In nanoseconds.
    pub duration: u64,
    /// How long after the recording began what is shown begins.
    pub late: u64,
    /// How often a thread began to run.
    pub switches: u64,
    pub wakes: u64,
    /// The time that threads spent in each state, all together.
    pub total: PerState,
}

impl Tracks {
    pub fn of(recording: &Recording) -> Result<Tracks, Failed> {
        let mut tracks = Tracks {
            list: Vec::new(),
            duration: 0,
            late: Clock::of(recording).late(recording),
            switches: 0,
            wakes: 0,
            total: PerState::new(),
        };
        tracks.duration = walk(recording, &mut Reader { tracks: &mut tracks })?;
        Ok(tracks)
    }

    pub fn get(&self, track: u32) -> Option<&Track> {
        self.list.get(track as usize)
    }
}

impl Track {
    /// What it is called: `function()` if it is a spawned call, else its name.
    pub fn label(&self, recording: &Recording) -> Short {
        let function = self.function.and_then(|function| recording.functions.get(function as usize));
        let name = self.name.split(|&byte| byte == 0).next().unwrap_or_default();
        let mut label = Short::new();
        match function {
            Some(function) => label.format(format_args!("{function}()")),
            None if self.is_main() && (name.is_empty() || name == name_of_first(recording)) => label.bytes(b"main"),
            None if !name.is_empty() => label.bytes(name),
            None if self.tid == 0 => label.bytes(b"thread"),
            None => label.format(format_args!("thread {}", self.tid)),
        }
        label
    }

    pub fn is_main(&self) -> bool {
        self.place == 0 && self.is_first
    }
}

/// The name that a program's first thread has from the kernel, which says no more than the program's.
fn name_of_first<'a>(recording: &Recording<'a>) -> &'a [u8] {
    let base = recording.program.rsplit('/').next().unwrap_or_default().as_bytes();
    base.get(..15).unwrap_or(base)
}

struct Reader<'a> {
    tracks: &'a mut Tracks,
}

impl Reader<'_> {
    fn track(&mut self, track: u32) -> Option<&mut Track> {
        self.tracks.list.get_mut(track as usize)
    }
}

impl Visitor for Reader<'_> {
    fn begins(&mut self, beginning: &Beginning) -> Result<(), Failed> {
        let Beginning { place, tid, at, is_first } = *beginning;
        self.tracks.list.try_reserve(1)?;
        self.tracks.list.push(Track { tid, place, function: None, name: [0; 16], began: at, ran: 0, is_first });
        Ok(())
    }

    fn name(&mut self, track: u32, second: bool, bytes: [u8; 8]) {
        if let Some(track) = self.track(track) {
            let (first_half, second_half) = track.name.split_at_mut(8);
            if second {
                second_half.copy_from_slice(&bytes);
            } else {
                first_half.copy_from_slice(&bytes);
                second_half.fill(0);
            }
        }
    }

    fn known(&mut self, track: u32, tid: u32, name: &[u8]) {
        if let Some(track) = self.track(track) {
            track.tid = tid;
            track.name = [0; 16];
            track.name.iter_mut().zip(name).for_each(|(to, &from)| *to = from);
        }
    }

    fn spawned(&mut self, track: u32, function: u64) {
        if let Some(track) = self.track(track) {
            track.function = u32::try_from(function).ok();
        }
    }

    fn slice(&mut self, slice: &Slice) -> Result<(), Failed> {
        let length = slice.to - slice.from;
        self.tracks.total.add(slice.state, length);
        self.tracks.wakes += u64::from(slice.state == State::Ready && slice.wake.is_some());
        if slice.state.runs()
            && let Some(track) = self.track(slice.track)
        {
            track.ran += length;
        }
        Ok(())
    }

    fn switched(&mut self) {
        self.tracks.switches += 1;
    }
}
