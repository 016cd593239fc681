//! A network between the daemon and its server that a trial can cut, or make swallow everything without a word.

use anyhow::Result;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// The proxy, which ends with the trial.
pub struct Proxy {
    port: u16,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    ended: AtomicBool,
    /// Nothing gets through any more, and nobody is told.
    swallows: AtomicBool,
    /// Cut at the so manieth message from now on that comes from this side; 0 means never.
    cut_requests: AtomicU64,
    cut_answers: AtomicU64,
    /// Whether the last request is cut in its middle, so that the server never has it.
    halves: AtomicBool,
    connections: Mutex<Vec<TcpStream>>,
    cuts: AtomicU64,
    requests: AtomicU64,
}

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// From the daemon: the server may not get the whole request.
    Requests,
    /// To the daemon: the server has done its work, and its answer is lost.
    Answers,
}

impl Proxy {
    /// Listens on a free port, and passes everything on to `port`.
    pub fn start(port: u16) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let own = listener.local_addr()?.port();
        let shared = Arc::new(Shared::default());
        let accepting = Arc::clone(&shared);
        std::thread::spawn(move || {
            for client in listener.incoming().filter_map(Result::ok) {
                if accepting.ended.load(Ordering::SeqCst) {
                    return;
                }
                if let Ok(server) = TcpStream::connect(("127.0.0.1", port)) {
                    join(&client, &server, &accepting);
                }
            }
        });
        Ok(Self { port: own, shared })
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Cuts every connection now.
    pub fn cut(&self) {
        self.shared.cut();
    }

    /// Cuts every connection in the middle of the so manieth request from now on.
    pub fn cut_in_request(&self, nth: u64) {
        self.shared.halves.store(true, Ordering::SeqCst);
        self.cut_at(Way::Requests, nth);
    }

    /// Cuts every connection at the so manieth message from now on that goes this way. A message is what is read at once.
    pub fn cut_at(&self, way: Way, nth: u64) {
        let counter = match way {
            Way::Requests => &self.shared.cut_requests,
            Way::Answers => &self.shared.cut_answers,
        };
        counter.store(nth.max(1), Ordering::SeqCst);
    }

    /// A cut that has not come yet does not come.
    pub fn cut_no_more(&self) {
        self.shared.cut_requests.store(0, Ordering::SeqCst);
        self.shared.cut_answers.store(0, Ordering::SeqCst);
        self.shared.halves.store(false, Ordering::SeqCst);
    }

    /// From now on nothing gets through, and nobody is told.
    pub fn swallow(&self) {
        self.shared.swallows.store(true, Ordering::SeqCst);
    }

    /// How often connections were cut.
    pub fn cuts(&self) -> u64 {
        self.shared.cuts.load(Ordering::SeqCst)
    }

    /// How many bytes of requests have come.
    pub fn requests(&self) -> u64 {
        self.shared.requests.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        self.shared.cut();
        // The thread that accepts sees the end with the next connection.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

impl Shared {
    fn cut(&self) {
        let cut: Vec<TcpStream> =
            std::mem::take(&mut self.connections.lock().unwrap_or_else(PoisonError::into_inner));
        if !cut.is_empty() {
            self.cuts.fetch_add(1, Ordering::SeqCst);
        }
        for connection in cut {
            let _ = connection.shutdown(Shutdown::Both);
        }
    }

    /// Whether this message is the one at which everything is cut.
    fn is_last(&self, way: Way) -> bool {
        let counter = match way {
            Way::Requests => &self.cut_requests,
            Way::Answers => &self.cut_answers,
        };
        // Counted in one step: each connection has a thread of its own.
        let counted = |left: u64| left.checked_sub(1);
        counter.fetch_update(Ordering::SeqCst, Ordering::SeqCst, counted) == Ok(1)
    }
}

fn join(client: &TcpStream, server: &TcpStream, shared: &Arc<Shared>) {
    let pairs = [(client, server, Way::Requests), (server, client, Way::Answers)];
    for (from, to, way) in pairs {
        let (Ok(mut from), Ok(mut to), Ok(kept)) = (from.try_clone(), to.try_clone(), from.try_clone())
        else {
            return;
        };
        shared.connections.lock().unwrap_or_else(PoisonError::into_inner).push(kept);
        let shared = Arc::clone(shared);
        std::thread::spawn(move || {
            let mut bytes = vec![0; 16 * 1024];
            while let Ok(length) = from.read(&mut bytes) {
                if length == 0 {
                    break;
                }
                if way == Way::Requests {
                    shared.requests.fetch_add(length as u64, Ordering::SeqCst);
                }
                if shared.swallows.load(Ordering::SeqCst) {
                    continue;
                }
                let last = shared.is_last(way);
                // The request gets through, its answer does not; an answer that is cut off has been given.
                let passing = match way {
                    Way::Answers if last => 0,
                    Way::Requests if last && shared.halves.load(Ordering::SeqCst) => length / 2,
                    Way::Requests | Way::Answers => length,
                };
                if to.write_all(&bytes[..passing]).is_err() {
                    break;
                }
                if last {
                    shared.cut();
                    break;
                }
            }
            if !shared.swallows.load(Ordering::SeqCst) {
                let _ = to.shutdown(Shutdown::Both);
            }
        });
    }
}
