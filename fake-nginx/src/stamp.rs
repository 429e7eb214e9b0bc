//! The identity of a fake: a few bytes behind the ELF image of a copy of the running executable.
//!
//! The copy is one ordinary file, so `cp`, `mv` and every upgrade script treat it as they treat an nginx. Behind
//! the image stand the stamp as JSON, its length (8 bytes, little-endian) and [`MAGIC`]. Only the executable that
//! wrote a stamp ever reads it, so the format needs no other version than the one in the magic.
//!
//! # ETXTBSY
//! A file that any process holds open for writing cannot be executed, and a process that another thread has just
//! forked holds whatever this one had open. [`write()`] is therefore for programs with one thread; [`Cache`] waits
//! until the new file can be executed, and afterwards hands out hard links, which write nothing.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

use crate::fault::Fault;
use crate::overrides::Override;
use crate::release::{Profile, Version};

/// The last bytes of a stamped executable.
pub const MAGIC: &[u8; 17] = b"fake-nginx-stamp1";

/// The running executable, whatever its name has become.
const OWN_IMAGE: &str = "/proc/self/exe";

/// The length and the magic.
const TRAILER_BYTES: u64 = 8 + MAGIC.len() as u64;

/// A stamp is some hundred bytes; a longer one is a damaged length.
const STAMP_BYTES_MAX: u64 = 1 << 20;

/// How often a new file is tried until no forked process holds it any more. Such a process lives for the moment
/// between its fork and its exec; ten tries have been seen, never a hundred.
const SETTLE_TRIES_MAX: u32 = 100_000;

/// Who a stamped copy is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stamp {
    /// The release that it plays.
    pub version: Version,
    /// What a distribution changed.
    pub overrides: Vec<Override>,
    /// What it does wrong, if anything.
    pub fault: Option<Fault>,
    /// Where its processes report their moments and wait to be answered; see [`crate::control`].
    pub control: Option<PathBuf>,
    /// Deliberate defects of its machine, for the tests of the tests.
    pub defects: Vec<String>,
    /// What `-V` tells.
    pub configure_arguments: String,
    /// The built-in prefix; ends in a slash.
    pub prefix: PathBuf,
    /// The built-in configuration file, relative to the prefix unless absolute.
    pub conf: PathBuf,
    /// The built-in pid file.
    pub pid: PathBuf,
    /// The built-in error log; `stderr` is standard error.
    pub error_log: PathBuf,
}

impl Stamp {
    /// A faultless `version` as built from nginx.org's source without arguments.
    #[must_use]
    pub fn new(version: Version) -> Self {
        Self {
            version,
            overrides: Vec::new(),
            fault: None,
            control: None,
            defects: Vec::new(),
            configure_arguments: String::new(),
            prefix: "/usr/local/nginx/".into(),
            conf: "conf/nginx.conf".into(),
            pid: "logs/nginx.pid".into(),
            error_log: "logs/error.log".into(),
        }
    }

    /// A faultless `version` as built with `arguments` of nginx's configure script: `--prefix=`, `--conf-path=`,
    /// `--pid-path=` and `--error-log-path=` count, and `-V` tells them all.
    #[must_use]
    pub fn configured(version: Version, arguments: &str) -> Self {
        let mut stamp = Self::new(version);
        arguments.clone_into(&mut stamp.configure_arguments);
        for word in arguments.split_whitespace() {
            match word.split_once('=') {
                Some(("--prefix", path)) => stamp.prefix = format!("{}/", path.trim_end_matches('/')).into(),
                Some(("--conf-path", path)) => stamp.conf = path.into(),
                Some(("--pid-path", path)) => stamp.pid = path.into(),
                Some(("--error-log-path", path)) => stamp.error_log = path.into(),
                _ => {}
            }
        }
        stamp
    }

    /// What it does differently from other releases.
    #[must_use]
    pub fn profile(&self) -> Profile {
        Profile::of(self.version).with(&self.overrides)
    }
}

/// Why a stamp was not written or read.
#[derive(Debug, thiserror::Error)]
pub enum StampError {
    /// A file operation failed.
    #[error("cannot {what} {}", path.display())]
    Io {
        /// The verb.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The bytes behind the image end like a stamp and are none.
    #[error("{} ends like a stamped fake, but its stamp cannot be read", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: serde_json::Error,
    },
}

fn failed<'a>(what: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> StampError + 'a {
    move |source| StampError::Io { what, path: path.to_owned(), source }
}

/// Writes a copy of the running executable that carries `stamp`, beside `output` and then renamed over it.
///
/// # Errors
/// When a file operation fails; then `output` is as it was.
pub fn write(stamp: &Stamp, output: &Path) -> Result<(), StampError> {
    let beside = beside(output);
    let written = write_image(stamp, &beside)
        .and_then(|()| fs::rename(&beside, output).map_err(failed("rename a stamped copy to", output)));
    if written.is_err() {
        // It may not exist; the error that matters is the first one.
        let _ = fs::remove_file(&beside);
    }
    written
}

/// A name in the same folder that no other writer has.
fn beside(output: &Path) -> PathBuf {
    static SERIAL: AtomicU64 = AtomicU64::new(0);
    let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
    let mut name = OsString::from(".");
    name.push(output.file_name().unwrap_or_default());
    name.push(format!(".{}.{serial}", std::process::id()));
    output.with_file_name(name)
}

fn write_image(stamp: &Stamp, path: &Path) -> Result<(), StampError> {
    let own = Path::new(OWN_IMAGE);
    let mut image = File::open(own).map_err(failed("open", own))?;
    let (image_len, _) = split(&mut image, own)?;
    image.rewind().map_err(failed("read", own))?;
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o755)
        .open(path)
        .map_err(failed("create", path))?;
    let copied = io::copy(&mut image.take(image_len), &mut file).and_then(|_| {
        let json = serde_json::to_vec(stamp)?;
        file.write_all(&json)?;
        file.write_all(&(json.len() as u64).to_le_bytes())?;
        file.write_all(MAGIC)?;
        // The caller's umask may have taken bits away.
        file.set_permissions(fs::Permissions::from_mode(0o755))
    });
    copied.map_err(failed("write", path))
}

/// The stamp of the running executable, if it has one. Reads a few bytes only.
///
/// # Errors
/// When the executable cannot be read or its stamp is damaged.
pub fn read_own() -> Result<Option<Stamp>, StampError> {
    read(Path::new(OWN_IMAGE))
}

/// The stamp of the executable `path`, if it has one.
///
/// # Errors
/// When the file cannot be read or its stamp is damaged.
pub fn read(path: &Path) -> Result<Option<Stamp>, StampError> {
    let mut file = File::open(path).map_err(failed("open", path))?;
    match split(&mut file, path)? {
        (_, None) => Ok(None),
        (_, Some(json)) => {
            let damaged = |source| StampError::Damaged { path: path.to_owned(), source };
            serde_json::from_slice(&json).map(Some).map_err(damaged)
        }
    }
}

/// How long the image is, and the stamp behind it.
fn split(file: &mut File, path: &Path) -> Result<(u64, Option<Vec<u8>>), StampError> {
    let mut read = || -> io::Result<(u64, Option<Vec<u8>>)> {
        let len = file.metadata()?.len();
        if len < TRAILER_BYTES {
            return Ok((len, None));
        }
        file.seek(SeekFrom::Start(len - TRAILER_BYTES))?;
        let mut json_len = [0; 8];
        let mut magic = [0; MAGIC.len()];
        file.read_exact(&mut json_len)?;
        file.read_exact(&mut magic)?;
        let json_len = u64::from_le_bytes(json_len);
        if magic != *MAGIC || json_len > STAMP_BYTES_MAX.min(len - TRAILER_BYTES) {
            return Ok((len, None));
        }
        let image_len = len - TRAILER_BYTES - json_len;
        file.seek(SeekFrom::Start(image_len))?;
        let mut json = Vec::new();
        file.take(json_len).read_to_end(&mut json)?;
        Ok((image_len, Some(json)))
    };
    read().map_err(failed("read", path))
}

/// A folder with one file per distinct stamp, handed out as hard links.
///
/// The files are named by what they hold: the stamp and the executable that wrote it. Several processes may share
/// the folder.
#[derive(Clone, Debug)]
pub struct Cache {
    folder: PathBuf,
}

impl Cache {
    /// A cache in `folder`, which is made when needed.
    #[must_use]
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Puts a stamped copy at `output`, which may exist already and can be executed at once.
    ///
    /// # Errors
    /// When a file operation fails; then `output` is as it was.
    pub fn place(&self, stamp: &Stamp, output: &Path) -> Result<(), StampError> {
        let cached = self.file(stamp)?;
        let beside = beside(output);
        match fs::hard_link(&cached, &beside) {
            Ok(()) => fs::rename(&beside, output).map_err(failed("rename a stamped copy to", output))?,
            Err(error)
                if matches!(error.kind(), io::ErrorKind::CrossesDevices | io::ErrorKind::TooManyLinks) =>
            {
                write(stamp, output)?;
                return settle(output);
            }
            Err(error) => return Err(failed("link to", &cached)(error)),
        }
        // Two links to one file are not renamed: the name beside stays.
        let _ = fs::remove_file(&beside);
        Ok(())
    }

    /// The cached file of `stamp`, made when there is none.
    ///
    /// # Errors
    /// When a file operation fails.
    pub fn file(&self, stamp: &Stamp) -> Result<PathBuf, StampError> {
        fs::create_dir_all(&self.folder).map_err(failed("create", &self.folder))?;
        let own = Path::new(OWN_IMAGE);
        let image = fs::metadata(own).map_err(failed("look at", own))?;
        let mut hasher = DefaultHasher::new();
        (image.dev(), image.ino(), image.len(), image.mtime(), image.mtime_nsec()).hash(&mut hasher);
        serde_json::to_string(stamp).unwrap_or_default().hash(&mut hasher);
        let cached = self.folder.join(format!("nginx-{}-{:016x}", stamp.version, hasher.finish()));
        if !cached.exists() {
            write(stamp, &cached)?;
            settle(&cached)?;
        }
        Ok(cached)
    }
}

/// Waits until nobody holds `program` open for writing, which the kernel tells only by letting it start.
fn settle(program: &Path) -> Result<(), StampError> {
    for _ in 0..SETTLE_TRIES_MAX {
        // No program of ours takes this argument: each says so and ends.
        let started = Command::new(program)
            .arg("--settles")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        match started {
            Err(error) if error.kind() == io::ErrorKind::ExecutableFileBusy => std::thread::yield_now(),
            Err(error) => return Err(failed("execute", program)(error)),
            Ok(_) => return Ok(()),
        }
    }
    Err(failed("execute", program)(io::ErrorKind::ExecutableFileBusy.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_is_read_as_it_was_written_and_replaced_not_stacked() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("nginx");
        let mut stamp = Stamp::new(Version::new(1, 15, 8));
        write(&stamp, &path).unwrap();
        let first_len = fs::metadata(&path).unwrap().len();
        assert_eq!(read(&path).unwrap(), Some(stamp.clone()));

        stamp.fault = Some(Fault::ExitsAtStart { status: 3 });
        write(&stamp, &path).unwrap();

        assert_eq!(read(&path).unwrap(), Some(stamp));
        assert!(fs::metadata(&path).unwrap().len() - first_len < 100);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o755);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_is_no_stamp_is_none_and_a_damaged_one_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, b"short").unwrap();
        assert!(read(&path).unwrap().is_none());
        fs::write(&path, [b"image{}".as_slice(), &2_u64.to_le_bytes(), MAGIC].concat()).unwrap();
        assert!(matches!(read(&path), Err(StampError::Damaged { .. })));
        fs::write(&path, [&u64::MAX.to_le_bytes(), MAGIC.as_slice()].concat()).unwrap();
        assert!(read(&path).unwrap().is_none());
        assert!(read_own().unwrap().is_none());
    }

    #[test]
    fn the_cache_hands_out_one_file_per_stamp_under_many_names() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::new(folder.path().join("cache"));
        let [old, new] = [Version::new(1, 22, 1), Version::new(1, 26, 3)].map(Stamp::new);
        let place = |stamp: &Stamp, name: &str| {
            let path = folder.path().join(name);
            cache.place(stamp, &path).unwrap();
            fs::metadata(&path).unwrap().ino()
        };
        let inode = place(&old, "a");
        assert_eq!(place(&old, "a"), inode);
        assert_eq!(place(&old, "b"), inode);
        assert_ne!(place(&new, "a"), inode);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
    }
}
