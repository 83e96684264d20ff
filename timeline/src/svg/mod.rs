//! The recording as a picture that stands for itself: a band of how busy the process was, a row for each thread with its
//! states as coloured bars, a legend and a time axis. It carries its own background and the colours of both light and
//! dark, and it is readable at a glance: where there are more threads than rows, those that ran most are shown, and the
//! rest together, as a band of how many of them were in which state.
//!
//! Its size is bounded: a row has a bar for a pixel at most, and there are so many rows and no more.

mod bars;
mod heading;
mod layout;

use crate::Failed;
use crate::event::Recording;
use crate::out::Out;
use crate::state::PerState;
use crate::tracks::Tracks;
use crate::walk::{Slice, Visitor, walk};
use crate::words::{Count, Share};
use alloc::vec::Vec;
use bars::{Band, Batches, Row};
use layout::Layout;

/// Wake-ups are drawn if there are no more than this: more would hide the bars.
const ARROWS: u64 = 150;

pub fn write(recording: &Recording, tracks: &Tracks, out: &mut Out) -> Result<(), Failed> {
    let layout = Layout::of(recording, tracks)?;
    heading::write(recording, tracks, &layout, out)?;
    let mut picture = Picture {
        rows: Vec::new(),
        batches: Batches::new()?,
        process: Band::new()?,
        rest: Band::new()?,
        arrows: Vec::new(),
        has_arrows: tracks.wakes <= ARROWS,
        layout: &layout,
        out,
    };
    picture.rows.try_reserve_exact(layout.shown.len())?;
    picture.rows.extend((0..layout.shown.len()).map(|row| Row::new(layout.row_middle(row))));
    walk(recording, &mut picture)?;
    picture.finish(tracks)
}

struct Picture<'a, 'b, 'c> {
    layout: &'a Layout,
    rows: Vec<Row>,
    batches: Batches,
    /// Of the process.
    process: Band,
    /// Of the threads that have no row.
    rest: Band,
    arrows: Vec<Arrow>,
    has_arrows: bool,
    out: &'b mut Out<'c>,
}

/// From the waker's row to the woken's.
struct Arrow {
    from: (usize, u64),
    to: (usize, u64),
}

impl Visitor for Picture<'_, '_, '_> {
    fn slice(&mut self, slice: &Slice) -> Result<(), Failed> {
        let layout = self.layout;
        if slice.state.runs() {
            self.process.add(layout, slice.state, slice.from, slice.to);
        }
        let Some(place) = layout.row_of(slice.track) else {
            self.rest.add(layout, slice.state, slice.from, slice.to);
            return Ok(());
        };
        if let Some(row) = self.rows.get_mut(place) {
            row.add(layout, slice, &mut self.batches, self.out);
        }
        if self.has_arrows
            && slice.state.runs()
            && let Some(wake) = slice.wake
            && let Some(by) = layout.row_of(wake.by)
        {
            self.arrows.try_reserve(1)?;
            self.arrows.push(Arrow { from: (by, wake.at), to: (place, slice.from) });
        }
        self.out.check()
    }
}

impl Picture<'_, '_, '_> {
    fn finish(mut self, tracks: &Tracks) -> Result<(), Failed> {
        for row in &mut self.rows {
            row.finish(self.layout, &mut self.batches, self.out);
        }
        self.batches.finish(self.out);
        let layout = self.layout;
        let total = *self.rest.total();
        self.process.draw(layout, (layout.process_top, layout::BAND), layout.column, self.out);
        if layout.hidden > 0 {
            let whole = layout.hidden.saturating_mul(layout.column);
            self.rest.draw(layout, (layout.rest_top, layout::REST), whole, self.out);
            sentence_on_the_rest(layout, tracks, &total, self.out);
        }
        for Arrow { from, to } in &self.arrows {
            let (x, y) = (layout.x(from.1), layout.row_middle(from.0));
            let (to_x, to_y) = (layout.x(to.1), layout.row_middle(to.0));
            self.out.format(format_args!("<path class=\"wake\" d=\"M{x} {y}L{to_x} {to_y}\"/><circle class=\"woken\" cx=\"{to_x}\" cy=\"{to_y}\" r=\"2\"/>\n"));
        }
        self.out.text("</svg>\n");
        self.out.check()
    }
}

/// "and 800 more threads of 1,000, together: sleeping 90 %, lock 10 %".
fn sentence_on_the_rest(layout: &Layout, tracks: &Tracks, total: &PerState, out: &mut Out) {
    out.format(format_args!(
        "<text class=\"small\" x=\"{}\" y=\"{}\">and {} more thread{} of {}, together: ",
        layout::LEFT,
        layout.rest_top - 8,
        Count(layout.hidden),
        if layout.hidden == 1 { "" } else { "s" },
        Count(tracks.list.len() as u64),
    ));
    let states = total.by_amount().into_iter().filter(|&state| total.get(state) > 0);
    for (place, state) in states.enumerate() {
        let share = Share(total.get(state), total.sum());
        let comma = if place == 0 { "" } else { ", " };
        out.format(format_args!("{comma}{} {share}", state.name()));
    }
    out.text("</text>\n");
}
