//! A server that runs nothing and writes down what the `mariadb` client sends: the exact reference for where a statement ends. It
//! answers every statement as done, and tells of `NO_BACKSLASH_ESCAPES` and `ANSI_QUOTES` in `sql_mode`, which the client minds.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};

/// Sent between two scripts.
const MARK: &[u8] = b"THE NEXT SCRIPT";

/// Flags of the session that the server's answers carry.
const AUTOCOMMIT: u16 = 2;
const NO_BACKSLASH_ESCAPES: u16 = 512;
const ANSI_QUOTES: u16 = 32_768;

/// Whether the client is told to send comments too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comments {
    Sent,
    Left,
}

/// The server, in a folder of its own.
pub struct Recorder {
    folder: tempfile::TempDir,
    sessions: Receiver<Vec<Vec<u8>>>,
}

impl Recorder {
    pub fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("runsheet-client-").tempdir().expect("a folder");
        let listener = UnixListener::bind(folder.path().join("socket")).expect("a socket");
        let (sender, sessions) = channel();
        std::thread::spawn(move || serve(&listener, &sender));
        Self { folder, sessions }
    }

    /// What the client sends for each of the scripts. One client reads them all, each as a file of its own.
    pub fn run(&self, scripts: &[Vec<u8>], comments: Comments) -> Vec<Vec<Vec<u8>>> {
        let mut steps = String::new();
        for (number, script) in scripts.iter().enumerate() {
            let file = self.folder.path().join(format!("script{number}.sql"));
            std::fs::write(&file, script).expect("the script is written");
            steps.push_str(&format!(
                "source {}\ndelimiter ;\n{}\n;\n",
                file.display(),
                String::from_utf8_lossy(MARK)
            ));
        }
        let file = self.folder.path().join("steps.sql");
        std::fs::write(&file, steps).expect("the steps are written");
        let mut client = Command::new(std::env::var_os("RUNSHEET_MYSQL").unwrap_or_else(|| "mariadb".into()));
        client.args(["--no-defaults", "--force", "-u", "nobody", "--default-character-set=utf8mb4"]);
        client.arg(match comments {
            Comments::Sent => "--comments",
            Comments::Left => "--skip-comments",
        });
        client.arg(format!("--socket={}", self.folder.path().join("socket").display()));
        client.stdin(Stdio::from(std::fs::File::open(file).expect("the steps are there")));
        let output = client.output().expect("mariadb is installed (tests/install)");
        let sent = self.sessions.recv().expect("the client has connected");
        let mut each: Vec<Vec<Vec<u8>>> = sent.split(|sent| sent == MARK).map(<[_]>::to_vec).collect();
        let rest = each.pop();
        assert!(
            each.len() == scripts.len() && rest.as_ref().is_some_and(Vec::is_empty),
            "the client stopped in the middle, after {} scripts with {rest:?}: {}",
            each.len(),
            String::from_utf8_lossy(&output.stderr)
        );
        each
    }
}

fn serve(listener: &UnixListener, sessions: &Sender<Vec<Vec<u8>>>) {
    for stream in listener.incoming() {
        let stream = stream.expect("a connection");
        let mut session = Session { stream, sent: Vec::new(), status: AUTOCOMMIT };
        // The client closing the connection ends it, however it does so.
        let _ = session.talk();
        if sessions.send(session.sent).is_err() {
            return;
        }
    }
}

struct Session {
    stream: UnixStream,
    sent: Vec<Vec<u8>>,
    status: u16,
}

impl Session {
    fn talk(&mut self) -> std::io::Result<()> {
        self.greet()?;
        self.receive()?;
        self.done(2)?;
        loop {
            let packet = self.receive()?;
            match packet.split_first() {
                Some((1, _)) => return Ok(()),
                Some((2, database)) => self.sent.push([b"use ", database].concat()),
                Some((3, text)) => self.query(text),
                // What asks for statistics, a new character set and the like.
                _ => {}
            }
            self.done(1)?;
        }
    }

    fn greet(&mut self) -> std::io::Result<()> {
        // Long passwords and flags, a database at once, protocol 4.1, transactions, authentication by plugins, several statements.
        let capabilities: u32 = 0x000B_A20F;
        let [low, high] = [capabilities as u16, (capabilities >> 16) as u16];
        let plugin =
            std::env::var("RUNSHEET_MYSQL_PLUGIN").unwrap_or_else(|_| "mysql_native_password".to_owned());
        let mut greeting = b"\x0A5.5.5-10.11.0-MariaDB\0\x01\0\0\x0012345678\0".to_vec();
        greeting.extend_from_slice(&low.to_le_bytes());
        greeting.push(45);
        greeting.extend_from_slice(&self.status.to_le_bytes());
        greeting.extend_from_slice(&high.to_le_bytes());
        greeting.push(21);
        greeting.extend_from_slice(&[0; 10]);
        greeting.extend_from_slice(b"123456789012\0");
        greeting.extend_from_slice(plugin.as_bytes());
        greeting.push(0);
        self.send(0, &greeting)
    }

    fn query(&mut self, text: &[u8]) {
        let upper = String::from_utf8_lossy(text).to_ascii_uppercase();
        let has = |word: &str| upper.contains(word);
        if text == MARK {
            self.status = AUTOCOMMIT;
        } else if has("SQL_MODE =") {
            let escapes = if has("NO_BACKSLASH_ESCAPES") { NO_BACKSLASH_ESCAPES } else { 0 };
            let quotes = if has("ANSI_QUOTES") { ANSI_QUOTES } else { 0 };
            self.status = AUTOCOMMIT | escapes | quotes;
        }
        self.sent.push(text.to_vec());
    }

    fn done(&mut self, number: u8) -> std::io::Result<()> {
        let [low, high] = self.status.to_le_bytes();
        self.send(number, &[0, 0, 0, low, high, 0, 0])
    }

    fn receive(&mut self) -> std::io::Result<Vec<u8>> {
        let mut head = [0; 4];
        self.stream.read_exact(&mut head)?;
        let mut packet = vec![0; u32::from_le_bytes([head[0], head[1], head[2], 0]) as usize];
        self.stream.read_exact(&mut packet)?;
        Ok(packet)
    }

    fn send(&mut self, number: u8, body: &[u8]) -> std::io::Result<()> {
        let [a, b, c, _] = (body.len() as u32).to_le_bytes();
        self.stream.write_all(&[&[a, b, c, number], body].concat())
    }
}
