//! The control socket: takes requests of commands, answers readers from the store, and passes an operator's words to the
//! engine. It decides nothing.

use super::event::EngineHandle;
use super::operate::Order;
use crate::control::{Answer, LINE_BYTES_MAX, Request};
use crate::report::{LogPlace, find, log_of, of_plan, summary};
use crate::store::{self, Store};
use rusqlite::Connection;
use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener as StdListener, UnixStream as StdStream};
use std::path::{Path, PathBuf};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};

/// The longest request.
const REQUEST_BYTES_MAX: u64 = 1 << 20;

/// The listening socket.
pub(super) struct Server {
    listener: UnixListener,
    path: PathBuf,
}

impl Server {
    /// Listens on `path` with mode 0660. A socket that a dead daemon left is replaced; one on which somebody answers is
    /// another daemon's, with another state folder.
    pub(super) fn listen(path: &Path) -> io::Result<Self> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        match std::fs::symlink_metadata(path) {
            Ok(meta) if meta.file_type().is_socket() => {
                if StdStream::connect(path).is_ok() {
                    let why = "another daemon, with another state folder, answers on it";
                    return Err(io::Error::new(io::ErrorKind::AddrInUse, why));
                }
                std::fs::remove_file(path)?;
            }
            Ok(_) => {
                let why = format!("{} is there and is no socket", path.display());
                return Err(io::Error::new(io::ErrorKind::AlreadyExists, why));
            }
            Err(_) => {}
        }
        let listener = StdListener::bind(path)?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o660))?;
        listener.set_nonblocking(true)?;
        Ok(Self { listener: UnixListener::from_std(listener)?, path: path.to_path_buf() })
    }

    /// Takes connections until the runtime ends.
    pub(super) async fn serve(self, store: Store, engine: EngineHandle) {
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    tokio::spawn(converse(stream, store.clone(), engine.clone()));
                }
                Err(error) => {
                    // Out of descriptors, most likely: later there may be some again.
                    tracing::warn!("the control socket {}: {error}", self.path.display());
                    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
                }
            }
        }
    }
}

async fn converse(stream: UnixStream, store: Store, engine: EngineHandle) {
    let who = stream.peer_cred().map_or_else(|_| "somebody".to_owned(), |peer| user(peer.uid()));
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read);
    loop {
        let mut line = String::new();
        match (&mut lines).take(REQUEST_BYTES_MAX).read_line(&mut line).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        let answer = match serde_json::from_str::<Request>(&line) {
            Ok(request) => answer(request, &who, &store, &engine).await,
            Err(error) => refused(format!("the request was not understood: {error}"), true),
        };
        let mut text = serde_json::to_string(&answer).expect("answers have only text and numbers");
        if text.len() >= LINE_BYTES_MAX {
            let why = "the answer is too long; ask for one task instead of the whole plan".to_owned();
            text = serde_json::to_string(&refused(why, false)).expect("answers have only text and numbers");
        }
        text.push('\n');
        if write.write_all(text.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// A user's name and number, for the audit log.
fn user(uid: u32) -> String {
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
    });
    name.map_or_else(|| format!("uid {uid}"), |name| format!("{name} (uid {uid})"))
}

fn refused(why: String, usage: bool) -> Answer {
    Answer::Refused { why, usage }
}

async fn answer(request: Request, who: &str, store: &Store, engine: &EngineHandle) -> Answer {
    let order = match request {
        Request::Plans => return read(store, plans).await,
        Request::Plan { plan } => return one_plan(plan, store, engine).await,
        Request::Log { of, place } => {
            return read(store, move |connection| log(connection, &of, place)).await;
        }
        Request::Scan => {
            engine.scan();
            return Answer::Done { did: vec!["the inbox is being looked at".to_owned()] };
        }
        Request::Retry { of, reason } => (of, Order::Retry, reason),
        Request::Skip { of, reason } => (of, Order::Skip, reason),
        Request::Cancel { of, reason } => (of, Order::Cancel, reason),
        Request::Release { of, reason } => (of, Order::Release, reason),
        Request::Resolve { of, applied, reason } => (of, Order::Resolve { applied }, reason),
    };
    let (of, order, reason) = order;
    let found = blocking(store, move |connection| find(connection, &of)).await;
    match found {
        Ok(Ok(subject)) => engine.order(subject, order, who.to_owned(), reason).await,
        Ok(Err(why)) => refused(why, true),
        Err(error) => refused(error.to_string(), false),
    }
}

/// Reads the store on a thread where waiting does no harm.
async fn blocking<T: Send + 'static>(
    store: &Store,
    read: impl FnOnce(&Connection) -> Result<T, store::Error> + Send + 'static,
) -> Result<T, store::Error> {
    let store = store.clone();
    tokio::task::spawn_blocking(move || store.reader()?.read(read))
        .await
        .unwrap_or_else(|error| Err(store::Error::Stopped(error.to_string())))
}

async fn read(
    store: &Store,
    read: impl FnOnce(&Connection) -> Result<Answer, store::Error> + Send + 'static,
) -> Answer {
    blocking(store, read).await.unwrap_or_else(|error| refused(error.to_string(), false))
}

fn plans(connection: &Connection) -> Result<Answer, store::Error> {
    let plans =
        store::plans(connection)?.iter().map(|plan| summary(connection, plan)).collect::<Result<_, _>>()?;
    Ok(Answer::Plans { plans })
}

async fn one_plan(name: String, store: &Store, engine: &EngineHandle) -> Answer {
    let found = blocking(store, move |connection| find(connection, &name)).await;
    let plan = match found {
        Ok(Ok(subject)) => subject.plan().clone(),
        Ok(Err(why)) => return refused(why, true),
        Err(error) => return refused(error.to_string(), false),
    };
    let view = engine.view(plan.id).await;
    read(store, move |connection| {
        let plan = store::plan_by_id(connection, plan.id)?.unwrap_or(plan);
        let plan = Box::new(of_plan(connection, &plan, &view.waiting, &view.progress)?);
        Ok(Answer::Plan { plan })
    })
    .await
}

fn log(connection: &Connection, name: &str, place: LogPlace) -> Result<Answer, store::Error> {
    Ok(match log_of(connection, name, place)? {
        Ok(log) => Answer::Log { log },
        Err(why) => refused(why, true),
    })
}
