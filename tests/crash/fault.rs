//! What goes wrong in a trial.

use super::random::Random;
use runsheet_sdk::Facts;
use runsheet_test_relay::Side;
use std::fmt;

/// A fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    pub kind: Kind,
    /// When, or where: microseconds, or the how manieth call or message; as the kind says.
    pub size: u64,
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The daemon is killed after so many microseconds.
    KillDaemon,
    /// The daemon is killed as it enters its so manieth call of this kind.
    KillAtCall(Call),
    /// The daemon dies before its so manieth call of a driver's function, or behind it.
    KillAtPoint(&'static str, Side),
    /// The so manieth call of this kind on the state folder fails.
    FailCall(Call, &'static str),
    /// The database server is killed after so many microseconds, and started again.
    KillServer,
    /// Both are killed after so many microseconds.
    KillBoth,
    /// The connection is cut after so many microseconds.
    Cut,
    /// The connection is cut behind the so manieth request: the server has it, and its answer is lost.
    CutAfterRequest,
    /// The connection is cut in the middle of the so manieth request: the server never has all of it.
    CutInRequest,
    /// The connection is cut as the so manieth answer comes.
    CutInAnswer,
    /// The network swallows everything after so many microseconds, and the daemon is killed.
    BlackHole,
    /// The daemon is stopped after so many microseconds for a while, and goes on.
    Pause,
    /// The power of the daemon's machine fails after so many microseconds.
    PowerCut,
    /// It fails at the so manieth sync that comes to the disk, before that one takes effect or after.
    PowerCutAtSync(Side),
    /// The state folder is put back to what it was before the run, when everything has ended.
    OlderState,
    /// The daemon is killed after so many microseconds, and the state folder is put back to what it was before.
    OlderStateInTheMiddle,
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
/// After how long a daemon holds the first lock, about.
const FENCED_MICROS: u64 = 60_000;
/// How many syncs of files and folders a trial has, about.
const SYNCS: u64 = 120;
/// How many messages go each way, about. A COMMIT is one of them as well as two hundred rows are.
const MESSAGES: u64 = 250;
/// How often a function of the driver is called in a trial, about.
const POINT_CALLS: u64 = 24;

impl Kind {
    /// How much of it a random fault has. Small ones come more often, so that one trial suffers many.
    fn size_max(self) -> u64 {
        match self {
            Self::KillAtCall(call) | Self::FailCall(call, _) => call.count(),
            Self::KillAtPoint(..) => POINT_CALLS,
            Self::CutInRequest | Self::CutAfterRequest | Self::CutInAnswer => MESSAGES,
            Self::PowerCutAtSync(_) => SYNCS,
            Self::OlderState => 1,
            Self::KillDaemon
            | Self::PowerCut
            | Self::KillServer
            | Self::KillBoth
            | Self::Cut
            | Self::BlackHole
            | Self::Pause
            | Self::OlderStateInTheMiddle => RUN_MICROS,
        }
    }

    /// Whether the site must lie on a disk that can lose its power.
    pub fn needs_disk(self) -> bool {
        matches!(self, Self::PowerCut | Self::PowerCutAtSync(_))
    }

    /// A fault of this kind.
    pub fn of_any_size(self, random: &mut Random) -> Fault {
        let max = self.size_max();
        let size = if random.chance(50) { random.skewed(max) } else { 1 + random.below(max) };
        Fault { kind: self, size }
    }

    /// The first call, where it is one of calls.
    pub fn first(self, random: &mut Random) -> Fault {
        match self {
            Self::KillAtPoint(..) => Fault { kind: self, size: 1 },
            _ => self.of_any_size(random),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::KillDaemon => write!(f, "daemon killed"),
            Self::KillAtCall(call) => write!(f, "daemon killed at a {call:?}"),
            Self::KillAtPoint(point, side) => write!(f, "daemon killed {} {point}", side.word()),
            Self::FailCall(call, error) => write!(f, "{error} on a {call:?} of the state"),
            Self::KillServer => write!(f, "server killed"),
            Self::KillBoth => write!(f, "daemon and server killed"),
            Self::Cut => write!(f, "connection cut"),
            Self::CutAfterRequest => write!(f, "connection cut after a request"),
            Self::CutInRequest => write!(f, "connection cut in a request"),
            Self::CutInAnswer => write!(f, "connection cut in an answer"),
            Self::BlackHole => write!(f, "black hole and daemon killed"),
            Self::Pause => write!(f, "daemon paused"),
            Self::PowerCut => write!(f, "power cut"),
            Self::PowerCutAtSync(side) => write!(f, "power cut {} a sync", side.word()),
            Self::OlderState => write!(f, "older state put back at the end"),
            Self::OlderStateInTheMiddle => write!(f, "older state put back in the middle"),
        }
    }
}

/// The faults that make sense with an engine.
pub struct Menu {
    /// With how many times in a hundred and some each comes.
    kinds: Vec<(Kind, u64)>,
}

/// Points that no plan comes by: only `config check` asks for them.
const NOT_OF_A_PLAN: [&str; 2] = ["driver.ping", "judge.advise"];
/// What an engine inside the daemon is never asked: its locks go with the process, so that no dead one holds them.
const NOT_EMBEDDED: [&str; 1] = ["lock.end_holder"];
/// What only a driver is asked that may have tables without transactions.
const OF_UNSAFE_TABLES: [&str; 1] = ["judge.vet"];

impl Menu {
    /// The menu of an engine, by the points of its driver and what is true of it.
    pub fn new(points: &[&'static str], facts: Facts) -> Self {
        let served = !facts.has(Facts::EMBEDDED);
        let passed = |point: &&&str| {
            !NOT_OF_A_PLAN.contains(point)
                && (served || !NOT_EMBEDDED.contains(point))
                && (facts.has(Facts::UNSAFE_TABLES) || !OF_UNSAFE_TABLES.contains(point))
        };
        let mut kinds = vec![(Kind::KillDaemon, 15), (Kind::Pause, 3)];
        kinds.extend([(Kind::OlderState, 2), (Kind::OlderStateInTheMiddle, 4)]);
        kinds.extend(
            [Call::Write, Call::Sync, Call::Rename, Call::Receive].map(|call| (Kind::KillAtCall(call), 6)),
        );
        kinds.push((Kind::PowerCut, 4));
        kinds.extend(Side::ALL.map(|side| (Kind::PowerCutAtSync(side), 4)));
        for call in [Call::Write, Call::Sync] {
            kinds.extend(["ENOSPC", "EIO"].map(|error| (Kind::FailCall(call, error), 2)));
        }
        for point in points.iter().filter(passed) {
            kinds.extend(Side::ALL.map(|side| (Kind::KillAtPoint(point, side), 1)));
        }
        if served {
            kinds.push((Kind::KillAtCall(Call::Send), 6));
            kinds.extend([(Kind::KillServer, 6), (Kind::KillBoth, 5), (Kind::Cut, 7), (Kind::BlackHole, 2)]);
            kinds.extend([(Kind::CutInRequest, 8), (Kind::CutAfterRequest, 8), (Kind::CutInAnswer, 4)]);
        }
        Self { kinds }
    }

    /// Leaves only the kinds whose names begin so.
    pub fn keep(&mut self, beginning: &str) {
        self.kinds.retain(|(kind, _)| kind.to_string().starts_with(beginning));
    }

    /// Every kind.
    pub fn kinds(&self) -> impl Iterator<Item = Kind> {
        self.kinds.iter().map(|(kind, _)| *kind)
    }

    /// Any fault.
    pub fn random(&self, random: &mut Random) -> Fault {
        let mut left = random.below(self.kinds.iter().map(|(_, weight)| weight).sum());
        for (kind, weight) in &self.kinds {
            if left < *weight {
                return kind.of_any_size(random);
            }
            left -= weight;
        }
        Kind::KillDaemon.of_any_size(random)
    }

    /// Faults that come to a fault of this kind: some points are passed only behind a crash.
    pub fn aimed(kind: Kind, random: &mut Random) -> Vec<Fault> {
        let mut faults = Vec::new();
        match kind {
            // There is something to judge only where a statement that commits by itself was in flight.
            Kind::KillAtPoint("judge.judge", _) => {
                let side = random.pick(&Side::ALL);
                faults.push(Fault { kind: Kind::KillAtPoint("judge.execute", side), size: 1 });
            }
            // Somebody holds the lock only where the server does not know that he is dead.
            Kind::KillAtPoint("lock.end_holder", _) => {
                faults.push(Fault {
                    kind: Kind::BlackHole,
                    size: FENCED_MICROS + random.below(RUN_MICROS / 2),
                });
            }
            _ => {}
        }
        faults.push(kind.first(random));
        faults
    }
}
