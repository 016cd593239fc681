//! The commands' end of the socket.

use super::protocol::{Answer, LINE_BYTES_MAX, Request};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long an answer may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// Why the daemon gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens.
    #[error(
        "no daemon answers on {socket} ({why}); start it with `runsheet daemon` or `systemctl start runsheet`, and see that you may write to the socket"
    )]
    Unreachable {
        /// The socket.
        socket: PathBuf,
        /// What the system said.
        why: std::io::Error,
    },
    /// It stopped in the middle of an answer.
    #[error("the daemon on {socket} broke off its answer: {why}")]
    Broken {
        /// The socket.
        socket: PathBuf,
        /// What was seen.
        why: String,
    },
}

/// A connection to the daemon.
#[derive(Debug)]
pub struct Client {
    socket: PathBuf,
    stream: BufReader<UnixStream>,
}

impl Client {
    /// Connects.
    pub fn connect(socket: &Path) -> Result<Self, ClientError> {
        let unreachable = |why| ClientError::Unreachable { socket: socket.to_path_buf(), why };
        let stream = UnixStream::connect(socket).map_err(unreachable)?;
        stream.set_read_timeout(Some(ANSWER_TIMEOUT)).map_err(unreachable)?;
        Ok(Self { socket: socket.to_path_buf(), stream: BufReader::new(stream) })
    }

    /// Asks and waits for the answer.
    pub fn ask(&mut self, request: &Request) -> Result<Answer, ClientError> {
        let socket = self.socket.clone();
        let broken = |why: String| ClientError::Broken { socket: socket.clone(), why };
        let mut line = serde_json::to_string(request).map_err(|error| broken(error.to_string()))?;
        line.push('\n');
        self.stream.get_mut().write_all(line.as_bytes()).map_err(|error| broken(error.to_string()))?;
        let mut answer = String::new();
        let limit = LINE_BYTES_MAX as u64;
        (&mut self.stream).take(limit).read_line(&mut answer).map_err(|error| broken(error.to_string()))?;
        if !answer.ends_with('\n') {
            return Err(broken("the connection ended".to_owned()));
        }
        serde_json::from_str(&answer).map_err(|error| broken(error.to_string()))
    }
}
