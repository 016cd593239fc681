//! Where log lines go: to the journal with its priorities where standard error is the journal, else lines for people, or
//! JSON where the config says so.

use crate::config::LogFormat;
use std::fmt;
use std::os::unix::fs::MetadataExt;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::FmtContext;
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::registry::LookupSpan;

/// Starts logging. Once in a process; a second call changes nothing.
pub(super) fn start(format: LogFormat, level: &str) {
    let filter = EnvFilter::try_new(level).unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let format = match format {
        LogFormat::Auto if stderr_is_the_journal() => LogFormat::Journal,
        LogFormat::Auto => LogFormat::Human,
        other => other,
    };
    let started = match format {
        LogFormat::Journal => builder.with_ansi(false).event_format(Journal).try_init(),
        LogFormat::Json => builder.json().try_init(),
        LogFormat::Human | LogFormat::Auto => {
            let terminal = std::io::IsTerminal::is_terminal(&std::io::stderr());
            builder
                .with_target(false)
                .with_ansi(terminal && std::env::var_os("NO_COLOR").is_none())
                .try_init()
        }
    };
    if started.is_err() {
        tracing::debug!("logging was started before");
    }
}

/// Whether standard error is the stream that systemd named: device and inode must fit, since the variable is inherited.
fn stderr_is_the_journal() -> bool {
    let Ok(named) = std::env::var("JOURNAL_STREAM") else { return false };
    std::fs::metadata("/proc/self/fd/2").is_ok_and(|meta| named == format!("{}:{}", meta.dev(), meta.ino()))
}

/// Lines as the journal wants them: the priority in front of each, no time and no colour, since it keeps those itself.
struct Journal;

impl<S, N> FormatEvent<S, N> for Journal
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let priority = match *event.metadata().level() {
            Level::ERROR => 3,
            Level::WARN => 4,
            Level::INFO => 6,
            Level::DEBUG | Level::TRACE => 7,
        };
        let mut text = String::new();
        context.field_format().format_fields(Writer::new(&mut text), event)?;
        text.lines().filter(|line| !line.trim().is_empty()).try_for_each(|line| {
            // A line without a priority of its own would be an entry of the stream's default one.
            writeln!(writer, "<{priority}>{line}")
        })
    }
}
