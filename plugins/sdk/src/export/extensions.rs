//! The functions of the extensions' tables.

use super::{fail, guarded, on_connection, settings_of};
use crate::abi::*;
use crate::driver::{Answer, Connection, Driver, Judge, Observed, Splitter, TryLock, unsupported};
use crate::sink::{Sink, identity_from_abi, mark_from_abi};
use crate::text::{bytes, string};
use crate::types::{Error, Mark, Split};

pub(super) unsafe extern "C" fn split_start<D: Driver>(
    args: *const rsd_open_args,
    sink: *const rsd_sink,
    splitter: *mut *mut rsd_splitter,
) -> rsd_status {
    guarded("split", || {
        // SAFETY: rule 3: all live during the call.
        let (given, sink, place) = unsafe { (settings_of(args), Sink::new(sink), splitter.as_mut()) };
        let (Some((settings, _, _)), Some(place)) = (given, place) else { return RSD_MISUSE };
        *place = std::ptr::null_mut();
        match D::split(&settings) {
            Ok(splitter) => {
                *place = Box::into_raw(Box::new(splitter)).cast();
                RSD_OK
            }
            Err(error) => fail(&sink, &error),
        }
    })
}

pub(super) unsafe extern "C" fn split_next<D: Driver>(
    splitter: *mut rsd_splitter,
    text: rsd_str,
    at_end: u32,
    piece: *mut rsd_piece,
    sink: *const rsd_sink,
) -> rsd_status {
    guarded("split", || {
        // SAFETY: rules 3 and 4: the splitter came from `split_start`, and no other call runs on it.
        let (splitter, piece, text, sink) = unsafe {
            (splitter.cast::<D::Splitter>().as_mut(), piece.as_mut(), bytes(text), Sink::new(sink))
        };
        let (Some(splitter), Some(place)) = (splitter, piece) else { return RSD_MISUSE };
        match splitter.next(text, at_end != 0) {
            Ok(Split::Piece(found)) => {
                place.kind = found.kind.to_abi();
                place.flags = found.flags.0;
                place.start = found.start;
                place.end = found.end;
                place.consumed = found.consumed;
                RSD_OK
            }
            Ok(Split::More) => RSD_MORE,
            Ok(Split::End) => RSD_END,
            Err(error) => fail(&sink, &error),
        }
    })
}

pub(super) unsafe extern "C" fn split_finish<D: Driver>(splitter: *mut rsd_splitter) {
    guarded("split", || {
        if !splitter.is_null() {
            // SAFETY: came from `Box::into_raw` in `split_start`, and is finished once.
            drop(unsafe { Box::from_raw(splitter.cast::<D::Splitter>()) });
        }
        RSD_OK
    });
}

pub(super) unsafe extern "C" fn try_lock<D: Driver>(
    connection: *mut rsd_connection,
    sink: *const rsd_sink,
) -> rsd_status {
    let mut busy = false;
    // SAFETY: rules 3 and 4.
    let status = unsafe {
        on_connection::<D>("try_lock", connection, sink, |session, sink| {
            if let TryLock::Busy(holder) = session.try_lock()? {
                busy = true;
                if let Some(holder) = holder {
                    sink.identity(&holder);
                }
            }
            Ok(())
        })
    };
    if status == RSD_OK && busy { RSD_BUSY } else { status }
}

pub(super) unsafe extern "C" fn unlock<D: Driver>(
    connection: *mut rsd_connection,
    sink: *const rsd_sink,
) -> rsd_status {
    // SAFETY: rules 3 and 4.
    unsafe { on_connection::<D>("unlock", connection, sink, |session, _| session.unlock()) }
}

pub(super) unsafe extern "C" fn end_holder<D: Driver>(
    connection: *mut rsd_connection,
    holder: *const rsd_identity,
    sink: *const rsd_sink,
) -> rsd_status {
    // SAFETY: rule 3.
    let holder = unsafe { holder.as_ref().map(|holder| identity_from_abi(holder)) };
    let Some(holder) = holder else { return RSD_MISUSE };
    // SAFETY: rules 3 and 4.
    unsafe { on_connection::<D>("end_holder", connection, sink, |session, _| session.end_holder(&holder)) }
}

pub(super) unsafe extern "C" fn ledger_prepare<D: Driver>(
    connection: *mut rsd_connection,
    sink: *const rsd_sink,
) -> rsd_status {
    // SAFETY: rules 3 and 4.
    unsafe {
        on_connection::<D>("the ledger's prepare", connection, sink, |session, _| session.prepare_ledger())
    }
}

pub(super) unsafe extern "C" fn ledger_write<D: Driver>(
    connection: *mut rsd_connection,
    mark: *const rsd_mark,
    sink: *const rsd_sink,
) -> rsd_status {
    // SAFETY: rule 3.
    let Some(mark) = (unsafe { mark.as_ref().map(|mark| mark_from_abi(mark)) }) else { return RSD_MISUSE };
    // SAFETY: rules 3 and 4.
    unsafe {
        on_connection::<D>("the ledger's write", connection, sink, |session, _| session.write_mark(&mark))
    }
}

pub(super) unsafe extern "C" fn ledger_read<D: Driver>(
    connection: *mut rsd_connection,
    task: rsd_str,
    sink: *const rsd_sink,
) -> rsd_status {
    // SAFETY: rules 3 and 4.
    unsafe {
        on_connection::<D>("the ledger's read", connection, sink, |session, sink| {
            session.read_marks(&string(task))?.iter().for_each(|mark| sink.mark(mark));
            Ok(())
        })
    }
}

pub(super) unsafe extern "C" fn ledger_find_version<D: Driver>(
    connection: *mut rsd_connection,
    schema_version: rsd_str,
    sink: *const rsd_sink,
) -> rsd_status {
    // SAFETY: rules 3 and 4.
    unsafe {
        on_connection::<D>("the ledger's find_version", connection, sink, |session, sink| {
            session.find_version(&string(schema_version))?.iter().for_each(|mark| sink.mark(mark));
            Ok(())
        })
    }
}

fn no_load() -> Error {
    unsupported("this engine has no load")
}

pub(super) unsafe extern "C" fn load_begin<D: Driver>(
    connection: *mut rsd_connection,
    sql: rsd_str,
    sink: *const rsd_sink,
) -> rsd_status {
    // SAFETY: rules 3 and 4.
    unsafe {
        on_connection::<D>("a load", connection, sink, |session, sink| {
            session.load().ok_or_else(no_load)?.begin(bytes(sql), &mut |notice| sink.notice(&notice))
        })
    }
}

pub(super) unsafe extern "C" fn load_rows<D: Driver>(
    connection: *mut rsd_connection,
    rows: rsd_str,
    sink: *const rsd_sink,
) -> rsd_status {
    // SAFETY: rules 3 and 4.
    unsafe {
        on_connection::<D>("a load", connection, sink, |session, _| {
            session.load().ok_or_else(no_load)?.rows(bytes(rows))
        })
    }
}

pub(super) unsafe extern "C" fn load_end<D: Driver>(
    connection: *mut rsd_connection,
    sink: *const rsd_sink,
) -> rsd_status {
    // SAFETY: rules 3 and 4.
    unsafe {
        on_connection::<D>("a load", connection, sink, |session, sink| {
            let outcome = session.load().ok_or_else(no_load)?.end(&mut |notice| sink.notice(&notice))?;
            sink.result(&outcome);
            Ok(())
        })
    }
}

/// Runs a body on a connection that judges.
///
/// # Safety
/// As `on_connection`, and `mark` is NULL or alive.
unsafe fn judging<D: Driver>(
    what: &str,
    connection: *mut rsd_connection,
    mark: *const rsd_mark,
    sink: *const rsd_sink,
    body: impl FnOnce(&mut dyn Judge, &Mark, &Sink) -> Result<(), Error>,
) -> rsd_status {
    // SAFETY: by the caller.
    unsafe {
        let Some(mark) = mark.as_ref().map(|mark| mark_from_abi(mark)) else { return RSD_MISUSE };
        on_connection::<D>(what, connection, sink, |session, sink| {
            body(session.judge().ok_or_else(no_judge)?, &mark, sink)
        })
    }
}

fn no_judge() -> Error {
    unsupported("this driver does not judge")
}

pub(super) unsafe extern "C" fn judge_observe<D: Driver>(
    connection: *mut rsd_connection,
    sql: rsd_str,
    mark: *const rsd_mark,
    sink: *const rsd_sink,
) -> rsd_status {
    // SAFETY: rules 3 and 4.
    unsafe {
        judging::<D>("observe", connection, mark, sink, |judge, mark, sink| {
            match judge.observe(bytes(sql), mark)? {
                Observed::Before(observation) => sink.observation(&observation),
                Observed::Applied(verdict) => sink.verdict(&verdict),
            }
            Ok(())
        })
    }
}

pub(super) unsafe extern "C" fn judge_execute<D: Driver>(
    connection: *mut rsd_connection,
    sql: rsd_str,
    mark: *const rsd_mark,
    observation: rsd_str,
    sink: *const rsd_sink,
) -> rsd_status {
    // SAFETY: rules 3 and 4.
    unsafe {
        judging::<D>("execute", connection, mark, sink, |judge, mark, sink| {
            let observation = string(observation);
            let mut notices = |notice| sink.notice(&notice);
            let outcome = judge.execute(bytes(sql), mark, &observation, &mut notices)?;
            sink.result(&outcome);
            Ok(())
        })
    }
}

pub(super) unsafe extern "C" fn judge_judge<D: Driver>(
    connection: *mut rsd_connection,
    sql: rsd_str,
    mark: *const rsd_mark,
    observation: rsd_str,
    sink: *const rsd_sink,
) -> rsd_status {
    // SAFETY: rules 3 and 4.
    unsafe {
        judging::<D>("judge", connection, mark, sink, |judge, mark, sink| {
            sink.verdict(&judge.judge(bytes(sql), mark, &string(observation))?);
            Ok(())
        })
    }
}

pub(super) unsafe extern "C" fn judge_vet<D: Driver>(
    connection: *mut rsd_connection,
    sql: rsd_str,
    sink: *const rsd_sink,
) -> rsd_status {
    // SAFETY: rules 3 and 4.
    unsafe {
        on_connection::<D>("vet", connection, sink, |session, sink| {
            if let Some(observation) = session.judge().ok_or_else(no_judge)?.vet(bytes(sql))? {
                sink.observation(&observation);
            }
            Ok(())
        })
    }
}

pub(super) unsafe extern "C" fn judge_advise<D: Driver>(
    connection: *mut rsd_connection,
    sink: *const rsd_sink,
) -> rsd_status {
    // SAFETY: rules 3 and 4.
    unsafe {
        on_connection::<D>("advise", connection, sink, |session, sink| {
            session.judge().ok_or_else(no_judge)?.advise(&mut |notice| sink.notice(&notice))
        })
    }
}

pub(super) unsafe extern "C" fn batch_execute<D: Driver>(
    connection: *mut rsd_connection,
    statements: *const rsd_str,
    count: usize,
    sink: *const rsd_sink,
) -> rsd_status {
    if statements.is_null() {
        return RSD_MISUSE;
    }
    // SAFETY: rules 3 and 4: the statements are an array of `count` texts that live during the call.
    unsafe {
        on_connection::<D>("a batch", connection, sink, |session, sink| {
            let statements = std::slice::from_raw_parts(statements, count);
            let statements: Vec<&[u8]> = statements.iter().map(|text| bytes(*text)).collect();
            let batch = session.batch().ok_or_else(|| unsupported("this driver has no batches"))?;
            batch.execute(&statements, &mut |answer| match answer {
                Answer::Notice(notice) => sink.notice(&notice),
                Answer::Outcome(outcome) => sink.result(&outcome),
            })
        })
    }
}
