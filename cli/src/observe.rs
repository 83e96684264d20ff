//! The options of `grivet run` about seeing what the threads do: how their values are checked, and what the library is
//! told. Files are named by absolute paths, for the program may change its directory; one of an earlier run makes room.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf, absolute};
use std::str::FromStr;

use clap::Args;
use grivet_timeline::Format;

use crate::status::{Refusal, Status};

/// What to see.
#[derive(Args, Debug, Default)]
#[command(next_help_heading = "Seeing what the threads do")]
pub struct ObserveOptions {
    /// Record a timeline of all threads and write it when the program ends (GRIVET_TRACE)
    ///
    /// The ending of FILE says what it is: .json (Chrome trace events, for Perfetto or chrome://tracing), .html (a page with
    /// zoom and search), .svg (a picture). A child that the program forks writes a file of its own, with its process id
    /// in the name. Nothing is written if the program makes no thread. Sets GRIVET_TRACE.
    #[arg(long, value_name = "FILE")]
    pub trace: Option<PathBuf>,

    /// How much memory the events of a timeline may take: 64K to 16G (GRIVET_TRACE_SIZE)
    ///
    /// When it is full, the oldest events make room. An event takes 24 bytes; the default is 64M.
    #[arg(long, value_name = "SIZE", requires = "trace")]
    pub trace_size: Option<String>,

    /// Print statistics at exit, or write them to a file as JSON (GRIVET_STATS)
    ///
    /// A line with counts (threads, switches, waits, system calls) and a table: waits by cause, time spent, the threads that ran and waited
    /// longest. Sets GRIVET_STATS=table, or GRIVET_STATS=json:FILE.
    #[arg(long, value_name = "json:FILE", num_args = 0..=1, require_equals = true, default_missing_value = "table")]
    pub stats: Option<Statistics>,

    /// Report where the program keeps its other threads waiting for longer than TIME (GRIVET_MAX_BLOCKING)
    ///
    /// As 100ms or 2s. Reports come at most once a second, with a total at the end. Sets GRIVET_MAX_BLOCKING.
    #[arg(long, value_name = "TIME")]
    pub max_blocking: Option<String>,

    /// What to do when threads wait for each other's locks: report, abort, exit:CODE or off (GRIVET_ON_DEADLOCK)
    ///
    /// By default a report is printed and the threads go on waiting. Sets GRIVET_ON_DEADLOCK.
    #[arg(long, value_name = "ACTION")]
    pub on_deadlock: Option<String>,

    /// The signal that makes the program describe its threads on stderr: 1 to 64, or off (GRIVET_DUMP_SIGNAL)
    ///
    /// 63 (SIGRTMAX-1) by default. A program that handles the signal itself keeps it.
    #[arg(long, value_name = "NUMBER")]
    pub dump_signal: Option<String>,
}

/// How statistics are shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Statistics {
    Table,
    Json(PathBuf),
}

impl FromStr for Statistics {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.strip_prefix("json:") {
            Some("") => Err("names no file".to_owned()),
            Some(file) => Ok(Statistics::Json(file.into())),
            None if text == "table" => Ok(Statistics::Table),
            None => Err("allowed: json:FILE".to_owned()),
        }
    }
}

impl ObserveOptions {
    /// The variables to set.
    pub fn variables(&self) -> Result<Vec<(&'static str, OsString)>, Refusal> {
        let mut variables = Vec::new();
        if let Some(file) = &self.trace {
            if Format::of_path(file.as_os_str().as_bytes()).is_none() {
                return Err(usage(format!("--trace {}: must end in .json, .html or .svg", file.display())));
            }
            variables.push(("GRIVET_TRACE", make_room("--trace", file)?.into_os_string()));
        }
        match &self.stats {
            Some(Statistics::Table) => variables.push(("GRIVET_STATS", "table".into())),
            Some(Statistics::Json(file)) => {
                let mut value = OsString::from("json:");
                value.push(make_room("--stats", file)?);
                variables.push(("GRIVET_STATS", value));
            }
            None => {}
        }
        for (name, value) in [
            ("GRIVET_TRACE_SIZE", &self.trace_size),
            ("GRIVET_MAX_BLOCKING", &self.max_blocking),
            ("GRIVET_ON_DEADLOCK", &self.on_deadlock),
            ("GRIVET_DUMP_SIGNAL", &self.dump_signal),
        ] {
            if let Some(value) = value {
                variables.push((name, value.into()));
            }
        }
        Ok(variables)
    }
}

fn usage(message: String) -> Refusal {
    Refusal::new(Status::Usage, message)
}

/// The absolute name of `file`, which the program is going to make: that of an earlier run is removed.
fn make_room(option: &str, file: &Path) -> Result<PathBuf, Refusal> {
    let absolute = absolute(file).map_err(|error| usage(format!("{option} {}: {error}", file.display())))?;
    match fs::symlink_metadata(&absolute) {
        Ok(found) if !found.is_file() => {
            Err(usage(format!("{option} {}: is there already and is not a file; give another name", file.display())))
        }
        Ok(_) => match fs::remove_file(&absolute) {
            Ok(()) => Ok(absolute),
            Err(error) => Err(usage(format!("{option} {}: cannot be replaced ({error})", file.display()))),
        },
        Err(_) => {
            let folder = absolute.parent().filter(|folder| folder.as_os_str() != OsStr::new(""));
            match folder.map(fs::metadata) {
                Some(Err(error)) => Err(usage(format!("{option} {}: cannot be made ({error})", file.display()))),
                _ => Ok(absolute),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_get_absolute_names_and_earlier_ones_make_room() {
        let folder = tempfile::tempdir().expect("folder");
        let file = folder.path().join("old.json");
        fs::write(&file, "old").expect("written");
        let options = ObserveOptions { trace: Some(file.clone()), ..ObserveOptions::default() };
        assert_eq!(options.variables().expect("accepted"), [("GRIVET_TRACE", file.clone().into_os_string())]);
        assert!(!file.exists());
    }

    #[test]
    fn what_is_no_file_and_unknown_endings_are_refused() {
        let folder = tempfile::tempdir().expect("folder");
        for name in [folder.path().join("x.txt"), folder.path().join("none/x.svg"), folder.path().to_path_buf()] {
            let options = ObserveOptions { trace: Some(name.clone()), ..ObserveOptions::default() };
            assert!(options.variables().is_err(), "{}", name.display());
        }
        let options =
            ObserveOptions { stats: Some(Statistics::Json(folder.path().into())), ..ObserveOptions::default() };
        assert!(options.variables().is_err());
    }

    #[test]
    fn statistics_are_a_table_or_a_file() {
        assert_eq!("table".parse(), Ok(Statistics::Table));
        assert_eq!("json:a b".parse(), Ok(Statistics::Json("a b".into())));
        assert!("json:".parse::<Statistics>().is_err() && "xml:a".parse::<Statistics>().is_err());
    }
}
