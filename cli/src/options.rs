//! The command line: what can be asked of `grivet`, and the checks on the values given.
//!
//! Each option of `run` only sets the environment variable that its help names; libgrivet.so
//! reads nothing else. The limits checked here are those that the library checks; whether PROGRAM has the functions
//! that rules name is for `rules`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::Styles;
use clap::{Args, Parser, Subcommand, ValueEnum, value_parser};
use grivet_symbols::{Value, parse_rules};

use crate::observe::ObserveOptions;

/// Runs existing programs with their threads as coroutines.
///
/// grivet loads libgrivet.so into a dynamically linked x86-64 program, unmodified, and turns
/// the threads that the program makes into coroutines in one kernel thread.
#[derive(Parser, Debug)]
#[command(
    name = "grivet",
    version,
    disable_help_subcommand = true,
    after_long_help = crate::status::help_text(),
    styles = Styles::plain()
)]
pub struct Options {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand, Debug)]
pub enum Command {
    /// Run a program with its threads as coroutines
    ///
    /// Looks PROGRAM up in PATH, inspects it, adds libgrivet.so to LD_PRELOAD and becomes PROGRAM:
    /// exit status and signals are the program's own, and no other process stays behind.
    #[command(after_long_help = crate::status::help_text())]
    Run(Box<RunOptions>),

    /// Say what grivet would do with a program, and why
    ///
    /// PROGRAM is not run. Its libraries are found by running its own loader with --list, as ldd does;
    /// so do not use this on a program whose loader you don't trust.
    #[command(after_long_help = crate::status::help_text())]
    Check(CheckOptions),

    /// Show what every green thread of a running program does, and where it is in its code
    ///
    /// For each: id, name, state, what it waits for (a lock with its address and holder, a descriptor with its kind, the time
    /// left) and for how long, and its backtrace. Threads that are alike are shown once. Works while the program is
    /// stuck or computes. It is stopped for the time that reading takes, some milliseconds for a thousand threads, and goes on unchanged.
    #[command(after_long_help = crate::status::help_text())]
    Dump(DumpOptions),

    /// Show the green threads of a running program, live
    ///
    /// Keys: c sorts by CPU time, w by time waited, i by id; / filters by name, id or cause; Enter shows the backtrace of the selected
    /// thread; q quits. The program is not stopped.
    #[command(after_long_help = crate::status::help_text())]
    Top(TopOptions),

    /// Print a man page
    #[command(hide = true)]
    Man(ManOptions),

    /// Print a completion script
    #[command(hide = true)]
    Completions(CompletionsOptions),

    /// Write man pages and completion scripts below a folder, for an installation
    #[command(hide = true)]
    Share(ShareOptions),
}

#[derive(Args, Debug)]
pub struct RunOptions {
    /// Default stack size of new threads: 64K to 1G (GRIVET_STACK)
    ///
    /// In bytes, or with a suffix K, M or G, as in 262144, 256K or 8M; rounded up to whole pages.
    /// Threads made with a stack size of their own keep it. Sets GRIVET_STACK.
    #[arg(long, value_name = "SIZE", value_parser = stack_size)]
    pub stack: Option<String>,

    /// Never interrupt a thread that computes (GRIVET_PREEMPT)
    ///
    /// Threads then switch only where they block. A thread that waits in a loop for another one, without a call that
    /// blocks, waits for ever. Sets GRIVET_PREEMPT=off.
    #[arg(long)]
    pub no_preempt: bool,

    /// Let a sleeping thread touch one page less (GLIBC_TUNABLES)
    ///
    /// Sets GLIBC_TUNABLES=glibc.rtld.optional_static_tls=0:glibc.rtld.nns=1, which makes glibc's block
    /// for each thread smaller. The price: few libraries with initial-exec thread-local storage can be
    /// loaded at run time, and dlmopen fails.
    #[arg(long)]
    pub compact: bool,

    /// The program to run and its arguments
    #[arg(required = true, trailing_var_arg = true, value_names = ["PROGRAM", "ARG"])]
    pub program: Vec<OsString>,

    #[command(flatten)]
    pub rules: RuleOptions,

    #[command(flatten)]
    pub observe: ObserveOptions,
}

/// Which functions' calls become tasks, and how.
#[derive(Args, Debug, Default)]
#[command(next_help_heading = "Spawn rules")]
pub struct RuleOptions {
    /// Let each call of a function run on its own while its caller goes on (GRIVET_SPAWN); may be repeated
    ///
    /// SYMBOL: a function of the program or of a library it is loaded with (libfoo.so:fetch); a demangled C++ or Rust name or the
    /// end of one (app::fetch); an address (0x1234). The caller gets VALUE when the call first waits: an integer, as -1 or 0x10, or a double, as
    /// 1.5; 0 if none is given. In a script these are functions of its interpreter. Rules are looked
    /// up before the program is started; its libraries are found as `grivet check` does. Sets GRIVET_SPAWN, with commas between rules.
    #[arg(long, value_name = "SYMBOL[=VALUE]", value_parser = spawn_rules)]
    pub spawn: Vec<String>,

    /// Where the program calls this function, wait for the spawned calls first (GRIVET_JOIN); may be repeated
    ///
    /// Only the task that made the calls waits. At its end the program waits for all of them anyway.
    /// Sets GRIVET_JOIN, with commas between rules.
    #[arg(long, value_name = "SYMBOL", value_parser = join_rules, requires = "spawn")]
    pub join: Vec<String>,

    /// Let at most N spawned calls run at once: 1 to 1000000 (GRIVET_LIMIT)
    ///
    /// At N running calls the caller of the next one waits for one to end. Sets GRIVET_LIMIT.
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..=1_000_000), requires = "spawn")]
    pub limit: Option<u32>,

    /// Stack size of spawned calls: 64K to 1G (GRIVET_SPAWN_STACK)
    ///
    /// Written as for --stack. Sets GRIVET_SPAWN_STACK.
    #[arg(long, value_name = "SIZE", value_parser = stack_size, requires = "spawn")]
    pub spawn_stack: Option<String>,

    /// Show how many spawned calls run and are done, if stderr is a terminal (GRIVET_PROGRESS)
    ///
    /// Sets GRIVET_PROGRESS=1.
    #[arg(long, requires = "spawn")]
    pub progress: bool,
}

#[derive(Args, Debug)]
pub struct CheckOptions {
    /// List system call sites that cannot be rewritten though they should, or all of them
    ///
    /// Lists those of PROGRAM and of its libraries. The exit status is 0 if they could be listed.
    #[arg(
        long,
        value_name = "WHICH",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "refused"
    )]
    pub sites: Option<Listing>,

    /// Say where a function is and whether its calls can be spawned, and warn of what its callers do; may be repeated
    ///
    /// Written as for run. A warning tells of a call in PROGRAM or its libraries whose caller goes on to use the result, or
    /// passes the address of something on its stack. Calls through pointers are not seen.
    #[arg(long, value_name = "SYMBOL[=VALUE]", value_parser = spawn_rules, conflicts_with = "sites")]
    pub spawn: Vec<String>,

    /// The program, looked up in PATH, or a shared library
    #[arg(value_name = "PROGRAM")]
    pub program: PathBuf,
}

/// Which system call sites `check --sites` lists.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listing {
    /// Sites that should be rewritten and cannot be
    Refused,
    /// Every site
    All,
}

#[derive(Args, Debug)]
pub struct DumpOptions {
    /// Write JSON
    #[arg(long)]
    pub json: bool,

    /// Show each thread by itself, also those that are alike
    #[arg(long)]
    pub all: bool,

    /// Show this thread only
    #[arg(long, value_name = "ID", conflicts_with = "all")]
    pub thread: Option<u32>,

    /// The process
    #[arg(value_name = "PID", value_parser = value_parser!(i32).range(1..))]
    pub pid: i32,
}

#[derive(Args, Debug)]
pub struct TopOptions {
    /// Seconds between two looks, 0.1 to 3600
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = interval)]
    pub interval: Duration,

    /// Print the table once, as text, sorted by CPU time
    #[arg(long)]
    pub once: bool,

    /// The process
    #[arg(value_name = "PID", value_parser = value_parser!(i32).range(1..))]
    pub pid: i32,
}

#[derive(Args, Debug)]
pub struct ManOptions {
    /// The subcommand whose page to print, or libgrivet (default: grivet itself)
    pub subcommand: Option<String>,
}

#[derive(Args, Debug)]
pub struct CompletionsOptions {
    /// The shell to print completions for
    pub shell: clap_complete::Shell,
}

#[derive(Args, Debug)]
pub struct ShareOptions {
    /// As PREFIX/share; made if it is missing
    pub folder: PathBuf,
}

/// Smallest and largest GRIVET_STACK, in bytes.
const STACK_LIMITS: std::ops::RangeInclusive<u64> = (64 << 10)..=(1 << 30);

const STACK_ALLOWED: &str = "allowed: 64K to 1G, as 262144, 256K or 8M";

/// Accepts a stack size as the library does; returned as written, since the library parses it again.
fn stack_size(text: &str) -> Result<String, String> {
    let number_end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, suffix) = text.split_at(number_end);
    let shift = match suffix {
        "" => Some(0),
        "K" | "k" => Some(10),
        "M" | "m" => Some(20),
        "G" | "g" => Some(30),
        _ => None,
    };
    let bytes = digits.parse::<u64>().ok().zip(shift).and_then(|(number, shift)| number.checked_mul(1 << shift));
    match bytes {
        Some(bytes) if STACK_LIMITS.contains(&bytes) => Ok(text.to_owned()),
        Some(_) => Err(format!("out of range; {STACK_ALLOWED}")),
        None => Err(format!("not a size; {STACK_ALLOWED}")),
    }
}

fn interval(text: &str) -> Result<Duration, String> {
    match text.parse::<f64>() {
        Ok(seconds) if (0.1..=3600.0).contains(&seconds) => Ok(Duration::from_secs_f64(seconds)),
        _ => Err("not a number of seconds; allowed: 0.1 to 3600".to_owned()),
    }
}

/// Accepts rules, one or several with commas between them; returned as written, since the library parses them again.
fn spawn_rules(text: &str) -> Result<String, String> {
    match parse_rules(text) {
        Ok(rules) if rules.is_empty() => Err("names no function".to_owned()),
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// Accepts rules as `spawn_rules` does, without values: a function that waits returns what it always did.
fn join_rules(text: &str) -> Result<String, String> {
    let rules = spawn_rules(text)?;
    let has_value = parse_rules(text).is_ok_and(|rules| rules.iter().any(|rule| rule.value != Value::Integer(0)));
    if has_value { Err("takes no VALUE; allowed: [OBJECT:]SYMBOL".to_owned()) } else { Ok(rules) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Options::command().debug_assert();
    }

    #[test]
    fn stack_sizes_within_the_limits_are_accepted() {
        for text in ["64K", "65536", "256k", "8M", "1G", "1073741824"] {
            assert_eq!(stack_size(text).as_deref(), Ok(text));
        }
    }

    #[test]
    fn other_stack_sizes_are_refused() {
        for text in [
            "",
            "K",
            "63K",
            "65535",
            "2G",
            "1073741825",
            "12Q",
            "-1",
            "+64K",
            "1.5M",
            "64KB",
            " 64K",
            "99999999999999999999",
            "18446744073709551615G",
        ] {
            assert!(stack_size(text).is_err(), "{text:?} was accepted");
        }
    }

    #[test]
    fn what_follows_the_program_belongs_to_the_program() {
        let options = Options::try_parse_from(["grivet", "run", "--stats", "prog", "--stats", "--", "-x"])
            .expect("valid command line");
        let Command::Run(run) = options.command else {
            panic!("not run");
        };
        assert_eq!(run.program, ["prog", "--stats", "--", "-x"]);
    }

    #[test]
    fn rules_are_accepted_as_the_library_reads_them() {
        for text in ["f", "f=-1", "libfoo.so:f=0x10,g=1.5", "a::f(int, char)"] {
            assert_eq!(spawn_rules(text).as_deref(), Ok(text));
        }
        for text in ["", " ", "f=", "f=x", "f,", ":f"] {
            assert!(spawn_rules(text).is_err(), "{text:?} was accepted");
        }
        assert_eq!(join_rules("f,libfoo.so:g").as_deref(), Ok("f,libfoo.so:g"));
        assert!(join_rules("f=1").is_err());
    }

    #[test]
    fn each_rule_takes_one_argument() {
        let options = Options::try_parse_from(["grivet", "run", "--spawn", "f=-1", "--spawn", "g", "prog", "h"])
            .expect("valid command line");
        let Command::Run(run) = options.command else {
            panic!("not run");
        };
        assert_eq!((run.rules.spawn, run.program), (vec!["f=-1".into(), "g".into()], vec!["prog".into(), "h".into()]));
    }

    #[test]
    fn an_unknown_option_is_not_taken_for_the_program() {
        assert!(Options::try_parse_from(["grivet", "run", "--stast", "prog"]).is_err());
    }
}
