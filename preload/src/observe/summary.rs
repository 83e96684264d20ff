//! The statistics of `--stats`: a table for people, JSON for programs. All times are wall time of the one core that the
//! threads share, but for the CPU time, which is the kernel's.

use super::accounts::{Accounts, CAUSES, Named, name_of};
use super::output::Output;
use crate::raw;
use crate::report::fixed_text::FixedText;
use crate::report::message::Line;
use crate::sched::worker::Worker;
use core::fmt::{self, Write};
use grivet_timeline::Sink;
use linux_raw_sys::general::rusage;
use syscalls::Sysno;

/// What the kernel says of the process.
struct Usage {
    user_us: u64,
    system_us: u64,
    largest_kib: u64,
}

impl Usage {
    fn read() -> Usage {
        const US_PER_S: u64 = 1_000_000;
        let mut words = [0u64; size_of::<rusage>() / 8];
        // SAFETY: the kernel writes one struct rusage: two times of two words each, then ru_maxrss.
        unsafe { raw::call(Sysno::getrusage as u32, [0, words.as_mut_ptr() as usize, 0, 0, 0, 0]) };
        let [user, user_part, system, system_part, largest, ..] = words;
        Usage { user_us: user * US_PER_S + user_part, system_us: system * US_PER_S + system_part, largest_kib: largest }
    }
}

/// Ticks as milliseconds with three decimals.
struct Ms {
    ticks: u64,
    ticks_per_ms: u64,
}

impl fmt::Display for Ms {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let us = (u128::from(self.ticks) * 1000 / u128::from(self.ticks_per_ms.max(1))) as u64;
        write!(formatter, "{}.{:03}", us / 1000, us % 1000)
    }
}

/// Prints the table where the line of statistics goes.
pub fn print(worker: &Worker, ticks_per_ms: u64) {
    let Some(accounts) = &worker.observer.accounts else { return };
    let ms = |ticks| Ms { ticks, ticks_per_ms };
    let fd = worker.stats.outlet.fd();
    let send = |arguments: fmt::Arguments<'_>| {
        let mut line = Line::new();
        let _ = line.write_fmt(arguments);
        line.send_to(fd);
    };
    let usage = Usage::read();
    let (mapped, stacks) = worker.arena.size();
    send(format_args!("  waits           count      total ms    longest ms"));
    for (number, waits) in (0..CAUSES as u8).zip(&accounts.by_cause).filter(|(_, waits)| waits.count != 0) {
        let (total, longest) = (ms(waits.total), ms(waits.longest));
        send(format_args!(
            "  {:<8} {:>12} {:>13} {:>13}",
            name_of(number),
            waits.count,
            Padded(&total),
            Padded(&longest)
        ));
    }
    send(format_args!(
        "  system calls: {} answered, {} left to the kernel, {} made by grivet itself, {} saved",
        worker.stats.answered,
        worker.stats.passed,
        raw::made(),
        worker.stats.answered.saturating_sub(raw::made())
    ));
    send(format_args!(
        "  CPU: {}.{:03} s in user mode, {}.{:03} s in the kernel; no thread could run for {} ms",
        usage.user_us / 1_000_000,
        usage.user_us / 1000 % 1000,
        usage.system_us / 1_000_000,
        usage.system_us / 1000 % 1000,
        ms(accounts.idle)
    ));
    send(format_args!(
        "  memory: {} KiB at most; stacks: {stacks} in use, {} KiB of addresses",
        usage.largest_kib,
        mapped >> 10
    ));
    for named in accounts.busiest.iter() {
        let name = trimmed(named);
        send(format_args!("  ran longest: {} ({}) {} ms", named.tid, name.escape_ascii(), ms(named.ran)));
    }
    for named in accounts.most_blocked.iter() {
        let name = trimmed(named);
        send(format_args!(
            "  waited longest: {} ({}) {} ms at a time ({}), {} ms in all",
            named.tid,
            name.escape_ascii(),
            ms(named.longest),
            name_of(named.longest_cause as u8),
            ms(named.waited)
        ));
    }
}

/// Pads what has no alignment of its own.
struct Padded<'a>(&'a Ms);

impl fmt::Display for Padded<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(FixedText::<32>::of(format_args!("{}", self.0)).text())
    }
}

fn trimmed(named: &Named) -> &[u8] {
    let end = named.name.iter().position(|&byte| byte == 0).unwrap_or(named.name.len());
    &named.name[..end]
}

/// Writes the same as one JSON object.
pub fn write_json(worker: &Worker, ticks_per_ms: u64, output: &mut Output) {
    let Some(accounts) = &worker.observer.accounts else { return };
    let mut json = Json(output);
    // An error stays in the output, and is said by who opened it.
    let _ = write_all(worker, accounts, ticks_per_ms, &mut json);
}

struct Json<'a>(&'a mut Output);

impl Write for Json<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.0.write(text.as_bytes()) { Ok(()) } else { Err(fmt::Error) }
    }
}

/// A name as a JSON string; bytes that are not ASCII letters and the like are escaped.
struct Quoted<'a>(&'a [u8]);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("\"")?;
        for chunk in self.0.utf8_chunks() {
            for character in chunk.valid().chars() {
                match character {
                    '"' | '\\' => write!(formatter, "\\{character}")?,
                    character if character < ' ' => write!(formatter, "\\u{:04x}", character as u32)?,
                    character => formatter.write_char(character)?,
                }
            }
            if !chunk.invalid().is_empty() {
                formatter.write_char(char::REPLACEMENT_CHARACTER)?;
            }
        }
        formatter.write_str("\"")
    }
}

fn write_all(worker: &Worker, accounts: &Accounts, ticks_per_ms: u64, json: &mut Json<'_>) -> fmt::Result {
    let stats = &worker.stats;
    let usage = Usage::read();
    let ms = |ticks| Ms { ticks, ticks_per_ms };
    let (mapped, stacks) = worker.arena.size();
    let end = worker.name.iter().position(|&byte| byte == 0).unwrap_or(worker.name.len());
    writeln!(json, "{{\n  \"program\": {},\n  \"pid\": {},", Quoted(&worker.name[..end]), worker.pid)?;
    writeln!(json, "  \"threads\": {{\"made\": {}, \"most_at_once\": {}}},", stats.threads, stats.peak)?;
    write!(json, "  \"switches\": {},\n  \"waits\": {{", stats.switches)?;
    let mut separator = "\n";
    for (number, waits) in (0..CAUSES as u8).zip(&accounts.by_cause).filter(|(_, waits)| waits.count != 0) {
        let (total, longest) = (ms(waits.total), ms(waits.longest));
        write!(json, "{separator}    \"{}\": {{\"count\": {}, ", name_of(number), waits.count)?;
        write!(json, "\"total_ms\": {total}, \"longest_ms\": {longest}}}")?;
        separator = ",\n";
    }
    write!(
        json,
        "\n  }},\n  \"system_calls\": {{\"answered\": {}, \"left_to_kernel\": {}, ",
        stats.answered, stats.passed
    )?;
    let saved = stats.answered.saturating_sub(raw::made());
    write!(json, "\"made_by_grivet\": {}, \"saved\": {saved}, ", raw::made())?;
    writeln!(json, "\"received_together\": {}}},", stats.received_together)?;
    write!(json, "  \"cpu\": {{\"user_us\": {}, \"system_us\": {}, ", usage.user_us, usage.system_us)?;
    writeln!(json, "\"idle_ms\": {}}},", ms(accounts.idle))?;
    write!(json, "  \"memory\": {{\"largest_kib\": {}, \"stacks_in_use\": {stacks}, ", usage.largest_kib)?;
    writeln!(json, "\"stack_addresses_kib\": {}}},", mapped >> 10)?;
    write_list(json, "ran_longest", &accounts.busiest, &ms)?;
    json.write_str(",\n")?;
    write_list(json, "waited_longest", &accounts.most_blocked, &ms)?;
    json.write_str("\n}\n")
}

fn write_list(json: &mut Json<'_>, name: &str, list: &[Named], ms: &dyn Fn(u64) -> Ms) -> fmt::Result {
    write!(json, "  \"{name}\": [")?;
    let mut separator = "\n";
    for named in list {
        write!(json, "{separator}    {{\"tid\": {}, \"name\": {}, ", named.tid, Quoted(trimmed(named)))?;
        write!(json, "\"ran_ms\": {}, \"waited_ms\": {}, ", ms(named.ran), ms(named.waited))?;
        write!(json, "\"longest_wait_ms\": {}, ", ms(named.longest))?;
        write!(json, "\"longest_wait_for\": \"{}\"}}", name_of(named.longest_cause as u8))?;
        separator = ",\n";
    }
    json.write_str("\n  ]")
}
