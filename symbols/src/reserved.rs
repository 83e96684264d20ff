//! Functions whose calls cannot become tasks, because making a task calls them.

/// What is said of such a function.
pub const RESERVED: &str =
    "the C library needs this function to make a task of a call; name the function that calls it";

/// Families of the C library's functions, by the beginning of their names without leading underscores.
const FAMILIES: [&str; 12] = [
    "pthread_", "nptl_", "libc_", "malloc", "calloc", "realloc", "free", "mmap", "munmap", "mprotect", "madvise", "mem",
];

/// Single functions of it.
const FUNCTIONS: [&str; 10] =
    ["syscall", "errno_location", "clone", "clone3", "brk", "sbrk", "morecore", "abort", "exit", "start_thread"];

/// Whether calls of the C library's function `name` are needed to make a task of a call, or to end one.
pub fn is_reserved(name: &str) -> bool {
    let plain = name.trim_start_matches('_');
    FAMILIES.iter().any(|family| plain.starts_with(family)) || FUNCTIONS.contains(&plain)
}

#[cfg(test)]
mod tests {
    use super::is_reserved;

    #[test]
    fn what_a_task_is_made_with_is_reserved_and_what_waits_is_not() {
        for name in ["pthread_create", "__pthread_mutex_unlock", "malloc", "__libc_malloc", "memcpy", "__sbrk", "exit"]
        {
            assert!(is_reserved(name), "{name}");
        }
        for name in ["sleep", "system", "getaddrinfo", "usleep", "fgets", "popen"] {
            assert!(!is_reserved(name), "{name}");
        }
    }
}
