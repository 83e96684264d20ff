//! Names that resemble one that was not found. The words inside mangled names are compared first, so that of hundreds of
//! thousands of symbols only a few dozen are demangled.

use alloc::string::String;
use alloc::vec::Vec;
use core::str::from_utf8;

use memchr::memmem::{self, Finder};

use crate::clones::Name;
use crate::elf::{Entries, Kind};
use crate::error::LISTED;
use crate::find::Numbered;
use crate::names::shown;
use crate::pattern::last_word;

/// Symbols that are demangled and compared again.
const SHORT_LIST: usize = 48;
/// Longer words are not compared letter by letter.
const LONGEST: usize = 64;
/// For a word that only holds the other.
const CONTAINED: usize = 5;

/// At most five functions of `objects` whose names resemble `symbol`, best first.
pub fn nearest(symbol: &str, objects: &[Numbered<'_, '_>]) -> Vec<String> {
    let word = last_word(symbol);
    let wanted = Finder::new(&word);
    let mut short_list: Vec<(usize, &str)> = Vec::new();
    for (_, object) in objects {
        for entry in Entries::of(object).filter(|entry| entry.kind == Kind::Function) {
            let worst = short_list.last().filter(|_| short_list.len() == SHORT_LIST).map(|(distance, _)| *distance);
            let distance = words(entry.name).filter_map(|word| distance(&wanted, word)).min();
            let Some(distance) = distance.filter(|&distance| worst.is_none_or(|worst| distance < worst)) else {
                continue;
            };
            let Ok(name) = from_utf8(entry.name).map(Name::split) else { continue };
            let at = short_list.partition_point(|&(other, _)| other <= distance);
            if !name.is_cold_half() && !short_list.iter().any(|&(_, other)| other == name.base) {
                short_list.truncate(SHORT_LIST - 1);
                short_list.insert(at.min(short_list.len()), (distance, name.base));
            }
        }
    }
    let mut names: Vec<(usize, String)> = Vec::new();
    for (_, raw) in short_list {
        let name = shown(raw);
        // A word of the parameters or of a class's name is no resemblance.
        let Some(distance) = distance(&wanted, last_word(&name).as_bytes()) else { continue };
        if !names.iter().any(|(_, other)| *other == name) {
            names.push((distance, name));
        }
    }
    names.sort();
    names.into_iter().take(LISTED).map(|(_, name)| name).collect()
}

/// The words in a mangled name: those behind their length in a C++ or Rust name; or else the name itself.
fn words(name: &[u8]) -> impl Iterator<Item = &[u8]> {
    let is_mangled = name.starts_with(b"_Z") || name.starts_with(b"_R");
    let mut rest = name;
    let mut whole = (!is_mangled).then_some(name);
    core::iter::from_fn(move || {
        if !is_mangled {
            return whole.take();
        }
        loop {
            let start = rest.iter().position(u8::is_ascii_digit)?;
            let digits = rest[start..].iter().take_while(|byte| byte.is_ascii_digit()).count();
            let length = from_utf8(&rest[start..start + digits]).ok().and_then(|digits| digits.parse::<usize>().ok());
            let behind = &rest[start + digits..];
            match length.filter(|&length| length > 0 && length <= behind.len()) {
                Some(length) => {
                    rest = &behind[length..];
                    return Some(&behind[..length]);
                }
                None => rest = behind,
            }
        }
    })
}

/// How far `word` is from `wanted`, if they resemble each other at all: slips of the pen, or [`CONTAINED`] and more if one
/// holds the other.
fn distance(finder: &Finder<'_>, word: &[u8]) -> Option<usize> {
    let wanted = finder.needle();
    let limit = (wanted.len() + 1) / 4;
    let difference = wanted.len().abs_diff(word.len());
    let slips = if difference <= limit { slips(wanted, word).filter(|&slips| slips <= limit) } else { None };
    let holds_wanted = || wanted.len() >= 3 && finder.find(word).is_some();
    let held_by_wanted = || word.len() >= 3 && memmem::find(wanted, word).is_some();
    let contained = || (holds_wanted() || held_by_wanted()).then_some(CONTAINED + difference / 4);
    slips.into_iter().chain(contained()).min()
}

/// Letters to change, insert, leave out or swap with their neighbour (the "optimal string alignment" distance), capital
/// letters equal to small ones; none for very long words.
fn slips(a: &[u8], b: &[u8]) -> Option<usize> {
    if a.len() > LONGEST || b.len() > LONGEST {
        return None;
    }
    let equal = |i: usize, j: usize| a[i].eq_ignore_ascii_case(&b[j]);
    let [mut before, mut last, mut row] = [[0; LONGEST + 1]; 3];
    for (j, cell) in last.iter_mut().enumerate() {
        *cell = j;
    }
    for i in 0..a.len() {
        row[0] = i + 1;
        for j in 0..b.len() {
            row[j + 1] = (last[j] + usize::from(!equal(i, j))).min(row[j] + 1).min(last[j + 1] + 1);
            if i > 0 && j > 0 && equal(i, j - 1) && equal(i - 1, j) {
                row[j + 1] = row[j + 1].min(before[j - 1] + 1);
            }
        }
        (before, last, row) = (last, row, before);
    }
    Some(last[b.len()])
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;

    #[test]
    fn distance_counts_slips_or_says_that_one_holds_the_other() {
        let near = |wanted: &str, word: &[u8]| distance(&Finder::new(wanted), word);
        assert_eq!(near("fetch", b"fetch"), Some(0));
        assert_eq!(near("fetch", b"Fecth"), Some(1));
        assert_eq!(near("fetch", b"fetsh"), Some(1));
        assert_eq!(near("fetch", b"prefetch_all"), Some(CONTAINED + 1));
        assert_eq!(near("fetch", b"latch"), None);
        assert_eq!(near("fetch", b"write"), None);
        assert_eq!(near("fetch_all", b"fecth_al"), Some(2));
        assert_eq!(near("f", b"g"), None);
    }

    #[test]
    fn the_words_of_a_mangled_name_stand_behind_their_lengths() {
        let all = |name: &'static str| {
            words(name.as_bytes()).map(|word| from_utf8(word).unwrap()).collect::<std::vec::Vec<_>>()
        };
        assert_eq!(all("_ZN3app5fetchEN2ns3ArgE"), ["app", "fetch", "ns", "Arg"]);
        assert_eq!(all("blocking_task"), ["blocking_task"]);
        assert_eq!(all("_Z99x"), [""; 0]);
    }
}
