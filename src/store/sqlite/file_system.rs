//! Where a database may lie: not on a network file system, whose locks and caches SQLite's write-ahead log cannot
//! rely on. Asks the kernel; on systems other than Linux it knows nothing and allows everything.

use std::path::Path;

/// Network file systems by the magic number that `statfs` gives.
#[cfg(target_os = "linux")]
const NETWORK: [(u32, &str); 11] = [
    (0x0000_6969, "NFS"),
    (0x0000_517b, "SMB"),
    (0xff53_4d42, "CIFS"),
    (0xfe53_4d42, "SMB2"),
    (0x0102_1997, "9p"),
    (0x5346_414f, "AFS"),
    (0x6b41_4653, "kAFS"),
    (0x7375_7245, "Coda"),
    (0x00c3_6400, "Ceph"),
    (0x0bd0_0bd0, "Lustre"),
    (0x1983_0326, "BeeGFS"),
];
#[cfg(target_os = "linux")]
const FUSE: u32 = 0x6573_5546;
/// FUSE is one number for local and distant ones; these names of `/proc/self/mountinfo` are distant.
#[cfg(target_os = "linux")]
const NETWORK_FUSE: [&str; 16] = [
    "sshfs",
    "s3fs",
    "s3ql",
    "rclone",
    "gcsfuse",
    "goofys",
    "davfs",
    "davfs2",
    "glusterfs",
    "ceph-fuse",
    "ceph",
    "juicefs",
    "seaweedfs",
    "curlftpfs",
    "blobfuse2",
    "mount-s3",
];

/// The name of the network file system that a folder is on; none if it is local.
#[cfg(target_os = "linux")]
pub(super) fn network(folder: &Path) -> Option<String> {
    let found = rustix::fs::statfs(folder).ok()?;
    // Types differ between architectures; the number has 32 bits.
    let magic = u32::try_from(i128::from(found.f_type) & 0xffff_ffff).ok()?;
    if magic == FUSE {
        let device = rustix::fs::stat(folder).ok()?.st_dev;
        let device = format!("{}:{}", rustix::fs::major(device), rustix::fs::minor(device));
        let mounts = std::fs::read_to_string("/proc/self/mountinfo").ok()?;
        return network_fuse(&mounts, &device);
    }
    NETWORK.iter().find(|(known, _)| *known == magic).map(|(_, name)| (*name).to_owned())
}

/// Nothing is known here.
#[cfg(not(target_os = "linux"))]
pub(super) fn network(_: &Path) -> Option<String> {
    None
}

/// The distant FUSE file system that is mounted as `device`.
#[cfg(target_os = "linux")]
fn network_fuse(mounts: &str, device: &str) -> Option<String> {
    let line = mounts.lines().find(|line| line.split(' ').nth(2) == Some(device))?;
    let kind = line.split_once(" - ")?.1.split(' ').next()?;
    let name = kind.strip_prefix("fuse.")?;
    NETWORK_FUSE.contains(&name).then(|| kind.to_owned())
}

/// Bytes that are left for a program without privileges.
#[cfg(target_os = "linux")]
pub(super) fn free_bytes(folder: &Path) -> Option<u64> {
    let found = rustix::fs::statvfs(folder).ok()?;
    Some(found.f_bavail.saturating_mul(found.f_frsize))
}

/// Nothing is known here.
#[cfg(not(target_os = "linux"))]
pub(super) fn free_bytes(_: &Path) -> Option<u64> {
    None
}

/// Makes the system forget what it holds of a file in memory, so that the next read comes from the disk.
///
/// Only while this process has no connection to the file: closing any handle on it drops SQLite's locks.
#[cfg(target_os = "linux")]
pub(super) fn forget_cached(path: &Path) {
    use rustix::fs::{Advice, fadvise};
    if let Ok(file) = std::fs::File::open(path) {
        let _ = fadvise(&file, 0, None, Advice::DontNeed);
    }
}

/// There is no such call here.
#[cfg(not(target_os = "linux"))]
pub(super) fn forget_cached(_: &Path) {}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::{free_bytes, network, network_fuse};

    #[test]
    fn distant_and_local_fuse_are_told_apart() {
        let mounts = "36 35 98:0 / / rw shared:1 - ext4 /dev/root rw\n\
                      40 36 0:51 / /mnt rw - fuse.sshfs me@host: rw\n\
                      41 36 0:52 / /media rw - fuse.ntfs-3g /dev/sdb1 rw\n\
                      42 36 0:53 / /shared rw - virtiofs home rw\n";
        assert_eq!(network_fuse(mounts, "0:51").as_deref(), Some("fuse.sshfs"));
        assert_eq!(
            [network_fuse(mounts, "0:52"), network_fuse(mounts, "0:53"), network_fuse(mounts, "9:9")],
            [None, None, None]
        );
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(network(folder.path()), None);
        assert!(free_bytes(folder.path()).unwrap() > 0);
    }
}
