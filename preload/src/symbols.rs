//! The symbols that link grivet to the program: the hooks `pthread_create` and `thrd_create`, which wake it, and weak
//! references to what it asks of the C library in their context. Weak, because a program on another C library must still load.

use crate::activation;
use core::ffi::{CStr, c_char, c_int, c_ulong, c_void};
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
    ".popsection",
);

/// pthread_attr_t, opaque: 56 bytes in glibc for x86-64.
#[repr(C, align(8))]
pub struct ThreadAttributes([u8; 64]);

impl ThreadAttributes {
    pub fn blank() -> ThreadAttributes {
        ThreadAttributes([0; 64])
    }
}

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
    type Create = unsafe extern "C" fn(*mut c_void, *const c_void, Start, *mut c_void) -> c_int;
    static NEXT: Next = Next::new(c"pthread_create");
    let Some(create) = NEXT.get() else { return raw_errno(syscalls::Errno::EAGAIN) };
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
    type Create = unsafe extern "C" fn(*mut c_void, ThreadStart, *mut c_void) -> c_int;
    const THRD_ERROR: c_int = 2;
    static NEXT: Next = Next::new(c"thrd_create");
    let Some(create) = NEXT.get() else { return THRD_ERROR };
    activation::wake_once();
    // SAFETY: it is the C library's function of this name and type; the caller vouches for the arguments.
    unsafe { core::mem::transmute::<*mut c_void, Create>(create)(thread, start, argument) }
}

#[cfg(not(test))]
fn raw_errno(errno: syscalls::Errno) -> c_int {
    errno.into_raw()
}
