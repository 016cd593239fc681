//! Servers of the test's own, with and without marks, and the settling of a statement as the executor does it. What is right is seen
//! by the client `mariadb`.

mod cases;
mod client;

pub use cases::{CASES, Case, Doubt};

use client::Client;

use anyhow::{Context, Result, bail, ensure};
use runsheet_driver_mysql::{MySql as Engine, Session};
use runsheet_sdk::{Connection, Driver, Mark, Observation, Observed, Ruling, Settings, TryLock, Verdict};
use runsheet_test_servers::{Family, MySql, MySqlOptions};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// How often a half effect may be put right.
const REPAIRS_MAX: usize = 8;

/// What the tests are made with: a server that marks statements, or one that does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    pub family: Family,
    pub marks: bool,
}

/// A server.
pub struct Bench {
    pub config: Config,
    pub server: MySql,
    client: Mutex<Client>,
    state: u64,
    /// Databases that were set up early, for cases whose objects are to be old enough.
    aged: Mutex<Vec<(&'static str, String)>>,
}

/// The seed: a new one each time, unless one is given.
pub fn seed() -> u64 {
    let given = std::env::var("RUNSHEET_SEED").ok().and_then(|seed| seed.parse().ok());
    given.unwrap_or_else(|| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        now.map_or(1, |now| now.subsec_nanos().into())
    })
}

/// How many rounds the random parts have.
pub fn rounds() -> u64 {
    std::env::var("RUNSHEET_CASES").ok().and_then(|count| count.parse().ok()).unwrap_or(1)
}

impl Bench {
    pub fn start(config: Config, seed: u64) -> Result<Self> {
        let arguments: &[&str] = match (config.family, config.marks) {
            (Family::MariaDb, false) => &["--skip-log-bin"],
            (Family::MariaDb, true) => &["--sync-binlog=1", "--gtid-strict-mode=1"],
            (Family::MySql, false) => &["--gtid-mode=OFF", "--enforce-gtid-consistency=OFF"],
            (Family::MySql, true) => &["--gtid-mode=ON", "--enforce-gtid-consistency=ON"],
        };
        let mut arguments: Vec<String> = arguments.iter().map(|one| (*one).to_owned()).collect();
        arguments.push("--log-bin-trust-function-creators=1".to_owned());
        let server = MySql::start(config.family, &MySqlOptions { arguments, ..MySqlOptions::default() })?;
        server.execute("", "CREATE USER least@localhost; GRANT ALL ON `db\\_%`.* TO least@localhost")?;
        let more = match config.family {
            Family::MariaDb => "BINLOG REPLAY, BINLOG MONITOR",
            Family::MySql => "SESSION_VARIABLES_ADMIN",
        };
        if config.marks {
            server.execute("", &format!("GRANT {more} ON *.* TO least@localhost"))?;
        }
        let client = Mutex::new(Client::start(&server)?);
        let bench = Self { config, server, client, state: seed, aged: Mutex::default() };
        for case in bench.cases().filter(|case| case.aged) {
            for _ in 0..3 + 2 * rounds() {
                let database = bench.set_up(case)?;
                bench.aged.lock().expect("nobody panicked").push((case.statement, database));
            }
        }
        Ok(bench)
    }

    /// Makes a database as a case finds it.
    fn set_up(&self, case: &Case) -> Result<String> {
        let database = runsheet_test_servers::fresh_name("db");
        let setup = case.setup.replace("{d}", &database);
        self.run(&format!("CREATE DATABASE {database}; USE {database}; {setup}"))?;
        Ok(database)
    }

    /// Runs SQL by the engine's own client.
    pub fn run(&self, sql: &str) -> Result<()> {
        self.client.lock().expect("nobody panicked").run(sql).map(drop)
    }

    /// Starts the server again that was killed.
    pub fn restart(&mut self) -> Result<()> {
        self.server.restart()?;
        self.client = Mutex::new(Client::start(&self.server)?);
        Ok(())
    }

    /// The database of a case, set up early where it is to be.
    fn database(&self, case: &Case) -> Result<String> {
        let mut aged = self.aged.lock().expect("nobody panicked");
        match aged.iter().position(|(statement, _)| *statement == case.statement) {
            Some(at) => Ok(aged.swap_remove(at).1),
            None => self.set_up(case),
        }
    }

    pub fn settings(&self, user: &str) -> Settings {
        let mut settings = Settings::new();
        settings.set("socket", self.server.socket().display().to_string(), false);
        settings.set("user", user, false);
        if self.config.marks && self.config.family == Family::MariaDb {
            settings.set("gtid_domain_id", "7001-7900", false);
        }
        settings
    }

    pub fn open(&self, user: &str, database: &str) -> Result<Session> {
        Ok(Engine::open(&self.settings(user), database, "judge", &mut |_| {})?)
    }

    /// A session that holds the fence, as the daemon's does before it looks at anything.
    pub fn fenced(&self, trial: &Trial<'_>) -> Result<Session> {
        let begun = Instant::now();
        let mut session = self.open(trial.user(), &trial.database)?;
        while session.try_lock()? != TryLock::Held {
            ensure!(begun.elapsed() < Duration::from_secs(60), "the fence is never free");
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(session)
    }

    /// The next number of a simple generator: the seed alone repeats them.
    pub fn random(&mut self, below: u64) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % below.max(1)
    }

    pub fn cases(&self) -> impl Iterator<Item = &'static Case> + use<> {
        let family = self.config.family;
        CASES.iter().filter(move |case| case.only.is_none_or(|only| only == family))
    }
}

/// What the definitions of a database are, whoever looks.
const DEFINITIONS: &str = "SELECT table_name, table_type, engine FROM information_schema.tables WHERE table_schema = '{d}' AND table_name <> 'runsheet_ledger' ORDER BY 1; \
    SELECT table_name, column_name, column_type, ordinal_position FROM information_schema.columns WHERE table_schema = '{d}' AND table_name <> 'runsheet_ledger' ORDER BY 1, 4; \
    SELECT table_name, index_name, seq_in_index, column_name FROM information_schema.statistics WHERE table_schema = '{d}' AND table_name <> 'runsheet_ledger' ORDER BY 1, 2, 3; \
    SELECT routine_name, routine_type FROM information_schema.routines WHERE routine_schema = '{d}' ORDER BY 1; \
    SELECT trigger_name FROM information_schema.triggers WHERE trigger_schema = '{d}' ORDER BY 1; \
    SELECT event_name, interval_value, interval_field FROM information_schema.events WHERE event_schema = '{d}' ORDER BY 1";

/// One case in a database of its own.
pub struct Trial<'a> {
    pub case: &'a Case,
    pub database: String,
    pub mark: Mark,
}

/// How a trial was settled.
pub struct Settled {
    /// The first verdict, where one was asked for.
    pub first: Option<Verdict>,
    /// What was there when it was given.
    pub was: String,
    /// Whether the statement went with a mark.
    pub marked: bool,
}

impl<'a> Trial<'a> {
    pub fn new(bench: &Bench, case: &'a Case) -> Result<Self> {
        let database = bench.database(case)?;
        let hash: String = database.bytes().map(|byte| format!("{byte:02x}")).collect();
        let mark = Mark { task: format!("{hash:0<64}"), segment: 3, ..Mark::default() };
        Ok(Self { case, database, mark })
    }

    pub fn user(&self) -> &'static str {
        if self.case.by_root { "root" } else { "least" }
    }

    pub fn named(&self, text: &str) -> String {
        text.replace("{d}", &self.database)
    }

    pub fn statement(&self) -> Vec<u8> {
        self.named(self.case.statement).into_bytes()
    }

    /// What the client sees, the same for every database.
    pub fn seen(&self, bench: &Bench) -> Result<String> {
        let mut client = bench.client.lock().expect("nobody panicked");
        let mut lines = client.run(&self.named(DEFINITIONS))?;
        if !self.case.also.is_empty() {
            let also = client.say(&format!("USE {}; {}", self.database, self.named(self.case.also)))?;
            for line in also.iter().filter(|line| !line.is_empty()) {
                // What it asks about may be what is gone.
                let missing = line.contains("doesn't exist") || line.contains("Operation SHOW");
                ensure!(missing || !line.starts_with("ERROR"), "{line}");
                lines.push(if missing { "it cannot be asked".to_owned() } else { line.clone() });
            }
        }
        Ok(lines.join("\n").replace(&self.database, "{d}"))
    }

    pub fn observe(&self, session: &mut Session) -> Result<Observation> {
        match session.judge().context("it judges")?.observe(&self.statement(), &self.mark)? {
            Observed::Before(seen) => Ok(seen),
            Observed::Applied(verdict) => bail!("before it was sent: {verdict:?}"),
        }
    }

    /// Sends it as the executor does.
    pub fn run(&self, session: &mut Session, seen: &Observation) -> Result<(), runsheet_sdk::Error> {
        let judge = session.judge().expect("it judges");
        judge.execute(&self.statement(), &self.mark, &seen.text, &mut |_| {}).map(drop)
    }

    /// What the executor does after a crash: wait for the fence, judge, put right, run what had no effect; and where it asks a person,
    /// the person answers by what is there.
    pub fn settle(&self, bench: &Bench, observation: &Observation, done: &str) -> Result<Settled> {
        let mut session = bench.fenced(self)?;
        let was = self.seen(bench)?;
        if observation.settled == runsheet_sdk::Settled::Repeat {
            self.again(&mut session)?;
            return Ok(Settled { first: None, was, marked: false });
        }
        let marked = observation.settled == runsheet_sdk::Settled::Mark;
        let mut first = None;
        for _ in 0..REPAIRS_MAX {
            let judge = session.judge().context("it judges")?;
            let verdict = judge.judge(&self.statement(), &self.mark, &observation.text)?;
            first.get_or_insert_with(|| verdict.clone());
            let ruling = match verdict.ruling {
                Ruling::Unknown if self.seen(bench)? == done => Ruling::Applied,
                Ruling::Unknown => Ruling::NotApplied,
                other => other,
            };
            match ruling {
                Ruling::Applied => return Ok(Settled { first, was, marked }),
                Ruling::NotApplied => {
                    self.again(&mut session)?;
                    return Ok(Settled { first, was, marked });
                }
                Ruling::Repair => {
                    let repair = verdict.repair.as_bytes();
                    session.execute(repair, &mut |_| {}).with_context(|| verdict.repair.clone())?;
                }
                Ruling::Unknown => bail!("answered above"),
            }
        }
        bail!("it was put right again and again: {first:?}")
    }

    fn again(&self, session: &mut Session) -> Result<()> {
        let seen = self.observe(session)?;
        self.run(session, &seen).context("it is run again")
    }
}
