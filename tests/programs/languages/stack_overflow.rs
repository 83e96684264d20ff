//! A Rust thread that overflows its stack: std's own handler, on its alternate stack, names the thread on stderr and
//! the process ends by SIGABRT.

fn recurse(depth: u64) -> u64 {
    let block = std::hint::black_box([depth; 64]);
    if depth == u64::MAX { 0 } else { recurse(depth + 1) + block[depth as usize % 64] }
}

fn main() {
    std::thread::Builder::new()
        .name("too deep".into())
        .stack_size(256 * 1024)
        .spawn(|| {
            std::thread::sleep(std::time::Duration::from_millis(50));
            println!("{}", recurse(0))
        })
        .unwrap()
        .join()
        .unwrap();
}
