//! `grivet run`: sets the environment and becomes PROGRAM.
//!
//! The environment is all that is changed: PROGRAM keeps this process's id, open files, signal dispositions and
//! mask, so whoever waits for it sees exactly what they would see without grivet.

use std::convert::Infallible;
use std::ffi::{CString, OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use nix::errno::Errno;
use nix::unistd::execve;

use crate::options::RunOptions;
use crate::rules::Rules;
use crate::status::{Refusal, Status};
use crate::{library, program};

/// Lets glibc keep the stacks of all calls that have ended for the next ones: 40 MiB, its default, are five stacks.
const SPAWN_TUNABLES: &str = "glibc.pthread.stack_cache_size=17179869184";

/// Makes glibc's per-thread block smaller (see `--compact`; `GLIBC_TUNABLES` in the glibc manual, "Tunables").
const COMPACT_TUNABLES: &str = "glibc.rtld.optional_static_tls=0:glibc.rtld.nns=1";

/// Replaces this process by PROGRAM; returns only if it could not.
pub fn run(options: &RunOptions) -> Result<Infallible, Refusal> {
    let name = &options.program[0];
    let program = program::inspect(name)?;
    let library = library::find()?;
    Rules::of_run(&program, &options.rules)?;
    let environment = environment(std::env::vars_os(), options, options.observe.variables()?, &library);

    let path = c_string(program.path.clone().into_os_string())?;
    let arguments = options.program.iter().cloned().map(c_string).collect::<Result<Vec<_>, _>>()?;
    let environment = environment.into_iter().map(c_string).collect::<Result<Vec<_>, _>>()?;
    execve(&path, &arguments, &environment).map_err(|error| {
        let status = match error {
            Errno::ENOENT => Status::NotFound,
            _ => Status::NotExecutable,
        };
        Refusal::of(
            status,
            &program.path,
            format_args!("the kernel did not execute it ({}); try it without grivet", error.desc()),
        )
    })
}

fn c_string(text: OsString) -> Result<CString, Refusal> {
    CString::new(text.into_vec()).map_err(|_| Refusal::new(Status::Usage, "an argument holds a NUL byte"))
}

/// The environment for PROGRAM, as `NAME=value`, in the order given, changed and new variables last.
fn environment(
    inherited: impl Iterator<Item = (OsString, OsString)>,
    options: &RunOptions,
    observe: Vec<(&'static str, OsString)>,
    library: &Path,
) -> Vec<OsString> {
    let mut variables: Vec<(OsString, OsString)> = inherited.collect();
    set(&mut variables, "LD_PRELOAD", |old| before(library.as_os_str(), old, b": "));
    if let Some(stack) = &options.stack {
        set(&mut variables, "GRIVET_STACK", |_| stack.into());
    }
    for (name, value) in observe {
        set(&mut variables, name, |_| value);
    }
    if options.no_preempt {
        set(&mut variables, "GRIVET_PREEMPT", |_| "off".into());
    }
    let rules = &options.rules;
    for (name, value) in [
        ("GRIVET_SPAWN", (!rules.spawn.is_empty()).then(|| rules.spawn.join(","))),
        ("GRIVET_JOIN", (!rules.join.is_empty()).then(|| rules.join.join(","))),
        ("GRIVET_LIMIT", rules.limit.map(|limit| limit.to_string())),
        ("GRIVET_SPAWN_STACK", rules.spawn_stack.clone()),
        ("GRIVET_PROGRESS", rules.progress.then(|| "1".to_owned())),
    ] {
        if let Some(value) = value {
            set(&mut variables, name, |_| value.into());
        }
    }
    if !rules.spawn.is_empty() {
        set(&mut variables, "GLIBC_TUNABLES", |old| before(OsStr::new(SPAWN_TUNABLES), old, b""));
    }
    if options.compact {
        // The user's own tunables come last, and so win.
        set(&mut variables, "GLIBC_TUNABLES", |old| before(OsStr::new(COMPACT_TUNABLES), old, b""));
    }
    variables
        .into_iter()
        .map(|(mut name, value)| {
            name.push("=");
            name.push(value);
            name
        })
        .collect()
}

/// Replaces the variable `name` by what `value` makes of its old value.
fn set(variables: &mut Vec<(OsString, OsString)>, name: &str, value: impl FnOnce(Option<&OsStr>) -> OsString) {
    // Of a name that occurs twice the first counts, as in getenv(3).
    let old = variables.iter().find(|(known, _)| known == name);
    let new = value(old.map(|(_, old)| old.as_os_str()));
    variables.retain(|(known, _)| known != name);
    variables.push((name.into(), new));
}

/// `first:old`, or `old` itself if `first` is one of its elements, which end at colons and at any of `separators`.
fn before(first: &OsStr, old: Option<&OsStr>, separators: &[u8]) -> OsString {
    let Some(old) = old.filter(|old| !old.is_empty()) else {
        return first.to_owned();
    };
    let mut elements = old.as_bytes().split(|byte| separators.contains(byte));
    if elements.any(|element| element == first.as_bytes()) {
        return old.to_owned();
    }
    let mut joined = first.to_owned();
    joined.push(":");
    joined.push(old);
    joined
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::{ObserveOptions, Statistics};
    use crate::options::RuleOptions;

    fn table() -> ObserveOptions {
        ObserveOptions { stats: Some(Statistics::Table), ..ObserveOptions::default() }
    }

    fn with(options: &RunOptions, inherited: &[(&str, &str)]) -> Vec<String> {
        let inherited = inherited.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
        let observe = options.observe.variables().expect("valid");
        environment(inherited, options, observe, Path::new("/lib/libgrivet.so"))
            .into_iter()
            .map(|entry| entry.into_string().expect("UTF-8"))
            .collect()
    }

    fn plain() -> RunOptions {
        RunOptions {
            stack: None,
            no_preempt: false,
            compact: false,
            rules: RuleOptions::default(),
            observe: ObserveOptions::default(),
            program: vec![],
        }
    }

    #[test]
    fn without_options_only_the_preload_is_set() {
        assert_eq!(with(&plain(), &[("A", "1"), ("EMPTY", "")]), ["A=1", "EMPTY=", "LD_PRELOAD=/lib/libgrivet.so"]);
    }

    #[test]
    fn the_library_goes_before_other_preloads_and_only_once() {
        assert_eq!(with(&plain(), &[("LD_PRELOAD", "/x.so /y.so")]), ["LD_PRELOAD=/lib/libgrivet.so:/x.so /y.so"]);
        assert_eq!(
            with(&plain(), &[("LD_PRELOAD", "/x.so:/lib/libgrivet.so")]),
            ["LD_PRELOAD=/x.so:/lib/libgrivet.so"]
        );
        assert_eq!(with(&plain(), &[("LD_PRELOAD", "")]), ["LD_PRELOAD=/lib/libgrivet.so"]);
    }

    #[test]
    fn options_replace_inherited_settings() {
        let options = RunOptions { no_preempt: true, ..plain() };
        assert_eq!(with(&options, &[("GRIVET_PREEMPT", "on")]), ["LD_PRELOAD=/lib/libgrivet.so", "GRIVET_PREEMPT=off"]);
        let options = RunOptions { stack: Some("256K".into()), observe: table(), ..plain() };
        assert_eq!(
            with(&options, &[("GRIVET_STACK", "8M"), ("GRIVET_STATS", "0")]),
            ["LD_PRELOAD=/lib/libgrivet.so", "GRIVET_STACK=256K", "GRIVET_STATS=table"]
        );
    }

    #[test]
    fn rules_are_joined_by_commas() {
        let rules = RuleOptions {
            spawn: vec!["f=-1".into(), "a::g(int, char)".into()],
            join: vec!["h".into()],
            limit: Some(100),
            spawn_stack: Some("64K".into()),
            progress: true,
        };
        assert_eq!(
            with(&RunOptions { rules, ..plain() }, &[("GRIVET_SPAWN", "old"), ("GRIVET_JOIN", "old")])[1..],
            [
                "GRIVET_SPAWN=f=-1,a::g(int, char)",
                "GRIVET_JOIN=h",
                "GRIVET_LIMIT=100",
                "GRIVET_SPAWN_STACK=64K",
                "GRIVET_PROGRESS=1",
                "GLIBC_TUNABLES=glibc.pthread.stack_cache_size=17179869184"
            ]
        );
    }

    #[test]
    fn the_users_own_tunables_win() {
        let options = RunOptions { compact: true, ..plain() };
        assert_eq!(
            with(&options, &[("GLIBC_TUNABLES", "glibc.rtld.nns=4")])[1],
            "GLIBC_TUNABLES=glibc.rtld.optional_static_tls=0:glibc.rtld.nns=1:glibc.rtld.nns=4"
        );
    }
}
