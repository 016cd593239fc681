//! What goes wrong in a trial.

use super::random::Random;
use super::scenario::Dialect;

/// A fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The daemon is killed after a while.
    KillDaemon { micros: u64 },
    /// The daemon is killed as it enters its `nth` call of this kind.
    KillAtCall { call: Call, nth: u64 },
    /// The `nth` call of this kind on the state folder fails.
    FailCall { call: Call, error: &'static str, nth: u64 },
    /// The database server is killed after a while, and started again.
    KillServer { micros: u64 },
    /// Both are killed after a while.
    KillBoth { micros: u64 },
    /// The connection is cut after a while.
    Cut { micros: u64 },
    /// The connection is cut behind so many bytes of requests: the server has them, and its answer is lost.
    CutAfterRequest { bytes: u64 },
    /// The connection is cut in the middle of an answer.
    CutInAnswer { bytes: u64 },
    /// The network swallows everything, and the daemon is killed.
    BlackHole { micros: u64 },
    /// The daemon is stopped for a while, and goes on.
    Pause { micros: u64 },
    /// The state folder is put back to what it was before the run, when everything has ended.
    OlderState,
    /// The daemon is killed, and the state folder is put back to what it was at an earlier kill.
    OlderStateInTheMiddle { micros: u64 },
}

/// A kind of system call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Call {
    Write,
    Sync,
    Rename,
    Send,
    Receive,
}

impl Call {
    pub const ALL: [Self; 5] = [Self::Write, Self::Sync, Self::Rename, Self::Send, Self::Receive];

    /// As strace names them.
    pub fn names(self) -> &'static str {
        match self {
            Self::Write => "write,pwrite64,writev",
            Self::Sync => "fsync,fdatasync",
            Self::Rename => "rename,renameat,renameat2,unlink,unlinkat",
            Self::Send => "sendto,sendmsg",
            Self::Receive => "recvfrom,recvmsg,read",
        }
    }

    /// About how many of them a trial has.
    fn count(self) -> u64 {
        match self {
            Self::Write => 400,
            Self::Sync => 80,
            Self::Rename => 60,
            Self::Send => 250,
            Self::Receive => 900,
        }
    }
}

/// How long a trial runs without faults, about.
const RUN_MICROS: u64 = 600_000;
/// How many bytes go each way, about.
const BYTES: u64 = 40_000;

impl Fault {
    /// The kind, for the report.
    pub fn kind(self) -> String {
        match self {
            Self::KillDaemon { .. } => "daemon killed".to_owned(),
            Self::KillAtCall { call, .. } => format!("daemon killed at {call:?}").to_lowercase(),
            Self::FailCall { call, error, .. } => format!("{} on {call:?}", error).to_lowercase(),
            Self::KillServer { .. } => "server killed".to_owned(),
            Self::KillBoth { .. } => "daemon and server killed".to_owned(),
            Self::Cut { .. } => "connection cut".to_owned(),
            Self::CutAfterRequest { .. } => "connection cut after a request".to_owned(),
            Self::CutInAnswer { .. } => "connection cut in an answer".to_owned(),
            Self::BlackHole { .. } => "black hole and daemon killed".to_owned(),
            Self::Pause { .. } => "daemon paused".to_owned(),
            Self::OlderState => "older state put back at the end".to_owned(),
            Self::OlderStateInTheMiddle { .. } => "older state put back in the middle".to_owned(),
        }
    }

    /// Every kind that makes sense with an engine, by its name.
    pub fn kinds(dialect: Dialect) -> Vec<String> {
        let mut random = Random::new(1);
        let mut kinds: Vec<String> = (0..4_000).map(|_| Self::random(dialect, &mut random).kind()).collect();
        kinds.sort();
        kinds.dedup();
        kinds
    }

    /// A fault of this kind.
    pub fn of_kind(kind: &str, dialect: Dialect, random: &mut Random) -> Self {
        loop {
            let fault = Self::random(dialect, random);
            if fault.kind() == kind {
                return fault;
            }
        }
    }

    pub fn random(dialect: Dialect, random: &mut Random) -> Self {
        let micros = random.below(RUN_MICROS);
        let served = dialect != Dialect::Sqlite;
        match random.below(100) {
            0..30 => {
                let call = random.pick(&Call::ALL);
                Self::KillAtCall { call, nth: 1 + random.below(call.count()) }
            }
            30..38 => {
                let call = random.pick(&[Call::Write, Call::Sync]);
                let error = random.pick(&["ENOSPC", "EIO"]);
                Self::FailCall { call, error, nth: 1 + random.below(call.count()) }
            }
            38..46 if served => Self::KillServer { micros },
            46..51 if served => Self::KillBoth { micros },
            51..58 if served => Self::Cut { micros },
            58..66 if served => Self::CutAfterRequest { bytes: random.below(BYTES) },
            66..70 if served => Self::CutInAnswer { bytes: random.below(BYTES) },
            70..72 if served => Self::BlackHole { micros },
            72..75 => Self::Pause { micros },
            75..78 => Self::OlderState,
            78..83 => Self::OlderStateInTheMiddle { micros },
            _ => Self::KillDaemon { micros },
        }
    }
}
