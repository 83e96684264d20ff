//! The text of a rule, `[OBJECT:]SYMBOL[=VALUE]`, and of a list of them. What the SYMBOL means is for [`crate::find`].

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use crate::nesting::outside;

/// What the caller of a spawned function is given at once.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value {
    /// For rax; a negative number as two's complement.
    Integer(u64),
    /// For xmm0.
    Double(f64),
}

/// A rule, taken apart.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// A function's name, or an address as `0x1234`.
    pub symbol: String,
    /// Path, file name or file name without version of the only object to search.
    pub object: Option<String>,
    /// `Integer(0)` if the rule names none.
    pub value: Value,
}

/// Why a text is no rule. Displayed as one line, without a prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RuleError {
    /// There is no SYMBOL in this rule.
    NoSymbol(String),
    /// There is nothing before the `:` of this rule.
    NoObject(String),
    /// The VALUE of this rule is not a number, or does not fit 64 bits.
    Value { rule: String, value: String },
}

impl fmt::Display for RuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RuleError::NoSymbol(rule) => {
                write!(
                    f,
                    "`{rule}` names no function; allowed: [OBJECT:]SYMBOL[=VALUE], as app::fetch or libfoo.so:fetch=-1"
                )
            }
            RuleError::NoObject(rule) => {
                write!(
                    f,
                    "`{rule}` names no object before the colon; allowed: [OBJECT:]SYMBOL[=VALUE], as libfoo.so:fetch"
                )
            }
            RuleError::Value { rule, value } => {
                write!(f, "`{rule}`: `{value}` is not a value; allowed: a number of 64 bits, as -1, 0x10 or 1.5")
            }
        }
    }
}

impl core::error::Error for RuleError {}

/// Takes one rule apart. The last `=` outside brackets begins the VALUE; a single `:` outside brackets ends the OBJECT.
pub fn parse_rule(text: &str) -> Result<Rule, RuleError> {
    let rule = text.trim();
    let (name, value) = match outside(rule).filter(|&(_, byte)| byte == b'=').last() {
        Some((at, _)) => (&rule[..at], parse_value(rule, rule[at + 1..].trim())?),
        None => (rule, Value::Integer(0)),
    };
    let colon = |at: usize| name.as_bytes().get(at) == Some(&b':');
    let single = |&(at, byte): &(usize, u8)| byte == b':' && !colon(at + 1) && !(at > 0 && colon(at - 1));
    let (object, symbol) = match outside(name).find(single) {
        Some((at, _)) => (Some(name[..at].trim()), name[at + 1..].trim()),
        None => (None, name.trim()),
    };
    if symbol.is_empty() {
        return Err(RuleError::NoSymbol(rule.to_string()));
    }
    if object == Some("") {
        return Err(RuleError::NoObject(rule.to_string()));
    }
    Ok(Rule { symbol: symbol.to_string(), object: object.map(ToString::to_string), value })
}

/// Takes a list of rules apart: commas outside brackets separate them. An empty text is an empty list.
pub fn parse_rules(list: &str) -> Result<Vec<Rule>, RuleError> {
    if list.trim().is_empty() {
        return Ok(Vec::new());
    }
    let commas = outside(list).filter(|&(_, byte)| byte == b',').map(|(at, _)| at);
    let mut rules = Vec::new();
    let mut start = 0;
    for end in commas.chain([list.len()]) {
        rules.push(parse_rule(&list[start..end])?);
        start = end + 1;
    }
    Ok(rules)
}

fn parse_value(rule: &str, text: &str) -> Result<Value, RuleError> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    let (radix, digits) = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        Some(digits) => (16, digits),
        None => (10, digits),
    };
    let number = if digits.starts_with('+') { None } else { u64::from_str_radix(digits, radix).ok() };
    let value = match number {
        Some(number) if !negative => Some(Value::Integer(number)),
        Some(number) if number <= 1 << 63 => Some(Value::Integer(number.wrapping_neg())),
        // All digits, but too many: a double would not be what was meant.
        _ if radix == 16 || digits.bytes().all(|byte| byte.is_ascii_digit()) => None,
        _ => text.parse().ok().map(Value::Double),
    };
    value.ok_or_else(|| RuleError::Value { rule: rule.to_string(), value: text.to_string() })
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec;

    fn rule(object: Option<&str>, symbol: &str, value: Value) -> Result<Rule, RuleError> {
        Ok(Rule { symbol: symbol.to_string(), object: object.map(ToString::to_string), value })
    }

    #[test]
    fn object_symbol_and_value_are_told_apart() {
        let zero = Value::Integer(0);
        assert_eq!(parse_rule("fetch"), rule(None, "fetch", zero));
        assert_eq!(parse_rule(" libfoo.so:fetch = 7 "), rule(Some("libfoo.so"), "fetch", Value::Integer(7)));
        assert_eq!(parse_rule("app::fetch=0x10"), rule(None, "app::fetch", Value::Integer(16)));
        assert_eq!(parse_rule("libfoo.so.1:ns::f(a::b)"), rule(Some("libfoo.so.1"), "ns::f(a::b)", zero));
        assert_eq!(parse_rule("0x1234"), rule(None, "0x1234", zero));
        assert_eq!(parse_rule("<a::B as c::D>::e=2"), rule(None, "<a::B as c::D>::e", Value::Integer(2)));
    }

    #[test]
    fn a_value_is_an_integer_or_a_double() {
        let value = |text: &str| parse_rule(text).map(|rule| rule.value);
        assert_eq!(value("f=-1"), Ok(Value::Integer(u64::MAX)));
        assert_eq!(value("f=18446744073709551615"), Ok(Value::Integer(u64::MAX)));
        assert_eq!(value("f=-9223372036854775808"), Ok(Value::Integer(1 << 63)));
        assert_eq!(value("f=1.5"), Ok(Value::Double(1.5)));
        assert_eq!(value("f=-2e3"), Ok(Value::Double(-2000.0)));
        for wrong in ["f=", "f=abc", "f=0x", "f=18446744073709551616", "f=-9223372036854775809", "f=0x1.5", "f=--1"] {
            assert!(matches!(value(wrong), Err(RuleError::Value { .. })), "{wrong}");
        }
    }

    #[test]
    fn only_an_equals_sign_outside_brackets_and_operators_begins_a_value() {
        assert_eq!(parse_rule("f(int=3)=4"), rule(None, "f(int=3)", Value::Integer(4)));
        assert_eq!(parse_rule("A::operator=="), rule(None, "A::operator==", Value::Integer(0)));
        assert_eq!(parse_rule("A::operator==(A)=1"), rule(None, "A::operator==(A)", Value::Integer(1)));
    }

    #[test]
    fn commas_outside_brackets_separate_rules() {
        let symbols = |list: &str| {
            parse_rules(list).map(|rules| rules.into_iter().map(|rule| rule.symbol).collect::<std::vec::Vec<_>>())
        };
        assert_eq!(symbols("a, b<c, d>(e, f)=1,g"), Ok(vec!["a".into(), "b<c, d>(e, f)".into(), "g".into()]));
        assert_eq!(symbols(""), Ok(vec![]));
        assert_eq!(symbols("a,,b"), Err(RuleError::NoSymbol("".into())));
        assert_eq!(symbols("=1"), Err(RuleError::NoSymbol("=1".into())));
        assert_eq!(symbols(":f"), Err(RuleError::NoObject(":f".into())));
    }
}
