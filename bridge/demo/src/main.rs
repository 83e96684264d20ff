//! A tokio program that awaits thousands of calls of a blocking C library (legacy.c) at once, by `grivet_bridge::call` or,
//! for comparison, by tokio's own `spawn_blocking`.
//!
//! `await_legacy WAY KIND [CALLS [MILLISECONDS]]`: WAY is `bridge` or `spawn_blocking`; KIND is `move`, a call that sleeps,
//! or `ask`, a call that waits for the answer of an instrument over TCP. The instrument is an async task of this very
//! program. One line says how many calls gave the right value, and how long all of them took; if not all did, the exit
//! status is 1.

use futures::future::join_all;
use grivet_bridge::{Caller, is_green};
use std::io;
use std::net::Ipv4Addr;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

mod legacy {
    //! legacy.c, as Rust sees it.

    use std::io;

    // SAFETY: the declarations are those of legacy.c, whose functions take and give plain numbers only.
    unsafe extern "C" {
        safe fn legacy_move(position: i64, milliseconds: u32) -> i64;
        safe fn legacy_ask(port: u16, channel: i64) -> i64;
    }

    pub fn move_to(position: i64, milliseconds: u32) -> io::Result<i64> {
        Ok(legacy_move(position, milliseconds))
    }

    pub fn ask(port: u16, channel: i64) -> io::Result<i64> {
        match legacy_ask(port, channel) {
            -1 => Err(io::Error::last_os_error()),
            value => Ok(value),
        }
    }
}

/// What the C library needs is little.
const STACK: usize = 64 << 10;

#[derive(Clone, Copy)]
enum Way {
    Bridge,
    SpawnBlocking,
}

/// Answers each request with its channel's number, after `delay`: async code, one task a connection.
async fn instrument(listener: TcpListener, delay: Duration) -> io::Result<()> {
    async fn answer(mut connection: TcpStream, delay: Duration) -> io::Result<()> {
        let channel = connection.read_i64_le().await?;
        tokio::time::sleep(delay).await;
        connection.write_i64_le(channel).await
    }
    loop {
        let (connection, _) = listener.accept().await?;
        tokio::spawn(answer(connection, delay));
    }
}

/// A listener with as much room for connections that nobody has accepted yet as the system allows (net.core.somaxconn):
/// they all come at once, and one that finds no room is made again a second later.
fn listener() -> io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((Ipv4Addr::LOCALHOST, 0).into())?;
    socket.listen(65_535)
}

/// Makes `calls` of `legacy` at once; how many gave their own number back, and the first failure.
async fn all(way: Way, calls: i64, legacy: impl Fn(i64) -> io::Result<i64> + Copy + Send + 'static) -> (usize, String) {
    let results: Vec<Result<i64, String>> = match way {
        Way::Bridge => {
            let caller = Caller::new().stack_size(STACK);
            let calls: Vec<_> = (0..calls).map(|number| caller.call(move || legacy(number))).collect();
            join_all(calls).await.into_iter().map(|result| flat(result.map_err(|error| error.to_string()))).collect()
        }
        Way::SpawnBlocking => {
            let calls: Vec<_> = (0..calls).map(|number| tokio::task::spawn_blocking(move || legacy(number))).collect();
            join_all(calls).await.into_iter().map(|result| flat(result.map_err(|error| error.to_string()))).collect()
        }
    };
    let right = (0..calls).zip(&results).filter(|(number, result)| result.as_ref() == Ok(number)).count();
    let failure = results.iter().find_map(|result| result.as_ref().err());
    (right, failure.map_or_else(String::new, |failure| format!("; first failure: {failure}")))
}

/// One kind of error for a call that could not be made and one that failed.
fn flat(result: Result<io::Result<i64>, String>) -> Result<i64, String> {
    result.and_then(|value| value.map_err(|error| error.to_string()))
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let number = |at: usize, default: i64| words.get(at).map_or(Some(default), |word| word.parse().ok());
    let way = match words.first() {
        Some(&"bridge") => Some(Way::Bridge),
        Some(&"spawn_blocking") => Some(Way::SpawnBlocking),
        _ => None,
    };
    let (Some(way), Some(kind @ ("move" | "ask")), Some(calls), Some(milliseconds)) =
        (way, words.get(1).copied(), number(2, 10_000), number(3, 1_000).and_then(|number| u32::try_from(number).ok()))
    else {
        eprintln!("usage: await_legacy bridge|spawn_blocking move|ask [CALLS [MILLISECONDS]]");
        return ExitCode::from(2);
    };

    let begun = Instant::now();
    let (right, failure) = if kind == "move" {
        all(way, calls, move |position| legacy::move_to(position, milliseconds)).await
    } else {
        let listener = listener().expect("a port of 127.0.0.1");
        let port = listener.local_addr().expect("a bound address").port();
        tokio::spawn(instrument(listener, Duration::from_millis(milliseconds.into())));
        all(way, calls, move |channel| legacy::ask(port, channel)).await
    };
    let seconds = begun.elapsed().as_secs_f64();
    let threads = if is_green() { "green" } else { "kernel" };
    println!(
        "{right} of {calls} calls of legacy_{kind}, {milliseconds} ms each, in {seconds:.2} s by {}, on {threads} threads{failure}",
        words[0]
    );
    ExitCode::from(u8::from(i64::try_from(right) != Ok(calls)))
}
