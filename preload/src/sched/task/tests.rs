use super::*;

#[test]
fn a_record_is_small() {
    assert!(size_of::<Task>() <= 128, "{}", size_of::<Task>());
}

#[test]
fn processes_have_ids_of_their_own() {
    let mut firsts: Vec<u32> = (1..100_000).map(offset_of_process).collect();
    firsts.sort_unstable();
    assert!(firsts.windows(2).all(|pair| pair[1] - pair[0] >= TIDS_OF_PROCESS));
    assert!(firsts[firsts.len() - 1] + TIDS_OF_PROCESS < TIDS);
    assert!(offset_of_process(1000).abs_diff(offset_of_process(1001)) > 10_000_000);
}

#[test]
fn ids_that_wrap_around_are_found() {
    let mut tasks = Tasks::new();
    tasks.reserve().unwrap();
    tasks.offset = TIDS - 2;
    for _ in 0..5 {
        let id = tasks.allocate(core::ptr::null_mut()).unwrap();
        assert_eq!(tasks.by_tid(tasks[id].tid as i32), Some(id));
    }
}

#[test]
fn records_are_reused_and_found_by_tid() {
    let mut tasks = Tasks::new();
    tasks.reserve().unwrap();
    let first = tasks.allocate(core::ptr::null_mut()).unwrap();
    let second = tasks.allocate(core::ptr::null_mut()).unwrap();
    assert_eq!((first, second), (0, 1));
    assert_eq!(tasks.by_tid(tasks[second].tid as i32), Some(second));
    let tid = tasks[second].tid as i32;
    tasks.release(second);
    assert_eq!(tasks.by_tid(tid), None);
    for _ in 0..RESTING {
        let next = tasks.allocate(core::ptr::null_mut()).unwrap();
        assert_ne!(next, second);
        tasks.release(next);
    }
    assert_eq!(tasks.allocate(core::ptr::null_mut()).unwrap(), second);
    assert_eq!(tasks.live, 2);
    assert_eq!(tasks.by_tid(-5), None);
}
