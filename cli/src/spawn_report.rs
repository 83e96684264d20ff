//! `grivet check --spawn`: where the functions are that rules name, whether their calls can be caught, and what their
//! callers do that may go wrong then.

use grivet_symbols::{Function, Rule, Value};

use crate::calls::{self, Danger, Warning};
use crate::check::{REFUSED, Report, WORKS};
use crate::program::Program;
use crate::rules::{self, Rules};
use crate::status::{Refusal, Status};

/// How many warnings a rule's report lists.
const LISTED: usize = 10;

/// How an argument's number is said.
const ORDINALS: [&str; 6] = ["first", "second", "third", "fourth", "fifth", "sixth"];

/// The report on the rules in `lists`, and the exit status.
pub fn of(program: &Program, lists: &[String]) -> Result<(String, i32), Refusal> {
    let mut report = Report::default();
    report.program(program);
    let files = Rules::of(program)?;
    let (mut refused, mut warnings) = (0, 0);
    for rule in rules::rules(lists)? {
        report.line("rule", rules::written(&rule));
        match files.functions(&rule) {
            Ok(functions) => {
                for function in &functions {
                    refused += usize::from(!describe(&mut report, &files, function));
                }
                warnings += warn(&mut report, &files, &rule, &functions)?;
            }
            Err(reason) => {
                report.line("  function", reason);
                refused += 1;
            }
        }
    }
    let obstacle = report.host();
    let (status, verdict) = if refused > 0 {
        (REFUSED, format!("refused: see above (grivet run: exit status {})", Status::Rule as i32))
    } else if let Some(obstacle) = obstacle {
        obstacle
    } else if warnings > 0 {
        (WORKS, "works if the callers warned of can do without what the call gives them".to_owned())
    } else {
        (WORKS, "works: each call runs as a task, and its caller goes on when it first waits".to_owned())
    };
    report.line("verdict", verdict);
    Ok((report.0, status))
}

/// Says where `function` is and whether its entry can be rewritten, which is the answer.
fn describe(report: &mut Report, files: &Rules, function: &Function) -> bool {
    let Function { name, address, size, .. } = function;
    let length = match size {
        0 => "of unknown size".to_owned(),
        1 => "1 byte".to_owned(),
        size => format!("{size} bytes"),
    };
    report
        .line("  function", format_args!("{name}, {length} at {address:#x} of {}", files.elf(function).path.display()));
    let entry = files.check_entry(function);
    report.line("  entry", entry.as_ref().map_or_else(String::as_str, |()| "can be rewritten"));
    entry.is_ok()
}

/// Warns of what is seen at the calls of `functions`, and returns how many warnings there are.
fn warn(report: &mut Report, files: &Rules, rule: &Rule, functions: &[Function]) -> Result<usize, Refusal> {
    let (mut warnings, mut seen) = (Vec::new(), 0);
    for function in functions {
        let calls = calls::of(files, function)?;
        seen += calls.count;
        warnings.extend(calls.warnings);
    }
    if seen == 0 && !functions.is_empty() {
        report.line("  callers", "no direct call was seen: what callers by pointer do with the result is not known");
    }
    let listed = &warnings[..warnings.len().min(LISTED)];
    let objects = files.objects();
    for group in listed.chunk_by(|a, b| a.object == b.object) {
        let (elf, object) = &objects[group[0].object];
        let addresses: Vec<u64> = group.iter().map(|warning| warning.address).collect();
        for (Warning { address, danger, .. }, place) in group.iter().zip(calls::places(object, &addresses)) {
            let place = place.map_or_else(String::new, |place| format!(" ({place})"));
            let what = match danger {
                Danger::ResultUsed => {
                    format!("the result is used after the call, which will give {}", shown(rule.value))
                }
                Danger::StackArgument(number) => format!(
                    "the {} argument is an address on the caller's stack, which may have changed when it is used",
                    ORDINALS[usize::from(*number)]
                ),
            };
            report.line("  warning", format_args!("{} {address:#x}{place}: {what}", elf.file_name()));
        }
    }
    if warnings.len() > LISTED {
        report.remark(&format!("and {} more warnings", warnings.len() - LISTED));
    }
    Ok(warnings.len())
}

/// The value as people write it.
fn shown(value: Value) -> String {
    match value {
        Value::Integer(number) => number.cast_signed().to_string(),
        Value::Double(number) => format!("{number:?}"),
    }
}
