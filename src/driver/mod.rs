//! The daemon's side of the driver ABI: finding libraries, loading them, and speaking to them in
//! safe Rust. The only place in `src/` with `unsafe`. It knows no plan, no task and no SQL.

mod batch;
mod connection;
mod error;
mod folder;
mod judging;
mod library;
mod splitter;
mod trust;

pub use batch::Batched;
pub use connection::{CancelHandle, Connection, Lock};
pub use error::LoadError;
pub use folder::{Drivers, Found};
pub use library::Library;
pub use splitter::Splitter;
