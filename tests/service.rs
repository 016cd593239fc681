//! The daemon as systemd sees it: what it says on the notification socket, and how it writes to the journal. The socket and the
//! journal's stream are the test's own; that a real systemd acts on them cannot be shown without one.

mod site;

use anyhow::{Context, Result, bail};
use site::{Engine, Site, plan_of};
use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixDatagram;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const WAIT_MAX: Duration = Duration::from_secs(60);

/// A daemon that was started as a service manager starts it, and what it has said.
struct Service {
    site: Site,
    socket: UnixDatagram,
    daemon: Child,
    said: Vec<String>,
}

impl Service {
    fn start() -> Result<Self> {
        let site = Site::new("")?;
        let config = std::fs::read_to_string(site.path("config.toml"))?;
        let instance = Engine::Sqlite.instance("main", &site.path("databases"));
        site.write("config.toml", format!("{config}{instance}"))?;
        let socket = UnixDatagram::bind(site.path("notify"))?;
        socket.set_read_timeout(Some(Duration::from_secs(1)))?;
        let log = File::create(site.path("log"))?;
        let stream = log.metadata()?;
        let daemon = Command::new(site::program())
            .arg("--config")
            .arg(site.path("config.toml"))
            .arg("daemon")
            .env("NOTIFY_SOCKET", site.path("notify"))
            .env("WATCHDOG_USEC", "300000")
            .env("JOURNAL_STREAM", format!("{}:{}", stream.dev(), stream.ino()))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()?;
        Ok(Self { site, socket, daemon, said: Vec::new() })
    }

    /// Reads on until something is said, and gives it.
    fn hear(&mut self, wanted: impl Fn(&str) -> bool) -> Result<String> {
        let begun = Instant::now();
        let mut text = [0; 4096];
        while begun.elapsed() < WAIT_MAX {
            let Ok(length) = self.socket.recv(&mut text) else { continue };
            let said = String::from_utf8_lossy(&text[..length]).into_owned();
            self.said.push(said.clone());
            if wanted(&said) {
                return Ok(said);
            }
        }
        bail!("not heard among {:#?}; the log: {}", self.said, self.site.log())
    }

    fn signal(&self, signal: &str) -> Result<()> {
        let pid = self.daemon.id().to_string();
        anyhow::ensure!(Command::new("kill").arg(format!("-{signal}")).arg(pid).status()?.success());
        Ok(())
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
    }
}

#[test]
fn systemd_hears_ready_status_alive_reload_and_stopping() -> Result<()> {
    let mut service = Service::start()?;
    service.hear(|said| said.contains("READY=1"))?;
    assert!(!service.said.iter().any(|said| said.contains("STOPPING")), "{:?}", service.said);
    // The loop itself says that it is alive, again and again while nothing happens.
    for _ in 0..3 {
        service.hear(|said| said.contains("WATCHDOG=1"))?;
    }
    let target = "instances/main/databases/one";
    let sheet = "CREATE TABLE t (id INTEGER);\nINSERT INTO t WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000000) SELECT i FROM n;";
    service.site.drop_file("test/fill.sql", sheet)?;
    service.site.drop_file("test/x.plan.json", plan_of(&[&[("fill", target, "fill")]]))?;
    let status = service.hear(|said| said.contains("1 tasks running"))?;
    assert!(status.contains("STATUS=1 plans under way"), "{status}");
    // Heard to its end: a socket that nobody reads fills up, and stops whoever writes to it.
    service.hear(|said| said.contains("0 tasks running"))?;
    service.site.wait_for("projects/test/plans/x", &["DONE"])?;
    service.signal("HUP")?;
    let reloading = service.hear(|said| said.contains("RELOADING=1"))?;
    assert!(reloading.contains("MONOTONIC_USEC="), "{reloading}");
    service.hear(|said| said.contains("READY=1"))?;
    service.signal("TERM")?;
    let stopping = service.hear(|said| said.contains("STOPPING=1"))?;
    assert!(stopping.contains("EXTEND_TIMEOUT_USEC="), "{stopping}");
    assert_eq!(service.daemon.wait()?.code(), Some(0));
    Ok(())
}

#[test]
fn the_journal_gets_priorities_and_neither_time_nor_colour() -> Result<()> {
    let mut service = Service::start()?;
    service.hear(|said| said.contains("READY=1"))?;
    service.site.write("config.toml", "nonsense = ")?;
    service.signal("HUP")?;
    service.hear(|said| said.contains("RELOADING=1"))?;
    service.hear(|said| said.contains("READY=1"))?;
    let log = service.site.log();
    assert!(log.lines().any(|line| line.starts_with("<6>ready")), "{log}");
    let refused =
        log.lines().find(|line| line.contains("the config was not reloaded")).context(log.clone())?;
    assert!(refused.starts_with("<3>"), "{refused}");
    let plain: Vec<&str> = log.lines().filter(|line| !line.starts_with('<')).collect();
    assert!(plain.is_empty(), "lines without a priority: {plain:#?}");
    assert!(!log.contains('\u{1b}'), "{log}");
    Ok(())
}
