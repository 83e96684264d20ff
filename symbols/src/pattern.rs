//! Whether a symbol is one that the name in a rule means, and how well it fits. Demangling costs a microsecond or more, so a
//! symbol is demangled only if its mangled name holds a word of the rule's.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use memchr::memmem::Finder;

use crate::clones::Name;
use crate::names::{spellings, squeeze};
use crate::nesting::{is_word, outside};

/// How well a symbol fits, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fit {
    /// The symbol's own name.
    Raw,
    /// The demangled name, whole.
    Whole,
    /// The end of the demangled name, from a `::` on.
    Suffix,
}

/// The name in a rule, prepared for many comparisons.
pub struct Pattern<'a> {
    raw: &'a str,
    text: String,
    suffix: String,
    /// Of the word that all mangled names that fit hold; of nothing, which is everywhere, if there is no such word.
    finder: Finder<'a>,
    /// In digits, if the word is a whole component of the path and so has its length before it.
    length: Option<String>,
}

/// A word that stands letter by letter in every mangled name that fits.
#[derive(Clone, Copy, Debug)]
struct Word<'a> {
    text: &'a str,
    /// It is a whole component of the path, and so has its length before it.
    is_component: bool,
}

/// Mangled names abbreviate these (Itanium C++ ABI, section 5.1.8), so that they cannot be searched for.
const ABBREVIATED: [&str; 9] =
    ["std", "string", "basic_string", "allocator", "istream", "ostream", "iostream", "basic_istream", "basic_ostream"];

impl<'a> Pattern<'a> {
    /// Prepares `symbol`, a name as a rule gives it.
    pub fn new(symbol: &'a str) -> Self {
        let text = squeeze(symbol);
        let suffix = ["::", &text].concat();
        let word = search_word(symbol);
        let finder = Finder::new(word.map_or("", |word| word.text));
        let length = word.filter(|word| word.is_component).map(|word| word.text.len().to_string());
        Pattern { raw: symbol, text, suffix, finder, length }
    }

    /// Whether the mangled name may fit; quick, and never wrongly false.
    pub fn may_fit(&self, mangled: &[u8]) -> bool {
        let Some(length) = &self.length else { return self.is_mentioned(mangled) };
        self.finder.find_iter(mangled).any(|at| {
            let before = &mangled[..at];
            // In C the word is all of the name. Rust parts the length from a word that begins with an underscore by another.
            let is_whole = at == 0 && mangled.get(self.finder.needle().len()).is_none_or(|&byte| !is_word(byte));
            is_whole || before.strip_suffix(b"_").unwrap_or(before).ends_with(length.as_bytes())
        })
    }

    /// Whether the word that names which fit have in common occurs in `bytes` at all.
    pub fn is_mentioned(&self, bytes: &[u8]) -> bool {
        self.finder.find(bytes).is_some()
    }

    /// How well a symbol fits, and the spelling that tells its function from all others.
    pub fn fit(&self, name: &Name<'_>) -> Option<(Fit, String)> {
        // Thunks adjust `this` and call the function proper.
        if ["_ZTh", "_ZTv", "_ZTc"].iter().any(|thunk| name.base.starts_with(thunk)) {
            return None;
        }
        let mut all = spellings(name.base);
        let whole_raw = self.raw.strip_prefix(name.base).is_some_and(|rest| rest == name.suffix);
        let fit = if self.raw == name.base || whole_raw {
            Fit::Raw
        } else if all.contains(&self.text) {
            Fit::Whole
        } else if all.iter().any(|spelling| self.ends(spelling)) {
            Fit::Suffix
        } else {
            return None;
        };
        Some((fit, all.swap_remove(0)))
    }

    /// Whether the rule names this very clone, with its suffix.
    pub fn names_clone(&self, name: &Name<'_>) -> bool {
        !name.suffix.is_empty() && self.raw.ends_with(name.suffix) && self.raw.len() > name.suffix.len()
    }

    /// Whether `spelling` ends in `::` and the rule's name, outside brackets.
    fn ends(&self, spelling: &str) -> bool {
        let Some(at) = spelling.len().checked_sub(self.suffix.len()) else { return false };
        spelling.ends_with(&self.suffix) && outside(spelling).any(|(offset, _)| offset == at)
    }
}

/// The last component of the path in `symbol` that begins with such a word.
fn search_word(symbol: &str) -> Option<Word<'_>> {
    components(symbol).into_iter().rev().find_map(|component| {
        let component = component.trim().trim_start_matches('~');
        let (word, rest) =
            component.split_at(component.bytes().position(|byte| !is_word(byte)).unwrap_or(component.len()));
        // Behind a space comes the function's name, and the word is its result's; `int` is not spelled out in a mangled name.
        let is_result = rest.split('<').next().is_some_and(|rest| rest.contains(' '));
        let is_spelled_out = word.is_ascii() && !word.is_empty() && !ABBREVIATED.contains(&word) && word != "operator";
        (is_spelled_out && !is_result).then_some(Word { text: word, is_component: rest.is_empty() })
    })
}

/// The components of a path, the parameters and what follows them left out.
fn components(symbol: &str) -> Vec<&str> {
    let parameters = outside(symbol)
        .find(|&(at, byte)| byte == b'(' && at > 0 && !symbol[..at].ends_with("::") && !symbol[at..].contains(")::"));
    let path = &symbol[..parameters.map_or(symbol.len(), |(at, _)| at)];
    let mut all = Vec::new();
    let mut start = 0;
    for (at, _) in outside(path) {
        if at >= start && path.as_bytes()[at..].starts_with(b"::") {
            all.push(&path[start..at]);
            start = at + 2;
        }
    }
    all.push(&path[start..]);
    all
}

/// The last word of the path in `name`: what a person would call the function.
pub fn last_word(name: &str) -> String {
    search_word(name).map_or(name, |word| word.text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fit(rule: &str, symbol: &str) -> Option<Fit> {
        let pattern = Pattern::new(rule);
        let fit = pattern.fit(&Name::split(symbol)).map(|(fit, _)| fit);
        assert!(fit.is_none() || pattern.may_fit(symbol.as_bytes()), "{rule} fits {symbol}, which is passed over");
        fit
    }

    #[test]
    fn a_name_fits_whole_or_from_a_double_colon_on() {
        assert_eq!(fit("fetch", "fetch"), Some(Fit::Raw));
        assert_eq!(fit("fetch", "fetch.isra.0"), Some(Fit::Raw));
        assert_eq!(fit("_ZN3app5fetchEi", "_ZN3app5fetchEi"), Some(Fit::Raw));
        assert_eq!(fit("app::fetch", "_ZN3app5fetchEi"), Some(Fit::Whole));
        assert_eq!(fit("app::fetch( int )", "_ZN3app5fetchEi"), Some(Fit::Whole));
        assert_eq!(fit("int app::fetch<int>(int)", "_ZN3app5fetchIiEEiT_"), Some(Fit::Whole));
        assert_eq!(fit("fetch", "_ZN3app5fetchEi"), Some(Fit::Suffix));
        assert_eq!(fit("fetch(int)", "_ZN3app5fetchEi"), Some(Fit::Suffix));
        assert_eq!(fit("fetch", "_ZN12_GLOBAL__N_15fetchEv"), Some(Fit::Suffix));
        assert_eq!(fit("etch", "_ZN3app5fetchEi"), None);
        assert_eq!(fit("fetch(long)", "_ZN3app5fetchEi"), None);
        assert_eq!(fit("fetch", "_ZN3app5fetch4moreEv"), None);
    }

    #[test]
    fn names_that_mangling_abbreviates_are_not_passed_over() {
        assert_eq!(fit("Box::operator<", "_ZN3BoxltERKS_"), Some(Fit::Whole));
        assert_eq!(fit("Box::operator()", "_ZN3BoxclEi"), Some(Fit::Whole));
        assert_eq!(fit("Box::~Box", "_ZN3BoxD2Ev"), Some(Fit::Whole));
        assert_eq!(fit("Box::operator int", "_ZN3BoxcviEv"), Some(Fit::Whole));
        assert_eq!(fit("std::allocator<char>::allocator", "_ZNSaIcEC1Ev"), Some(Fit::Whole));
        assert_eq!(fit("app::f(std::string)", "_ZN3app1fESs"), Some(Fit::Whole));
    }

    #[test]
    fn a_symbol_that_only_holds_the_word_is_passed_over() {
        let may_fit = |rule, symbol: &str| Pattern::new(rule).may_fit(symbol.as_bytes());
        assert!(!may_fit("fetch", "_ZN3app10fetch_itemEi"));
        assert!(!may_fit("fetch", "prefetch"));
        assert!(!may_fit("fetch", "fetch_all"));
        assert!(may_fit("_fetch", "_RNvCs1234_3app6__fetch"));
    }

    #[test]
    fn odd_rules_are_survived() {
        for rule in ["app:::fetch", "f\u{e9}::\u{fc}~\u{df}{{c=losure}}", "::", "(", ")::<", "operator", "~"] {
            assert_eq!(fit(rule, "_ZN3app5fetchEi"), None, "{rule}");
        }
    }

    #[test]
    fn a_closure_of_a_function_is_not_the_function() {
        let closure = "_ZN3app5fetch28_$u7b$$u7b$closure$u7d$$u7d$17h0123456789abcdefE";
        assert_eq!(fit("fetch", closure), None);
        assert_eq!(fit("app::fetch::{{closure}}", closure), Some(Fit::Whole));
        assert_eq!(fit("fetch::{{closure}}", closure), Some(Fit::Suffix));
    }
}
