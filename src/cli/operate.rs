//! `retry`, `skip`, `cancel`, `release`, `resolve`: an operator's words, passed on.

use super::exit::Exit;
use super::{paint, source};
use crate::config::Config;
use crate::control::Request;

pub(super) fn run(config: &Config, request: &Request) -> anyhow::Result<Exit> {
    for did in source::order(config, request)? {
        paint::print(&format!("{}\n", paint::plain(&did)))?;
    }
    Ok(Exit::Fine)
}
