//! The disk as the kernel speaks to it, and its power.

use crate::tree::{Meta, New, Tree};
use fuser::{
    BsdFileFlags, Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation, INodeNo,
    LockOwner, OpenFlags, RenameFlags, ReplyAttr, ReplyCreate, ReplyData, ReplyDirectory, ReplyEmpty,
    ReplyEntry, ReplyOpen, ReplyStatfs, ReplyWrite, Request, TimeOrNow, WriteFlags,
};
use std::ffi::OsStr;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

/// How long the kernel may remember what it was told: nobody else changes anything.
const REMEMBERED: Duration = Duration::from_secs(3600);
/// The size that the disk says it has, in blocks.
const BLOCKS: u64 = 1 << 22;
const BLOCK: u32 = 4096;
const NAME_MAX: u32 = 255;
/// What kind of file a mode is of.
const KIND_MASK: u32 = 0o170_000;
const KIND_FILE: u32 = 0o100_000;
const KIND_SOCKET: u32 = 0o140_000;
const KIND_PIPE: u32 = 0o010_000;

/// Whether the disk works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Power {
    On,
    /// Nothing that reaches the disk is answered any more.
    Failing,
    /// Whatever asks gets an error. Only what is ending anyway can ask.
    Off,
}

/// At which sync the power fails by itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Trap {
    pub nth: u64,
    /// Whether that sync still takes effect; it is never answered.
    pub takes_effect: bool,
}

#[derive(Debug)]
struct State {
    tree: Option<Tree>,
    power: Power,
    /// How many syncs there have been since the trap was set.
    syncs: u64,
    trap: Option<Trap>,
}

/// The disk, shared by those who speak to it.
#[derive(Clone, Debug)]
pub(crate) struct Served(Arc<(Mutex<State>, Condvar)>);

impl Served {
    pub fn new(tree: Tree) -> Self {
        let state = State { tree: Some(tree), power: Power::On, syncs: 0, trap: None };
        Self(Arc::new((Mutex::new(state), Condvar::new())))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_power(&self, power: Power) {
        self.state().power = power;
        self.0.1.notify_all();
    }

    pub fn set_trap(&self, trap: Option<Trap>) {
        let mut state = self.state();
        state.trap = trap;
        state.syncs = 0;
    }

    pub fn fail(&self) {
        self.set_power(Power::Failing);
    }

    pub fn turn_off(&self) {
        self.set_power(Power::Off);
    }

    pub fn works(&self) -> bool {
        self.state().power == Power::On
    }

    pub fn take(&self) -> Option<Tree> {
        self.state().tree.take()
    }

    pub fn sync_all(&self) {
        self.state().tree.iter_mut().for_each(Tree::sync_all);
    }

    /// The state while there is power. Where it fails, whoever asks is held until it is off.
    fn powered(&self) -> Result<MutexGuard<'_, State>, Errno> {
        let mut state = self.state();
        while state.power == Power::Failing {
            state = self.0.1.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.power == Power::On { Ok(state) } else { Err(Errno::EIO) }
    }

    fn ask<T>(&self, ask: impl FnOnce(&mut Tree) -> Result<T, Errno>) -> Result<T, Errno> {
        ask(self.powered()?.tree.as_mut().ok_or(Errno::EIO)?)
    }

    fn sync(&self, number: u64) -> Result<(), Errno> {
        let mut state = self.powered()?;
        state.syncs += 1;
        let sprung = state.trap.filter(|trap| trap.nth == state.syncs);
        if sprung.is_none_or(|trap| trap.takes_effect) {
            state.tree.as_mut().ok_or(Errno::EIO)?.sync(number)?;
        }
        if sprung.is_some() {
            state.power = Power::Failing;
            self.0.1.notify_all();
            drop(state);
            return self.powered().map(drop);
        }
        Ok(())
    }
}

fn meta(request: &Request, mode: u32) -> Meta {
    Meta::new(mode, request.uid(), request.gid())
}

fn time(time: TimeOrNow) -> SystemTime {
    match time {
        TimeOrNow::SpecificTime(time) => time,
        TimeOrNow::Now => SystemTime::now(),
    }
}

fn answer_entry(reply: ReplyEntry, answer: Result<FileAttr, Errno>) {
    match answer {
        Ok(attributes) => reply.entry(&REMEMBERED, &attributes, Generation(0)),
        Err(error) => reply.error(error),
    }
}

fn answer_attributes(reply: ReplyAttr, answer: Result<FileAttr, Errno>) {
    match answer {
        Ok(attributes) => reply.attr(&REMEMBERED, &attributes),
        Err(error) => reply.error(error),
    }
}

fn answer(reply: ReplyEmpty, answer: Result<(), Errno>) {
    match answer {
        Ok(()) => reply.ok(),
        Err(error) => reply.error(error),
    }
}

impl Filesystem for Served {
    fn lookup(&self, _: &Request, folder: INodeNo, name: &OsStr, reply: ReplyEntry) {
        answer_entry(reply, self.ask(|tree| tree.attributes(tree.find(folder.0, name)?)));
    }

    fn getattr(&self, _: &Request, number: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        answer_attributes(reply, self.ask(|tree| tree.attributes(number.0)));
    }

    fn setattr(
        &self,
        _: &Request,
        number: INodeNo,
        mode: Option<u32>,
        user: Option<u32>,
        group: Option<u32>,
        size: Option<u64>,
        accessed: Option<TimeOrNow>,
        modified: Option<TimeOrNow>,
        _: Option<SystemTime>,
        _: Option<FileHandle>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        let set = |meta: &mut Meta| {
            meta.mode = mode.and_then(|mode| u16::try_from(mode & 0o7777).ok()).unwrap_or(meta.mode);
            meta.user = user.unwrap_or(meta.user);
            meta.group = group.unwrap_or(meta.group);
            meta.accessed = accessed.map_or(meta.accessed, time);
            meta.modified = modified.map_or(meta.modified, time);
        };
        answer_attributes(reply, self.ask(|tree| tree.change(number.0, size, set)));
    }

    fn readlink(&self, _: &Request, number: INodeNo, reply: ReplyData) {
        match self.ask(|tree| Ok(tree.link_target(number.0)?.to_owned())) {
            Ok(to) => reply.data(to.as_os_str().as_encoded_bytes()),
            Err(error) => reply.error(error),
        }
    }

    fn mknod(
        &self,
        request: &Request,
        folder: INodeNo,
        name: &OsStr,
        mode: u32,
        _: u32,
        _: u32,
        reply: ReplyEntry,
    ) {
        let new = match mode & KIND_MASK {
            KIND_FILE => New::File,
            KIND_SOCKET => New::Special(FileType::Socket),
            KIND_PIPE => New::Special(FileType::NamedPipe),
            _ => return reply.error(Errno::EPERM),
        };
        answer_entry(reply, self.ask(|tree| tree.make(folder.0, name, new, meta(request, mode))));
    }

    fn mkdir(&self, request: &Request, folder: INodeNo, name: &OsStr, mode: u32, _: u32, reply: ReplyEntry) {
        answer_entry(reply, self.ask(|tree| tree.make(folder.0, name, New::Folder, meta(request, mode))));
    }

    fn unlink(&self, _: &Request, folder: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        answer(reply, self.ask(|tree| tree.unlink(folder.0, name)));
    }

    fn rmdir(&self, _: &Request, folder: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        answer(reply, self.ask(|tree| tree.remove_folder(folder.0, name)));
    }

    fn symlink(&self, request: &Request, folder: INodeNo, name: &OsStr, to: &Path, reply: ReplyEntry) {
        answer_entry(reply, self.ask(|tree| tree.make(folder.0, name, New::Link(to), meta(request, 0o777))));
    }

    fn rename(
        &self,
        _: &Request,
        folder: INodeNo,
        name: &OsStr,
        new_folder: INodeNo,
        new_name: &OsStr,
        flags: RenameFlags,
        reply: ReplyEmpty,
    ) {
        let (from, to) = ((folder.0, name), (new_folder.0, new_name));
        answer(
            reply,
            self.ask(|tree| {
                if flags.contains(RenameFlags::RENAME_WHITEOUT) {
                    return Err(Errno::EINVAL);
                }
                if flags.contains(RenameFlags::RENAME_EXCHANGE) {
                    return tree.exchange(from, to);
                }
                if flags.contains(RenameFlags::RENAME_NOREPLACE) {
                    tree.must_be_free(to.0, to.1)?;
                }
                tree.rename(from, to)
            }),
        );
    }

    fn link(&self, _: &Request, number: INodeNo, folder: INodeNo, name: &OsStr, reply: ReplyEntry) {
        answer_entry(reply, self.ask(|tree| tree.link(number.0, folder.0, name)));
    }

    fn create(
        &self,
        request: &Request,
        folder: INodeNo,
        name: &OsStr,
        mode: u32,
        _: u32,
        _: i32,
        reply: ReplyCreate,
    ) {
        match self.ask(|tree| tree.make(folder.0, name, New::File, meta(request, mode))) {
            Ok(attributes) => reply.created(
                &REMEMBERED,
                &attributes,
                Generation(0),
                FileHandle(0),
                FopenFlags::FOPEN_KEEP_CACHE,
            ),
            Err(error) => reply.error(error),
        }
    }

    fn open(&self, _: &Request, number: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        match self.ask(|tree| tree.attributes(number.0)) {
            Ok(_) => reply.opened(FileHandle(0), FopenFlags::FOPEN_KEEP_CACHE),
            Err(error) => reply.error(error),
        }
    }

    fn read(
        &self,
        _: &Request,
        number: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        match self.ask(|tree| Ok(tree.read(number.0, offset, size)?.to_vec())) {
            Ok(bytes) => reply.data(&bytes),
            Err(error) => reply.error(error),
        }
    }

    fn write(
        &self,
        _: &Request,
        number: INodeNo,
        _: FileHandle,
        offset: u64,
        bytes: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        match self.ask(|tree| tree.write(number.0, offset, bytes)) {
            Ok(()) => reply.written(u32::try_from(bytes.len()).unwrap_or(u32::MAX)),
            Err(error) => reply.error(error),
        }
    }

    fn fsync(&self, _: &Request, number: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        answer(reply, self.sync(number.0));
    }

    fn fsyncdir(&self, _: &Request, number: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        answer(reply, self.sync(number.0));
    }

    fn readdir(&self, _: &Request, number: INodeNo, _: FileHandle, behind: u64, mut reply: ReplyDirectory) {
        match self.ask(|tree| tree.list(number.0, behind)) {
            Ok(entries) => {
                for (place, number, kind, name) in entries {
                    if reply.add(INodeNo(number), place, kind, name) {
                        break;
                    }
                }
                reply.ok();
            }
            Err(error) => reply.error(error),
        }
    }

    fn statfs(&self, _: &Request, _: INodeNo, reply: ReplyStatfs) {
        reply.statfs(BLOCKS, BLOCKS, BLOCKS, BLOCKS, BLOCKS, BLOCK, NAME_MAX, BLOCK);
    }
}
