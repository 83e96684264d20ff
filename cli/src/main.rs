//! The `grivet` command: runs programs with libgrivet.so loaded, says beforehand what that will do, and shows what
//! their threads do meanwhile.
//!
//! | file | answers for |
//! |---|---|
//! | `options` | the command line |
//! | `status`, `output` | exit statuses, messages |
//! | `run` | `grivet run`: the environment, and becoming PROGRAM |
//! | `check`, `sites`, `spawn_report` | `grivet check`, `check --sites` and `check --spawn` |
//! | `rules`, `calls` | the functions that spawn rules name, and their callers |
//! | `program` | from a command name to the ELF file that runs, or the reason to refuse it |
//! | `lookup`, `script`, `elf`, `secure` | PATH, `#!` lines, ELF files, secure execution |
//! | `image`, `debug_file` | an ELF file's code, its separate debug file |
//! | `needed`, `host`, `library` | a program's libraries, this host's limits, libgrivet.so itself |
//! | `target`, `remote`, `stopped` | a running process: what there is in it, how it is read, how it is stopped |
//! | `dump`, `top` | `grivet dump` and `grivet top` |
//! | `man`, `library_page` | the man pages |
//! | `share` | man pages and completions as files, for an installation |
//!
//! The command has no Rust runtime start-up (`no_main`): that would ignore SIGPIPE and open /dev/null in place of closed standard
//! files, and PROGRAM, which inherits both, would not run as it does natively.

#![cfg_attr(not(test), no_main)]
#![cfg_attr(test, allow(dead_code, unused_imports, reason = "`main` is not part of the test build"))]

mod calls;
mod check;
mod debug_file;
mod dump;
mod elf;
mod host;
mod image;
mod library;
mod library_page;
mod lookup;
mod man;
mod needed;
mod observe;
mod options;
mod output;
mod program;
mod remote;
mod rules;
mod run;
mod script;
mod secure;
mod share;
mod sites;
mod spawn_report;
mod status;
mod stopped;
mod target;
mod top;

use clap::Parser;
use clap::error::ErrorKind;

use options::{Command, Options};
use status::{Refusal, Status};

// SAFETY: the C runtime's start code calls `main` once, with this signature; no other object defines it.
// The arguments are not read here: std has them from the loader (glibc passes them to `.init_array`).
#[cfg(not(test))]
#[unsafe(no_mangle)]
extern "C" fn main(_count: i32, _arguments: *const *const u8) -> i32 {
    let options = match Options::try_parse() {
        Ok(options) => options,
        Err(error) => return usage(&error),
    };
    match execute(options) {
        Ok(status) => status,
        Err(refusal) => {
            output::complain(&refusal.message);
            refusal.status as i32
        }
    }
}

fn execute(options: Options) -> Result<i32, Refusal> {
    match options.command {
        Command::Run(options) => match run::run(&options)? {},
        Command::Check(options) => return Ok(check::check(&options)),
        Command::Dump(options) => dump::dump(&options)?,
        Command::Top(options) => top::top(&options)?,
        Command::Man(options) => {
            let page = match options.subcommand.as_deref() {
                Some("libgrivet") => library_page::page().into_bytes(),
                subcommand => man::page(subcommand)?,
            };
            output::print(&String::from_utf8_lossy(&page));
        }
        Command::Completions(options) => {
            output::print(&String::from_utf8_lossy(&share::completions(options.shell)));
        }
        Command::Share(options) => share::write(&options.folder)?,
    }
    Ok(0)
}

/// Prints help where it was asked for, else clap's complaint as one line.
fn usage(error: &clap::Error) -> i32 {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        let _ = error.print();
        return 0;
    }
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        output::complain("no command given; see grivet --help");
        return Status::Usage as i32;
    }
    let text = error.to_string();
    // clap's first paragraph says what is wrong; usage and tips follow.
    let paragraph = text.split("\n\n").next().unwrap_or_default();
    let words: Vec<&str> = paragraph.trim_start_matches("error: ").split_whitespace().collect();
    output::complain(&format!("{}; see grivet --help", words.join(" ")));
    Status::Usage as i32
}
