//! How a fault hits a trial.

use super::bench;
use super::fault::{Call, Fault, Kind};
use super::proxy::{Proxy, Way};
use super::random::Random;
use super::site::program;
use super::trial::{MISSED_AFTER, PLAN, Trial};
use anyhow::{Context, Result};
use runsheet_test_relay::Side;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// How long a daemon may take to die of its fault, or to have nothing left to do.
const DEATH_MAX: Duration = Duration::from_secs(60);
/// How long the message may take at which a connection is cut.
const MESSAGE_MAX: Duration = Duration::from_secs(2);

impl Trial<'_> {
    /// Suffers a fault; true where it came while the plan was under way. No daemon runs afterwards.
    pub fn suffer(&mut self, fault: Fault, random: &mut Random) -> Result<bool> {
        let after = Duration::from_micros(fault.size);
        let came = match fault.kind {
            Kind::KillAtCall(call) => {
                let inject = format!("{}:signal=KILL:when={}", call.names(), fault.size);
                self.under_strace(call, &inject, false)?.signal() == Some(9)
            }
            Kind::FailCall(call, error) => {
                let inject = format!("{}:error={error}:when={}", call.names(), fault.size);
                self.under_strace(call, &inject, true)?;
                fs::read_to_string(self.site.path("strace"))?.contains("(INJECTED)")
            }
            Kind::KillAtPoint(point, side) => self.under_relay(point, side, fault.size, random)?,
            Kind::CutInRequest => self.cut(|proxy| proxy.cut_in_request(fault.size))?,
            Kind::CutAfterRequest => self.cut(|proxy| proxy.cut_at(Way::Requests, fault.size))?,
            Kind::CutInAnswer => self.cut(|proxy| proxy.cut_at(Way::Answers, fault.size))?,
            Kind::PowerCutAtSync(side) => {
                let power = self.power.as_mut().context("a disk that can lose its power")?;
                power.cut_at_sync(fault.size, side, &mut self.site, random)?
            }
            Kind::OlderState => {
                self.kept = Some(self.keep()?);
                true
            }
            Kind::OlderStateInTheMiddle => {
                let older = self.keep()?;
                self.site.start()?;
                std::thread::sleep(after);
                if !self.bench.knows_all {
                    // Between a statement that commits by itself and its mark, the state that is lost here alone has its intent.
                    self.site.signal("TERM")?;
                    self.site.wait_for_end()?;
                }
                self.site.kill();
                let came = !self.has_ended();
                self.put_back(older.path())?;
                came
            }
            Kind::KillDaemon
            | Kind::KillServer
            | Kind::KillBoth
            | Kind::Cut
            | Kind::BlackHole
            | Kind::Pause
            | Kind::PowerCut => {
                self.site.start()?;
                std::thread::sleep(after);
                let came = !self.has_ended();
                self.at_once(fault.kind, random)?;
                came
            }
        };
        self.site.kill();
        Ok(came)
    }

    /// What happens at a moment.
    fn at_once(&mut self, kind: Kind, random: &mut Random) -> Result<()> {
        match kind {
            Kind::KillServer => {
                self.bench.kill_server();
                std::thread::sleep(Duration::from_micros(random.below(100_000)));
                self.bench.restart_server()?;
                std::thread::sleep(Duration::from_micros(random.below(300_000)));
            }
            Kind::KillBoth => {
                self.bench.kill_server();
                self.site.kill();
                self.bench.restart_server()?;
            }
            Kind::Cut => {
                self.proxy.iter().for_each(Proxy::cut);
                std::thread::sleep(Duration::from_micros(random.below(300_000)));
            }
            Kind::BlackHole => {
                let hole = self.proxy.take();
                hole.iter().for_each(Proxy::swallow);
                std::thread::sleep(Duration::from_micros(random.below(200_000)));
                self.site.kill();
                self.proxy = Some(Proxy::start(self.bench.port())?);
                self.configure()?;
                // The hole stays open: the server does not hear that its client is gone.
                self.holes.extend(hole);
            }
            Kind::PowerCut => {
                let power = self.power.as_mut().context("a disk that can lose its power")?;
                power.cut_now(&mut self.site, random)?;
            }
            Kind::Pause => {
                self.site.signal("STOP")?;
                std::thread::sleep(Duration::from_micros(random.below(200_000)));
                self.site.signal("CONT")?;
                std::thread::sleep(Duration::from_micros(random.below(50_000)));
            }
            _ => {}
        }
        Ok(())
    }

    /// Lets the daemon run until its connections are cut as the proxy was told.
    fn cut(&mut self, tell: impl Fn(&Proxy)) -> Result<bool> {
        self.proxy.iter().for_each(tell);
        let cuts = |proxy: &Option<Proxy>| proxy.as_ref().map_or(0, Proxy::cuts);
        let before = cuts(&self.proxy);
        self.site.start()?;
        let begun = Instant::now();
        while cuts(&self.proxy) == before && begun.elapsed() < MESSAGE_MAX && !self.has_ended() {
            std::thread::sleep(Duration::from_millis(5));
        }
        self.proxy.iter().for_each(Proxy::cut_no_more);
        Ok(cuts(&self.proxy) > before)
    }

    /// Runs the daemon under strace until it dies, or nothing is left to do.
    fn under_strace(&mut self, call: Call, inject: &str, only_state: bool) -> Result<ExitStatus> {
        let mut command = Command::new("strace");
        command.args(["-f", "-qq"]).arg("-o").arg(self.site.path("strace"));
        command.args(["-e", &format!("inject={inject}"), "-e", &format!("trace={}", call.names())]);
        if only_state {
            for file in ["state/runsheet.db", "state/runsheet.db-wal"] {
                command.arg("-P").arg(self.site.path(file));
            }
        }
        command.arg(program());
        self.until_death(command, inject, None)
    }

    /// Runs the daemon with the relay before its driver until it dies there, or nothing is left to do.
    fn under_relay(&mut self, point: &str, side: Side, nth: u64, random: &mut Random) -> Result<bool> {
        let aim = format!("{point} {} {nth}", side.word());
        let mut command = Command::new(program());
        command.env(runsheet_test_relay::KILL, &aim);
        // Only an operator has a statement stopped, and its connection closed.
        let stops = matches!(point, "driver.cancel" | "driver.close")
            .then(|| Duration::from_micros(random.skewed(300_000)));
        Ok(self.until_death(command, &aim, stops)?.signal() == Some(9))
    }

    /// Runs a daemon to its end; an operator cancels the plan after a while, where one is said.
    fn until_death(
        &mut self,
        mut command: Command,
        why: &str,
        cancels: Option<Duration>,
    ) -> Result<ExitStatus> {
        let log = fs::File::options().create(true).append(true).open(self.site.path("log"))?;
        if self.relayed {
            command.env(runsheet_test_relay::TO, bench::driver(self.bench.dialect)?);
        }
        command.arg("--config").arg(self.site.path("config.toml")).args(["daemon", "--until-idle"]);
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .with_context(|| format!("{command:?}"))?;
        let mut begun = Instant::now();
        if let Some(after) = cancels {
            std::thread::sleep(after);
            self.site.run(&["cancel", PLAN])?;
        }
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok(status);
            }
            if begun.elapsed() > MISSED_AFTER && self.miss_clients() {
                begun = Instant::now();
            }
            if begun.elapsed() > DEATH_MAX {
                self.outcome.wrong.push(format!("under `{why}` the daemon neither died nor ended"));
                kill_all_of(&self.site.path("config.toml"));
                return Ok(child.wait()?);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// Kills a daemon by its config: it would outlive its tracer.
fn kill_all_of(config: &Path) {
    let _ = Command::new("pkill").arg("-9").arg("-f").arg(config).status();
}
