//! Connecting, with TLS or without it, as libpq's `sslmode` has it; one deadline for all of it.

use crate::auth::{self, Login, Refusal};
use crate::error::Said;
use crate::settings::{NAME_BYTES_MAX, Options};
use crate::wire::Wire;
use bytes::BytesMut;
use postgres_protocol::message::frontend;
use runsheet_network::{Deadline, Mode, Peer, Place, Stream};
use runsheet_sdk::{Applied, Error};
use std::io::{self, Read};

/// The answers to the wish for TLS.
const YES: u8 = b'S';
const NO: u8 = b'N';
/// A wrong password is wrong with TLS and without it: it is not sent twice, which would count twice at the server.
const WRONG_PASSWORD: &str = "28P01";
/// How much of a label's last part stays where the label is too long.
const LAST_PART_BYTES: usize = 13;

/// Connects and logs in.
pub(crate) fn connect(
    options: &Options,
    database: &str,
    label: &str,
    notices: &mut dyn FnMut(Said),
) -> Result<(Wire, Login), Error> {
    let deadline = Deadline::after(options.connect_timeout);
    let label = short(label);
    let mut attempt = |wish| try_with(wish, options, database, &label, deadline, notices);
    let tried = match (&options.reach.place, options.tls.mode) {
        (Place::Socket(_), _) | (_, Mode::Disable) => attempt(Wish::Never),
        (_, Mode::Require | Mode::VerifyCa | Mode::VerifyFull) => attempt(Wish::Must),
        (_, Mode::Allow) => either(&mut attempt, Wish::Never, Wish::Must),
        (_, Mode::Prefer) => either(&mut attempt, Wish::Prefer, Wish::Never),
    };
    tried.map_err(|failed| Error {
        message: format!(
            "{} (connecting to {}, database {database:?})",
            failed.error.message,
            options.place()
        ),
        ..failed.error
    })
}

/// What an attempt wants of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wish {
    Never,
    Prefer,
    Must,
}

/// An attempt that failed.
struct Failed {
    error: Error,
    /// The other way may still work: TLS failed, or the server refused us before it had let us in.
    otherwise: bool,
}

type Tried = Result<(Wire, Login), Failed>;

fn either(attempt: &mut dyn FnMut(Wish) -> Tried, first: Wish, second: Wish) -> Tried {
    let failed = match attempt(first) {
        Err(failed) if failed.otherwise => failed,
        other => return other,
    };
    let way = if first == Wish::Never { "without TLS" } else { "with TLS" };
    let before = format!("{way} before: {}", failed.error.message);
    attempt(second).map_err(|mut last| {
        // The server's own word says more than that it has no TLS.
        if last.error.sqlstate.is_empty() && !failed.error.sqlstate.is_empty() {
            return failed;
        }
        let detail = &mut last.error.detail;
        *detail = if detail.is_empty() { before } else { format!("{detail}; {before}") };
        last
    })
}

fn try_with(
    wish: Wish,
    options: &Options,
    database: &str,
    label: &str,
    deadline: Deadline,
    notices: &mut dyn FnMut(Said),
) -> Tried {
    let network = |error: io::Error| Failed { error: unreachable(&error), otherwise: false };
    let stream = Stream::connect(&options.reach, deadline).map_err(network)?;
    let stream = match wish {
        Wish::Never => stream,
        Wish::Prefer | Wish::Must => secret(stream, options, wish == Wish::Prefer)?,
    };
    let could_change = stream.is_secret() || wish == Wish::Never;
    let mut wire = Wire::new(stream);
    let login = auth::login(&mut wire, options, database, label, notices).map_err(
        |Refusal { error, by_server }| Failed {
            otherwise: by_server && could_change && error.sqlstate != WRONG_PASSWORD,
            error,
        },
    )?;
    Ok((wire, login))
}

fn unreachable(error: &io::Error) -> Error {
    Error::lost(format!("no connection: {error}"), Applied::No)
}

/// Asks for TLS. Where the server has none, the connection goes on without it, or ends, as `plain_is_fine` says.
fn secret(mut stream: Stream, options: &Options, plain_is_fine: bool) -> Result<Stream, Failed> {
    let network = |error: io::Error| Failed { error: unreachable(&error), otherwise: false };
    match ask(&mut stream).map_err(network)? {
        YES => stream
            .make_secret(&options.tls, &options.host)
            .map_err(|error| Failed { error: unreachable(&error), otherwise: true }),
        NO if plain_is_fine => Ok(stream),
        NO => {
            let error =
                io::Error::new(io::ErrorKind::Unsupported, "the server has no TLS, and `tls` wants it");
            Err(network(error))
        }
        // What a server says here could be anybody's, so it is not shown.
        _ => {
            let error = io::Error::new(
                io::ErrorKind::InvalidData,
                "the server answered the wish for TLS with an error",
            );
            Err(network(error))
        }
    }
}

fn ask(stream: &mut Stream) -> io::Result<u8> {
    let mut wish = BytesMut::new();
    frontend::ssl_request(&mut wish);
    stream.send(&wish, &mut |_| {})?;
    let mut answer = [0];
    // One byte and no more: what is behind it must be TLS already.
    stream.read_exact(&mut answer).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => io::Error::new(error.kind(), "the server closed the connection"),
        _ => error,
    })?;
    Ok(answer[0])
}

/// Connects to the very server that a session is on, with TLS where the session has it; for a cancel.
pub(crate) fn again(
    options: &Options,
    peer: &Peer,
    with_tls: bool,
    deadline: Deadline,
) -> io::Result<Stream> {
    let mut stream = Stream::connect_to(&options.reach, peer, deadline)?;
    if !with_tls {
        return Ok(stream);
    }
    match ask(&mut stream)? {
        YES => stream.make_secret(&options.tls, &options.host),
        _ => Err(io::Error::new(io::ErrorKind::Unsupported, "the server does not have TLS any more")),
    }
}

/// A label as the server keeps it. One that is too long loses the end of its first part, and then that of its last: what is
/// behind the last `/` tells tasks of one plan apart.
pub(crate) fn short(label: &str) -> String {
    let cut = |text: &str, bytes: usize| text[..text.floor_char_boundary(bytes)].to_owned();
    if label.len() <= NAME_BYTES_MAX {
        return label.to_owned();
    }
    let Some((first, last)) = label.rsplit_once('/') else { return cut(label, NAME_BYTES_MAX) };
    let least = last.len().min(LAST_PART_BYTES);
    if first.len() + 1 + least <= NAME_BYTES_MAX {
        return cut(label, NAME_BYTES_MAX);
    }
    let last = cut(last, least);
    format!("{}.../{last}", cut(first, NAME_BYTES_MAX - last.len() - 4))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_that_is_too_long_still_tells_plan_and_task_apart() {
        let spec = "083c1c01-a0a6-485d-ae60-d6de2760ca4f";
        assert_eq!(short("runsheet config check"), "runsheet config check");
        assert_eq!(
            short(&format!("runsheet projects/sample/plans/2026-11-add-index/{spec}")),
            "runsheet projects/sample/plans/2026-11-add-index/083c1c01-a0a6-"
        );
        assert_eq!(
            short(&format!("runsheet projects/sample/plans/2026-11-add-the-index-of-orders/{spec}")),
            "runsheet projects/sample/plans/2026-11-add-the.../083c1c01-a0a6"
        );
        assert_eq!(short(&"ä".repeat(40)).len(), 62);
        assert_eq!(short(&format!("{}/{}", "ä".repeat(40), "ö".repeat(40))).len(), 62);
    }
}
