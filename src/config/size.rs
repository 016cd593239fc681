//! Sizes and durations as people write them.

use std::time::Duration;

/// Reads `"2s"`, `"1h 30m"`, `"500ms"` or a number of seconds.
pub(super) fn duration(value: &toml::Value) -> Option<Duration> {
    match value {
        toml::Value::Integer(seconds) => u64::try_from(*seconds).ok().map(Duration::from_secs),
        toml::Value::String(text) => {
            let span: jiff::SignedDuration = text.parse().ok()?;
            Duration::try_from(span).ok()
        }
        _ => None,
    }
}

/// Reads `"2 GiB"`, `"100 MB"` or a number of bytes.
pub(super) fn bytes(value: &toml::Value) -> Option<u64> {
    match value {
        toml::Value::Integer(bytes) => u64::try_from(*bytes).ok(),
        toml::Value::String(text) => {
            let text = text.trim();
            let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
            let (number, unit) = text.split_at(digits);
            let factor: u64 = match unit.trim().to_ascii_lowercase().as_str() {
                "" | "b" => 1,
                "kb" => 1_000,
                "mb" => 1_000_000,
                "gb" => 1_000_000_000,
                "kib" => 1 << 10,
                "mib" => 1 << 20,
                "gib" => 1 << 30,
                _ => return None,
            };
            number.parse::<u64>().ok()?.checked_mul(factor)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_sizes_are_read_as_people_write_them() {
        let text = |text: &str| toml::Value::String(text.to_owned());
        assert_eq!(duration(&text("1h 30m")), Some(Duration::from_secs(5400)));
        assert_eq!(duration(&text("200ms")), Some(Duration::from_millis(200)));
        assert_eq!(duration(&toml::Value::Integer(2)), Some(Duration::from_secs(2)));
        assert_eq!(duration(&text("soon")), None);
        assert_eq!(bytes(&text("2 GiB")), Some(2 << 30));
        assert_eq!(bytes(&text("10 parsecs")), None);
    }
}
