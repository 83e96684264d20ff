//! The suffixes that compilers give to copies of a function: `fetch.constprop.0` is `fetch` with a parameter replaced by a
//! constant. Sources: `clone_function_name` in GCC's cgraphclones.cc, `lto_privatize` in lto/lto-partition.cc, and LLVM's
//! `getGlobalIdentifier` promotion in FunctionImportUtils.cpp.

/// A symbol's name, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Name<'a> {
    /// As it would be without copies; still mangled.
    pub base: &'a str,
    /// Everything after the base, with its first dot; empty for the function itself.
    pub suffix: &'a str,
}

/// Words that a suffix may hold, each followed by a number or not.
const WORDS: [&str; 9] = ["constprop", "isra", "part", "cold", "localalias", "clone", "lto_priv", "llvm", "__uniq"];
/// Those that tell apart static functions of the same name in several source files.
const SCOPES: [&str; 3] = ["lto_priv", "llvm", "__uniq"];

impl<'a> Name<'a> {
    /// Splits `raw` before the longest run of suffixes at its end.
    pub fn split(raw: &'a str) -> Self {
        let mut end = raw.len();
        while let Some((rest, part)) = raw[..end].rsplit_once('.').filter(|(rest, _)| !rest.is_empty()) {
            if is_number(part) {
                end = match rest.rsplit_once('.') {
                    Some((before, word)) if WORDS.contains(&word) && !before.is_empty() => before.len(),
                    _ => rest.len(),
                };
            } else if WORDS.contains(&part) {
                end = rest.len();
            } else {
                break;
            }
        }
        Name { base: &raw[..end], suffix: &raw[end..] }
    }

    /// Not a copy but the unlikely half of a function, entered by a jump from the other.
    pub fn is_cold_half(&self) -> bool {
        self.suffix.split('.').any(|part| part == "cold")
    }

    /// The word and number that tell this function from a namesake in another source file; empty if there is none.
    pub fn scope(&self) -> &'a str {
        let mut offset = 0;
        for part in self.suffix.split('.') {
            if SCOPES.contains(&part) {
                let rest = &self.suffix[offset + part.len()..];
                let number = rest.get(1..).map_or(0, |rest| rest.bytes().take_while(u8::is_ascii_digit).count());
                return &self.suffix[offset..offset + part.len() + usize::from(number > 0) + number];
            }
            offset += part.len() + 1;
        }
        ""
    }

    /// Made by specialising the function, which may exist beside it.
    pub fn is_clone(&self) -> bool {
        // Behind a scope's word its number counts as part of it.
        let scope = self.scope();
        !self.suffix.is_empty() && self.suffix.trim_start_matches('.') != scope && !self.suffix.ends_with(".localalias")
    }
}

fn is_number(part: &str) -> bool {
    !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::Name;

    #[test]
    fn known_suffixes_are_split_off() {
        for (raw, base, suffix) in [
            ("fetch", "fetch", ""),
            ("fetch.constprop.0", "fetch", ".constprop.0"),
            ("fetch.part.0.isra.0", "fetch", ".part.0.isra.0"),
            ("fetch.cold", "fetch", ".cold"),
            ("inner.3", "inner", ".3"),
            ("_ZN4core3fmt5write17h0123456789abcdefE.llvm.77", "_ZN4core3fmt5write17h0123456789abcdefE", ".llvm.77"),
            ("a.b", "a.b", ""),
            (".hidden", ".hidden", ""),
            (".5", ".5", ""),
        ] {
            assert_eq!(Name::split(raw), Name { base, suffix }, "{raw}");
        }
    }

    #[test]
    fn a_scope_is_no_clone() {
        let name = Name::split("fetch.lto_priv.1");
        assert_eq!((name.scope(), name.is_clone()), ("lto_priv.1", false));
        let name = Name::split("fetch.lto_priv.1.constprop.0");
        assert_eq!((name.scope(), name.is_clone()), ("lto_priv.1", true));
        assert!(Name::split("fetch.isra.0").is_clone());
        assert!(!Name::split("fetch").is_clone());
        assert!(Name::split("fetch.constprop.0.cold").is_cold_half());
    }
}
