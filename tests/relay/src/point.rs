//! Where the process dies.

use rustix::process::{Signal, getpid, kill_process};
use std::str::FromStr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// The variable that says where.
pub const KILL: &str = "RUNSHEET_RELAY_KILL";

/// Before a call reaches the driver, or behind it, before the daemon has the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// The driver never hears of it.
    Before,
    /// The driver has done it, and nobody hears of it.
    After,
}

impl Side {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Before, Self::After];

    /// As [`KILL`] has it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::After => "after",
        }
    }
}

/// The call at which the process dies.
struct Aim {
    point: String,
    side: Side,
    nth: u64,
    seen: AtomicU64,
}

impl FromStr for Aim {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut words = text.split_whitespace();
        let (Some(point), Some(side), Some(nth), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return Err(format!("{KILL} is not `POINT SIDE NTH` but {text:?}"));
        };
        let side = Side::ALL.into_iter().find(|known| known.word() == side).ok_or("no such side")?;
        let nth = nth.parse().map_err(|_| format!("{nth:?} is no number"))?;
        Ok(Self { point: point.to_owned(), side, nth, seen: AtomicU64::new(0) })
    }
}

/// Comes by a point, and dies where it is the one that was aimed at.
pub(crate) fn pass(point: &str, side: Side) {
    static AIM: OnceLock<Option<Aim>> = OnceLock::new();
    let aim = AIM.get_or_init(|| {
        let text = std::env::var(KILL).ok()?;
        // A matrix that aims at nothing would pass: it must be seen.
        Some(text.parse().unwrap_or_else(|error| panic!("{error}")))
    });
    let Some(aim) = aim else { return };
    let is_it = aim.side == side && aim.point == point;
    if is_it && aim.seen.fetch_add(1, Ordering::SeqCst) + 1 == aim.nth {
        let _ = kill_process(getpid(), Signal::KILL);
        // The signal is on its way, and nothing more may be done.
        loop {
            std::thread::park();
        }
    }
}
