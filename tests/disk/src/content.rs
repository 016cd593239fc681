//! A file's bytes: as programs see them, as they are on the disk, and the changes between the two.

use crate::luck::Luck;

/// What the system writes as one, at a moment of its own.
const PAGE: usize = 4096;
/// What the disk writes whole, or not at all.
const SECTOR: usize = 512;

/// The bytes of a file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Content {
    now: Vec<u8>,
    synced: Vec<u8>,
    /// What was done since, in its order.
    since: Vec<Change>,
}

#[derive(Clone, Debug)]
enum Change {
    Write { offset: usize, bytes: Vec<u8> },
    Resize(usize),
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Write { offset, bytes: written } => {
                let end = offset + written.len();
                if bytes.len() < end {
                    bytes.resize(end, 0);
                }
                bytes[*offset..end].copy_from_slice(written);
            }
            Self::Resize(size) => bytes.resize(*size, 0),
        }
    }

    /// The file's size after it, where it was `size`.
    fn size_after(&self, size: usize) -> usize {
        match self {
            Self::Write { offset, bytes } => size.max(offset + bytes.len()),
            Self::Resize(size) => *size,
        }
    }

    /// Applies what it means for the page that begins at `start`. False where that is nothing.
    fn apply_to_page(&self, start: usize, page: &mut [u8; PAGE]) -> bool {
        match self {
            Self::Write { offset, bytes } => {
                let (from, to) = ((*offset).max(start), (offset + bytes.len()).min(start + PAGE));
                if from >= to {
                    return false;
                }
                page[from - start..to - start].copy_from_slice(&bytes[from - offset..to - offset]);
                true
            }
            Self::Resize(size) if *size < start + PAGE => {
                page[size.saturating_sub(start)..].fill(0);
                true
            }
            Self::Resize(_) => false,
        }
    }
}

impl Content {
    pub fn size(&self) -> usize {
        self.now.len()
    }

    /// Up to `size` bytes from `offset` on.
    pub fn read(&self, offset: usize, size: usize) -> &[u8] {
        let end = offset.saturating_add(size).min(self.now.len());
        self.now.get(offset..end).unwrap_or_default()
    }

    pub fn write(&mut self, offset: usize, bytes: &[u8]) {
        self.change(Change::Write { offset, bytes: bytes.to_vec() });
    }

    pub fn resize(&mut self, size: usize) {
        if size != self.now.len() {
            self.change(Change::Resize(size));
        }
    }

    fn change(&mut self, change: Change) {
        change.apply(&mut self.now);
        self.since.push(change);
    }

    /// Puts all on the disk.
    pub fn sync(&mut self) {
        for change in self.since.drain(..) {
            change.apply(&mut self.synced);
        }
    }

    /// What a power cut leaves. Each page is as it was at some moment since the sync, one by one, and where a newer state was
    /// being written over an older one, each sector is of one of the two. The size is one that the file has had since then.
    pub fn cut(&mut self, luck: &mut Luck<'_>) {
        if self.since.is_empty() {
            return;
        }
        let mut sizes = vec![self.synced.len()];
        for change in &self.since {
            sizes.push(change.size_after(sizes.last().copied().unwrap_or(0)));
        }
        let size = sizes[luck.state(sizes.len())];
        let mut bytes = vec![0; size];
        for start in (0..size).step_by(PAGE) {
            let page = self.cut_page(start, luck);
            let end = (start + PAGE).min(size);
            bytes[start..end].copy_from_slice(&page[..end - start]);
        }
        self.since.clear();
        self.now.clone_from(&bytes);
        self.synced = bytes;
    }

    fn cut_page(&self, start: usize, luck: &mut Luck<'_>) -> [u8; PAGE] {
        let mut page = [0; PAGE];
        let old = self.synced.get(start..(start + PAGE).min(self.synced.len())).unwrap_or_default();
        page[..old.len()].copy_from_slice(old);
        let mut states = vec![page];
        for change in &self.since {
            if change.apply_to_page(start, &mut page) {
                states.push(page);
            }
        }
        let newer = luck.state(states.len());
        let older = luck.index(newer + 1);
        let mut left = states[newer];
        if luck.index(4) == 0 {
            for sector in (0..PAGE).step_by(SECTOR) {
                if luck.index(2) == 0 {
                    left[sector..sector + SECTOR].copy_from_slice(&states[older][sector..sector + SECTOR]);
                }
            }
        }
        left
    }
}
