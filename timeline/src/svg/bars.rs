//! Bars of rows, and bands. A pixel of a row shows the state that the thread was in for most of it, and neighbours of the
//! same state are one bar. Wide bars say what they stand for; the others of a state are put into common paths, which
//! keeps the file small.

use super::layout::{COLUMNS, LEFT, Layout};
use crate::Failed;
use crate::out::Out;
use crate::state::{PerState, STATES, State, What};
use crate::walk::Slice;
use crate::words::{Share, Time, doing};
use alloc::vec::Vec;

/// Bars of at least so many pixels say what they stand for when pointed at; in pictures of many rows only wider ones.
const WIDE: u64 = 6;
const WIDE_OF_MANY: u64 = 40;

/// The width of a character on a bar, in hundredths of a pixel.
const CHARACTER: u64 = 670;

/// A thread's row while it is drawn: the pixel that is being filled, and the bar before it.
pub struct Row {
    middle: u64,
    column: u64,
    /// How long it was in which state within that pixel.
    times: PerState,
    bar: Bar,
}

#[derive(Clone, Copy)]
struct Bar {
    state: State,
    from: u64,
    to: u64,
    /// The slice that it stands for, if that is one: what, and how long.
    slice: Option<(What, u64)>,
    /// It stands for several.
    is_mixed: bool,
}

impl Row {
    pub fn new(middle: u64) -> Row {
        let bar = Bar { state: State::Unknown, from: 0, to: 0, slice: None, is_mixed: false };
        Row { middle, column: 0, times: PerState::new(), bar }
    }

    /// Slices come in the order of time.
    pub fn add(&mut self, layout: &Layout, slice: &Slice, batches: &mut Batches, out: &mut Out) {
        let first = layout.column_of(slice.from);
        let last = layout.column_of(slice.to);
        if first > self.column {
            self.fill(layout, batches, out);
            self.column = first;
        }
        if first == last {
            // At least 1, so that there is a bar even of a thread that was there for less than a nanosecond.
            self.times.add(slice.state, (slice.to - slice.from).max(1));
            return;
        }
        self.times.add(slice.state, (first + 1) * layout.column - slice.from);
        self.fill(layout, batches, out);
        if last > first + 1 {
            let bar = Bar {
                state: slice.state,
                from: first + 1,
                to: last,
                slice: Some((slice.what, slice.to - slice.from)),
                is_mixed: false,
            };
            self.append(layout, bar, batches, out);
        }
        self.column = last;
        self.times.add(slice.state, slice.to.saturating_sub(last * layout.column));
    }

    /// The pixel is complete.
    fn fill(&mut self, layout: &Layout, batches: &mut Batches, out: &mut Out) {
        if self.times.sum() > 0 && self.column < COLUMNS {
            let (from, state) = (self.column, self.times.largest());
            self.append(layout, Bar { state, from, to: from + 1, slice: None, is_mixed: false }, batches, out);
        }
        self.times = PerState::new();
    }

    fn append(&mut self, layout: &Layout, next: Bar, batches: &mut Batches, out: &mut Out) {
        let bar = &mut self.bar;
        if bar.state != next.state || bar.to != next.from {
            self.draw(layout, batches, out);
            self.bar = next;
            return;
        }
        bar.to = next.to;
        bar.is_mixed |= bar.slice.is_some() && next.slice.is_some();
        bar.slice = bar.slice.or(next.slice);
    }

    fn draw(&self, layout: &Layout, batches: &mut Batches, out: &mut Out) {
        let Bar { state, from, to, slice, is_mixed } = self.bar;
        let (x, y, width) = (LEFT + from, self.middle, to - from);
        let wide = if layout.row_height < 24 { WIDE_OF_MANY } else { WIDE };
        let Some((what, length)) = slice.filter(|_| width >= wide && !is_mixed) else {
            batches.add(state, (x, y), width, out);
            return;
        };
        let text = doing(state, &what);
        out.format(format_args!("<path class=\"run {}\" d=\"M{x} {y}h{width}\"><title>", state.class()));
        out.xml(text.get());
        out.format(format_args!(", {}</title></path>\n", Time(length)));
        if layout.row_height == 24 && (text.width() as u64 * CHARACTER) / 100 + 8 <= width {
            out.format(format_args!(
                "<text class=\"bar middle on-{}\" x=\"{}\" y=\"{}\" pointer-events=\"none\">",
                state.class(),
                x + width / 2,
                y + 4
            ));
            out.xml(text.get());
            out.text("</text>\n");
        }
    }

    pub fn finish(&mut self, layout: &Layout, batches: &mut Batches, out: &mut Out) {
        self.fill(layout, batches, out);
        self.draw(layout, batches, out);
    }
}

/// Bars that are still to be written, by state.
pub struct Batches {
    bars: Vec<Vec<(u64, u64, u64)>>,
}

/// How many bars are written as one path.
const BATCH: usize = 256;

impl Batches {
    pub fn new() -> Result<Batches, Failed> {
        let mut bars = Vec::new();
        bars.try_reserve_exact(STATES.len())?;
        for _ in STATES {
            let mut of_state = Vec::new();
            of_state.try_reserve_exact(BATCH)?;
            bars.push(of_state);
        }
        Ok(Batches { bars })
    }

    fn add(&mut self, state: State, (x, y): (u64, u64), width: u64, out: &mut Out) {
        let Some(bars) = self.bars.get_mut(state as usize).filter(|_| width > 0) else { return };
        if bars.len() == BATCH {
            write(state, bars, out);
        }
        bars.push((x, y, width));
    }

    pub fn finish(&mut self, out: &mut Out) {
        for (state, bars) in STATES.into_iter().zip(&mut self.bars) {
            write(state, bars, out);
        }
    }
}

fn write(state: State, bars: &mut Vec<(u64, u64, u64)>, out: &mut Out) {
    if bars.is_empty() {
        return;
    }
    out.format(format_args!("<path class=\"run {}\" d=\"", state.class()));
    for (x, y, width) in bars.drain(..) {
        out.bytes(b"M");
        out.number(x);
        out.bytes(b" ");
        out.number(y);
        out.bytes(b"h");
        out.number(width);
    }
    out.text("\"/>\n");
}

/// How long threads were in which state, all together, in each pixel.
pub struct Band {
    columns: Vec<Column>,
    total: PerState,
}

/// A pixel. What fills it is counted where it starts and where it stops, so that a slice costs the same however long it
/// is.
#[derive(Clone, Copy, Default)]
struct Column {
    /// The time of those that do not fill it.
    times: PerState,
    /// How many fill the pixels from here on, and how many no longer do.
    starts: PerState,
    stops: PerState,
}

impl Band {
    pub fn new() -> Result<Band, Failed> {
        let mut columns = Vec::new();
        columns.try_reserve_exact(COLUMNS as usize)?;
        columns.resize(COLUMNS as usize, Column::default());
        Ok(Band { columns, total: PerState::new() })
    }

    pub fn total(&self) -> &PerState {
        &self.total
    }

    pub fn add(&mut self, layout: &Layout, state: State, from: u64, to: u64) {
        self.total.add(state, to - from);
        let first = layout.column_of(from);
        let last = layout.column_of(to);
        if first == last {
            self.change(first, |column| column.times.add(state, to - from));
            return;
        }
        self.change(first, |column| column.times.add(state, (first + 1) * layout.column - from));
        self.change(first + 1, |column| column.starts.add(state, 1));
        self.change(last, |column| {
            column.stops.add(state, 1);
            column.times.add(state, to.saturating_sub(last * layout.column));
        });
    }

    /// Beyond the last one there is nothing.
    fn change(&mut self, column: u64, change: impl FnOnce(&mut Column)) {
        if let Some(column) = self.columns.get_mut(column as usize) {
            change(column);
        }
    }

    /// All is added: from now on a pixel's times are those of all.
    fn add_up(&mut self, layout: &Layout) {
        let mut filling = PerState::new();
        for column in &mut self.columns {
            for state in STATES {
                filling.add(state, column.starts.get(state));
                filling.subtract(state, column.stops.get(state));
                column.times.add(state, filling.get(state).saturating_mul(layout.column));
            }
        }
    }

    /// Draws it as areas that lie on each other, in the order of states. A pixel is as high as all its times are of
    /// `whole`.
    pub fn draw(mut self, layout: &Layout, (top, height): (u64, u64), whole: u64, out: &mut Out) {
        self.add_up(layout);
        let scaled = |time: u64| (u128::from(time) * u128::from(height) / u128::from(whole.max(1))) as u64;
        let beyond = Column::default();
        for state in STATES.into_iter().filter(|&state| self.total.get(state) > 0) {
            out.format(format_args!("<path class=\"area {}\" d=\"", state.class()));
            // From where on it has been which height, and how high.
            let mut area: (u64, u64, u64) = (0, 0, 0);
            for (number, column) in self.columns.iter().chain([&beyond]).enumerate() {
                let number = number as u64;
                let below = STATES.into_iter().take(state as usize).map(|other| column.times.get(other));
                let lower = below.fold(0, u64::saturating_add);
                let upper = lower.saturating_add(column.times.get(state));
                let (lower, upper) = (scaled(lower).min(height), scaled(upper).min(height));
                if (lower, upper) != (area.1, area.2) || number == COLUMNS {
                    let (from, lower_before, upper_before) = area;
                    if upper_before > lower_before {
                        let (x, y) = (LEFT + from, top + height - upper_before);
                        let (width, high) = (number - from, upper_before - lower_before);
                        out.format(format_args!("M{x} {y}h{width}v{high}h-{width}z"));
                    }
                    area = (number, lower, upper);
                }
            }
            let share = Share(self.total.get(state), self.total.sum());
            out.format(format_args!("\"><title>{}: {share}</title></path>\n", state.name()));
        }
    }
}
