//! Whether a file may be loaded: nobody but root and the daemon's user could have written it, and all of it is there. A driver
//! runs with all the daemon's rights, and what is mapped is run before anything of it can be asked.

use super::error::LoadError;
use std::fs::{self, File, Metadata};
use std::io::Read;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;

const GROUP_MAY_WRITE: u32 = 0o020;
const OTHERS_MAY_WRITE: u32 = 0o002;
const STICKY: u32 = 0o1000;

/// Refuses a file that somebody else could change under us, and one that is not whole.
pub(super) fn judge(path: &Path) -> Result<(), LoadError> {
    let unloadable = |why: String| LoadError::Unloadable { path: path.into(), why };
    let resolved = fs::canonicalize(path).map_err(|error| unloadable(error.to_string()))?;
    let meta = fs::metadata(&resolved).map_err(|error| unloadable(error.to_string()))?;
    // Opening a pipe would wait for somebody who writes to it.
    if !meta.is_file() {
        return Err(unloadable("it is not a file".to_owned()));
    }
    let folder = resolved.parent().unwrap_or(Path::new("/"));
    let folder_meta = fs::metadata(folder).map_err(|error| unloadable(error.to_string()))?;
    for (place, meta) in [(resolved.as_path(), &meta), (folder, &folder_meta)] {
        if let Some((why, advice)) = changeable(meta) {
            let advice = format!("{advice} {}", place.display());
            return Err(LoadError::Writable { path: place.into(), why, advice });
        }
    }
    let missing = File::open(&resolved)
        .and_then(|file| is_cut_off(&file, meta.len()))
        .map_err(|error| unloadable(error.to_string()))?;
    if missing {
        Err(unloadable("its end is missing, as where it was not copied whole".to_owned()))
    } else {
        Ok(())
    }
}

/// How somebody else could change a file or what is in a folder, and what is to be done about it.
fn changeable(meta: &Metadata) -> Option<(String, &'static str)> {
    let own = rustix::process::geteuid().as_raw();
    if meta.uid() != 0 && meta.uid() != own {
        return Some((format!("it belongs to user id {}", meta.uid()), "chown root"));
    }
    // A sticky folder such as /tmp lets nobody replace another's file.
    if meta.is_dir() && meta.mode() & STICKY != 0 {
        return None;
    }
    let by_group = meta.mode() & GROUP_MAY_WRITE != 0 && !is_private(meta.uid(), meta.gid());
    if by_group || meta.mode() & OTHERS_MAY_WRITE != 0 {
        return Some((format!("its mode is {:o}", meta.mode() & 0o7777), "chmod go-w"));
    }
    None
}

/// Whether a group has nobody in it but this user, as many systems give each user one, with a umask that fits it.
fn is_private(user: u32, group: u32) -> bool {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    // Files of root's have no such reason to be open to a group.
    user != 0 && is_only_member(user, group, &read("/etc/passwd"), &read("/etc/group"))
}

fn is_only_member(user: u32, group: u32, passwd: &str, groups: &str) -> bool {
    let (user, group) = (user.to_string(), group.to_string());
    let lines = |text: &str| {
        let fields = |line: &str| line.split(':').map(str::to_owned).collect::<Vec<_>>();
        text.lines().map(fields).filter(|fields| fields.len() >= 4).collect::<Vec<_>>()
    };
    let (mut name, mut others) = (None, false);
    for account in lines(passwd).iter().filter(|account| account[3] == group) {
        if account[2] == user {
            name = Some(account[0].clone());
        } else {
            others = true;
        }
    }
    let Some(name) = name else { return false };
    others |= lines(groups)
        .iter()
        .filter(|found| found[2] == group)
        .any(|found| found[3].split(',').any(|member| !member.is_empty() && member != name));
    !others
}

/// Whether a library says that it has more bytes than the file: touching those that are missing would kill the daemon.
/// What is no library at all is left to the loader, which says so.
fn is_cut_off(mut file: &File, len: u64) -> std::io::Result<bool> {
    const MAGIC_64: &[u8] = b"\x7fELF\x02";
    let mut head = [0; 64];
    if len < head.len() as u64 {
        return Ok(false);
    }
    file.read_exact(&mut head)?;
    if !head.starts_with(MAGIC_64) {
        return Ok(false);
    }
    let (table, entry, count) = (long(&head, 32), u64::from(short(&head, 54)), u64::from(short(&head, 56)));
    for number in 0..count {
        let mut segment = [0; 56];
        let place = table.saturating_add(number * entry);
        if place.saturating_add(segment.len() as u64) > len {
            return Ok(true);
        }
        file.read_exact_at(&mut segment, place)?;
        if long(&segment, 8).saturating_add(long(&segment, 32)) > len {
            return Ok(true);
        }
    }
    Ok(false)
}

fn long(bytes: &[u8], at: usize) -> u64 {
    let mut value = [0; 8];
    value.copy_from_slice(&bytes[at..at + 8]);
    u64::from_ne_bytes(value)
}

fn short(bytes: &[u8], at: usize) -> u16 {
    u16::from_ne_bytes([bytes[at], bytes[at + 1]])
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0::/root:/bin/sh\nann:x:1000:1000::/home/ann:/bin/sh\nbob:x:1001:100::/:/bin/sh\ncy:x:1002:100::/:/bin/sh\n";

    #[test]
    fn a_group_is_private_where_its_one_member_is_the_owner() {
        assert!(is_only_member(1000, 1000, PASSWD, "ann:x:1000:\n"));
        assert!(is_only_member(1000, 1000, PASSWD, "ann:x:1000:ann\n"));
        assert!(is_only_member(1000, 1000, PASSWD, ""));
    }

    #[test]
    fn a_group_is_not_private_where_another_is_in_it_or_the_owner_is_not() {
        assert!(!is_only_member(1000, 1000, PASSWD, "ann:x:1000:ann,bob\n"));
        assert!(!is_only_member(1001, 100, PASSWD, "users:x:100:\n"), "two have it as their own");
        assert!(!is_only_member(1000, 50, PASSWD, "staff:x:50:ann\n"), "it is not the owner's own");
        assert!(!is_only_member(1003, 1003, PASSWD, "dan:x:1003:\n"), "an account that is not known here");
    }
}
