//! Stands between the daemon and a real driver: every call goes on as it came, and the process is killed before or behind the one that is
//! named. Nothing is simulated: the driver, its server and the death are real. So a crash can be aimed at each message to a
//! driver and at each answer from it, and no line of the daemon knows of it.
//!
//! The environment says which driver and where: [`TO`] is the file of the real driver, [`KILL`] is `POINT SIDE NTH`, such as
//! `ledger.write after 3`. Without [`KILL`] nothing happens.

mod point;
mod tables;

pub use point::{KILL, Side};
pub use tables::points;

use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};
use runsheet_sdk::abi::{RSD_ABI_MINOR, rsd_driver, rsd_entry, rsd_host};
use runsheet_sdk::export::Constant;
use runsheet_sdk::sink::size;
use runsheet_sdk::text::lend_static;
use std::mem::ManuallyDrop;
use std::ptr::null;

/// The variable that names the real driver's file.
pub const TO: &str = "RUNSHEET_RELAY_TO";

/// The name that `driver = "…"` means.
pub const NAME: &str = "relay";

/// The one symbol of a driver.
#[unsafe(no_mangle)]
pub static rsd_entry_v1: Constant<rsd_entry> = Constant(rsd_entry {
    struct_size: size::<rsd_entry>(),
    abi_minor: RSD_ABI_MINOR,
    name: lend_static(NAME),
    version: lend_static(env!("CARGO_PKG_VERSION")),
    title: lend_static("a real driver, and a death on the way"),
    start: Some(start),
});

/// Starts the real driver, and gives its table with a way through here before each function.
unsafe extern "C" fn start(host: *const rsd_host) -> *const rsd_driver {
    let Some(path) = std::env::var_os(TO) else { return null() };
    // SAFETY: the file is a driver of this workspace, which the tests built.
    let Ok(library) = (unsafe { Library::open(Some(&path), RTLD_NOW | RTLD_LOCAL) }) else { return null() };
    // A driver is never unloaded.
    let library = ManuallyDrop::new(library);
    // SAFETY: the symbol's type is fixed by its name.
    let Ok(entry) = (unsafe { library.get::<*const rsd_entry>(b"rsd_entry_v1\0") }) else { return null() };
    // SAFETY: it points to a constant of a library that stays.
    let Some(begin) = (unsafe { (**entry).start }) else { return null() };
    // SAFETY: called once, with the daemon's own table, before anything else.
    match unsafe { begin(host).as_ref() } {
        Some(real) => tables::relay(real),
        None => null(),
    }
}
