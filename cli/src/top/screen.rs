//! Draws a look at the process, as a view has arranged it: on a terminal, or as plain text.

use grivet_inspect::amounts::Count;
use grivet_inspect::threads::State;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Modifier, Style};
use ratatui::text::Line;
use ratatui::widgets::{Paragraph, Row as TableRow, Table};

use super::look::{Look, Row};
use super::view::{Mode, View};

const TITLES: [&str; 7] = ["ID", "NAME", "STATE", "FOR", "CPU%", "CPU", "WAITS FOR"];
const WIDTHS: [u16; 6] = [10, 16, 8, 10, 6, 10];

const HELP: &str = "c, w, i: sort by CPU time, time waited, id   /: filter   Enter: backtrace   q: quit";

/// Draws everything.
pub fn draw(frame: &mut Frame<'_>, look: &mut Look<'_>, view: &mut View) {
    let areas = Layout::vertical([Constraint::Length(2), Constraint::Min(1), Constraint::Length(1)]);
    let [head, body, foot] = areas.areas(frame.area());
    let bold = Style::new().add_modifier(Modifier::BOLD);
    frame.render_widget(
        Paragraph::new([Line::styled(first_line(look), bold), Line::raw(second_line(look))].to_vec()),
        head,
    );
    match &mut view.mode {
        Mode::Backtrace { text, scrolled } => {
            let lines = text.lines().count();
            *scrolled = (*scrolled).min(lines.saturating_sub(1) as u16);
            frame.render_widget(Paragraph::new(text.as_str()).scroll((*scrolled, 0)), body);
            frame.render_widget(Line::raw("Up, Down: scroll   q: back to the table"), foot);
        }
        Mode::Table | Mode::Filter => {
            table(frame, body, look, view);
            let line = match (&view.mode, view.filter.is_empty()) {
                (Mode::Filter, _) => format!("filter: {}_", view.filter),
                (_, true) => format!("by {}   {HELP}", view.sort.word()),
                (_, false) => format!("by {}, only \"{}\"   {HELP}", view.sort.word(), view.filter),
            };
            frame.render_widget(Line::raw(line), foot);
        }
    }
}

fn table(frame: &mut Frame<'_>, area: Rect, look: &mut Look<'_>, view: &mut View) {
    let visible = view.visible(usize::from(area.height.saturating_sub(1)));
    let selected = view.selected - view.first;
    let rows = look.rows(&visible).into_iter().enumerate().map(|(nth, row)| {
        let style = if nth == selected { Style::new().add_modifier(Modifier::REVERSED) } else { Style::new() };
        TableRow::new(cells(row)).style(style)
    });
    let widths = WIDTHS.map(Constraint::Length).into_iter().chain([Constraint::Min(10)]);
    let titles = TableRow::new(TITLES).style(Style::new().add_modifier(Modifier::UNDERLINED));
    frame.render_widget(Table::new(rows, widths).header(titles), area);
}

fn cells(row: Row) -> [String; 7] {
    [row.id, row.name, row.state.to_owned(), row.since, row.cpu_percent, row.cpu, row.what]
}

fn first_line(look: &Look<'_>) -> String {
    format!("{} (process {})   grivet top", look.program(), look.pid())
}

fn second_line(look: &Look<'_>) -> String {
    let count = |state| Count(look.threads().iter().filter(|thread| thread.state == state).count() as u64);
    format!(
        "{} threads: {} running, {} ready, {} waiting   {} switches/s   {:.0} % CPU",
        Count(look.threads().len() as u64),
        count(State::Running),
        count(State::Ready),
        count(State::Waiting),
        Count(look.switches_per_second as u64),
        look.cpu_percent,
    )
}

/// The whole table as text.
pub fn plain(look: &mut Look<'_>, view: &View) -> String {
    const AT_ONCE: usize = 1024;
    // One look knows no speeds.
    let threads = look.threads().len() as u64;
    let mut text = format!("{}\n{} threads\n\n", first_line(look), Count(threads));
    let mut line = |cells: [String; 7]| {
        for (cell, width) in cells.iter().zip(WIDTHS.into_iter().chain([0])) {
            text.push_str(&format!("{cell:<width$} ", width = usize::from(width)));
        }
        text.truncate(text.trim_end_matches(' ').len());
        text.push('\n');
    };
    line(TITLES.map(str::to_owned));
    for some in view.order.chunks(AT_ONCE) {
        look.rows(some).into_iter().map(cells).for_each(&mut line);
    }
    text
}
