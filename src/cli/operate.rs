//! `retry`, `skip`, `cancel`, `resolve`: an operator's words, passed on.

use super::exit::Exit;
use super::{paint, source};
use crate::config::Config;
use crate::control::Request;

pub(super) fn run(config: &Config, request: Request) -> anyhow::Result<Exit> {
    match source::order(config, &request)? {
        Ok(did) => {
            for one in did {
                paint::print(&format!("{one}\n"))?;
            }
            Ok(Exit::Fine)
        }
        Err(why) => {
            eprintln!("runsheet: {why}");
            Ok(Exit::Usage)
        }
    }
}
