//! Time for readers.

use super::model::Millis;

/// A length: `350 ms`, `4.2 s`, `12 m 30 s`, `2 h 05 m`, `3 d 02 h`.
pub fn length(time: Millis) -> String {
    let Millis(millis) = time;
    let seconds = (millis + 500) / 1000;
    match millis {
        0 => "0 s".to_owned(),
        1..1000 => format!("{millis} ms"),
        1000..9950 if millis % 1000 < 50 => format!("{} s", millis / 1000),
        1000..9950 => format!("{}.{} s", (millis + 50) / 1000, (millis + 50) % 1000 / 100),
        _ if seconds < 60 => format!("{seconds} s"),
        _ if seconds < 3600 && seconds % 60 == 0 => format!("{} m", seconds / 60),
        _ if seconds < 3600 => format!("{} m {:02} s", seconds / 60, seconds % 60),
        _ if seconds < 172_800 && seconds % 3600 < 60 => format!("{} h", seconds / 3600),
        _ if seconds < 172_800 => format!("{} h {:02} m", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{} d {:02} h", seconds / 86_400, seconds % 86_400 / 3600),
    }
}

/// A moment, exactly: `0:04.200`, `12:30.000`, `2:05:00.000`.
pub fn moment(time: Millis) -> String {
    let Millis(millis) = time;
    let (hours, minutes, seconds) = (millis / 3_600_000, millis / 60_000 % 60, millis / 1000 % 60);
    let rest = millis % 1000;
    if hours == 0 {
        format!("{minutes}:{seconds:02}.{rest:03}")
    } else {
        format!("{hours}:{minutes:02}:{seconds:02}.{rest:03}")
    }
}

/// `1 server`, `2 servers`.
pub(crate) fn count(number: usize, noun: &str) -> String {
    if number == 1 {
        format!("1 {noun}")
    } else {
        format!("{number} {noun}s")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths() {
        for (millis, expected) in [
            (0, "0 s"),
            (350, "350 ms"),
            (1000, "1 s"),
            (4240, "4.2 s"),
            (9949, "9.9 s"),
            (9960, "10 s"),
            (59_400, "59 s"),
            (59_600, "1 m"),
            (60_000, "1 m"),
            (750_000, "12 m 30 s"),
            (3_600_000, "1 h"),
            (7_500_000, "2 h 05 m"),
            (266_400_000, "3 d 02 h"),
        ] {
            assert_eq!(length(Millis(millis)), expected, "{millis}");
        }
    }

    #[test]
    fn moments() {
        for (millis, expected) in [
            (0, "0:00.000"),
            (4200, "0:04.200"),
            (750_000, "12:30.000"),
            (7_500_001, "2:05:00.001"),
        ] {
            assert_eq!(moment(Millis(millis)), expected);
        }
    }
}
