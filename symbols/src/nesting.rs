//! Walks a demangled name past its brackets: what a comma, an `=` or a `::` means depends on whether it stands inside
//! parameters or template arguments.

/// Punctuation that may follow the word `operator` in a C++ name. Brackets among it do not open or close anything.
const OPERATOR: &[u8] = b"=<>!+-*/%&|^~,()[]";

/// The bytes of `text` outside all brackets, with their offsets. The outermost brackets themselves count as outside; the
/// punctuation of a C++ operator's name (`operator==`) is left out.
pub fn outside(text: &str) -> impl Iterator<Item = (usize, u8)> + '_ {
    let bytes = text.as_bytes();
    let (mut at, mut depth) = (0, 0usize);
    core::iter::from_fn(move || {
        while let Some(&byte) = bytes.get(at) {
            let here = at;
            at += 1;
            let opens = matches!(byte, b'(' | b'<' | b'[' | b'{');
            // The arrow of a Rust function type closes nothing.
            let closes =
                matches!(byte, b')' | b'>' | b']' | b'}') && !(byte == b'>' && here > 0 && bytes[here - 1] == b'-');
            depth = if closes { depth.saturating_sub(1) } else { depth };
            let outer = depth == 0;
            depth += usize::from(opens);
            if bytes[here..].starts_with(b"operator") && (here == 0 || !is_word(bytes[here - 1])) {
                at = here + operator_length(&bytes[here..]);
            }
            if outer {
                return Some((here, byte));
            }
        }
        None
    })
}

/// Whether `byte` belongs to an identifier. Bytes above ASCII do: both C++ and Rust allow letters there.
pub fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$' || byte >= 0x80
}

/// Length of the `operator…` that `bytes` begin with. The parameter list is not part of it, but `()` as in `operator()()` is.
fn operator_length(bytes: &[u8]) -> usize {
    let word = b"operator".len();
    let rest = &bytes[word..];
    if rest.starts_with(b"()") || rest.starts_with(b"[]") {
        return word + 2;
    }
    word + rest.iter().take_while(|byte| OPERATOR.contains(byte) && !b"()[]".contains(byte)).count()
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::outside;
    use std::string::String;

    fn kept(text: &str) -> String {
        outside(text).map(|(_, byte)| byte as char).collect()
    }

    #[test]
    fn what_is_inside_brackets_is_left_out() {
        assert_eq!(kept("a<b, c>::d(e, f(g))=1"), "a<>::d()=1");
        assert_eq!(kept("f(fn() -> u8)::g"), "f()::g");
    }

    #[test]
    fn an_operators_punctuation_opens_nothing() {
        assert_eq!(kept("A::operator<(A, B)=2"), "A::o()=2");
        assert_eq!(kept("A::operator()(A)=2"), "A::o()=2");
        assert_eq!(kept("A::operator=="), "A::o");
        assert_eq!(kept("my_operator=2"), "my_operator=2");
    }
}
