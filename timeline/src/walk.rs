//! Goes through the events once, in the order of time, and tells a visitor what they mean: which threads there were, and
//! what each did from when until when.
//!
//! A thread is a *track*, numbered in the order in which tracks are met, which is the same on each walk. An event names
//! its thread by a place, and places are given away again, so a slot for each place knows whose it is now. The states of
//! a track follow each other without a gap, from when it is made until it ends. What was before the first event of a
//! thread that was not seen being made is unknown.
//!
//! Events are not trusted: what does not fit (a thread that runs after its end, a clock that goes back) is left out or
//! made to fit, and nothing is taken for an index.

use crate::Failed;
use crate::event::{Event, Kind, Recording};
use crate::state::{PerState, State, What};
use alloc::vec::Vec;

/// A track did this from when until when, in nanoseconds since the beginning.
pub struct Slice {
    pub track: u32,
    pub state: State,
    pub what: What,
    pub from: u64,
    pub to: u64,
    /// For a ready one, who made it so; for a running one, who had made it ready.
    pub wake: Option<Wake>,
}

/// A wake-up: by whom (a track), and when. It lies within a time in which that one ran.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Wake {
    pub by: u32,
    pub at: u64,
}

/// A new track.
pub struct Beginning {
    pub place: u32,
    /// As the program knows it; 0 if it is not known.
    pub tid: u32,
    pub at: u64,
    /// None had the place before.
    pub is_first: bool,
}

/// What is told while walking. Most renderers want to know only part of it.
pub trait Visitor {
    /// A track begins; its number is one above the last one's.
    fn begins(&mut self, _beginning: &Beginning) -> Result<(), Failed> {
        Ok(())
    }

    /// Eight bytes of its name: the first, or the second.
    fn name(&mut self, _track: u32, _second: bool, _bytes: [u8; 8]) {}

    /// What is known of a track that is alive at the end.
    fn known(&mut self, _track: u32, _tid: u32, _name: &[u8]) {}

    /// The track is a call of this function.
    fn spawned(&mut self, _track: u32, _function: u64) {}

    /// A state is over. States are told in the order in which they end.
    fn slice(&mut self, slice: &Slice) -> Result<(), Failed>;

    /// No thread could run.
    fn idle(&mut self, _from: u64, _to: u64) -> Result<(), Failed> {
        Ok(())
    }

    /// A thread got the kernel thread.
    fn switched(&mut self) {}

    /// How many threads are in which state from now on.
    fn counts(&mut self, _at: u64, _counts: &PerState) {}
}

/// Ticks of the recorder's clock as nanoseconds since the beginning of what is shown.
pub struct Clock {
    origin: u64,
    ticks_per_ms: u64,
}

impl Clock {
    pub fn of(recording: &Recording) -> Clock {
        // If events are missing, what is shown begins with the first that is not.
        let first = recording.events.iter().find_map(|half| half.first()).map(|event| event.time);
        let origin = match first {
            Some(first) if recording.dropped > 0 => first,
            Some(first) => recording.began.min(first),
            None => recording.began,
        };
        Clock { origin, ticks_per_ms: recording.ticks_per_ms.max(1) }
    }

    pub fn nanoseconds(&self, time: u64) -> u64 {
        self.span(time.saturating_sub(self.origin))
    }

    /// How long after the recording began what is shown begins.
    pub fn late(&self, recording: &Recording) -> u64 {
        self.span(self.origin.saturating_sub(recording.began))
    }

    fn span(&self, ticks: u64) -> u64 {
        let rest = (ticks % self.ticks_per_ms).saturating_mul(1_000_000) / self.ticks_per_ms;
        (ticks / self.ticks_per_ms).saturating_mul(1_000_000).saturating_add(rest)
    }
}

/// Walks through the recording. The result is when it ended.
pub fn walk(recording: &Recording, visitor: &mut impl Visitor) -> Result<u64, Failed> {
    let clock = Clock::of(recording);
    let mut walk = Walk {
        visitor,
        slots: Slots { pages: Vec::new() },
        tracks: 0,
        now: 0,
        runs: None,
        has_run: false,
        idle: None,
        counts: PerState::new(),
    };
    for event in recording.events.iter().copied().flatten() {
        walk.now = walk.now.max(clock.nanoseconds(event.time));
        walk.event(event)?;
    }
    walk.now = walk.now.max(clock.nanoseconds(recording.ended));
    walk.finish(recording)?;
    Ok(walk.now)
}

/// What a place means now.
#[derive(Clone, Copy)]
struct Slot {
    track: u32,
    life: Life,
    state: State,
    /// Who woke it, if `is_woken`.
    woken_by: u32,
    is_woken: bool,
    woken_at: u64,
    what: What,
    /// When the state began.
    since: u64,
    /// When it last stopped running.
    ran_until: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Life {
    /// The place has not been met yet.
    None,
    Alive,
    Ended,
}

impl Slot {
    const EMPTY: Slot = Slot {
        track: 0,
        life: Life::None,
        state: State::Unknown,
        woken_by: 0,
        is_woken: false,
        woken_at: 0,
        what: What::NOTHING,
        since: 0,
        ran_until: 0,
    };

    fn wake(&self) -> Option<Wake> {
        self.is_woken.then_some(Wake { by: self.woken_by, at: self.woken_at })
    }
}

/// The slots of all places, in pages that are made when a place in them is met.
struct Slots {
    pages: Vec<Vec<Slot>>,
}

const PAGE: usize = 256;

impl Slots {
    fn find(&self, place: u32) -> Option<&Slot> {
        self.pages.get(place as usize / PAGE)?.get(place as usize % PAGE)
    }

    fn get(&mut self, place: u32) -> Result<&mut Slot, Failed> {
        let number = place as usize / PAGE;
        if number >= self.pages.len() {
            self.pages.try_reserve(number + 1 - self.pages.len())?;
            self.pages.resize_with(number + 1, Vec::new);
        }
        let page = self.pages.get_mut(number).ok_or(Failed::Memory)?;
        if page.is_empty() {
            page.try_reserve_exact(PAGE)?;
            page.resize(PAGE, Slot::EMPTY);
        }
        page.get_mut(place as usize % PAGE).ok_or(Failed::Memory)
    }
}

struct Walk<'a, V> {
    visitor: &'a mut V,
    slots: Slots,
    /// How many there were so far.
    tracks: u32,
    now: u64,
    /// Which place has the kernel thread.
    runs: Option<u32>,
    /// Whether any was seen to run, or has stopped running.
    has_run: bool,
    /// Since when no thread can run.
    idle: Option<u64>,
    counts: PerState,
}

impl<V: Visitor> Walk<'_, V> {
    fn event(&mut self, event: &Event) -> Result<(), Failed> {
        let place = event.thread;
        match event.kind {
            Kind::Made => return self.made(place, event.value),
            Kind::Idle => {
                self.idle = self.idle.or(Some(self.now));
                return Ok(());
            }
            _ => {}
        }
        let life = self.slots.get(place)?.life;
        match life {
            Life::Alive => {}
            Life::Ended => return Ok(()),
            Life::None => self.was_there_before(place, event.kind)?,
        }
        let slot = *self.slots.get(place)?;
        match event.kind {
            Kind::Name => self.visitor.name(slot.track, false, event.value.to_ne_bytes()),
            Kind::NameRest => self.visitor.name(slot.track, true, event.value.to_ne_bytes()),
            Kind::Spawned => self.visitor.spawned(slot.track, event.value),
            Kind::Running => self.running(place)?,
            Kind::Parked => {
                let what = What { cause: event.cause, file: event.file, value: event.value };
                self.change(place, State::waiting(event.cause), what, None)?;
            }
            Kind::Ready if slot.state != State::Ready => {
                let wake = self.wake_by(event.value, place);
                self.change(place, State::Ready, What::NOTHING, wake)?;
            }
            Kind::Kernel => {
                let what = What { value: event.value, ..What::NOTHING };
                self.change(place, State::Kernel, what, slot.wake().filter(|_| slot.state == State::Ready))?;
            }
            Kind::KernelDone if slot.state == State::Kernel => {
                self.change(place, State::Running, What::NOTHING, None)?;
            }
            Kind::Ended => self.ended(place)?,
            Kind::Ready | Kind::KernelDone | Kind::Made | Kind::Idle => {}
        }
        Ok(())
    }

    /// A new thread has the place from now on.
    fn made(&mut self, place: u32, value: u64) -> Result<(), Failed> {
        if self.slots.get(place)?.life == Life::Alive {
            self.ended(place)?;
        }
        let wake = self.wake_by(value >> 32, place);
        self.begin(place, value as u32, self.now)?;
        self.enter(place, State::Ready, What::NOTHING, wake)
    }

    /// The first event of a thread that was made before the first of all.
    fn was_there_before(&mut self, place: u32, kind: Kind) -> Result<(), Failed> {
        self.begin(place, 0, 0)?;
        // If none has run yet and this one stops, then it is the one that ran.
        let ran = !self.has_run && matches!(kind, Kind::Parked | Kind::Kernel | Kind::Ended);
        self.enter(place, if ran { State::Running } else { State::Unknown }, What::NOTHING, None)
    }

    fn begin(&mut self, place: u32, tid: u32, at: u64) -> Result<(), Failed> {
        let track = self.tracks;
        self.tracks = track.checked_add(1).ok_or(Failed::Memory)?;
        let slot = self.slots.get(place)?;
        let is_first = slot.life == Life::None;
        *slot = Slot { track, life: Life::Alive, since: at, ..Slot::EMPTY };
        self.visitor.begins(&Beginning { place, tid, at, is_first })
    }

    fn running(&mut self, place: u32) -> Result<(), Failed> {
        if let Some(from) = self.idle.take() {
            self.visitor.idle(from, self.now)?;
        }
        if let Some(other) = self.runs.filter(|&other| other != place) {
            // It has lost the kernel thread without a word.
            self.change(other, State::Ready, What::NOTHING, None)?;
        }
        let slot = *self.slots.get(place)?;
        if !slot.state.runs() {
            self.visitor.switched();
        }
        if slot.state != State::Running {
            self.change(place, State::Running, What::NOTHING, slot.wake().filter(|_| slot.state == State::Ready))?;
        }
        Ok(())
    }

    fn ended(&mut self, place: u32) -> Result<(), Failed> {
        self.leave(place)?;
        self.slots.get(place)?.life = Life::Ended;
        self.visitor.counts(self.now, &self.counts);
        Ok(())
    }

    fn change(&mut self, place: u32, state: State, what: What, wake: Option<Wake>) -> Result<(), Failed> {
        self.leave(place)?;
        self.slots.get(place)?.since = self.now;
        self.enter(place, state, what, wake)
    }

    /// The state that it was in is over.
    fn leave(&mut self, place: u32) -> Result<(), Failed> {
        let slot = self.slots.get(place)?;
        let Slot { track, state, what, since: from, .. } = *slot;
        if state.runs() {
            slot.ran_until = self.now;
            if self.runs == Some(place) {
                self.runs = None;
            }
        }
        let wake = slot.wake();
        self.counts.subtract(state, 1);
        if state == State::Unknown && from == self.now {
            return Ok(()); // there was no time before its first event
        }
        self.visitor.slice(&Slice { track, state, what, from, to: self.now, wake })
    }

    /// Its next state begins.
    fn enter(&mut self, place: u32, state: State, what: What, wake: Option<Wake>) -> Result<(), Failed> {
        let slot = self.slots.get(place)?;
        (slot.state, slot.what, slot.is_woken) = (state, what, wake.is_some());
        if let Some(wake) = wake {
            (slot.woken_by, slot.woken_at) = (wake.by, wake.at);
        }
        if state.runs() {
            self.runs = Some(place);
            self.has_run = true;
        }
        self.counts.add(state, 1);
        self.visitor.counts(self.now, &self.counts);
        Ok(())
    }

    /// A wake-up of the thread at `place` by whoever is at the place that an event's value says.
    fn wake_by(&self, value: u64, place: u32) -> Option<Wake> {
        let by = u32::try_from(value).ok().filter(|&by| by != place)?;
        let slot = self.slots.find(by).filter(|slot| slot.life != Life::None)?;
        // A thread that has ended wakes those who wait for that.
        let at =
            if slot.state.runs() && slot.life == Life::Alive { self.now } else { slot.ran_until.saturating_sub(1) };
        Some(Wake { by: slot.track, at })
    }

    /// The recording ends, and with it all states.
    fn finish(&mut self, recording: &Recording) -> Result<(), Failed> {
        if let Some(from) = self.idle.take() {
            self.visitor.idle(from, self.now)?;
        }
        for known in recording.known {
            if self.slots.get(known.thread)?.life == Life::None {
                // Nothing happened to it.
                self.begin(known.thread, 0, 0)?;
                self.enter(known.thread, State::Unknown, What::NOTHING, None)?;
            }
            let slot = self.slots.get(known.thread)?;
            if slot.life == Life::Alive {
                self.visitor.known(slot.track, known.tid, known.name);
            }
        }
        for place in 0..self.slots.pages.len().saturating_mul(PAGE) {
            let Ok(place) = u32::try_from(place) else { break };
            if self.slots.find(place).is_some_and(|slot| slot.life == Life::Alive) {
                self.leave(place)?;
            }
        }
        Ok(())
    }
}
