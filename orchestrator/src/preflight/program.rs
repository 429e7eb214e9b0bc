//! The path that nginx executes on USR2: `argv[0]`, with its folders resolved and its own name as it is.
//!
//! A symbolic link at that path stays one: whoever made it points it at releases, and the file behind it belongs
//! to one of them.

use std::path::{Path, PathBuf};

use crate::compiled::Compiled;
use crate::discover::Running;
use crate::host::linux::{exe, file_at, in_real_folder};
use crate::refusal::Refusal;

/// The path that USR2 executes.
///
/// # Errors
/// [`Refusal::OtherProgram`].
pub fn program(running: &Running, given: Option<&Path>) -> Result<PathBuf, Refusal> {
    let program = &running.start.program;
    let other = |why: String| Refusal::OtherProgram { program: program.clone(), why };
    if !program.contains('/') {
        let installed = Compiled::of_running(running.master.identity.pid).map(|compiled| compiled.sbin);
        let hint = installed
            .filter(|sbin| sbin.is_absolute())
            .map(|sbin| format!(" (built for {})", sbin.display()));
        let hint = hint.unwrap_or_default();
        return Err(other(format!("which has no folder, and nginx does not search PATH{hint}")));
    }
    let absent = |error: std::io::Error| other(format!("which is not there: {error}"));
    let path = in_real_folder(&running.cwd.join(program)).map_err(absent)?;
    let meta = std::fs::metadata(&path).map_err(absent)?;
    if !meta.is_file() {
        return Err(other("which is no file".to_owned()));
    }
    if let Some(given) = given {
        let given = in_real_folder(given)
            .map_err(|error| Refusal::BadBinary { path: given.to_owned(), why: error.to_string() })?;
        if given != path {
            return Err(other(format!("not {}", given.display())));
        }
    }
    let master = running.master.identity.pid;
    let runs = std::fs::read_link(format!("/proc/{master}/exe")).unwrap_or_default();
    // A link may point at another folder by now; a file that was replaced was in this one.
    let is_same = path.is_symlink() || exe(master) == file_at(&path) || runs.parent() == path.parent();
    if !is_same {
        return Err(other(format!("but it runs {}", runs.display())));
    }
    Ok(path)
}
