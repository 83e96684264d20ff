//! Which threads are shown, in which order, and which one is selected; what the keys do to that.

use std::cmp::Reverse;

use grivet_inspect::cause;
use grivet_inspect::threads::{State, Thread};
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::look::Look;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sort {
    /// Most CPU time since the last look first, then most at all.
    Cpu,
    /// Those that have waited longest first.
    Waiting,
    Id,
}

impl Sort {
    pub fn word(self) -> &'static str {
        match self {
            Sort::Cpu => "CPU time",
            Sort::Waiting => "time waited",
            Sort::Id => "id",
        }
    }
}

#[derive(PartialEq, Eq)]
pub enum Mode {
    Table,
    /// The filter is being typed.
    Filter,
    /// A backtrace, of which the first lines are scrolled away.
    Backtrace {
        text: String,
        scrolled: u16,
    },
}

/// What is asked of the caller.
pub enum Action {
    None,
    Quit,
    Backtrace(u32),
}

/// The state of the screen.
pub struct View {
    pub mode: Mode,
    pub sort: Sort,
    pub filter: String,
    /// Places among the look's threads, in the order in which they are shown.
    pub order: Vec<usize>,
    /// Place in `order`.
    pub selected: usize,
    /// The first one on the screen.
    pub first: usize,
    /// Rows on the screen.
    pub height: usize,
    /// The thread selected, which stays selected wherever it moves to.
    thread: Option<u32>,
}

impl View {
    pub fn new() -> Self {
        View {
            mode: Mode::Table,
            sort: Sort::Cpu,
            filter: String::new(),
            order: Vec::new(),
            selected: 0,
            first: 0,
            height: 1,
            thread: None,
        }
    }

    /// Orders the threads of a new look, or after a key.
    pub fn arrange(&mut self, look: &Look<'_>) {
        let threads = look.threads();
        let filter = self.filter.to_lowercase();
        self.order = (0..threads.len()).filter(|&place| fits(&threads[place], &filter)).collect();
        match self.sort {
            Sort::Cpu => self.order.sort_by_key(|&place| {
                let thread = &threads[place];
                Reverse((look.cpu_since(thread), thread.cpu_time_ns.unwrap_or(0)))
            }),
            Sort::Waiting => self.order.sort_by_key(|&place| {
                let thread = &threads[place];
                Reverse((thread.state == State::Waiting, thread.since_ms.unwrap_or(0)))
            }),
            Sort::Id => self.order.sort_by_key(|&place| threads[place].tid),
        }
        let place = self.thread.and_then(|id| self.order.iter().position(|&place| threads[place].tid == id));
        // The first row stays the first row until the user moves.
        self.selected = place.unwrap_or(0);
        self.keep_in_sight();
    }

    fn keep_in_sight(&mut self) {
        self.first = self.first.min(self.selected).max((self.selected + 1).saturating_sub(self.height));
    }

    /// Shows `text` in place of the table.
    pub fn show(&mut self, text: String) {
        self.mode = Mode::Backtrace { text, scrolled: 0 };
    }

    /// The places of the rows on the screen, if `height` of them fit.
    pub fn visible(&mut self, height: usize) -> Vec<usize> {
        self.height = height.max(1);
        self.keep_in_sight();
        self.order.iter().skip(self.first).take(height).copied().collect()
    }

    pub fn press(&mut self, key: KeyEvent, look: &Look<'_>) -> Action {
        if key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL) {
            return Action::Quit;
        }
        let height = self.height as isize;
        match &mut self.mode {
            Mode::Filter => {
                match key.code {
                    KeyCode::Enter => self.mode = Mode::Table,
                    KeyCode::Esc => {
                        self.filter.clear();
                        self.mode = Mode::Table;
                    }
                    KeyCode::Backspace => drop(self.filter.pop()),
                    KeyCode::Char(letter) => self.filter.push(letter),
                    _ => return Action::None,
                }
                self.arrange(look);
            }
            Mode::Backtrace { scrolled, .. } => match key.code {
                KeyCode::Up => *scrolled = scrolled.saturating_sub(1),
                KeyCode::Down => *scrolled = scrolled.saturating_add(1),
                KeyCode::PageUp => *scrolled = scrolled.saturating_sub(height as u16),
                KeyCode::PageDown => *scrolled = scrolled.saturating_add(height as u16),
                KeyCode::Enter | KeyCode::Esc | KeyCode::Char('q') => self.mode = Mode::Table,
                _ => {}
            },
            Mode::Table => match key.code {
                KeyCode::Char('q') => return Action::Quit,
                KeyCode::Char('c') => self.sort_by(Sort::Cpu, look),
                KeyCode::Char('w') => self.sort_by(Sort::Waiting, look),
                KeyCode::Char('i') => self.sort_by(Sort::Id, look),
                KeyCode::Char('/') => self.mode = Mode::Filter,
                KeyCode::Up | KeyCode::Char('k') => self.go(-1, look),
                KeyCode::Down | KeyCode::Char('j') => self.go(1, look),
                KeyCode::PageUp => self.go(-height, look),
                KeyCode::PageDown => self.go(height, look),
                KeyCode::Home => self.go(isize::MIN, look),
                KeyCode::End => self.go(isize::MAX, look),
                KeyCode::Enter => {
                    let place = self.order.get(self.selected);
                    return place.map_or(Action::None, |&place| Action::Backtrace(look.threads()[place].tid));
                }
                _ => {}
            },
        }
        Action::None
    }

    fn sort_by(&mut self, sort: Sort, look: &Look<'_>) {
        self.sort = sort;
        self.thread = None;
        self.first = 0;
        self.arrange(look);
    }

    fn go(&mut self, by: isize, look: &Look<'_>) {
        let last = self.order.len().saturating_sub(1);
        self.selected = self.selected.saturating_add_signed(by).min(last);
        self.thread = self.order.get(self.selected).map(|&place| look.threads()[place].tid);
        self.keep_in_sight();
    }
}

/// Whether `filter`, in small letters, is part of the thread's name, id, state, or of the word for what it waits for.
fn fits(thread: &Thread, filter: &str) -> bool {
    let has = |text: &str| text.to_lowercase().contains(filter);
    filter.is_empty()
        || has(&String::from_utf8_lossy(thread.name()))
        || has(&thread.tid.to_string())
        || has(thread.state.word())
        || has(cause::kind(thread, std::iter::empty()).word())
}
