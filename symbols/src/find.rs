//! From a rule to functions. The program is searched before its libraries, and of several symbols that fit only those that
//! fit best count; they must then be one function, with the copies that the compiler made of it.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::str::from_utf8;

use crate::clones::Name;
use crate::elf::{Elf, Entries, Entry, Kind};
use crate::error::LISTED;
use crate::names::shown;
use crate::pattern::{Fit, Pattern};
use crate::{FindError, Function, ObjectFile, Rule, address, inlined, nearest};

/// An object and its index among those of the program.
pub(crate) type Numbered<'o, 'a> = (usize, &'o ObjectFile<'a>);

/// The function that `rule` means among `objects`, first itself and then its copies (`fetch.constprop.0`), which are only
/// worth having together. Several functions of one name are an error, as are those with no address of their own.
///
/// Without an object in the rule the program comes first; a library is searched if the program has no such function. Of
/// libraries that export the same name the one earlier in `objects` counts, as for the dynamic linker. An address without an
/// object is the program's.
///
/// Demangling recurses as deep as a name is nested, within limits: 64 KiB of stack serve real programs, 128 KiB the worst name.
pub fn find(rule: &Rule, objects: &[ObjectFile<'_>]) -> Result<Vec<Function>, FindError> {
    let groups = groups(rule, objects)?;
    if let Some(address) = address::parse(&rule.symbol) {
        let object = groups[0].first().ok_or_else(|| not_found(rule, &groups))?;
        return address::find(&rule.symbol, address, *object).map(|function| Vec::from([function]));
    }
    let pattern = Pattern::new(&rule.symbol);
    let mut other = None;
    for group in &groups {
        let mut found = Found::default();
        for object in group {
            found.search(&pattern, *object);
        }
        found.settle(rule.object.is_none());
        if !found.functions.is_empty() {
            return one_function(rule, found.functions, objects);
        }
        other = other.or(found.other);
    }
    match other {
        Some(Kind::Indirect) => Err(FindError::NotAFunction {
            symbol: rule.symbol.clone(),
            reason: "is chosen from several functions when the program is loaded (IFUNC); name one of those".to_owned(),
        }),
        Some(_) => Err(FindError::NotAFunction { symbol: rule.symbol.clone(), reason: "is a variable".to_owned() }),
        None if groups.iter().flatten().any(|(_, object)| inlined::knows(object, &pattern)) => {
            Err(FindError::Inlined { symbol: rule.symbol.clone() })
        }
        None => Err(not_found(rule, &groups)),
    }
}

/// The objects to search, those of one group together: the one that the rule names, or the program and then the libraries.
fn groups<'o, 'a>(rule: &Rule, objects: &'o [ObjectFile<'a>]) -> Result<Vec<Vec<Numbered<'o, 'a>>>, FindError> {
    let numbered = || objects.iter().enumerate();
    let Some(wanted) = &rule.object else {
        let (program, libraries) = numbered().partition(|(_, object)| object.is_program);
        if let Some((_, object)) =
            numbered().find(|(_, object)| object.is_program && Elf::parse(object.bytes).is_none())
        {
            return Err(FindError::Unreadable { object: object.name.to_string() });
        }
        return Ok(Vec::from([program, libraries]));
    };
    let whole = |name: &str| name == wanted;
    let file = |name: &str| file_name(name) == wanted;
    let unversioned =
        |name: &str| file_name(name).strip_prefix(wanted.as_str()).is_some_and(|rest| rest.starts_with('.'));
    let ways: [&dyn Fn(&str) -> bool; 3] = [&whole, &file, &unversioned];
    let Some((index, object)) = ways.iter().find_map(|fits| numbered().find(|(_, object)| fits(object.name))) else {
        let loaded = objects.iter().map(|object| file_name(object.name).to_string()).collect();
        return Err(FindError::NoSuchObject { object: wanted.clone(), loaded });
    };
    if Elf::parse(object.bytes).is_none() {
        return Err(FindError::Unreadable { object: object.name.to_string() });
    }
    Ok(Vec::from([Vec::from([(index, object)])]))
}

/// The symbols of a group that fit best so far.
#[derive(Default)]
struct Found<'a> {
    functions: Vec<Candidate<'a>>,
    /// What else bears the name.
    other: Option<Kind>,
}

struct Candidate<'a> {
    object: usize,
    entry: Entry<'a>,
    name: Name<'a>,
    fit: Fit,
    /// Equal for a function and its clones, unequal for two functions.
    identity: String,
    /// The rule gives the suffix of this clone.
    is_named_clone: bool,
}

impl<'a> Found<'a> {
    fn search(&mut self, pattern: &Pattern<'_>, (index, object): Numbered<'_, 'a>) {
        let mut elf = None;
        for entry in Entries::of(object).filter(|entry| pattern.may_fit(entry.name)) {
            let Ok(name) = from_utf8(entry.name).map(Name::split) else { continue };
            if name.is_cold_half() {
                continue;
            }
            let Some((fit, unique)) = pattern.fit(&name) else { continue };
            let is_function = match entry.kind {
                Kind::Function => true,
                Kind::Untyped => {
                    let elf: &Option<Elf<'_>> = elf.get_or_insert_with(|| Elf::parse(object.bytes));
                    fit == Fit::Raw && elf.as_ref().is_some_and(|elf| elf.is_code(entry.address))
                }
                Kind::Indirect | Kind::Data => false,
            };
            let best = self.functions.first().map(|candidate| candidate.fit);
            if is_function && best.is_none_or(|best| fit <= best) {
                if best.is_some_and(|best| fit < best) {
                    self.functions.clear();
                }
                let identity = [&unique, " ", name.scope()].concat();
                let is_named_clone = pattern.names_clone(&name);
                self.functions.push(Candidate { object: index, entry, name, fit, identity, is_named_clone });
            } else if !is_function && fit < Fit::Suffix && entry.kind != Kind::Untyped {
                self.other = Some(entry.kind);
            }
        }
    }

    /// Leaves out what another candidate stands for: outdated versions, the same name in a library further back
    /// (`is_linked`: the search was the dynamic linker's), clones beside the one that the rule names, aliases.
    fn settle(&mut self, is_linked: bool) {
        let all = &mut self.functions;
        if all.iter().any(|candidate| candidate.is_named_clone) {
            all.retain(|candidate| candidate.is_named_clone);
        }
        let exported = all.iter().find(|candidate| candidate.fit == Fit::Raw && candidate.entry.is_exported);
        if let Some(object) = exported.filter(|_| is_linked).map(|candidate| candidate.object) {
            all.retain(|candidate| candidate.object == object);
        }
        // Programs linked today get the chosen function even where one linked long ago got a plain one, as with memcpy.
        if self.other == Some(Kind::Indirect) || all.iter().any(|candidate| !candidate.entry.is_outdated) {
            all.retain(|candidate| !candidate.entry.is_outdated);
        }
        all.sort_by_key(|candidate| {
            (
                candidate.object,
                candidate.entry.address,
                candidate.name.suffix.len(),
                core::cmp::Reverse(candidate.entry.size),
            )
        });
        all.dedup_by_key(|candidate| (candidate.object, candidate.entry.address));
        all.sort_by_key(|candidate| candidate.name.is_clone());
    }
}

/// The functions, if `all` are one and its clones.
fn one_function(rule: &Rule, all: Vec<Candidate<'_>>, objects: &[ObjectFile<'_>]) -> Result<Vec<Function>, FindError> {
    let same = |a: &Candidate<'_>, b: &Candidate<'_>| {
        // A source file tells two static functions apart, unless link-time optimisation made it up.
        let sources = [a.entry.source, b.entry.source].map(|source| source.filter(|source| is_real(source)));
        let is_same_source = !matches!(sources, [Some(a), Some(b)] if a != b);
        a.object == b.object && a.identity == b.identity && is_same_source && a.name.suffix != b.name.suffix
    };
    let is_one = all.iter().enumerate().all(|(index, a)| all[..index].iter().all(|b| same(a, b)))
        && all.iter().filter(|candidate| !candidate.name.is_clone()).count() <= 1;
    if is_one {
        return Ok(all.iter().map(Candidate::function).collect());
    }
    let several_objects = all.iter().any(|candidate| candidate.object != all[0].object);
    let matches = all.iter().take(LISTED).map(|candidate| {
        let source = candidate.entry.source.filter(|source| is_real(source)).map(String::from_utf8_lossy);
        let source = source.map_or(String::new(), |source| format!(" of {source}"));
        let object = file_name(objects[candidate.object].name);
        let object = if several_objects || !objects[candidate.object].is_program {
            [object, ":"].concat()
        } else {
            String::new()
        };
        format!("{}{source} ({object}{:#x})", candidate.function().name, candidate.entry.address)
    });
    Err(FindError::Ambiguous { symbol: rule.symbol.clone(), matches: matches.collect(), total: all.len() })
}

impl Candidate<'_> {
    fn function(&self) -> Function {
        let name = shown(self.name.base) + self.name.suffix;
        Function { object: self.object, address: self.entry.address, size: self.entry.size, name }
    }
}

/// Whether `source` is a file that somebody wrote.
fn is_real(source: &[u8]) -> bool {
    !source.is_empty() && source != b"<artificial>" && memchr::memmem::find(source, b".ltrans").is_none()
}

fn not_found(rule: &Rule, groups: &[Vec<Numbered<'_, '_>>]) -> FindError {
    let is_stripped = groups.iter().flatten().any(|(_, object)| {
        let has_symtab = |bytes| Elf::parse(bytes).is_some_and(|elf| elf.has_symtab());
        object.is_program && !has_symtab(object.bytes) && !object.debug.is_some_and(has_symtab)
    });
    let nearest = groups.iter().map(|group| nearest::nearest(&rule.symbol, group)).find(|names| !names.is_empty());
    FindError::NotFound { symbol: rule.symbol.clone(), nearest: nearest.unwrap_or_default(), is_stripped }
}

/// The part of a path behind its last slash.
pub(crate) fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}
