//! Numbers and times as people read them.

use core::fmt;

/// A count, with commas between thousands.
#[derive(Clone, Copy)]
pub struct Count(pub u64);

impl fmt::Display for Count {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 < 1000 {
            return write!(formatter, "{}", self.0);
        }
        let mut group = 1;
        while self.0 / group >= 1000 {
            group *= 1000;
        }
        write!(formatter, "{}", self.0 / group)?;
        while group > 1 {
            group /= 1000;
            write!(formatter, ",{:03}", self.0 / group % 1000)?;
        }
        Ok(())
    }
}

/// A length of time, ms, with as much detail as its length deserves.
#[derive(Clone, Copy)]
pub struct Span(pub u64);

impl fmt::Display for Span {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (ms, seconds) = (self.0, self.0 / 1000);
        match seconds {
            0 => write!(formatter, "{ms} ms"),
            1..60 => write!(formatter, "{seconds}.{} s", ms % 1000 / 100),
            60..3600 => write!(formatter, "{} min {} s", seconds / 60, seconds % 60),
            3600..86_400 => write!(formatter, "{} h {} min", seconds / 3600, seconds / 60 % 60),
            _ => write!(formatter, "{} d {} h", seconds / 86_400, seconds / 3600 % 24),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_short() {
        let all = [Count(0), Count(999), Count(1000), Count(4998), Count(1_000_000), Count(12_003_045)];
        assert_eq!(all.map(|count| count.to_string()), ["0", "999", "1,000", "4,998", "1,000,000", "12,003,045"]);
        let all = [Span(7), Span(12_345), Span(185_000), Span(7_500_000), Span(100 * 3_600_000)];
        assert_eq!(all.map(|span| span.to_string()), ["7 ms", "12.3 s", "3 min 5 s", "2 h 5 min", "4 d 4 h"]);
    }
}
