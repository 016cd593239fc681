//! The tree of files and folders as programs see it, with what is on the disk of it.

use crate::content::Content;
use crate::journal::{Entry, Journal, Names};
use crate::luck::Luck;
use fuser::{Errno, FileAttr, FileType, INodeNo};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// An inode's number.
pub(crate) type Number = u64;

/// The number of the topmost folder.
const TOP: Number = 1;
/// What a unit of allocation is said to be.
const BLOCK: u64 = 512;

/// Everything on the disk.
#[derive(Debug)]
pub(crate) struct Tree {
    nodes: HashMap<Number, Node>,
    journal: Journal,
    last: Number,
    /// The last place in a folder that was given: one that stays while others go.
    last_place: u64,
}

#[derive(Clone, Debug)]
struct Node {
    body: Body,
    meta: Meta,
    synced: Meta,
    links: u32,
}

#[derive(Clone, Debug)]
enum Body {
    File(Content),
    Folder(Folder),
    Link(PathBuf),
    /// A socket or a pipe, which lives in the kernel.
    Special(FileType),
}

#[derive(Clone, Debug, Default)]
struct Folder {
    now: BTreeMap<OsString, Placed>,
    synced: BTreeMap<OsString, Number>,
}

#[derive(Clone, Copy, Debug)]
struct Placed {
    number: Number,
    place: u64,
}

/// What a program may set of a file, besides its bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Meta {
    pub mode: u16,
    pub user: u32,
    pub group: u32,
    pub accessed: SystemTime,
    pub modified: SystemTime,
    pub changed: SystemTime,
}

impl Meta {
    pub fn new(mode: u32, user: u32, group: u32) -> Self {
        let now = SystemTime::now();
        let mode = u16::try_from(mode & 0o7777).unwrap_or(0);
        Self { mode, user, group, accessed: now, modified: now, changed: now }
    }
}

/// What a node of its own begins as.
pub(crate) enum New<'n> {
    File,
    Folder,
    Link(&'n Path),
    Special(FileType),
}

impl Tree {
    pub fn new(top: Meta) -> Self {
        let node = Node { body: Body::Folder(Folder::default()), meta: top, synced: top, links: 2 };
        Self { nodes: HashMap::from([(TOP, node)]), journal: Journal::default(), last: TOP, last_place: 0 }
    }

    fn node(&self, number: Number) -> Result<&Node, Errno> {
        self.nodes.get(&number).ok_or(Errno::ENOENT)
    }

    fn node_mut(&mut self, number: Number) -> Result<&mut Node, Errno> {
        self.nodes.get_mut(&number).ok_or(Errno::ENOENT)
    }

    fn folder(&self, number: Number) -> Result<&Folder, Errno> {
        match &self.node(number)?.body {
            Body::Folder(folder) => Ok(folder),
            _ => Err(Errno::ENOTDIR),
        }
    }

    fn content(&mut self, number: Number) -> Result<&mut Content, Errno> {
        match &mut self.node_mut(number)?.body {
            Body::File(content) => Ok(content),
            _ => Err(Errno::EINVAL),
        }
    }

    pub fn find(&self, folder: Number, name: &OsStr) -> Result<Number, Errno> {
        self.folder(folder)?.now.get(name).map(|placed| placed.number).ok_or(Errno::ENOENT)
    }

    pub fn attributes(&self, number: Number) -> Result<FileAttr, Errno> {
        let node = self.node(number)?;
        let (kind, size) = match &node.body {
            Body::File(content) => (FileType::RegularFile, content.size() as u64),
            Body::Folder(folder) => (FileType::Directory, folder.now.len() as u64),
            Body::Link(to) => (FileType::Symlink, to.as_os_str().len() as u64),
            Body::Special(kind) => (*kind, 0),
        };
        let meta = node.meta;
        Ok(FileAttr {
            ino: INodeNo(number),
            size,
            blocks: size.div_ceil(BLOCK),
            atime: meta.accessed,
            mtime: meta.modified,
            ctime: meta.changed,
            crtime: meta.changed,
            kind,
            perm: meta.mode,
            nlink: node.links,
            uid: meta.user,
            gid: meta.group,
            rdev: 0,
            blksize: 4096,
            flags: 0,
        })
    }

    /// Sets what `set` sets, and the file's size where one is given.
    pub fn change(
        &mut self,
        number: Number,
        size: Option<u64>,
        set: impl FnOnce(&mut Meta),
    ) -> Result<FileAttr, Errno> {
        if let Some(size) = size {
            self.content(number)?.resize(index(size)?);
        }
        let meta = &mut self.node_mut(number)?.meta;
        let now = SystemTime::now();
        meta.changed = now;
        if size.is_some() {
            meta.modified = now;
        }
        set(meta);
        self.attributes(number)
    }

    pub fn link_target(&self, number: Number) -> Result<&Path, Errno> {
        match &self.node(number)?.body {
            Body::Link(to) => Ok(to),
            _ => Err(Errno::EINVAL),
        }
    }

    pub fn read(&mut self, number: Number, offset: u64, size: u32) -> Result<&[u8], Errno> {
        let offset = index(offset)?;
        Ok(self.content(number)?.read(offset, index(size.into())?))
    }

    pub fn write(&mut self, number: Number, offset: u64, bytes: &[u8]) -> Result<(), Errno> {
        let offset = index(offset)?;
        self.content(number)?.write(offset, bytes);
        let meta = &mut self.node_mut(number)?.meta;
        meta.modified = SystemTime::now();
        meta.changed = meta.modified;
        Ok(())
    }

    /// The entries of a folder behind a place, each with its own.
    pub fn list(&self, number: Number, behind: u64) -> Result<Vec<(u64, Number, FileType, OsString)>, Errno> {
        let mut entries = Vec::new();
        for (name, placed) in &self.folder(number)?.now {
            if placed.place > behind {
                let kind = self.attributes(placed.number)?.kind;
                entries.push((placed.place, placed.number, kind, name.clone()));
            }
        }
        entries.sort_by_key(|entry| entry.0);
        Ok(entries)
    }

    pub fn make(
        &mut self,
        folder: Number,
        name: &OsStr,
        new: New<'_>,
        meta: Meta,
    ) -> Result<FileAttr, Errno> {
        self.must_be_free(folder, name)?;
        self.last += 1;
        let number = self.last;
        let (body, links) = match new {
            New::File => (Body::File(Content::default()), 0),
            New::Folder => (Body::Folder(Folder::default()), 1),
            New::Link(to) => (Body::Link(to.to_path_buf()), 0),
            New::Special(kind) => (Body::Special(kind), 0),
        };
        self.nodes.insert(number, Node { body, meta, synced: meta, links });
        self.name(vec![Entry { folder, name: name.to_owned(), number: Some(number) }])?;
        self.attributes(number)
    }

    pub fn link(&mut self, number: Number, folder: Number, name: &OsStr) -> Result<FileAttr, Errno> {
        self.must_be_free(folder, name)?;
        self.name(vec![Entry { folder, name: name.to_owned(), number: Some(number) }])?;
        self.attributes(number)
    }

    pub fn unlink(&mut self, folder: Number, name: &OsStr) -> Result<(), Errno> {
        self.find(folder, name)?;
        self.name(vec![Entry { folder, name: name.to_owned(), number: None }])
    }

    pub fn remove_folder(&mut self, folder: Number, name: &OsStr) -> Result<(), Errno> {
        self.must_be_empty(self.find(folder, name)?)?;
        self.unlink(folder, name)
    }

    /// Renames, over what is there.
    pub fn rename(&mut self, from: (Number, &OsStr), to: (Number, &OsStr)) -> Result<(), Errno> {
        let moved = self.find(from.0, from.1)?;
        if let Ok(replaced) = self.find(to.0, to.1)
            && self.folder(replaced).is_ok()
        {
            self.must_be_empty(replaced)?;
        }
        self.name(vec![
            Entry { folder: from.0, name: from.1.to_owned(), number: None },
            Entry { folder: to.0, name: to.1.to_owned(), number: Some(moved) },
        ])
    }

    pub fn exchange(&mut self, one: (Number, &OsStr), other: (Number, &OsStr)) -> Result<(), Errno> {
        let (first, second) = (self.find(one.0, one.1)?, self.find(other.0, other.1)?);
        self.name(vec![
            Entry { folder: one.0, name: one.1.to_owned(), number: Some(second) },
            Entry { folder: other.0, name: other.1.to_owned(), number: Some(first) },
        ])
    }

    pub fn must_be_free(&self, folder: Number, name: &OsStr) -> Result<(), Errno> {
        match self.find(folder, name) {
            Ok(_) => Err(Errno::EEXIST),
            Err(Errno::ENOENT) => Ok(()),
            Err(other) => Err(other),
        }
    }

    fn must_be_empty(&self, number: Number) -> Result<(), Errno> {
        if self.folder(number)?.now.is_empty() { Ok(()) } else { Err(Errno::ENOTEMPTY) }
    }

    /// Names things, as one change.
    fn name(&mut self, entries: Vec<Entry>) -> Result<(), Errno> {
        for entry in &entries {
            self.last_place += 1;
            let place = self.last_place;
            let node = self.node_mut(entry.folder)?;
            node.meta.modified = SystemTime::now();
            node.meta.changed = node.meta.modified;
            let Body::Folder(folder) = &mut node.body else { return Err(Errno::ENOTDIR) };
            let before = match entry.number {
                Some(number) => folder.now.insert(entry.name.clone(), Placed { number, place }),
                None => folder.now.remove(&entry.name),
            };
            if let Some(before) = before {
                let node = self.node_mut(before.number)?;
                node.links = node.links.saturating_sub(1);
                node.meta.changed = SystemTime::now();
            }
            if let Some(number) = entry.number {
                let node = self.node_mut(number)?;
                node.links += 1;
                node.meta.changed = SystemTime::now();
            }
        }
        self.journal.add(entries);
        Ok(())
    }

    /// What fsync of a file or a folder promises: a file's bytes and size, a folder's names; not the name of a file in its folder.
    pub fn sync(&mut self, number: Number) -> Result<(), Errno> {
        let node = self.node_mut(number)?;
        node.synced = node.meta;
        match &mut node.body {
            Body::File(content) => content.sync(),
            Body::Folder(_) => self.journal.sync(number),
            Body::Link(_) | Body::Special(_) => {}
        }
        Ok(())
    }

    /// Puts all on the disk, names too.
    pub fn sync_all(&mut self) {
        self.journal.sync_all();
        for node in self.nodes.values_mut() {
            node.synced = node.meta;
            if let Body::File(content) = &mut node.body {
                content.sync();
            }
        }
    }

    /// What a power cut leaves.
    pub fn cut(mut self, names: Names, luck: &mut Luck<'_>) -> Self {
        for entry in std::mem::take(&mut self.journal).cut(names, luck) {
            if let Some(Node { body: Body::Folder(folder), .. }) = self.nodes.get_mut(&entry.folder) {
                match entry.number {
                    Some(number) => folder.synced.insert(entry.name, number),
                    None => folder.synced.remove(&entry.name),
                };
            }
        }
        let reached = self.reached();
        // In the order of their numbers, so that the same seed draws the same.
        let mut numbers: Vec<Number> = reached.keys().copied().collect();
        numbers.sort_unstable();
        let mut left = HashMap::new();
        for number in numbers {
            let Some(mut node) = self.nodes.remove(&number) else { continue };
            node.meta = if luck.keeps() { node.meta } else { node.synced };
            node.synced = node.meta;
            node.links = reached[&number];
            match &mut node.body {
                Body::File(content) => content.cut(luck),
                Body::Folder(folder) => {
                    folder.now.clear();
                    for (name, number) in &folder.synced {
                        self.last_place += 1;
                        folder.now.insert(name.clone(), Placed { number: *number, place: self.last_place });
                    }
                }
                Body::Link(_) | Body::Special(_) => {}
            }
            left.insert(number, node);
        }
        Self { nodes: left, ..self }
    }

    /// What can be reached by names that are on the disk, with how many of them there are.
    fn reached(&self) -> HashMap<Number, u32> {
        let mut links = HashMap::from([(TOP, 2)]);
        let mut looked = HashSet::new();
        let mut folders = vec![TOP];
        while let Some(number) = folders.pop() {
            if !looked.insert(number) {
                continue;
            }
            let Ok(folder) = self.folder(number) else { continue };
            for child in folder.synced.values() {
                let is_folder = self.folder(*child).is_ok();
                *links.entry(*child).or_insert(u32::from(is_folder)) += 1;
                folders.extend(is_folder.then_some(*child));
            }
        }
        links
    }
}

fn index(number: u64) -> Result<usize, Errno> {
    usize::try_from(number).map_err(|_| Errno::EFBIG)
}
