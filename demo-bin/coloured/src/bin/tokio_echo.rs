//! A program as Rust programmers write it, on tokio's multi-thread runtime: an echo server and three clients over TCP
//! in one process, and a blocking look-up for each client in tokio's pool of threads.
//!
//! The runtime's workers wait in `epoll_wait` and in futexes. Where that stops all of them, the first one that waits is
//! the last one that ran. Prints a line for each client. Knows nothing of grivet.

use std::io;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinSet, spawn_blocking};

const CLIENTS: usize = 3;
const MESSAGES: usize = 5;

/// Sends back what each client sends.
async fn serve(listener: TcpListener) -> io::Result<()> {
    loop {
        let (mut connection, _) = listener.accept().await?;
        tokio::spawn(async move {
            let (mut from, mut to) = connection.split();
            tokio::io::copy(&mut from, &mut to).await
        });
    }
}

/// Stands for a library without async: a look-up in a database, say.
fn look_up(number: usize) -> String {
    std::thread::sleep(Duration::from_millis(100));
    format!("client {number}")
}

async fn talk(number: usize, port: u16) -> io::Result<String> {
    let name = spawn_blocking(move || look_up(number)).await?;
    let mut connection = TcpStream::connect(("127.0.0.1", port)).await?;
    for message in 0..MESSAGES {
        let sent = format!("{name}, message {message}");
        connection.write_all(sent.as_bytes()).await?;
        let mut received = vec![0; sent.len()];
        connection.read_exact(&mut received).await?;
        assert_eq!(received, sent.as_bytes());
    }
    Ok(format!("{name}: {MESSAGES} messages came back"))
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> io::Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let port = listener.local_addr()?.port();
    tokio::spawn(serve(listener));

    let clients: JoinSet<_> = (0..CLIENTS).map(|number| talk(number, port)).collect();
    let mut lines = clients.join_all().await.into_iter().collect::<io::Result<Vec<_>>>()?;
    lines.sort_unstable();
    println!("{}", lines.join("\n"));
    Ok(())
}
