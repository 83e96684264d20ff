//! `grivet man`: the man pages, made from the command line's own description.

use std::io;

use clap::{Command, CommandFactory};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use crate::options::Options;
use crate::status::{CHECK_MEANINGS, LOOK_MEANINGS, MEANINGS, Refusal, Status};

/// The environment variables that are not options of `run`, or that users set without `grivet run`.
pub const VARIABLES: [(&str, &str); 18] = [
    ("GRIVET", "on (the default) or off: whether threads become coroutines."),
    ("GRIVET_STACK", "Default stack size of new threads (--stack)."),
    (
        "GRIVET_STATS",
        "1 or 0: whether to print a line of statistics at exit. table: a table as well (--stats). json:FILE: a file instead.",
    ),
    ("GRIVET_TRACE", "File for a timeline; its name ends in .json, .html or .svg (--trace)."),
    ("GRIVET_TRACE_SIZE", "How much memory the timeline's events may take (--trace-size)."),
    ("GRIVET_MAX_BLOCKING", "How long a thread may keep others waiting before that is reported (--max-blocking)."),
    ("GRIVET_ON_DEADLOCK", "report (the default), abort, exit:CODE or off (--on-deadlock)."),
    ("GRIVET_DUMP_SIGNAL", "Signal that makes the program describe its threads, or off (default 63; --dump-signal)."),
    ("GRIVET_PREEMPT", "on (the default) or off: whether a thread that computes is interrupted (--no-preempt)."),
    (
        "GRIVET_POLLER",
        "epoll or io_uring: how files are waited for (default epoll; io_uring falls back to epoll where it is forbidden).",
    ),
    ("GRIVET_SPAWN", "Functions whose calls become tasks: [OBJECT:]SYMBOL[=VALUE], separated by commas (--spawn)."),
    ("GRIVET_JOIN", "Functions that wait for spawned calls: [OBJECT:]SYMBOL, separated by commas (--join)."),
    ("GRIVET_LIMIT", "How many spawned calls may run at once, 1 to 1000000 (--limit)."),
    ("GRIVET_SPAWN_STACK", "Stack size of spawned calls (--spawn-stack)."),
    ("GRIVET_PROGRESS", "1 or 0: whether to show a live line about spawned calls (--progress)."),
    ("GRIVET_LIB", "Path of libgrivet.so. If not set: beside the grivet command, or in ../lib of it."),
    ("GLIBC_TUNABLES", "Tunables of glibc; --compact puts its own before those already set."),
    ("LD_PRELOAD", "Libraries to load first; grivet run puts libgrivet.so before those already set."),
];

/// What the pages' last lines say where a date could be, and of which version they are.
pub const NO_DATE: &str = " ";
pub const SOURCE: &str = concat!("grivet ", env!("CARGO_PKG_VERSION"));

/// The man page of `grivet`, or of one of its subcommands, in roff.
pub fn page(subcommand: Option<&str>) -> Result<Vec<u8>, Refusal> {
    let mut root = Options::command();
    root.build();
    let command = match subcommand {
        None => root,
        Some(name) => root
            .get_subcommands()
            .find(|command| command.get_name() == name && !command.is_hide_set())
            .cloned()
            .ok_or_else(|| {
                Refusal::new(
                    Status::Usage,
                    format!("man {name}: no such page; allowed: run, check, dump, top, libgrivet, or nothing"),
                )
            })?,
    };
    let related = related(&command);
    let mut page = Vec::new();
    render(command, &mut page)
        .and_then(|()| related.to_writer(&mut page))
        .map_err(|error| Refusal::new(Status::Usage, format!("man: cannot be rendered ({error})")))?;
    Ok(page)
}

fn render(command: Command, page: &mut Vec<u8>) -> io::Result<()> {
    let title = command.get_display_name().unwrap_or("grivet").to_owned();
    let has_subcommands = command.get_subcommands().any(|command| !command.is_hide_set());
    let name = command.get_name().to_owned();
    let is_about = |subcommand: &str| has_subcommands || name == subcommand;
    // Without a date the other two would move into its place.
    let man = Man::new(command).title(title.to_uppercase()).date(NO_DATE).source(SOURCE).manual("grivet manual");
    man.render_title(page)?;
    man.render_name_section(page)?;
    man.render_synopsis_section(page)?;
    man.render_description_section(page)?;
    man.render_options_section(page)?;
    if has_subcommands {
        man.render_subcommands_section(page)?;
    }

    let mut roff = Roff::new();
    roff.control("SH", ["EXIT STATUS"]);
    if is_about("run") {
        roff.text([bold("grivet run"), roman(" becomes PROGRAM, whose exit status it is then. If it cannot:")]);
        entries(&mut roff, MEANINGS.map(|(status, meaning)| ((status as i32).to_string(), meaning)));
    }
    if is_about("check") {
        roff.control("PP", []);
        roff.text([bold("grivet check"), roman(":")]);
        entries(&mut roff, CHECK_MEANINGS.map(|(status, meaning)| (status.to_string(), meaning)));
    }
    if is_about("dump") || is_about("top") {
        roff.control("PP", []);
        roff.text([bold("grivet dump"), roman(" and "), bold("grivet top"), roman(":")]);
        entries(&mut roff, LOOK_MEANINGS.map(|(status, meaning)| (status.to_string(), meaning)));
    }
    roff.control("SH", ["ENVIRONMENT"]);
    entries(&mut roff, VARIABLES.map(|(name, meaning)| (name.to_owned(), meaning)));
    roff.to_writer(page)
}

/// The pages that lead on from that of `command`.
fn related(command: &Command) -> Roff {
    let subcommands = command.get_subcommands().filter(|command| !command.is_hide_set());
    let mut names: Vec<_> = subcommands.map(|command| (format!("grivet-{}", command.get_name()), "(1), ")).collect();
    if names.is_empty() {
        names.push(("grivet".to_owned(), "(1), "));
    }
    names.push(("libgrivet".to_owned(), "(7)"));
    let mut roff = Roff::new();
    roff.control("SH", ["SEE ALSO"]);
    roff.text(names.into_iter().flat_map(|(name, section)| [bold(name), roman(section)]).collect::<Vec<_>>());
    roff
}

pub fn entries<const COUNT: usize>(roff: &mut Roff, entries: [(String, &str); COUNT]) {
    for (name, meaning) in entries {
        roff.control("TP", []);
        roff.text([bold(name)]);
        roff.text([roman(meaning)]);
    }
}
