//! What systemd is told: ready, status, reloading, stopping, and that the loop is alive. Without systemd nothing is sent.

use sd_notify::NotifyState;
use std::time::Duration;

/// How long a drain may go on before it is said again that it does.
const EXTEND: Duration = Duration::from_secs(30);

fn send(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!("systemd was not told: {error}");
    }
}

/// Everything is loaded, and the first scan has been made.
pub(super) fn ready() {
    send(&[NotifyState::Ready]);
}

/// One line on what goes on.
pub(super) fn status(text: &str) {
    send(&[NotifyState::Status(text)]);
}

/// The config is read anew; `ready` follows.
pub(super) fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => send(&[NotifyState::Reloading, now]),
        Err(_) => send(&[NotifyState::Reloading]),
    }
}

/// The daemon is ending; said again while statements still run.
pub(super) fn stopping() {
    let micros = u32::try_from(EXTEND.as_micros()).unwrap_or(u32::MAX);
    send(&[NotifyState::Stopping, NotifyState::ExtendTimeoutUsec(micros)]);
}

/// The loop is alive.
pub(super) fn alive() {
    send(&[NotifyState::Watchdog]);
}

/// How often `alive` must be said, if systemd wants it.
pub(super) fn watchdog() -> Option<Duration> {
    sd_notify::watchdog_enabled().map(|limit| limit / 3)
}
