//! The benchmark's rows, written as a Rust programmer would write them without threads: `comparators LIBRARY ROW COUNT [STACK]`.
//! LIBRARY is `may` or `tokio`, ROW `semaphore-ping-pong`, `condvar-ping-pong`, `create-join` or `sleepers`. Each row prints one figure,
//! in the unit and with the meaning of the C program of that name in `bench/programs`. This file reads the arguments.

mod may_rows;
mod measure;
mod tokio_rows;

use std::process::ExitCode;

const USAGE: &str = "usage: comparators may|tokio semaphore-ping-pong|condvar-ping-pong|create-join|sleepers COUNT [STACK]";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let [library, row, count, stack @ ..] = words.as_slice() else {
        return complain();
    };
    let stack = stack.first().map_or(Ok(64 * 1024), |size| size.parse());
    let (Ok(count), Ok(stack)) = (count.parse(), stack) else {
        return complain();
    };
    let figure = match (*library, *row) {
        ("may", "semaphore-ping-pong") => may_rows::semaphore_ping_pong(count),
        ("may", "condvar-ping-pong") => may_rows::condvar_ping_pong(count),
        ("may", "create-join") => may_rows::create_join(count),
        ("may", "sleepers") => may_rows::sleepers(count, stack),
        ("tokio", "semaphore-ping-pong") => tokio_rows::semaphore_ping_pong(count),
        ("tokio", "condvar-ping-pong") => tokio_rows::condvar_ping_pong(count),
        ("tokio", "create-join") => tokio_rows::create_join(count),
        ("tokio", "sleepers") => tokio_rows::sleepers(count),
        _ => return complain(),
    };
    println!("{figure:.1}");
    ExitCode::SUCCESS
}

fn complain() -> ExitCode {
    eprintln!("{USAGE}");
    ExitCode::from(2)
}
