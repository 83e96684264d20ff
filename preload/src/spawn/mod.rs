//! Spawn rules: calls of a named function become tasks, so that a program that was never written for threads does many
//! things at once. The entries of the functions named by GRIVET_SPAWN and GRIVET_JOIN, and of the C library's `exit` and
//! `longjmp`, are rewritten when the library is loaded; what happens there is in `call.rs`.

pub mod call;
pub mod entry;
mod files;
mod progress;
mod rules;

use crate::config::SpawnConfig;
use crate::rewrite::{self, EntryPatch};
use crate::symbols;
use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use call::Policy;
use files::File;
use grivet_symbols::{ObjectFile, RESERVED, Value, find, is_reserved, parse_rules};
use rules::{Kind, Result, Rule};

/// A rule that cannot be put in force; displays as one line.
pub struct Refused(String);

impl core::fmt::Display for Refused {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// A function whose entry is to be rewritten.
struct Target {
    object: usize,
    function: core::ops::Range<u64>,
    rule: &'static mut Rule,
}

/// Finds the functions and rewrites their entries. To be called after the system calls were rewritten, before the program has run.
/// Nothing is changed if any rule is refused.
pub fn begin(config: &SpawnConfig<'_>) -> core::result::Result<(), Refused> {
    let files: Vec<File> = rewrite::all_loaded()
        .into_iter()
        .enumerate()
        .filter_map(|(place, loaded)| File::open(loaded, place == 0))
        .collect();
    let objects: Vec<ObjectFile<'_>> = files.iter().map(File::as_object).collect();
    let mut targets = Vec::new();
    for (variable, list, kind) in
        [("GRIVET_SPAWN", config.spawn, Kind::Spawn), ("GRIVET_JOIN", config.join, Kind::Join)]
    {
        let parsed = parse_rules(list.unwrap_or_default()).map_err(|error| Refused(format!("{variable}: {error}")))?;
        for wanted in parsed {
            let found = find(&wanted, &objects)
                .map_err(|error| Refused(format!("{variable}={}: {error}", written(&wanted))))?;
            let (value, result) = match wanted.value {
                Value::Integer(0) => (0, Result::Zero),
                Value::Integer(integer) => (integer, Result::Integer),
                Value::Double(double) => (double.to_bits(), Result::Double),
            };
            let of_libc = |function: &grivet_symbols::Function| {
                files[function.object].loaded.object().is_some_and(|object| object.is_c_library())
            };
            if let Some(function) = found.iter().find(|function| of_libc(function) && is_reserved(&function.name)) {
                return Err(Refused(format!("{variable}={}: {RESERVED}", function.name)));
            }
            targets.extend(found.into_iter().map(|function| target(&files, function, kind, value, result)));
        }
    }
    if config.spawn.is_none() {
        return Err(Refused("GRIVET_JOIN: has no effect without GRIVET_SPAWN".to_string()));
    }
    for (name, kind) in [("exit", Kind::Exit), ("longjmp", Kind::Jump), ("__longjmp_chk", Kind::Jump)] {
        let of_libc = parse_rules(name).ok().and_then(|mut rules| rules.pop()).map(|mut rule| {
            rule.object = Some(String::from("libc.so.6"));
            rule
        });
        let found = of_libc.and_then(|rule| find(&rule, &objects).ok()).unwrap_or_default();
        targets.extend(found.into_iter().map(|function| target(&files, function, kind, 0, Result::Zero)));
    }
    let mut seen: Vec<u64> = Vec::new();
    let mut patches = Vec::new();
    for target in targets {
        if seen.contains(&target.function.start) && matches!(target.rule.kind, Kind::Spawn | Kind::Join) {
            return Err(Refused(format!("{}: two rules name this function; give one", target.rule.name)));
        }
        if !seen.contains(&target.function.start) {
            seen.push(target.function.start);
            let loaded = files[target.object].loaded;
            patches.push(EntryPatch {
                loaded,
                function: target.function,
                rule: target.rule as *const Rule as u64,
                name: target.rule.name.clone(),
                body: &raw mut target.rule.body,
            });
        }
    }
    let attributes = symbols::detached(config.stack)
        .ok_or_else(|| Refused("the C library cannot make detached threads of that stack size".to_string()))?;
    call::set_policy(Policy { limit: config.limit.unwrap_or(0), attributes });
    rewrite::rewrite_entries(patches, entry::hook_address()).map_err(Refused)?;
    if config.progress {
        progress::begin();
    }
    Ok(())
}

/// The rule's `[OBJECT:]SYMBOL`.
fn written(rule: &grivet_symbols::Rule) -> String {
    rule.object.as_ref().map_or(rule.symbol.clone(), |object| format!("{object}:{}", rule.symbol))
}

fn target(files: &[File], function: grivet_symbols::Function, kind: Kind, value: u64, result: Result) -> Target {
    let start = files[function.object].loaded.bias as u64 + function.address;
    // Rules live as long as the process: stubs hold their addresses.
    let rule = Box::leak(Box::new(Rule { body: 0, value, result, kind, name: function.name }));
    Target { object: function.object, function: start..start + function.size, rule }
}
