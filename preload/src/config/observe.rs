//! What the user wants to see of the program's threads: variables of the same kind, read in the same way.

use super::{Complaint, either, size};
use grivet_timeline::Format;
use linux_raw_sys::general::_NSIG;

/// Bytes of events that are kept for a timeline if nothing else is said.
const TRACE_SIZE: usize = 64 << 20;
const TRACE_SMALLEST: usize = 64 << 10;
const TRACE_LARGEST: usize = 16 << 30;

/// SIGRTMAX − 1 as the C library counts.
const DUMP_SIGNAL: u32 = 63;

/// How the counts are shown when the process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stats<'a> {
    Off,
    /// One line.
    Line,
    /// The line and a table.
    Table,
    /// A file.
    Json(&'a [u8]),
}

/// What is done about threads that wait for each other's locks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnDeadlock {
    Ignore,
    Report,
    /// Report, then abort(3), for a core file.
    Abort,
    /// Report, then end with this status.
    Exit(u8),
}

/// The wishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ObserveConfig<'a> {
    /// `GRIVET_TRACE=FILE`: a timeline, in the format that the ending names.
    pub trace: Option<(&'a [u8], Format)>,
    /// `GRIVET_TRACE_SIZE=SIZE`: bytes of events that are kept.
    pub trace_size: usize,
    /// `GRIVET_STATS=1|0|table|json:FILE`
    pub stats: Stats<'a>,
    /// `GRIVET_MAX_BLOCKING=TIME`: how long a thread may keep the others waiting before that is reported, ns.
    pub max_blocking: Option<u64>,
    /// `GRIVET_ON_DEADLOCK=report|abort|exit:CODE|off`
    pub on_deadlock: OnDeadlock,
    /// `GRIVET_DUMP_SIGNAL=NUMBER|off`: the signal that makes the process describe its threads.
    pub dump_signal: Option<u32>,
}

impl<'a> ObserveConfig<'a> {
    pub const DEFAULT: Self = Self {
        trace: None,
        trace_size: TRACE_SIZE,
        stats: Stats::Off,
        max_blocking: None,
        on_deadlock: OnDeadlock::Report,
        dump_signal: Some(DUMP_SIGNAL),
    };

    /// Reads the variables as `Config::read` does.
    pub fn read(environment: impl Iterator<Item = &'a [u8]>) -> Result<Self, Complaint<'a>> {
        const NAMES: [&[u8]; 6] = [
            b"GRIVET_TRACE=",
            b"GRIVET_TRACE_SIZE=",
            b"GRIVET_STATS=",
            b"GRIVET_MAX_BLOCKING=",
            b"GRIVET_ON_DEADLOCK=",
            b"GRIVET_DUMP_SIGNAL=",
        ];
        let mut found: [Option<&'a [u8]>; 6] = [None; 6];
        for entry in environment {
            for (place, name) in found.iter_mut().zip(NAMES) {
                if let Some(value) = entry.strip_prefix(name) {
                    place.get_or_insert(value);
                }
            }
        }
        let [trace, trace_size, stats, max_blocking, on_deadlock, dump_signal] = found;
        let mut config = Self::DEFAULT;
        if let Some(value) = trace.filter(|value| !value.is_empty()) {
            let format = Format::of_path(value).ok_or(Complaint::new(
                "GRIVET_TRACE",
                value,
                "unknown kind of file",
                "a name that ends in .json, .svg or .html",
            ))?;
            config.trace = Some((value, format));
        }
        if let Some(value) = trace_size {
            let allowed = "64K to 16G";
            config.trace_size = size(value)
                .ok()
                .filter(|size| (TRACE_SMALLEST..=TRACE_LARGEST).contains(size))
                .ok_or(Complaint::new("GRIVET_TRACE_SIZE", value, "not a size", allowed))?;
        }
        if let Some(value) = stats {
            config.stats = statistics(value).ok_or(Complaint::new(
                "GRIVET_STATS",
                value,
                "unknown",
                "1, 0, table or json:FILE",
            ))?;
        }
        if let Some(value) = max_blocking {
            let time = time(value).ok_or(Complaint::new(
                "GRIVET_MAX_BLOCKING",
                value,
                "not a time",
                "1ms to 1h, as 100ms or 2s",
            ))?;
            config.max_blocking = Some(time);
        }
        if let Some(value) = on_deadlock {
            config.on_deadlock = deadlock(value).ok_or(Complaint::new(
                "GRIVET_ON_DEADLOCK",
                value,
                "unknown",
                "report, abort, exit:CODE or off",
            ))?;
        }
        if let Some(value) = dump_signal {
            config.dump_signal = signal(value).ok_or(Complaint::new(
                "GRIVET_DUMP_SIGNAL",
                value,
                "not a signal",
                "a number from 1 to 64, or off",
            ))?;
        }
        Ok(config)
    }
}

fn statistics(value: &[u8]) -> Option<Stats<'_>> {
    match value {
        b"table" => Some(Stats::Table),
        _ => match value.strip_prefix(b"json:") {
            Some(b"") => None,
            Some(file) => Some(Stats::Json(file)),
            None => either(value, b"1", b"0").map(|on| if on { Stats::Line } else { Stats::Off }),
        },
    }
}

/// Digits, then ms or s; ns.
fn time(value: &[u8]) -> Option<u64> {
    const MS: u64 = 1_000_000;
    const HOUR: u64 = 3_600_000 * MS;
    let (digits, unit) = match value {
        [digits @ .., b'm', b's'] => (digits, MS),
        [digits @ .., b's'] => (digits, 1000 * MS),
        _ => return None,
    };
    let time = (size(digits).ok()? as u64).checked_mul(unit)?;
    (MS..=HOUR).contains(&time).then_some(time)
}

fn deadlock(value: &[u8]) -> Option<OnDeadlock> {
    Some(match value {
        b"off" => OnDeadlock::Ignore,
        b"report" => OnDeadlock::Report,
        b"abort" => OnDeadlock::Abort,
        _ => OnDeadlock::Exit(u8::try_from(size(value.strip_prefix(b"exit:")?).ok()?).ok()?),
    })
}

fn signal(value: &[u8]) -> Option<Option<u32>> {
    if value == b"off" {
        return Some(None);
    }
    let number = size(value).ok().filter(|number| (1..=_NSIG as usize).contains(number))?;
    // Nobody can catch these.
    const UNCATCHABLE: [usize; 2] = [9, 19];
    (!UNCATCHABLE.contains(&number)).then_some(Some(number as u32))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<'a>(environment: &[&'a str]) -> Result<ObserveConfig<'a>, Complaint<'a>> {
        ObserveConfig::read(environment.iter().map(|entry| entry.as_bytes()))
    }

    #[test]
    fn every_variable_is_read() {
        let config = read(&[
            "GRIVET_TRACE=a.b/x.svg",
            "GRIVET_TRACE_SIZE=1M",
            "GRIVET_STATS=json:/tmp/s",
            "GRIVET_MAX_BLOCKING=100ms",
            "GRIVET_ON_DEADLOCK=exit:7",
            "GRIVET_DUMP_SIGNAL=12",
        ]);
        assert_eq!(
            config,
            Ok(ObserveConfig {
                trace: Some((b"a.b/x.svg", Format::Svg)),
                trace_size: 1 << 20,
                stats: Stats::Json(b"/tmp/s"),
                max_blocking: Some(100_000_000),
                on_deadlock: OnDeadlock::Exit(7),
                dump_signal: Some(12),
            })
        );
        assert_eq!(read(&[]), Ok(ObserveConfig::DEFAULT));
        assert_eq!(read(&["GRIVET_STATS=1"]).unwrap().stats, Stats::Line);
        assert_eq!(read(&["GRIVET_STATS=table"]).unwrap().stats, Stats::Table);
        assert_eq!(read(&["GRIVET_DUMP_SIGNAL=off"]).unwrap().dump_signal, None);
    }

    #[test]
    fn wrong_values_are_refused() {
        for entry in [
            "GRIVET_TRACE=file.txt",
            "GRIVET_TRACE_SIZE=1",
            "GRIVET_STATS=json:",
            "GRIVET_STATS=all",
            "GRIVET_MAX_BLOCKING=100",
            "GRIVET_MAX_BLOCKING=0ms",
            "GRIVET_ON_DEADLOCK=exit:256",
            "GRIVET_ON_DEADLOCK=panic",
            "GRIVET_DUMP_SIGNAL=9",
            "GRIVET_DUMP_SIGNAL=65",
        ] {
            let complaint = read(&[entry]).expect_err(entry).to_string();
            assert!(complaint.starts_with(entry), "{complaint}");
        }
    }
}
