//! Where the threads' time goes: how long each ran and waited, and for what. Kept in ticks of the time stamp counter, only
//! if the user has asked for it.

use crate::sched::task::TaskId;
use alloc::vec::Vec;
use grivet_timeline::event::Cause;

/// Threads that are named in each list.
pub const NAMED: usize = 10;

/// How many causes there are (`Cause`).
pub const CAUSES: usize = 10;

/// Waits of one cause.
#[derive(Clone, Copy, Default)]
pub struct Waits {
    pub count: u64,
    /// Ticks.
    pub total: u64,
    pub longest: u64,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Doing {
    #[default]
    Nothing,
    Ready,
    Running,
    Waiting(u8),
}

/// One thread's.
#[derive(Clone, Copy, Default)]
struct Account {
    doing: Doing,
    since: u64,
    ran: u64,
    waited: u64,
    longest: u64,
    longest_cause: u8,
}

/// One line of a list.
#[derive(Clone, Copy)]
pub struct Named {
    pub tid: u32,
    pub name: [u8; 16],
    /// Ticks.
    pub ran: u64,
    pub waited: u64,
    pub longest: u64,
    pub longest_cause: Cause,
}

/// All of them.
pub struct Accounts {
    of: Vec<Account>,
    pub by_cause: [Waits; CAUSES],
    /// Those that ran longest, and those whose longest wait was longest; ended ones included.
    pub busiest: Vec<Named>,
    pub most_blocked: Vec<Named>,
    /// Ticks in which no thread ran.
    pub idle: u64,
    idle_since: Option<u64>,
}

impl Accounts {
    pub const fn new() -> Accounts {
        const NONE: Waits = Waits { count: 0, total: 0, longest: 0 };
        Accounts {
            of: Vec::new(),
            by_cause: [NONE; CAUSES],
            busiest: Vec::new(),
            most_blocked: Vec::new(),
            idle: 0,
            idle_since: None,
        }
    }

    /// The account of `id`, made if need be. None if there is no memory.
    fn account(&mut self, id: TaskId) -> Option<&mut Account> {
        let place = id as usize;
        if place >= self.of.len() {
            self.of.try_reserve(place + 1 - self.of.len()).ok()?;
            self.of.resize(place + 1, Account::default());
        }
        self.of.get_mut(place)
    }

    /// `id` does `doing` from `now` on: what it did until now is charged.
    fn change(&mut self, id: TaskId, now: u64, doing: Doing) {
        let Some(account) = self.account(id) else { return };
        let passed = now.saturating_sub(account.since);
        let before = core::mem::replace(&mut account.doing, doing);
        account.since = now;
        match before {
            Doing::Running => account.ran += passed,
            Doing::Waiting(cause) => {
                account.waited += passed;
                if passed >= account.longest {
                    account.longest = passed;
                    account.longest_cause = cause;
                }
                if let Some(waits) = self.by_cause.get_mut(usize::from(cause)) {
                    waits.count += 1;
                    waits.total += passed;
                    waits.longest = waits.longest.max(passed);
                }
            }
            Doing::Nothing | Doing::Ready => {}
        }
    }

    pub fn made(&mut self, id: TaskId, now: u64) {
        if let Some(account) = self.account(id) {
            *account = Account { doing: Doing::Ready, since: now, ..Account::default() };
        }
    }

    pub fn ready(&mut self, id: TaskId, now: u64) {
        self.change(id, now, Doing::Ready);
    }

    /// `before` ran until now, if it has not said what else it does.
    pub fn runs(&mut self, id: TaskId, before: TaskId, now: u64) {
        if let Some(since) = self.idle_since.take() {
            self.idle += now.saturating_sub(since);
        }
        if before != id && self.of.get(before as usize).is_some_and(|account| account.doing == Doing::Running) {
            self.change(before, now, Doing::Ready);
        }
        self.change(id, now, Doing::Running);
    }

    pub fn waits(&mut self, id: TaskId, now: u64, cause: Cause) {
        self.change(id, now, Doing::Waiting(cause as u8));
    }

    pub fn idles(&mut self, now: u64) {
        self.idle_since.get_or_insert(now);
    }

    /// `id` has ended, or the process does.
    pub fn ended(&mut self, id: TaskId, now: u64, tid: u32, name: [u8; 16]) {
        self.change(id, now, Doing::Nothing);
        let Some(account) = self.of.get(id as usize) else { return };
        let named = Named {
            tid,
            name,
            ran: account.ran,
            waited: account.waited,
            longest: account.longest,
            longest_cause: cause_of(account.longest_cause),
        };
        keep(&mut self.busiest, named, |named| named.ran);
        keep(&mut self.most_blocked, named, |named| named.longest);
    }
}

/// Keeps `named` if it is among the largest by `key`; the list is sorted, largest first.
fn keep(list: &mut Vec<Named>, named: Named, key: impl Fn(&Named) -> u64) {
    let place = list.partition_point(|other| key(other) >= key(&named));
    if place >= NAMED || key(&named) == 0 || list.try_reserve(1).is_err() {
        return;
    }
    list.insert(place, named);
    list.truncate(NAMED);
}

/// The cause with this number.
pub fn cause_of(number: u8) -> Cause {
    const ALL: [Cause; CAUSES] = [
        Cause::Nothing,
        Cause::Lock,
        Cause::Locks,
        Cause::Sleep,
        Cause::Poll,
        Cause::Read,
        Cause::Write,
        Cause::Helper,
        Cause::Child,
        Cause::Signal,
    ];
    ALL.get(usize::from(number)).copied().unwrap_or(Cause::Nothing)
}

/// What waits of cause `number` are called.
pub fn name_of(number: u8) -> &'static str {
    match cause_of(number) {
        Cause::Nothing => "nothing",
        Cause::Lock => "lock",
        Cause::Locks => "locks",
        Cause::Sleep => "sleep",
        Cause::Poll => "poll",
        Cause::Read => "read",
        Cause::Write => "write",
        Cause::Helper => "helper",
        Cause::Child => "child",
        Cause::Signal => "signal",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_have_their_numbers() {
        for number in 0..CAUSES as u8 {
            assert_eq!(cause_of(number) as u8, number);
        }
    }

    #[test]
    fn time_goes_where_it_was_spent() {
        let mut accounts = Accounts::new();
        accounts.runs(0, 0, 100);
        accounts.made(1, 110);
        accounts.waits(0, 120, Cause::Lock);
        accounts.runs(1, 0, 120);
        accounts.ready(0, 150);
        accounts.ended(1, 160, 7, *b"worker\0\0\0\0\0\0\0\0\0\0");
        accounts.runs(0, 1, 160);
        accounts.waits(0, 170, Cause::Sleep);
        accounts.idles(170);
        accounts.ready(0, 300);
        accounts.runs(0, 0, 300);
        accounts.ended(0, 310, 1, [0; 16]);
        let lock = accounts.by_cause[Cause::Lock as usize];
        assert_eq!((lock.count, lock.total, lock.longest), (1, 30, 30));
        assert_eq!(accounts.by_cause[Cause::Sleep as usize].total, 130);
        assert_eq!(accounts.idle, 130);
        let ran: Vec<_> = accounts.busiest.iter().map(|named| (named.tid, named.ran)).collect();
        assert_eq!(ran, [(1, 40), (7, 40)].map(|pair| pair).into_iter().rev().collect::<Vec<_>>());
        assert_eq!(accounts.most_blocked[0].longest_cause, Cause::Sleep);
        assert_eq!(accounts.most_blocked[0].waited, 160);
    }

    #[test]
    fn lists_keep_the_largest() {
        let mut list = Vec::new();
        for ran in [5, 1, 9, 3, 7, 0, 20, 11, 4, 6, 2, 8, 30] {
            let named = Named { tid: 0, name: [0; 16], ran, waited: 0, longest: 0, longest_cause: Cause::Nothing };
            keep(&mut list, named, |named| named.ran);
        }
        let kept: Vec<_> = list.iter().map(|named| named.ran).collect();
        assert_eq!(kept, [30, 20, 11, 9, 8, 7, 6, 5, 4, 3]);
    }
}
