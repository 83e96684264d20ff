//! Where everything in the picture is, and which threads get a row.

use super::ARROWS;
use crate::Failed;
use crate::event::Recording;
use crate::state::State;
use crate::tracks::Tracks;
use alloc::collections::BinaryHeap;
use alloc::vec::Vec;
use core::cmp::Reverse;

pub const WIDTH: u64 = 1200;
pub const MARGIN: u64 = 24;
/// Where the time axis begins. Left of it are the names.
pub const LEFT: u64 = 204;
/// How many pixels wide it is. Right of it is how much a thread ran.
pub const COLUMNS: u64 = 920;
/// The heights of the process's band, and of that of the threads without a row.
pub const BAND: u64 = 32;
pub const REST: u64 = 64;

/// So many threads have a row; if there are more, half of the rows are for the first and half for those that ran most.
const ROWS: usize = 200;

pub struct Layout {
    /// The threads that have a row, in order.
    pub shown: Vec<u32>,
    /// How many have none.
    pub hidden: u64,
    /// How long a pixel is, in nanoseconds.
    pub column: u64,
    pub duration: u64,
    pub row_height: u64,
    pub bar_height: u64,
    pub process_top: u64,
    rows_top: u64,
    pub rest_top: u64,
    /// Where the time axis' labels are.
    pub axis: u64,
    pub height: u64,
    pub legend_top: u64,
    /// Something is to be said of what is missing.
    pub has_remarks: bool,
}

impl Layout {
    pub fn of(recording: &Recording, tracks: &Tracks) -> Result<Layout, Failed> {
        let shown = shown(tracks)?;
        let rows = shown.len() as u64;
        let hidden = tracks.list.len() as u64 - rows;
        let (row_height, bar_height) = match rows {
            0..=40 => (24, 16),
            41..=100 => (16, 12),
            _ => (12, 9),
        };
        let has_remarks = recording.dropped > 0 || hidden > 0 || tracks.wakes > ARROWS;
        let legend_top = if has_remarks { 92 } else { 74 };
        let process_top = legend_top + 28;
        let rows_top = process_top + BAND + 16;
        let rows_end = rows_top + rows * row_height;
        let rest_top = rows_end + 28;
        let axis = if hidden > 0 { rest_top + REST } else { rows_end } + 18;
        Ok(Layout {
            shown,
            hidden,
            column: tracks.duration.div_ceil(COLUMNS).max(1),
            duration: tracks.duration,
            row_height,
            bar_height,
            process_top,
            rows_top,
            rest_top,
            axis,
            height: axis + MARGIN - 6,
            legend_top,
            has_remarks,
        })
    }

    /// Which pixel of the time axis this time is in.
    pub fn column_of(&self, time: u64) -> u64 {
        (time / self.column).min(COLUMNS)
    }

    pub fn x(&self, time: u64) -> u64 {
        LEFT + self.column_of(time)
    }

    pub fn row_middle(&self, row: usize) -> u64 {
        self.rows_top + row as u64 * self.row_height + self.row_height / 2
    }

    pub fn row_of(&self, track: u32) -> Option<usize> {
        self.shown.binary_search(&track).ok()
    }
}

fn shown(tracks: &Tracks) -> Result<Vec<u32>, Failed> {
    let count = tracks.list.len();
    let mut shown = Vec::new();
    shown.try_reserve_exact(count.min(ROWS))?;
    if count <= ROWS {
        shown.extend(0..count as u32);
        return Ok(shown);
    }
    let first = ROWS / 2;
    shown.extend(0..first as u32);
    // Those that ran most, the one that ran least of them on top; of equals, the earlier ones.
    let mut most = BinaryHeap::new();
    most.try_reserve(ROWS - first + 1)?;
    for (number, track) in tracks.list.iter().enumerate().skip(first) {
        most.push(Reverse((track.ran, Reverse(number as u32))));
        if most.len() > ROWS - first {
            most.pop();
        }
    }
    shown.extend(most.into_iter().map(|Reverse((_, Reverse(number)))| number));
    shown.sort_unstable();
    Ok(shown)
}

/// The distance of marks on the time axis: 1, 2 or 5 times a power of ten, for about ten of them.
pub fn step(duration: u64) -> u64 {
    let mut unit = 1u64;
    loop {
        for factor in [1, 2, 5] {
            let step = unit.saturating_mul(factor);
            if duration / step <= 10 {
                return step;
            }
        }
        unit = unit.saturating_mul(10);
    }
}

/// The states that any thread was in, for the legend.
pub fn states(tracks: &Tracks) -> impl Iterator<Item = State> {
    crate::state::STATES.into_iter().filter(|&state| tracks.total.get(state) > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_round() {
        let steps = [0, 1, 10, 11, 25, 60, 1_234_567_890, u64::MAX].map(step);
        assert_eq!(steps[..7], [1, 1, 1, 2, 5, 10, 200_000_000]);
        assert!(u64::MAX / steps[7] <= 10);
    }
}
