//! `grivet top`: the green threads of a running process in a table, read anew again and again while the process runs.
//!
//! | file | answers for |
//! |---|---|
//! | `look` | what is read each time, and what of it takes more reading |
//! | `view` | which rows are shown, in which order; what the keys do |
//! | `screen` | drawing |

mod look;
mod screen;
mod view;

use std::io::IsTerminal;
use std::time::Instant;

use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyEventKind};

use crate::options::TopOptions;
use crate::output;
use crate::status::{Refusal, Status};
use crate::target::Target;
use look::Look;
use view::{Action, View};

/// Shows the table until the user has seen enough, or the process has ended.
pub fn top(options: &TopOptions) -> Result<(), Refusal> {
    let target = Target::open(options.pid)?;
    let images = target.images();
    let (process, library) = target.process(&images)?;
    let mut look = Look::new(&target, &images, process, library);
    look.refresh()?;
    let mut view = View::new();
    view.arrange(&look);
    if options.once {
        output::print(&screen::plain(&mut look, &view));
        return Ok(());
    }
    if !std::io::stdout().is_terminal() || !std::io::stdin().is_terminal() {
        return Err(Refusal::new(Status::Usage, "top needs a terminal; --once prints the table without one"));
    }
    let no_terminal = |error| Refusal::new(Status::Usage, format!("the terminal cannot be used ({error}); try --once"));
    // From here on a panic, too, gives the terminal back first.
    let mut terminal = ratatui::try_init().map_err(no_terminal)?;
    let result = watch(&mut terminal, options, &mut look, &mut view);
    ratatui::restore();
    result
}

fn watch(
    terminal: &mut DefaultTerminal,
    options: &TopOptions,
    look: &mut Look<'_>,
    view: &mut View,
) -> Result<(), Refusal> {
    let lost = |error| Refusal::new(Status::Usage, format!("the terminal is gone ({error})"));
    let mut looked_at = Instant::now();
    loop {
        terminal.draw(|frame| screen::draw(frame, look, view)).map_err(lost)?;
        let left = options.interval.saturating_sub(looked_at.elapsed());
        if event::poll(left).map_err(lost)?
            && let Event::Key(key) = event::read().map_err(lost)?
            && key.kind != KeyEventKind::Release
        {
            match view.press(key, look) {
                Action::Quit => return Ok(()),
                Action::Backtrace(thread) => view.show(look.backtrace(thread)?),
                Action::None => {}
            }
        }
        if looked_at.elapsed() >= options.interval {
            looked_at = Instant::now();
            look.refresh()?;
            view.arrange(look);
        }
    }
}
