//! Functions of a Rust program: one in a module, one of a type, one of a trait.

use std::thread::sleep;
use std::time::Duration;

fn task(name: &str, item: u32) {
    println!("{name} {item} starts");
    sleep(Duration::from_millis(20));
    println!("{name} {item} finishes");
}

mod app {
    #[inline(never)]
    pub fn fetch(item: u32) {
        crate::task("fetch", item);
    }

    pub struct Client;

    impl Client {
        #[inline(never)]
        pub fn load(&self, item: u32) {
            crate::task("load", item);
        }
    }

    pub trait Store {
        fn store(&self, item: u32);
    }

    impl Store for Client {
        #[inline(never)]
        fn store(&self, item: u32) {
            crate::task("store", item);
        }
    }
}

fn main() {
    use app::Store;
    static CLIENT: app::Client = app::Client;
    let function = std::env::args().nth(1).expect("a function's name");
    for item in 1..=2 {
        match function.as_str() {
            "fetch" => app::fetch(item),
            "load" => CLIENT.load(item),
            _ => CLIENT.store(item),
        }
    }
}
