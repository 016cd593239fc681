//! Rule 2 of the ABI at the sink, from both ends: a field is read only where it lies inside the writer's struct.

use runsheet_sdk::abi::{rsd_mark, rsd_sink};
use runsheet_sdk::sink::{Collected, Sink, mark_to_abi, size};
use runsheet_sdk::{Applied, Class, Error, Failure, Mark, Notice};
use std::mem::offset_of;

fn mark() -> Mark {
    Mark { task: "t".to_owned(), segment: 3, ..Mark::default() }
}

/// What the daemon has collected after a driver said a mark of this size.
fn after_a_mark_of(struct_size: u32) -> (usize, Option<Error>) {
    let mut dropped = |_: usize, _: Notice| {};
    let mut collected = Collected::new(&mut dropped);
    let sink = collected.sink();
    let mark = mark();
    let raw = rsd_mark { struct_size, ..mark_to_abi(&mark) };
    let on_mark = sink.on_mark.expect("the daemon's sink has every callback");
    // SAFETY: callback and context are of one sink, and the mark is alive.
    unsafe { on_mark(sink.ctx, &raw) };
    (collected.marks.len(), collected.breach())
}

#[test]
fn a_mark_that_is_too_small_is_not_read_and_is_not_passed_over_in_silence() {
    let (marks, breach) = after_a_mark_of(0);
    let breach = breach.unwrap();
    assert_eq!((marks, breach.failure, breach.applied), (0, Failure::DriverBug, Applied::Unknown));
    assert!(breach.message.contains("sizeof(rsd_mark)"), "{breach}");
}

#[test]
fn a_mark_of_a_later_version_is_read_as_far_as_it_is_known() {
    assert_eq!(after_a_mark_of(size::<rsd_mark>()), (1, None));
    assert_eq!(after_a_mark_of(size::<rsd_mark>() + 64), (1, None));
}

#[test]
fn a_driver_calls_nothing_that_lies_behind_the_end_of_a_smaller_sink() {
    let mut dropped = |_: usize, _: Notice| {};
    let mut collected = Collected::new(&mut dropped);
    // As a sink would be that ends behind `on_error`.
    let table = rsd_sink { struct_size: offset_of!(rsd_sink, on_notice) as u32, ..collected.sink() };
    // SAFETY: alive.
    let sink = unsafe { Sink::new(&table) };
    sink.mark(&mark());
    sink.error(&Error::new(Class::Syntax, "wrong"));
    assert_eq!((collected.marks.len(), collected.errors.len()), (0, 1));
    assert_eq!(collected.breach(), None);
}
