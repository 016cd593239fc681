//! The engine's own client, kept running: it looks at what is there through a connection of its own.

use anyhow::{Context, Result, bail};
use runsheet_test_servers::MySql;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};

/// What an answer ends with.
const END: &str = "the answer ends here";

/// A client.
pub struct Client {
    child: Child,
    input: ChildStdin,
    output: BufReader<std::io::PipeReader>,
}

impl Client {
    pub fn start(server: &MySql) -> Result<Self> {
        let (reader, writer) = std::io::pipe()?;
        let mut child = Command::new("mariadb")
            .args(["--no-defaults", "-u", "root", "--default-character-set=utf8mb4", "-N", "-B", "-f", "-n"])
            .arg(format!("--socket={}", server.socket().display()))
            .stdin(Stdio::piped())
            .stdout(writer.try_clone()?)
            .stderr(writer)
            .spawn()?;
        let input = child.stdin.take().context("its input")?;
        Ok(Self { child, input, output: BufReader::new(reader) })
    }

    /// Runs SQL, and gives what it said: rows, and errors where they come.
    pub fn say(&mut self, sql: &str) -> Result<Vec<String>> {
        writeln!(self.input, "{sql};\nSELECT '{END}';")?;
        self.input.flush()?;
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            if self.output.read_line(&mut line)? == 0 {
                bail!("the client has ended: {lines:?}");
            }
            let line = line.trim_end();
            if line == END {
                return Ok(lines);
            }
            lines.push(line.to_owned());
        }
    }

    /// Runs SQL that must not fail.
    pub fn run(&mut self, sql: &str) -> Result<Vec<String>> {
        let lines = self.say(sql)?;
        match lines.iter().find(|line| line.starts_with("ERROR")) {
            None => Ok(lines),
            Some(error) => bail!("{error}, by {sql}"),
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
