//! The configuration: what the `GRIVET…` environment variables ask for.
//!
//! It is read once, when the library is loaded, from the environment strings as the kernel handed them over (libc may not be
//! initialised). A variable whose value makes no sense is a complaint, and the program then runs natively. Variables whose
//! names begin with `GRIVET_` and are not listed here are ignored: they belong to the command, to tests, or to a later version.

pub mod observe;

use crate::sched::poller::Choice;
use core::fmt;

/// Smallest default stack in bytes.
const STACK_MINIMUM: usize = 64 << 10;

/// Largest default stack in bytes.
const STACK_MAXIMUM: usize = 1 << 30;

const PAGE: usize = 4096;

/// How many bytes of a wrong value a complaint repeats.
const VALUE_SHOWN: usize = 64;

/// What the user asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// `GRIVET=on|off`: whether threads become coroutines at all.
    pub enabled: bool,
    /// `GRIVET_STACK=SIZE`: default stack of new threads in bytes, whole pages; `None` leaves the choice to libc.
    pub stack: Option<usize>,
    /// `GRIVET_POLLER=epoll|io_uring`: how files are waited for.
    pub poller: Choice,
    /// `GRIVET_PREEMPT=on|off`: whether a thread that computes is interrupted when others are ready.
    pub preempt: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl Config {
    /// What is done when no variable is set.
    pub const DEFAULT: Self = Self { enabled: true, stack: None, poller: Choice::Epoll, preempt: true };

    /// Reads the variables from `environment`, whose items are `NAME=value`. Of a name that occurs twice the first counts, as
    /// in getenv(3). With `GRIVET=off` the other variables are not looked at.
    pub fn read<'a>(environment: impl Iterator<Item = &'a [u8]>) -> Result<Self, Complaint<'a>> {
        let (mut switch, mut stack, mut poller, mut preempt) = (None, None, None, None);
        for entry in environment {
            let Some(rest) = entry.strip_prefix(b"GRIVET") else {
                continue;
            };
            let Some(equals) = rest.iter().position(|byte| *byte == b'=') else {
                continue;
            };
            let (name, value) = (&rest[..equals], &rest[equals + 1..]);
            match name {
                b"" => switch.get_or_insert(value),
                b"_STACK" => stack.get_or_insert(value),
                b"_POLLER" => poller.get_or_insert(value),
                b"_PREEMPT" => preempt.get_or_insert(value),
                _ => continue,
            };
        }

        let mut config = Self::DEFAULT;
        if let Some(value) = switch {
            config.enabled =
                either(value, b"on", b"off").ok_or(Complaint::new("GRIVET", value, "unknown", "on or off"))?;
        }
        if !config.enabled {
            return Ok(config);
        }
        if let Some(value) = stack {
            let size =
                stack_size(value).map_err(|problem| Complaint::new("GRIVET_STACK", value, problem, STACK_ALLOWED))?;
            config.stack = Some(size);
        }
        if let Some(value) = preempt {
            config.preempt =
                either(value, b"on", b"off").ok_or(Complaint::new("GRIVET_PREEMPT", value, "unknown", "on or off"))?;
        }
        if let Some(value) = poller {
            let is_ring = either(value, b"io_uring", b"epoll").ok_or(Complaint::new(
                "GRIVET_POLLER",
                value,
                "unknown",
                "epoll or io_uring",
            ))?;
            config.poller = if is_ring { Choice::Ring } else { Choice::Epoll };
        }
        Ok(config)
    }
}

/// What the user asked for with spawn rules: calls of named functions become tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct SpawnConfig<'a> {
    /// `GRIVET_SPAWN=SYMBOL[=VALUE],…`
    pub spawn: Option<&'a str>,
    /// `GRIVET_JOIN=SYMBOL,…`
    pub join: Option<&'a str>,
    /// `GRIVET_LIMIT=N`: how many spawned calls may run at once.
    pub limit: Option<u32>,
    /// `GRIVET_SPAWN_STACK=SIZE`: stack of spawned calls in bytes.
    pub stack: Option<usize>,
    /// `GRIVET_PROGRESS=1|0`: a live line on the terminal.
    pub progress: bool,
}

impl<'a> SpawnConfig<'a> {
    /// Reads the variables as `Config::read` does.
    pub fn read(environment: impl Iterator<Item = &'a [u8]>) -> Result<Self, Complaint<'a>> {
        const LIMIT_ALLOWED: &str = "a number from 1 to 1000000";
        let mut found = [None; 5];
        const NAMES: [&[u8]; 5] =
            [b"GRIVET_SPAWN=", b"GRIVET_JOIN=", b"GRIVET_LIMIT=", b"GRIVET_SPAWN_STACK=", b"GRIVET_PROGRESS="];
        for entry in environment {
            for (place, name) in found.iter_mut().zip(NAMES) {
                if let Some(value) = entry.strip_prefix(name) {
                    place.get_or_insert(value);
                }
            }
        }
        let [spawn, join, limit, stack, progress] = found;
        let text = |variable, value: Option<&'a [u8]>| match value.filter(|value| !value.is_empty()) {
            None => Ok(None),
            Some(value) => match core::str::from_utf8(value) {
                Ok(text) => Ok(Some(text)),
                Err(_) => Err(Complaint::new(variable, value, "not UTF-8", "names of functions, separated by commas")),
            },
        };
        let mut config =
            SpawnConfig { spawn: text("GRIVET_SPAWN", spawn)?, join: text("GRIVET_JOIN", join)?, ..Self::default() };
        if let Some(value) = limit {
            let number = size(value).ok().filter(|number| (1..=1_000_000).contains(number));
            let number = number.ok_or(Complaint::new("GRIVET_LIMIT", value, "not a limit", LIMIT_ALLOWED))?;
            config.limit = Some(number as u32);
        }
        if let Some(value) = stack {
            let size = stack_size(value)
                .map_err(|problem| Complaint::new("GRIVET_SPAWN_STACK", value, problem, STACK_ALLOWED))?;
            config.stack = Some(size);
        }
        if let Some(value) = progress {
            config.progress =
                either(value, b"1", b"0").ok_or(Complaint::new("GRIVET_PROGRESS", value, "unknown", "1 or 0"))?;
        }
        Ok(config)
    }
}

const STACK_ALLOWED: &str = "64K to 1G, as 262144, 256K or 8M";

fn either(value: &[u8], yes: &[u8], no: &[u8]) -> Option<bool> {
    if value == yes {
        Some(true)
    } else if value == no {
        Some(false)
    } else {
        None
    }
}

/// A stack size in bytes, rounded up to pages, or what is wrong with it.
fn stack_size(value: &[u8]) -> Result<usize, &'static str> {
    let size = size(value)?;
    match size {
        0..STACK_MINIMUM => Err("too small"),
        STACK_MINIMUM..=STACK_MAXIMUM => Ok(size.next_multiple_of(PAGE)),
        _ => Err("too large"),
    }
}

/// Digits, then optionally K, M or G (powers of 1,024) in either case.
fn size(value: &[u8]) -> Result<usize, &'static str> {
    const NOT_A_SIZE: &str = "not a size";
    let (digits, unit) = match value {
        [digits @ .., b'K' | b'k'] => (digits, 1 << 10),
        [digits @ .., b'M' | b'm'] => (digits, 1 << 20),
        [digits @ .., b'G' | b'g'] => (digits, 1 << 30),
        digits => (digits, 1_usize),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(NOT_A_SIZE);
    }
    let number =
        digits.iter().try_fold(0_usize, |number, digit| number.checked_mul(10)?.checked_add(usize::from(digit - b'0')));
    number.and_then(|number| number.checked_mul(unit)).ok_or("too large")
}

/// Why a variable's value was not accepted. Displays as what follows `grivet: ` on the line for the user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Complaint<'a> {
    variable: &'static str,
    value: &'a [u8],
    problem: &'static str,
    allowed: &'static str,
}

impl<'a> Complaint<'a> {
    fn new(variable: &'static str, value: &'a [u8], problem: &'static str, allowed: &'static str) -> Self {
        Self { variable, value, problem, allowed }
    }
}

impl fmt::Display for Complaint<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = &self.value[..self.value.len().min(VALUE_SHOWN)];
        let cut = if shown.len() < self.value.len() { "..." } else { "" };
        write!(formatter, "{}={}{cut}: {}; ", self.variable, shown.escape_ascii(), self.problem)?;
        write!(formatter, "allowed: {}; running natively", self.allowed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<'a>(environment: &[&'a str]) -> Result<Config, Complaint<'a>> {
        Config::read(environment.iter().map(|entry| entry.as_bytes()))
    }

    fn complaint(entry: &str) -> String {
        read(&[entry]).expect_err(entry).to_string()
    }

    #[test]
    fn an_empty_environment_gives_the_defaults() {
        assert_eq!(read(&[]), Ok(Config::DEFAULT));
        assert_eq!(read(&["PATH=/bin", "MY_GRIVET=off", "GRIVETS=1"]), Ok(Config::DEFAULT));
    }

    #[test]
    fn every_variable_is_read() {
        let config = read(&["GRIVET=on", "HOME=/", "GRIVET_STACK=256K", "GRIVET_PREEMPT=off"]);
        assert_eq!(config, Ok(Config { stack: Some(262_144), preempt: false, ..Config::DEFAULT }));
    }

    #[test]
    fn off_wins_over_wrong_values_elsewhere() {
        let config = read(&["GRIVET_STACK=nonsense", "GRIVET=off"]).unwrap();
        assert!(!config.enabled);
    }

    #[test]
    fn names_of_others_are_ignored() {
        assert_eq!(
            read(&["GRIVET_LIB=/x.so", "GRIVET_TEST_SPEED=9", "GRIVET_STACKS=9", "GRIVET_FUTURE"]),
            Ok(Config::DEFAULT)
        );
    }

    #[test]
    fn the_first_of_two_counts() {
        assert_eq!(read(&["GRIVET_STACK=1M", "GRIVET_STACK=2M"]).unwrap().stack, Some(1 << 20));
    }

    #[test]
    fn sizes_have_units_and_are_rounded_up_to_pages() {
        for (value, size) in
            [("65536", 65_536), ("64K", 65_536), ("65537", 69_632), ("8M", 8 << 20), ("1G", 1 << 30), ("100k", 102_400)]
        {
            assert_eq!(stack_size(value.as_bytes()), Ok(size), "{value}");
        }
    }

    #[test]
    fn wrong_sizes_are_refused() {
        for value in ["", "K", "12Q", "-1", "+64K", " 64K", "64K ", "64KB", "1e6", "0x10000", "64.5K"] {
            assert_eq!(stack_size(value.as_bytes()), Err("not a size"), "{value:?}");
        }
        for value in ["0", "63K", "65535"] {
            assert_eq!(stack_size(value.as_bytes()), Err("too small"), "{value:?}");
        }
        for value in ["2G", "1073741825", "18446744073709551616", "18446744073709551615G", "99999999999999999999999K"] {
            assert_eq!(stack_size(value.as_bytes()), Err("too large"), "{value:?}");
        }
    }

    #[test]
    fn complaints_name_variable_value_problem_and_choices() {
        let expected = "GRIVET_STACK=12Q: not a size; allowed: 64K to 1G, as 262144, 256K or 8M; running natively";
        assert_eq!(complaint("GRIVET_STACK=12Q"), expected);
        assert_eq!(complaint("GRIVET=yes"), "GRIVET=yes: unknown; allowed: on or off; running natively");
        assert_eq!(complaint("GRIVET="), "GRIVET=: unknown; allowed: on or off; running natively");
    }

    #[test]
    fn a_complaint_stays_one_short_line() {
        let text = complaint(&format!("GRIVET=\n\u{1b}{}", "x".repeat(1_000)));
        assert!(text.starts_with("GRIVET=\\n\\x1bxxx"));
        assert!(text.contains("x...: unknown"));
        assert!(text.len() < 300 && !text.contains('\n'));
    }
}
