//! Demangles: how a symbol's name is shown to people, and every way in which people may write it in a rule.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use alloc::{format, vec};

use cpp_demangle::{DemangleOptions, Symbol};

use crate::nesting::{is_word, outside};

/// `raw`, which has no suffix of a clone, as messages show it: a C++ name with parameters and without result, a Rust name
/// without hash. A name that is not mangled stays as it is.
pub fn shown(raw: &str) -> String {
    match Language::of(raw) {
        Language::Rust => format!("{:#}", rustc_demangle::demangle(raw)),
        Language::Cpp => cpp(raw, DemangleOptions::new().no_return_type()).unwrap_or_else(|| raw.to_string()),
        Language::C => raw.to_string(),
    }
}

/// The ways in which a rule may write the whole name of `raw`, [squeezed](squeeze). The first tells the function from all
/// others.
pub fn spellings(raw: &str) -> Vec<String> {
    let mut all = match Language::of(raw) {
        Language::C => return vec![squeeze(raw)],
        Language::Rust => vec![rustc_demangle::demangle(raw).to_string(), shown(raw)],
        Language::Cpp => {
            let plain = DemangleOptions::new();
            [plain.no_return_type(), plain, plain.no_return_type().no_params()]
                .into_iter()
                .filter_map(|options| cpp(raw, options))
                .collect()
        }
    };
    if all.is_empty() {
        return vec![squeeze(raw)];
    }
    for name in &mut all {
        *name = squeeze(name);
    }
    // Each way to leave something out applies to what the ones before it made.
    for shorten in [without_qualifier, without_abi_tags, without_template_arguments] {
        let shorter: Vec<String> = all.iter().filter_map(|name| shorten(name)).collect();
        all.extend(shorter);
    }
    let of_impls: Vec<String> = all.iter().flat_map(|name| without_impl(name)).collect();
    all.extend(of_impls);
    all
}

/// `name` without the spaces that mean nothing: those that do not part two words.
pub fn squeeze(name: &str) -> String {
    let mut squeezed = String::with_capacity(name.len());
    let mut words = name.split_ascii_whitespace();
    squeezed.extend(words.next());
    for word in words {
        let parts_words = squeezed.bytes().last().is_some_and(is_word) && word.bytes().next().is_some_and(is_word);
        // A qualifier after the parameters is set off as the demanglers do it.
        if parts_words || (squeezed.ends_with(')') && word.bytes().next().is_some_and(is_word)) {
            squeezed.push(' ');
        }
        squeezed.push_str(word);
    }
    squeezed
}

enum Language {
    C,
    Cpp,
    Rust,
}

impl Language {
    fn of(raw: &str) -> Self {
        if raw.starts_with("_R") && rustc_demangle::try_demangle(raw).is_ok() {
            return Language::Rust;
        }
        // A legacy Rust name is a C++ name whose last component is a hash: `17h`, 16 digits, `E`.
        let hash = raw.len().checked_sub(20).and_then(|at| raw.get(at..));
        let is_hash =
            |hash: &str| hash.starts_with("17h") && hash.bytes().skip(3).take(16).all(|byte| byte.is_ascii_hexdigit());
        match raw.starts_with("_Z") {
            true if hash.is_some_and(is_hash) && raw.starts_with("_ZN") && raw.ends_with('E') => Language::Rust,
            true => Language::Cpp,
            false => Language::C,
        }
    }
}

fn cpp(raw: &str, options: DemangleOptions) -> Option<String> {
    Symbol::new(raw).ok()?.demangle_with_options(&options).ok()
}

/// `f() const` as `f()`.
fn without_qualifier(name: &str) -> Option<String> {
    name.strip_suffix(" const").map(ToString::to_string)
}

/// `f[abi:cxx11]()` as `f()`.
fn without_abi_tags(name: &str) -> Option<String> {
    let (before, tag) = name.split_once("[abi:")?;
    let (_, after) = tag.split_once(']')?;
    let rest = without_abi_tags(after);
    Some(format!("{before}{}", rest.as_deref().unwrap_or(after)))
}

/// `f<int>` as `f`, and Rust's `f::<u8>` likewise; only behind the last component.
fn without_template_arguments(name: &str) -> Option<String> {
    let (close, byte) = outside(name).last()?;
    if byte != b'>' || close + 1 != name.len() {
        return None;
    }
    let open = outside(name).filter(|&(_, byte)| byte == b'<').last()?.0;
    let bare = name[..open].strip_suffix("::").unwrap_or(&name[..open]);
    (!bare.is_empty()).then(|| bare.to_string())
}

/// Rust's `<a::B as c::D>::f` as `a::B::f` and `c::D::f`, and `<a::B>::f` as `a::B::f`.
fn without_impl(name: &str) -> Vec<String> {
    let inner = || {
        let close = outside(name.strip_prefix('<').and(Some(name))?).find(|&(_, byte)| byte == b'>')?.0;
        Some((&name[1..close], &name[close + 1..]))
    };
    let Some((within, rest)) = inner() else { return Vec::new() };
    let parts = within.split_once(" as ").map_or(vec![within], |(implementor, interface)| vec![implementor, interface]);
    parts.into_iter().map(|part| format!("{part}{rest}")).collect()
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;

    fn is_spelled(raw: &str, names: &[&str]) {
        let all = spellings(raw);
        for name in names {
            assert!(all.contains(&squeeze(name)), "{name} is not among {all:?}");
        }
    }

    #[test]
    fn a_cpp_name_goes_with_and_without_parameters_result_and_arguments() {
        is_spelled("_ZN3app5fetchEi", &["app::fetch", "app::fetch(int)"]);
        is_spelled(
            "_ZN3app5fetchIiEEiT_",
            &["app::fetch<int>", "app::fetch", "app::fetch<int>(int)", "int app::fetch<int>(int)"],
        );
        is_spelled("_ZNK3Box3getEv", &["Box::get", "Box::get()", "Box::get() const"]);
        is_spelled("_ZL5fetchjPKc", &["fetch", "fetch(unsigned int, char const*)", "fetch(unsigned int,char const *)"]);
        is_spelled("_ZN3BoxltERKS_", &["Box::operator<", "Box::operator<(Box const&)"]);
        is_spelled("_ZN3BoxclEi", &["Box::operator()", "Box::operator()(int)"]);
        is_spelled("_Z4nameB5cxx11v", &["name[abi:cxx11]()", "name()", "name"]);
        is_spelled("_ZN12_GLOBAL__N_15fetchEv", &["(anonymous namespace)::fetch", "(anonymous namespace)::fetch()"]);
    }

    #[test]
    fn a_rust_name_goes_with_and_without_hash_and_impl() {
        is_spelled("_ZN3app5fetch17h0123456789abcdefE", &["app::fetch", "app::fetch::h0123456789abcdef"]);
        is_spelled("_RNvCs1234_7mycrate3foo", &["mycrate::foo"]);
        is_spelled("_RNvMCs1234_3appNtB2_3Net5fetch", &["<app::Net>::fetch", "app::Net::fetch"]);
        is_spelled(
            "_ZN39_$LT$app..Net$u20$as$u20$app..Fetch$GT$5fetch17h0123456789abcdefE",
            &["<app::Net as app::Fetch>::fetch", "app::Net::fetch", "app::Fetch::fetch"],
        );
    }

    #[test]
    fn another_name_stays_as_it_is() {
        for raw in ["fetch", "_Zebra", "_Rest", "_ZN"] {
            assert_eq!(shown(raw), raw);
            assert_eq!(spellings(raw), [raw]);
        }
    }
}
