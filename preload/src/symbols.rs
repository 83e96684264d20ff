//! The symbols that link grivet to the program: the hooks `pthread_create` and `thrd_create`, which wake it, and weak
//! references to what it asks of the C library in their context. Weak, because a program on another C library must still load.

use crate::activation;
use core::ffi::{CStr, c_char, c_int, c_long, c_ulong, c_void};
use core::sync::atomic::{AtomicPtr, Ordering};

core::arch::global_asm!(
    ".pushsection .data.rel.ro.grivet_symbols,\"aw\",@progbits",
    ".balign 8",
    ".hidden grivet_symbols",
    "grivet_symbols:",
    ".weak dlsym",
    ".quad dlsym",
    ".weak dl_iterate_phdr",
    ".quad dl_iterate_phdr",
    ".weak getauxval",
    ".quad getauxval",
    ".weak environ",
    ".quad environ",
    ".weak gnu_get_libc_version",
    ".quad gnu_get_libc_version",
    ".weak pthread_getattr_default_np",
    ".quad pthread_getattr_default_np",
    ".weak pthread_setattr_default_np",
    ".quad pthread_setattr_default_np",
    ".weak pthread_attr_setstacksize",
    ".quad pthread_attr_setstacksize",
    ".weak pthread_attr_init",
    ".quad pthread_attr_init",
    ".weak pthread_attr_setdetachstate",
    ".quad pthread_attr_setdetachstate",
    ".weak __errno_location",
    ".quad __errno_location",
    ".weak syscall",
    ".quad syscall",
    ".weak abort",
    ".quad abort",
    ".popsection",
);

/// pthread_attr_t, opaque: 56 bytes in glibc for x86-64.
#[repr(C, align(8))]
pub struct ThreadAttributes([u8; 64]);

impl ThreadAttributes {
    pub const BLANK: ThreadAttributes = ThreadAttributes([0; 64]);
}

/// Takes `NAME=…` out of the process's environment, so that its children do not inherit it.
pub fn remove_from_environment(name: &[u8]) {
    let environ = symbols().environ;
    if environ.is_null() {
        return;
    }
    // SAFETY: called by the constructor, when no other code reads the array; entries are moved down over the one removed, and
    // the null pointer at the end moves with them.
    unsafe {
        let mut from = (*environ).cast_mut();
        let mut to = from;
        while !from.is_null() {
            let entry = *from;
            let is_named = !entry.is_null() && {
                let text = CStr::from_ptr(entry).to_bytes();
                text.strip_prefix(name).is_some_and(|rest| rest.first() == Some(&b'='))
            };
            if !is_named {
                *to = entry;
                to = to.add(1);
            }
            if entry.is_null() {
                return;
            }
            from = from.add(1);
        }
    }
}

/// Attributes of detached threads with stacks of `stack` bytes (None: the default). None if the C library refuses.
pub fn detached(stack: Option<usize>) -> Option<ThreadAttributes> {
    const PTHREAD_CREATE_DETACHED: c_int = 1;
    let table = symbols();
    let mut attributes = ThreadAttributes::BLANK;
    // SAFETY: the functions take a pthread_attr_t, for which there is room.
    let done = unsafe {
        table.pthread_attr_init?(&raw mut attributes) == 0
            && table.pthread_attr_setdetachstate?(&raw mut attributes, PTHREAD_CREATE_DETACHED) == 0
            && match stack {
                Some(size) => table.pthread_attr_setstacksize?(&raw mut attributes, size) == 0,
                None => true,
            }
    };
    done.then_some(attributes)
}

/// errno of the running thread.
pub fn errno() -> c_int {
    // SAFETY: the address is the running thread's own errno.
    symbols().errno_location.map_or(0, |location| unsafe { *location() })
}

/// Sets errno of the running thread.
pub fn set_errno(errno: c_int) {
    if let Some(location) = symbols().errno_location {
        // SAFETY: as above.
        unsafe { *location() = errno };
    }
}

/// A system call made as the program makes them, by syscall(2): it enters the gate. errno is changed.
pub fn system_call(number: syscalls::Sysno, arguments: [usize; 4]) {
    let [a, b, c, d] = arguments;
    if let Some(syscall) = symbols().syscall {
        // SAFETY: only futex calls on this library's own words are made this way.
        unsafe { syscall(number as c_long, a, b, c, d) };
    }
}

/// abort(3).
pub fn abort() -> ! {
    if let Some(abort) = symbols().abort {
        // SAFETY: takes no arguments.
        unsafe { abort() }
    }
    crate::raw::exit_group(134)
}

/// pthread_create(3) of the C library; its error number.
pub fn create_thread(thread: *mut usize, attributes: &ThreadAttributes, start: Start, argument: *mut c_void) -> c_int {
    let Some(create) = PTHREAD_CREATE.get() else { return raw_errno(syscalls::Errno::EAGAIN) };
    let attributes = core::ptr::from_ref(attributes).cast();
    // SAFETY: it is the C library's function of this name and type.
    unsafe { core::mem::transmute::<*mut c_void, Create>(create)(thread.cast(), attributes, start, argument) }
}

static PTHREAD_CREATE: Next = Next::new(c"pthread_create");

type Create = unsafe extern "C" fn(*mut c_void, *const c_void, Start, *mut c_void) -> c_int;
type Start = extern "C" fn(*mut c_void) -> *mut c_void;
type ThreadStart = extern "C" fn(*mut c_void) -> c_int;

/// What the loader found for the weak references.
#[repr(C)]
pub struct Symbols {
    dlsym: Option<unsafe extern "C" fn(*mut c_void, *const c_char) -> *mut c_void>,
    pub dl_iterate_phdr: Option<crate::rewrite::DlIteratePhdr>,
    pub getauxval: Option<unsafe extern "C" fn(c_ulong) -> c_ulong>,
    environ: *const *const *const c_char,
    pub gnu_get_libc_version: Option<unsafe extern "C" fn() -> *const c_char>,
    pub pthread_getattr_default_np: Option<unsafe extern "C" fn(*mut ThreadAttributes) -> c_int>,
    pub pthread_setattr_default_np: Option<unsafe extern "C" fn(*const ThreadAttributes) -> c_int>,
    pub pthread_attr_setstacksize: Option<unsafe extern "C" fn(*mut ThreadAttributes, usize) -> c_int>,
    pthread_attr_init: Option<unsafe extern "C" fn(*mut ThreadAttributes) -> c_int>,
    pthread_attr_setdetachstate: Option<unsafe extern "C" fn(*mut ThreadAttributes, c_int) -> c_int>,
    errno_location: Option<unsafe extern "C" fn() -> *mut c_int>,
    syscall: Option<unsafe extern "C" fn(c_long, usize, usize, usize, usize) -> c_long>,
    abort: Option<unsafe extern "C" fn() -> !>,
}

unsafe extern "C" {
    #[link_name = "grivet_symbols"]
    static SYMBOLS: Symbols;
}

/// The C library's functions.
pub fn symbols() -> &'static Symbols {
    // SAFETY: the loader has filled the table before any code of this library runs; nobody writes it.
    unsafe { &SYMBOLS }
}

/// dl_iterate_phdr(3), if the C library has it.
pub fn dl_iterate_phdr() -> Option<crate::rewrite::DlIteratePhdr> {
    symbols().dl_iterate_phdr
}

/// The process's environment, as `NAME=value`.
pub fn environment() -> impl Iterator<Item = &'static [u8]> {
    let mut place: *const *const c_char = core::ptr::null();
    let environ = symbols().environ;
    if !environ.is_null() {
        // SAFETY: `environ` is the C library's variable of that name.
        place = unsafe { *environ };
    }
    core::iter::from_fn(move || {
        if place.is_null() {
            return None;
        }
        // SAFETY: the array ends with a null pointer, at which this stops; its strings live as long as the constructor runs.
        unsafe {
            let entry = *place;
            if entry.is_null() {
                return None;
            }
            place = place.add(1);
            Some(CStr::from_ptr(entry).to_bytes())
        }
    })
}

/// The next definition of a hooked function behind this library's, looked up once.
struct Next {
    name: &'static CStr,
    found: AtomicPtr<c_void>,
}

impl Next {
    const fn new(name: &'static CStr) -> Next {
        Next { name, found: AtomicPtr::new(core::ptr::null_mut()) }
    }

    #[inline]
    fn get(&self) -> Option<*mut c_void> {
        let found = self.found.load(Ordering::Relaxed);
        if found.is_null() { self.look_up() } else { Some(found) }
    }

    #[cold]
    fn look_up(&self) -> Option<*mut c_void> {
        const RTLD_NEXT: *mut c_void = -1isize as *mut c_void;
        let dlsym = symbols().dlsym?;
        // SAFETY: dlsym takes a handle and a C string.
        let found = unsafe { dlsym(RTLD_NEXT, self.name.as_ptr()) };
        self.found.store(found, Ordering::Relaxed);
        (!found.is_null()).then_some(found)
    }
}

/// Hook: the first thread wakes grivet. pthread_create(3)'s errors; EAGAIN if the C library's own cannot be found.
///
/// # Safety
/// As for pthread_create(3).
#[cfg(not(test))]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pthread_create(
    thread: *mut c_void,
    attributes: *const c_void,
    start: Start,
    argument: *mut c_void,
) -> c_int {
    let Some(create) = PTHREAD_CREATE.get() else { return raw_errno(syscalls::Errno::EAGAIN) };
    activation::wake_once();
    // SAFETY: it is the C library's function of this name and type; the caller vouches for the arguments.
    unsafe { core::mem::transmute::<*mut c_void, Create>(create)(thread, attributes, start, argument) }
}

/// Hook: as `pthread_create`, for C11 threads, whose `thrd_create` does not pass through that symbol.
///
/// # Safety
/// As for thrd_create(3).
#[cfg(not(test))]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thrd_create(thread: *mut c_void, start: ThreadStart, argument: *mut c_void) -> c_int {
    type CreateC11 = unsafe extern "C" fn(*mut c_void, ThreadStart, *mut c_void) -> c_int;
    const THRD_ERROR: c_int = 2;
    static NEXT: Next = Next::new(c"thrd_create");
    let Some(create) = NEXT.get() else { return THRD_ERROR };
    activation::wake_once();
    // SAFETY: it is the C library's function of this name and type; the caller vouches for the arguments.
    unsafe { core::mem::transmute::<*mut c_void, CreateC11>(create)(thread, start, argument) }
}

fn raw_errno(errno: syscalls::Errno) -> c_int {
    errno.into_raw()
}
