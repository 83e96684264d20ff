//! Tokio's multi-thread runtime: tasks on four workers, timers, channels and locks, 50 connections to a server of its own, the blocking
//! pool behind files, a child process, a signal, a runtime inside `block_in_place`.

use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, Semaphore, broadcast, mpsc};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

async fn sum(mut set: JoinSet<u64>) -> u64 {
    let mut sum = 0;
    while let Some(value) = set.join_next().await {
        sum += value.expect("a value");
    }
    sum
}

async fn echoes() -> std::io::Result<u64> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let server = tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut from, mut into) = socket.split();
                tokio::io::copy(&mut from, &mut into).await
            });
        }
    });
    let mut clients = JoinSet::new();
    for _ in 0..50 {
        clients.spawn(async move {
            let mut socket = TcpStream::connect(address).await.expect("a connection");
            let mut answered = 0;
            for _ in 0..10 {
                socket.write_all(b"hello").await.expect("room");
                let mut bytes = [0; 5];
                socket.read_exact(&mut bytes).await.expect("an answer");
                answered += u64::from(&bytes == b"hello");
            }
            answered
        });
    }
    let answered = sum(clients).await;
    server.abort();
    Ok(answered)
}

#[tokio::main(flavor = "multi_thread", worker_threads = 4)]
async fn main() -> std::io::Result<()> {
    let mut sleepers = JoinSet::new();
    for n in 0..2000u64 {
        sleepers.spawn(async move {
            sleep(Duration::from_millis(n % 7)).await;
            n
        });
    }
    println!("sleepers {}", sum(sleepers).await);

    let (send, mut receive) = mpsc::channel(3);
    let producer = tokio::spawn(async move {
        for n in 0..1000u64 {
            send.send(n).await.expect("a receiver");
        }
    });
    let mut total = 0;
    while let Some(n) = receive.recv().await {
        total += n;
    }
    producer.await?;
    println!("channel {total}");

    let (counter, places) = (Arc::new(Mutex::new(0u64)), Arc::new(Semaphore::new(3)));
    let mut workers = JoinSet::new();
    for _ in 0..100 {
        let (counter, places) = (counter.clone(), places.clone());
        workers.spawn(async move {
            let _place = places.acquire().await.expect("a place");
            let mut counter = counter.lock().await;
            tokio::task::yield_now().await;
            *counter += 1;
            1
        });
    }
    println!("locked {} {}", sum(workers).await, counter.lock().await);

    let (send, _) = broadcast::channel(16);
    let mut listeners = JoinSet::new();
    for _ in 0..8 {
        let mut receive = send.subscribe();
        listeners.spawn(async move { receive.recv().await.expect("a word") });
    }
    send.send(5u64).expect("listeners");
    println!("broadcast {}", sum(listeners).await);
    println!("echoes {}", echoes().await?);

    let mut blocking = JoinSet::new();
    for n in 0..40u64 {
        blocking.spawn_blocking(move || {
            std::thread::sleep(Duration::from_millis(5));
            n
        });
    }
    println!("blocking {}", sum(blocking).await);
    println!(
        "in place {}",
        tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(async {
            sleep(Duration::from_millis(2)).await;
            7
        }))
    );
    println!("file {}", tokio::fs::read("/proc/self/comm").await?.len());
    println!("timeout {}", timeout(Duration::from_millis(5), std::future::pending::<()>()).await.is_err());

    let output = tokio::process::Command::new("echo").arg("from a child").output().await?;
    print!("{}", String::from_utf8_lossy(&output.stdout));
    let mut hangups = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup())?;
    let id = std::process::id();
    tokio::process::Command::new("kill").args(["-HUP", &id.to_string()]).status().await?;
    println!("signal {}", hangups.recv().await.is_some());
    Ok(())
}
