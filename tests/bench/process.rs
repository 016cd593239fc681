//! A process that is watched while it runs: how long it takes, and the most memory and processor time that the system has seen of it.

use anyhow::{Context, Result, ensure};
use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How often it is looked at: what happens in the last moment is not seen.
const LOOK: Duration = Duration::from_millis(5);
/// Ticks of the system's clock in a second, as `/proc` counts processor time.
const TICKS: f64 = 100.0;

/// What a process took.
#[derive(Clone, Copy, Debug)]
pub struct Took {
    /// Seconds from its start to its end.
    pub wall: f64,
    /// Seconds of the processor.
    pub processor: f64,
    /// Megabytes of memory, at most.
    pub peak: f64,
}

/// Runs a command to its end, which must be a good one.
pub fn watch(command: &mut Command) -> Result<Took> {
    let begun = Instant::now();
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn()?;
    let (mut processor, mut peak) = (0.0, 0.0);
    loop {
        if let Some(status) = child.try_wait()? {
            ensure!(status.success(), "{command:?}: {status}");
            return Ok(Took { wall: begun.elapsed().as_secs_f64(), processor, peak });
        }
        // It may have ended in between.
        if let Ok(now) = peak_of(child.id()) {
            peak = f64::max(peak, now / 1000.0);
        }
        processor = processor_of(child.id()).unwrap_or(processor);
        std::thread::sleep(LOOK);
    }
}

/// The most memory that a process has had, in thousands of bytes.
pub fn peak_of(process: u32) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("its peak")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<f64>()? * 1.024)
}

fn processor_of(process: u32) -> Option<f64> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // Behind the name, which may have blanks.
    let (_, rest) = stat.rsplit_once(')')?;
    let ticks: Vec<f64> = rest.split(' ').skip(12).take(2).filter_map(|word| word.parse().ok()).collect();
    Some(ticks.iter().sum::<f64>() / TICKS)
}
