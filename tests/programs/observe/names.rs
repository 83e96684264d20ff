//! Threads that wait in generic functions and methods, for a lock, a condition, a channel and the end of another.

use std::io::Read;
use std::sync::{Arc, Condvar, Mutex, mpsc};
use std::thread;
use std::time::Duration;

mod warehouse {
    use super::*;

    pub struct Shelf<T>(pub Mutex<T>, pub Condvar);

    impl Shelf<u64> {
        #[inline(never)]
        pub fn wait_for_goods(&self) -> u64 {
            let mut goods = self.0.lock().unwrap();
            while *goods == 0 {
                goods = self.1.wait(goods).unwrap();
            }
            *goods
        }
    }

    #[inline(never)]
    pub fn receive_all<T: std::fmt::Debug>(orders: mpsc::Receiver<T>) -> usize {
        orders.iter().count()
    }
}

fn main() {
    let shelf = Arc::new(warehouse::Shelf(Mutex::new(0), Condvar::new()));
    let (sender, receiver) = mpsc::channel::<String>();
    let waiting = {
        let shelf = shelf.clone();
        thread::Builder::new().name("shelf".into()).spawn(move || shelf.wait_for_goods()).unwrap()
    };
    let receiving =
        thread::Builder::new().name("orders".into()).spawn(move || warehouse::receive_all(receiver)).unwrap();
    thread::sleep(Duration::from_millis(50));
    println!("ready");
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
    *shelf.0.lock().unwrap() = 1;
    shelf.1.notify_all();
    drop(sender);
    assert_eq!(waiting.join().unwrap(), 1);
    assert_eq!(receiving.join().unwrap(), 0);
    println!("unharmed");
}
