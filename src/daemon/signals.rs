//! Signals become events of the engine. The third SIGTERM ends the process at once, even where the engine is stuck.

use super::event::{EngineHandle, Event, Signal};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook::iterator::Signals;

/// How many terminations end the process at once.
const TERMINATES_MAX: u32 = 3;

/// Listens in a thread of its own.
pub(super) fn listen(engine: EngineHandle) -> std::io::Result<()> {
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2])?;
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        let mut terminates = 0;
        for signal in signals.forever() {
            let signal = match signal {
                SIGHUP => Signal::Reload,
                SIGUSR1 => Signal::Scan,
                SIGUSR2 => Signal::Dump,
                _ => {
                    terminates += 1;
                    if terminates >= TERMINATES_MAX {
                        // Killing is always safe: what matters is on the disk.
                        std::process::exit(1);
                    }
                    Signal::Terminate
                }
            };
            engine.send(Event::Signal(signal));
        }
    })?;
    Ok(())
}
