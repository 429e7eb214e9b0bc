//! Pid files and binaries on disk.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use super::process;
use crate::machine::{FileId, PidFile};

/// nginx reads at most this much of a pid file; a longer one holds no pid.
const PID_BYTES_MAX: u64 = 22;

/// `PID_MAX_LIMIT` of the kernel.
const PID_MAX: u32 = 4_194_304;

/// What the file holds. Nobody is signalled for it: it is compared with processes that were identified.
pub(crate) fn read_pid_file(path: &Path) -> io::Result<PidFile> {
    let file = match open_plain(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(PidFile::Absent),
        Err(error) => return Err(error),
    };
    let mut content = Vec::new();
    file.take(PID_BYTES_MAX + 1).read_to_end(&mut content)?;
    Ok(parse_pid(&content))
}

/// Opens a file to read it: whatever else stands at its path is an error that says what, and is neither waited for nor
/// followed.
pub(crate) fn open_plain(path: &Path) -> io::Result<File> {
    let is_plain =
        |meta: fs::Metadata| kind_but_plain(meta.file_type()).map_or(Ok(()), |kind| Err(other(kind)));
    // A device is not even opened.
    is_plain(fs::symlink_metadata(path)?)?;
    let file = fs::OpenOptions::new().read(true).custom_flags(PLAIN).open(path)?;
    // It may be another one by now.
    is_plain(file.metadata()?)?;
    Ok(file)
}

/// No link is followed, and nobody at the other end of a fifo is waited for.
pub(crate) const PLAIN: i32 =
    OFlags::NOFOLLOW.union(OFlags::NONBLOCK).union(OFlags::NOCTTY).bits().cast_signed();

fn kind_but_plain(kind: fs::FileType) -> Option<&'static str> {
    match kind {
        kind if kind.is_file() => None,
        kind if kind.is_dir() => Some("it is a folder"),
        kind if kind.is_symlink() => Some("it is a symbolic link"),
        kind if kind.is_fifo() => Some("it is a fifo"),
        kind if kind.is_socket() => Some("it is a socket"),
        _ => Some("it is a device"),
    }
}

fn other(kind: &str) -> io::Error {
    io::Error::other(kind.to_owned())
}

fn parse_pid(content: &[u8]) -> PidFile {
    if content.is_empty() {
        return PidFile::Empty;
    }
    let text = std::str::from_utf8(content).unwrap_or_default().trim_end_matches(['\r', '\n']);
    let is_decimal = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse() {
        Ok(pid) if is_decimal && (1..=PID_MAX).contains(&pid) => PidFile::Pid(pid),
        Ok(_) | Err(_) => PidFile::Garbage,
    }
}

/// `nginx.pid` → `nginx.pid.oldbin`.
pub(crate) fn oldbin_path(pid_file: &Path) -> PathBuf {
    let mut name = pid_file.as_os_str().to_owned();
    name.push(".oldbin");
    name.into()
}

/// Which file is there; `None`: none.
pub(crate) fn file_at(path: &Path) -> Option<FileId> {
    fs::metadata(path).ok().map(|meta| process::file_id(&meta))
}

/// The path behind every link among its folders; its own name stays, and may be a link.
pub(crate) fn in_real_folder(path: &Path) -> io::Result<PathBuf> {
    let absolute = std::path::absolute(path)?;
    let (Some(folder), Some(name)) = (absolute.parent(), absolute.file_name()) else {
        return Err(io::Error::other("it has no name"));
    };
    Ok(fs::canonicalize(folder)?.join(name))
}

/// Makes `target` another name of what `link` is, a file or a symbolic link, at one stroke. No data is copied,
/// so a full disk does not matter.
pub(crate) fn replace(target: &Path, link: &Path) -> io::Result<()> {
    let beside = beside(target, "next");
    let _ = fs::remove_file(&beside);
    fs::hard_link(link, &beside)?;
    fs::rename(&beside, target)?;
    // rename does nothing if both are already the same file.
    let _ = fs::remove_file(&beside);
    sync_folder(target)
}

/// A hidden name in the same folder: `.nginx.oldbin-KIND`.
pub(crate) fn beside(path: &Path, kind: &str) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.oldbin-{kind}"))
}

/// Makes a rename or a new name last.
pub(crate) fn sync_folder(of: &Path) -> io::Result<()> {
    File::open(of.parent().unwrap_or(Path::new("/")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_decimal_pid_is_a_pid() {
        assert_eq!(parse_pid(b"4711\n"), PidFile::Pid(4711));
        assert_eq!(parse_pid(b""), PidFile::Empty);
        for hostile in [
            "0\n",
            "-1\n",
            "+1\n",
            " 1\n",
            "9223372036854775808\n",
            "4294967297\n",
            "12 34\n",
            "0x10\n",
            "\n",
            "4194305",
        ] {
            assert_eq!(parse_pid(hostile.as_bytes()), PidFile::Garbage, "{hostile:?}");
        }
    }
}
