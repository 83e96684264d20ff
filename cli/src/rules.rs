//! The functions that spawn rules mean, found before the program is started: in its file, in the libraries that it is
//! loaded with, and in their debug files.
//!
//! The judgement is that of `grivet-symbols` and `grivet-sites`, which the library asks again when it puts the rules in force in
//! the running program. Rules that would leave the program running natively are thus refused here.

use grivet_sites::{EntryReason, Verdict, entry};
use grivet_symbols::{Function, ObjectFile, RESERVED, Rule, find, is_reserved, parse_rules};
use memmap2::Mmap;

use crate::elf::Elf;
use crate::image::Segments;
use crate::needed::Closure;
use crate::options::RuleOptions;
use crate::program::Program;
use crate::status::{Refusal, Status};
use crate::{debug_file, sites};

/// A program's files, to look functions up in.
pub struct Rules {
    closure: Closure,
    /// What a rule's OBJECT is compared with, in the order of the closure.
    names: Vec<String>,
    debug_files: Vec<Option<Mmap>>,
}

impl Rules {
    /// Opens the files of `program`.
    pub fn of(program: &Program) -> Result<Self, Refusal> {
        let closure = Closure::of(&program.binary.path)?;
        let debug_files = closure.0.iter().map(debug_file::find).collect();
        let names = closure.0.iter().map(|elf| elf.path.to_string_lossy().into_owned());
        Ok(Self { names: names.collect(), closure, debug_files })
    }

    /// Refuses the rules that `options` ask for, with status `Rule`, if they cannot be put in force in `program`.
    pub fn of_run(program: &Program, options: &RuleOptions) -> Result<(), Refusal> {
        if options.spawn.is_empty() {
            return Ok(());
        }
        let files = Self::of(program)?;
        let mut taken: Vec<(usize, u64, String)> = Vec::new();
        for (option, lists) in [("--spawn", &options.spawn), ("--join", &options.join)] {
            for rule in rules(lists)? {
                let named = format!("{option} {}", written(&rule));
                let refused = |reason: String| refusal(program, &named, reason);
                for function in files.functions(&rule).map_err(refused)? {
                    if files.elf(&function).is_c_library() && is_reserved(&function.name) {
                        return Err(refused(RESERVED.to_owned()));
                    }
                    let same = |(object, address, _): &&(usize, u64, String)| {
                        (*object, *address) == (function.object, function.address)
                    };
                    if let Some((_, _, other)) = taken.iter().find(same) {
                        return Err(refused(format!("is the function of {other}; give one rule for it")));
                    }
                    files.check_entry(&function).map_err(refused)?;
                    taken.push((function.object, function.address, named.clone()));
                }
            }
        }
        Ok(())
    }

    pub fn elf(&self, function: &Function) -> &Elf {
        &self.closure.0[function.object]
    }

    /// Every object with what its symbols are looked up in, the program first.
    pub fn objects(&self) -> Vec<(&Elf, ObjectFile<'_>)> {
        let files = self.closure.0.iter().zip(&self.names).zip(&self.debug_files);
        let objects = files.enumerate().map(|(place, ((elf, name), debug))| {
            (elf, ObjectFile { name, bytes: elf.bytes(), debug: debug.as_deref(), is_program: place == 0 })
        });
        objects.collect()
    }

    /// The function that `rule` means and its clones, or in words why there is none.
    pub fn functions(&self, rule: &Rule) -> Result<Vec<Function>, String> {
        let objects: Vec<ObjectFile<'_>> = self.objects().into_iter().map(|(_, object)| object).collect();
        find(rule, &objects).map_err(|error| error.to_string())
    }

    /// Whether calls of `function` can be caught; in words why not.
    pub fn check_entry(&self, function: &Function) -> Result<(), String> {
        let elf = self.elf(function);
        if elf.go {
            return Err(format!("{} is Go code, which is left alone; spawn rules do not help here", elf.file_name()));
        }
        let segments = Segments::of(elf).map_err(|refusal| refusal.message)?;
        let range = function.address..function.address.saturating_add(function.size);
        let refused = |reason: EntryReason| {
            let name = &function.name;
            format!("the entry of {name} cannot be rewritten: {reason}; name a function that calls it, or one it calls")
        };
        let window = entry(&segments.image(), range).map_err(refused)?.window;
        // System calls are rewritten first, and with them neighbours that may be the function's first instructions.
        for site in sites::survey(elf).map_err(|refusal| refusal.message)? {
            if let Verdict::Rewrite(of_site) = site.verdict
                && of_site.start < window.end
                && window.start < of_site.end
            {
                return Err(refused(EntryReason::SystemCall(site.address)));
            }
        }
        Ok(())
    }
}

/// The rules in `lists`, which the command line has accepted already.
pub fn rules(lists: &[String]) -> Result<Vec<Rule>, Refusal> {
    parse_rules(&lists.join(",")).map_err(|error| Refusal::new(Status::Usage, error.to_string()))
}

/// The rule's `[OBJECT:]SYMBOL`.
pub fn written(rule: &Rule) -> String {
    rule.object.iter().chain([&rule.symbol]).map(String::as_str).collect::<Vec<_>>().join(":")
}

/// A refusal of the rule `named`, as the user gave it.
pub fn refusal(program: &Program, named: &str, reason: String) -> Refusal {
    Refusal::of(Status::Rule, &program.binary.path, format_args!("{named}: {reason}"))
}
