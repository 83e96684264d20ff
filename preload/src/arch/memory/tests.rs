//! Tests of the memory functions, called as `grivet_*` (the usual names are the test program's libc): every short length
//! and the lengths at which the code branches, overlap both ways, and the bytes beside the range.

unsafe extern "C" {
    fn grivet_memmove(destination: *mut u8, source: *const u8, bytes: usize) -> *mut u8;
    fn grivet_memset(destination: *mut u8, byte: i32, bytes: usize) -> *mut u8;
    fn grivet_memcmp(left: *const u8, right: *const u8, bytes: usize) -> i32;
    fn grivet_strlen(string: *const u8) -> usize;
}

const LENGTHS: [usize; 14] = [200, 255, 256, 257, 511, 512, 513, 1023, 1024, 1025, 1055, 2048, 4097, 5000];

fn lengths() -> impl Iterator<Item = usize> {
    (0..=160).chain(LENGTHS)
}

fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|index| (index * 131 + index / 251 + 7) as u8).collect()
}

#[test]
fn copies_every_length_and_nothing_beside_it() {
    for length in lengths() {
        for offset in [0, 1, 7] {
            let source = pattern(length + 16);
            let mut target = vec![0xAA; length + 32];
            // SAFETY: both ranges lie inside their vectors.
            let answer =
                unsafe { grivet_memmove(target.as_mut_ptr().add(8 + offset), source.as_ptr().add(offset), length) };
            assert_eq!(answer, target[8 + offset..].as_mut_ptr());
            assert_eq!(target[8 + offset..][..length], source[offset..][..length], "length {length}");
            assert!(target[..8 + offset].iter().all(|byte| *byte == 0xAA), "before, length {length}");
            assert!(target[8 + offset + length..].iter().all(|byte| *byte == 0xAA), "after, length {length}");
        }
    }
}

#[test]
fn moves_overlapping_ranges_both_ways() {
    for length in lengths() {
        for distance in [0_usize, 1, 3, 8, 15, 31, 32, 33, 63, 64, 65, 200, 1000, 1100] {
            for (from, to) in [(0, distance), (distance, 0)] {
                let mut memory = pattern(length + distance + 8);
                let mut expected = memory.clone();
                expected.copy_within(from..from + length, to);
                let base = memory.as_mut_ptr();
                // SAFETY: both ranges lie inside `memory`.
                unsafe { grivet_memmove(base.add(to), base.add(from), length) };
                assert_eq!(memory, expected, "length {length}, from {from} to {to}");
            }
        }
    }
}

#[test]
fn sets_every_length_and_nothing_beside_it() {
    for length in lengths() {
        let mut target = vec![0x55; length + 32];
        // SAFETY: the range lies inside the vector. Only the low byte of the value counts.
        let answer = unsafe { grivet_memset(target.as_mut_ptr().add(9), 0x1C3, length) };
        assert_eq!(answer, target[9..].as_mut_ptr());
        assert!(target[9..][..length].iter().all(|byte| *byte == 0xC3), "length {length}");
        assert!(target[..9].iter().all(|byte| *byte == 0x55), "before, length {length}");
        assert!(target[9 + length..].iter().all(|byte| *byte == 0x55), "after, length {length}");
    }
}

#[test]
fn compares_as_unsigned_bytes_at_every_position() {
    for length in 0..100 {
        let left = pattern(length);
        // SAFETY: both vectors hold `length` bytes.
        assert_eq!(unsafe { grivet_memcmp(left.as_ptr(), left.clone().as_ptr(), length) }, 0);
        for position in 0..length {
            for other in [0x00, 0x7F, 0x80, 0xFF] {
                let mut right = left.clone();
                right[position] = other;
                // Bytes after the first difference must not count.
                if let Some(last) = right.last_mut().filter(|_| position + 1 < length) {
                    *last = !*last;
                }
                // SAFETY: both vectors hold `length` bytes.
                let answer = unsafe { grivet_memcmp(left.as_ptr(), right.as_ptr(), length) };
                let expected = left.cmp(&right) as i32;
                assert_eq!(answer.signum(), expected, "length {length}, position {position}");
            }
        }
    }
}

#[test]
fn measures_strings() {
    for length in 0..70 {
        let mut string = vec![b'x'; length];
        string.extend([0, b'y', 0]);
        // SAFETY: the vector holds a zero byte.
        assert_eq!(unsafe { grivet_strlen(string.as_ptr()) }, length);
    }
}
