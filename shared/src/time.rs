//! Time, always an input: nothing in this crate reads a clock.

use core::fmt;
use core::ops::Add;

pub use core::time::Duration;

/// Nanoseconds since the Unix epoch, as the host told them.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct Timestamp(u64);

impl Timestamp {
    /// From nanoseconds since the Unix epoch.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// From whole seconds since the Unix epoch (the unit of `exp`, `nbf`, `iat`).
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs.saturating_mul(1_000_000_000))
    }

    /// Nanoseconds since the Unix epoch.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Whole seconds since the Unix epoch.
    pub const fn as_secs(self) -> u64 {
        self.0 / 1_000_000_000
    }

    /// How long after `earlier`; zero if the clock went back.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, rhs: Duration) -> Self {
        let nanos = u64::try_from(rhs.as_nanos()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(nanos))
    }
}

impl Timestamp {
    /// Appends RFC 3339 in UTC with milliseconds: `2026-11-21T09:00:00.123Z`.
    pub fn push_rfc3339(self, out: &mut String) {
        let secs = self.0 / 1_000_000_000;
        let millis = self.0 / 1_000_000 % 1000;
        let (days, second) = (secs / 86_400, secs % 86_400);
        // Days to a civil date, with years that begin in March (H. Hinnant, "chrono-compatible date algorithms").
        let z = days + 719_468;
        let (era, doe) = (z / 146_097, z % 146_097);
        let yoe = (doe - doe / 1_460 + doe / 36_524 - doe / 146_096) / 365;
        let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
        let mp = (5 * doy + 2) / 153;
        let day = doy - (153 * mp + 2) / 5 + 1;
        let month = if mp < 10 { mp + 3 } else { mp - 9 };
        let year = yoe + era * 400 + u64::from(month <= 2);
        // Nanoseconds of 64 bits end in 2554.
        let mut text = *b"0000-00-00T00:00:00.000Z";
        let parts = [(0, year / 100), (2, year % 100), (5, month), (8, day), (11, second / 3600), (14, second / 60 % 60)];
        // The last digit of the milliseconds stands alone.
        for (place, number) in parts.into_iter().chain([(17, second % 60), (20, millis / 10)]) {
            if let Some(two) = text.get_mut(place..).and_then(<[u8]>::first_chunk_mut::<2>) {
                *two = [b'0' | (number / 10) as u8, b'0' | (number % 10) as u8];
            }
        }
        if let Some(last) = text.get_mut(22) {
            *last = b'0' | (millis % 10) as u8;
        }
        out.push_str(core::str::from_utf8(&text).unwrap_or_default());
    }
}

/// RFC 3339, as [`Timestamp::push_rfc3339`].
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = String::with_capacity(24);
        self.push_rfc3339(&mut out);
        f.write_str(&out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_rfc_3339() {
        for (secs, want) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400, "2000-02-29T00:00:00.000Z"),
            (1_795_251_600, "2026-11-21T09:00:00.000Z"),
            (4_102_444_799, "2099-12-31T23:59:59.000Z"),
        ] {
            assert_eq!(Timestamp::from_secs(secs).to_string(), want);
        }
        assert_eq!(Timestamp::from_nanos(u64::MAX).to_string(), "2554-07-21T23:34:33.709Z");
        assert_eq!(Timestamp::from_nanos(123_999_999).to_string(), "1970-01-01T00:00:00.123Z");
    }

    #[test]
    fn a_clock_that_goes_back_yields_zero() {
        assert_eq!(Timestamp::from_secs(1).since(Timestamp::from_secs(2)), Duration::ZERO);
    }
}
