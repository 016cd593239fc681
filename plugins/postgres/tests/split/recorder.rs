//! A server that runs nothing and writes down what psql sends: the exact reference for where a statement ends. It answers every
//! statement as done, asks for rows where the statement loads into a table whose name begins with `rows`, and tells of changes of
//! `standard_conforming_strings`, which psql minds.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};

/// What psql sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sent {
    Statement(Vec<u8>),
    Rows(Vec<u8>),
}

/// Sent between two scripts.
const MARK: &str = "THE NEXT SCRIPT";

/// The server, in a folder of its own.
pub struct Recorder {
    folder: tempfile::TempDir,
    sessions: Receiver<Vec<Sent>>,
}

impl Recorder {
    pub fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("runsheet-psql-").tempdir().expect("a folder");
        let listener = UnixListener::bind(folder.path().join(".s.PGSQL.5432")).expect("a socket");
        let (sender, sessions) = channel();
        std::thread::spawn(move || serve(&listener, &sender));
        Self { folder, sessions }
    }

    /// What psql sends for each of the scripts. One psql reads them all, each as a file of its own.
    pub fn run(&self, scripts: &[Vec<u8>]) -> Vec<Vec<Sent>> {
        let mut psql = Command::new(std::env::var_os("RUNSHEET_PSQL").unwrap_or_else(|| "psql".into()));
        psql.args(["-X", "-q", "-U", "nobody", "-d", "nothing", "-p", "5432", "-o", "/dev/null", "-h"]);
        psql.arg(self.folder.path());
        for (number, script) in scripts.iter().enumerate() {
            let file = self.folder.path().join(format!("script{number}.sql"));
            std::fs::write(&file, script).expect("the script is written");
            psql.arg("-f").arg(file).args(["-c", MARK]);
        }
        psql.env("EDITOR", "true").env("PGCLIENTENCODING", "UTF8").stdin(Stdio::null());
        let output = psql.output().expect("psql is installed (tests/install)");
        let sent = self.sessions.recv().expect("psql has connected");
        let mark = Sent::Statement(MARK.as_bytes().to_vec());
        let mut each: Vec<Vec<Sent>> = sent.split(|sent| *sent == mark).map(<[Sent]>::to_vec).collect();
        let rest = each.pop();
        assert!(
            each.len() == scripts.len() && rest == Some(Vec::new()),
            "psql stopped in the middle: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        each
    }
}

fn serve(listener: &UnixListener, sessions: &Sender<Vec<Sent>>) {
    for stream in listener.incoming() {
        let mut session = Session { stream: stream.expect("a connection"), sent: Vec::new() };
        // psql closing the connection ends it, however it does so.
        let _ = session.talk();
        if sessions.send(session.sent).is_err() {
            return;
        }
    }
}

struct Session {
    stream: UnixStream,
    sent: Vec<Sent>,
}

impl Session {
    fn talk(&mut self) -> std::io::Result<()> {
        self.startup()?;
        loop {
            let (kind, body) = self.message()?;
            match kind {
                b'Q' => self.query(body)?,
                b'X' => return Ok(()),
                other => panic!("psql sent a message {:?}", char::from(other)),
            }
        }
    }

    fn startup(&mut self) -> std::io::Result<()> {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length)?;
        let mut body = vec![0; u32::from_be_bytes(length) as usize - 4];
        self.stream.read_exact(&mut body)?;
        self.say(b'R', &[0, 0, 0, 0])?;
        for (name, value) in [
            ("server_version", "15.0"),
            ("server_encoding", "UTF8"),
            ("client_encoding", "UTF8"),
            ("standard_conforming_strings", "on"),
        ] {
            self.parameter(name, value)?;
        }
        self.say(b'Z', b"I")
    }

    fn query(&mut self, mut text: Vec<u8>) -> std::io::Result<()> {
        text.pop();
        let lower = String::from_utf8_lossy(&text).to_ascii_lowercase();
        self.sent.push(Sent::Statement(text));
        if let Some(setting) = lower.split("set standard_conforming_strings = ").nth(1) {
            self.parameter(
                "standard_conforming_strings",
                if setting.starts_with("off") { "off" } else { "on" },
            )?;
        }
        if lower == "the next script" {
            self.parameter("standard_conforming_strings", "on")?;
        }
        let loads = lower.contains("copy rows") || lower.contains("copy public.rows");
        if loads && lower.contains("std") {
            self.say(b'G', &[0, 0, 1, 0, 0])?;
            let mut rows = Vec::new();
            loop {
                let (kind, body) = self.message()?;
                match kind {
                    b'd' => rows.extend_from_slice(&body),
                    b'c' | b'f' => break,
                    other => panic!("psql sent a message {:?} among rows", char::from(other)),
                }
            }
            self.sent.push(Sent::Rows(rows));
        }
        if lower.trim() == ";" {
            self.say(b'I', b"")?;
        } else {
            self.say(b'C', b"DONE\0")?;
        }
        self.say(b'Z', b"I")
    }

    fn parameter(&mut self, name: &str, value: &str) -> std::io::Result<()> {
        self.say(b'S', format!("{name}\0{value}\0").as_bytes())
    }

    fn message(&mut self) -> std::io::Result<(u8, Vec<u8>)> {
        let mut head = [0; 5];
        self.stream.read_exact(&mut head)?;
        let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
        let mut body = vec![0; length - 4];
        self.stream.read_exact(&mut body)?;
        Ok((head[0], body))
    }

    fn say(&mut self, kind: u8, body: &[u8]) -> std::io::Result<()> {
        let mut message = vec![kind];
        message.extend_from_slice(&(body.len() as u32 + 4).to_be_bytes());
        message.extend_from_slice(body);
        self.stream.write_all(&message)
    }
}
