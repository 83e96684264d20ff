//! Time: ticks of the recorder's clock as nanoseconds since the beginning of what is shown, in integers, and monotonic: a
//! later tick is never an earlier nanosecond.

use crate::event::Recording;

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
        let nanoseconds = (ticks / self.ticks_per_ms).saturating_mul(1_000_000).saturating_add(rest);
        nanoseconds.min(u64::MAX / 4) // a century: whoever adds to it or scales it need not think of overflow
    }
}
