//! Where a program and its libraries call a function, and what may go wrong there if the call returns before it is done: the warnings of
//! `check --spawn`.
//!
//! What a call site does is judged by `grivet-sites`. Here it is found out by which addresses each object calls the function: its own,
//! or a word that the loader fills in (a relocation that names the function) and the stub in the procedure linkage
//! table that jumps through this word.

use grivet_sites::{CallKind, CallSite, callers};
use grivet_symbols::{Function, ObjectFile, all_functions};
use object::{Object as _, ObjectSection, ObjectSymbol, ObjectSymbolTable, RelocationTarget};

use crate::elf::Elf;
use crate::image::Segments;
use crate::rules::Rules;
use crate::status::Refusal;

/// `endbr64`, with which stubs begin that indirect calls may reach.
const ENDBR64: [u8; 4] = [0xf3, 0x0f, 0x1e, 0xfa];

/// Something at a call site that a spawned call may spoil.
pub struct Warning {
    /// Index of the object among those of `Rules::objects`.
    pub object: usize,
    /// Of the call instruction, as linked.
    pub address: u64,
    pub danger: Danger,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Danger {
    /// The caller goes on to use the result.
    ResultUsed,
    /// The argument of this number, from 0, is an address in the caller's frame.
    StackArgument(u8),
}

/// The calls of a function that were seen.
#[derive(Default)]
pub struct Calls {
    /// How many there are; calls through pointers are not seen.
    pub count: usize,
    /// In the order of objects and addresses.
    pub warnings: Vec<Warning>,
}

/// The calls of `function`.
pub fn of(rules: &Rules, function: &Function) -> Result<Calls, Refusal> {
    let names = exported_names(rules.elf(function), function.address)?;
    let mut calls = Calls::default();
    for (object, (elf, _)) in rules.objects().into_iter().enumerate() {
        if elf.go {
            continue;
        }
        let own = (object == function.object).then_some(function.address);
        for site in call_sites(elf, own, &names)? {
            calls.count += 1;
            let mut warn = |danger| calls.warnings.push(Warning { object, address: site.address, danger });
            if site.result_used {
                warn(Danger::ResultUsed);
            }
            if let Some(argument) = site.stack_argument {
                warn(Danger::StackArgument(argument));
            }
        }
    }
    Ok(calls)
}

/// `name+0xoffset` of the function of `object` that holds each of `addresses`, where its name is known.
pub fn places(object: &ObjectFile<'_>, addresses: &[u64]) -> Vec<Option<String>> {
    let mut places = vec![None; addresses.len()];
    for function in all_functions(object) {
        for (place, &address) in places.iter_mut().zip(addresses) {
            let offset = address.wrapping_sub(function.address);
            if place.is_none() && offset < function.size {
                *place = Some(format!("{}+{offset:#x}", function.name));
            }
        }
    }
    places
}

/// The names by which other objects can call the function at `address` of `elf`.
fn exported_names(elf: &Elf, address: u64) -> Result<Vec<Vec<u8>>, Refusal> {
    let file = elf.parsed()?;
    let symbols = file.dynamic_symbols().filter(|symbol| symbol.is_definition() && symbol.address() == address);
    Ok(symbols.filter_map(|symbol| symbol.name_bytes().ok().map(<[u8]>::to_vec)).collect())
}

/// The calls in `elf` of the function that is at `own`, if it is one of this object, and bears one of `names`.
fn call_sites(elf: &Elf, own: Option<u64>, names: &[Vec<u8>]) -> Result<Vec<CallSite>, Refusal> {
    let words = words(elf, names)?;
    if own.is_none() && words.is_empty() {
        return Ok(Vec::new());
    }
    let segments = Segments::of(elf)?;
    let image = segments.image();
    let linkage_tables = linkage_tables(elf)?;
    let (mut sites, mut callees) = (Vec::new(), Vec::from_iter(own));
    for word in words {
        callers(&image, word, &mut |site| {
            let table = linkage_tables.iter().find(|(start, code)| {
                site.kind == CallKind::TailJump && site.address.wrapping_sub(*start) < code.len() as u64
            });
            match table {
                Some((start, code)) => {
                    let before = &code[..(site.address - start) as usize];
                    let length = if before.ends_with(&ENDBR64) { ENDBR64.len() } else { 0 };
                    callees.push(site.address - length as u64);
                }
                None => sites.push(site),
            }
        });
    }
    for callee in callees {
        callers(&image, callee, &mut |site| sites.push(site));
    }
    sites.sort_by_key(|site| site.address);
    sites.dedup_by_key(|site| site.address);
    Ok(sites)
}

/// The addresses of the words into which the loader writes the address of a function with one of `names`.
fn words(elf: &Elf, names: &[Vec<u8>]) -> Result<Vec<u64>, Refusal> {
    let file = elf.parsed()?;
    let (Some(symbols), Some(relocations)) = (file.dynamic_symbol_table(), file.dynamic_relocations()) else {
        return Ok(Vec::new());
    };
    let is_wanted = |target| match target {
        RelocationTarget::Symbol(index) => symbols
            .symbol_by_index(index)
            .and_then(|symbol| symbol.name_bytes())
            .is_ok_and(|name| names.iter().any(|wanted| wanted == name)),
        _ => false,
    };
    Ok(relocations.filter(|(_, relocation)| is_wanted(relocation.target())).map(|(address, _)| address).collect())
}

/// Start and code of the procedure linkage tables of `elf`: `.plt`, `.plt.got`, `.plt.sec`.
fn linkage_tables(elf: &Elf) -> Result<Vec<(u64, &[u8])>, Refusal> {
    let file = elf.parsed()?;
    let tables = file.sections().filter(|section| section.name().is_ok_and(|name| name.starts_with(".plt")));
    Ok(tables.filter_map(|section| Some((section.address(), section.data().ok()?))).collect())
}
