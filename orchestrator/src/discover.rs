//! Finds the running nginx: its master, how it was started, and its pid file.
//!
//! A running master's title holds the words of its start, joined by blanks, so an argument with blanks in it
//! has to be put together again; what is found so is only believed if the pid file at the end of the way
//! names that very master.

use std::cell::LazyCell;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::compiled::Compiled;
use crate::host::linux::{
    all, command_line, in_real_folder, look, oldbin_path, open_plain, read_pid_file, stat, title,
};
use crate::machine::{PidFile, Process, Title};
use crate::refusal::Refusal;

/// A running master.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Running {
    /// The process.
    pub master: Process,
    /// How it was started.
    pub start: Start,
    /// Its working directory.
    pub cwd: PathBuf,
}

/// The words of a start.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Start {
    /// `argv[0]`: what USR2 executes.
    pub program: String,
    /// The options that matter, in order, as (`-c`, value).
    pub options: Vec<(String, String)>,
}

/// The options of nginx that take a value and shape what it loads.
const VALUED: [&str; 4] = ["-c", "-p", "-g", "-e"];

impl Start {
    /// From a master's title.
    #[must_use]
    pub fn from_title(title: &str) -> Self {
        let words = title.strip_prefix("nginx: master process ").unwrap_or(title);
        let mut start = Self::default();
        let mut program: Vec<&str> = Vec::new();
        for word in words.split(' ') {
            let known = VALUED.iter().find(|option| word.starts_with(**option));
            if let Some(option) = known {
                start.options.push(((*option).to_owned(), word[option.len()..].to_owned()));
            } else if let Some((_, value)) = start.options.last_mut() {
                if !value.is_empty() {
                    value.push(' ');
                }
                value.push_str(word);
            } else {
                program.push(word);
            }
        }
        start.program = program.join(" ");
        start
    }

    /// The last value of an option.
    #[must_use]
    pub fn value(&self, option: &str) -> Option<&str> {
        self.options.iter().rev().find(|(name, _)| name == option).map(|(_, value)| value.as_str())
    }

    /// The options as arguments.
    #[must_use]
    pub fn arguments(&self) -> Vec<String> {
        self.options.iter().flat_map(|(name, value)| [name.clone(), value.clone()]).collect()
    }
}

/// Every master that is not the new one of an upgrade.
#[must_use]
pub fn masters() -> Vec<Process> {
    all()
        .filter(|&pid| title(pid) == Title::Master)
        .filter(|&pid| stat(pid).is_some_and(|stat| title(stat.parent) != Title::Master))
        .filter_map(look)
        .collect()
}

/// The master that `pid_file` names, or the only one that runs.
///
/// # Errors
/// A refusal that says what was found instead.
pub fn find(pid_file: Option<&Path>) -> Result<(Running, PathBuf), Refusal> {
    if let Some(given) = pid_file {
        let path = real_path(given)?;
        let running = named_by(&path)?;
        if let Some(configured) = configured_pid_file(&running).filter(|found| *found != path) {
            return Err(Refusal::OtherPidFile {
                master: running.master.identity.pid,
                configured,
                given: path,
            });
        }
        return Ok((running, path));
    }
    let mut masters = masters();
    if masters.len() > 1 {
        let tell =
            |master: &Process| format!("  {} {}", master.identity.pid, command_line(master.identity.pid));
        return Err(Refusal::SeveralNginx { masters: masters.iter().map(tell).collect() });
    }
    let Some(master) = masters.pop() else { return Err(Refusal::NoNginx) };
    let pid = master.identity.pid;
    let running = running(master);
    let Some(path) = pid_file_of(&running) else {
        let why = "its configuration could not be followed".to_owned();
        return Err(Refusal::NoPidFile { master: pid, why });
    };
    let path = real_path(&path)?;
    let is_named = |file: &Path| matches!(read_pid_file(file), Ok(PidFile::Pid(named)) if named == pid);
    if !is_named(&path) && !is_named(&oldbin_path(&path)) {
        if !path.exists() && !oldbin_path(&path).exists() {
            return Err(Refusal::LostPidFile { path, master: pid });
        }
        let why = format!("{} does not name it", path.display());
        return Err(Refusal::NoPidFile { master: pid, why });
    }
    Ok((running, path))
}

/// The real path of a pid file, whose folder must exist. A link would be renamed instead of the file.
///
/// # Errors
/// [`Refusal::BadPidFile`].
pub fn real_path(path: &Path) -> Result<PathBuf, Refusal> {
    let bad = |why: String| Refusal::BadPidFile { path: path.to_owned(), why };
    let real = in_real_folder(path).map_err(|error| bad(error.to_string()))?;
    if real.is_symlink() {
        return Err(bad("it is a symbolic link, and nginx would rename the link".to_owned()));
    }
    Ok(real)
}

/// The process that a pid file names, if it is a master.
fn named_by(path: &Path) -> Result<Running, Refusal> {
    let bad = |why: &str| Refusal::BadPidFile { path: path.to_owned(), why: why.to_owned() };
    let content = read_pid_file(path).map_err(|error| bad(&error.to_string()))?;
    let pid = match content {
        PidFile::Absent => return Err(lost(path).unwrap_or_else(|| bad("there is no such file"))),
        PidFile::Empty => return Err(bad("it is empty")),
        PidFile::Garbage => return Err(bad("it does not hold one decimal pid")),
        PidFile::Pid(pid) => pid,
    };
    let Some(process) = look(pid) else { return Err(Refusal::StalePidFile { path: path.to_owned(), pid }) };
    if process.title != Title::Master {
        let title = command_line(pid);
        return Err(Refusal::Stranger { path: path.to_owned(), pid, title });
    }
    Ok(running(process))
}

/// The master that keeps its pid in a file that is not there.
fn lost(path: &Path) -> Option<Refusal> {
    let is_its = |master: &Process| configured_pid_file(&running(master.clone())).as_deref() == Some(path);
    let master = masters().into_iter().find(is_its)?.identity.pid;
    Some(Refusal::LostPidFile { path: path.to_owned(), master })
}

/// How a master was started.
#[must_use]
pub fn running(master: Process) -> Running {
    let pid = master.identity.pid;
    let cwd = fs::read_link(format!("/proc/{pid}/cwd")).unwrap_or_else(|_| PathBuf::from("/"));
    Running { start: Start::from_title(&command_line(pid)), cwd, master }
}

/// The pid file of a master: as its configuration says, or else as it is compiled in.
pub(crate) fn pid_file_of(running: &Running) -> Option<PathBuf> {
    let (configured, compiled) = pid_files(running)?;
    configured.or(compiled)
}

/// The pid file that the master's configuration names, where that is sure: what it includes is not read, and may name
/// another.
fn configured_pid_file(running: &Running) -> Option<PathBuf> {
    pid_files(running)?.0
}

/// The pid file of the configuration, as far as it can be told without running it (`-g`, then the main file), and the one
/// that holds where it names none. Where the words of the start do not say which configuration that is, or what its
/// paths hang on, the running binary is asked.
fn pid_files(running: &Running) -> Option<(Option<PathBuf>, Option<PathBuf>)> {
    let asked = LazyCell::new(|| Compiled::of_running(running.master.identity.pid));
    let compiled = || asked.as_ref();
    let main = configuration(running, compiled)?;
    let more = running.start.value("-g").unwrap_or_default().to_owned() + "\n";
    let text = more + &read_configuration(&main).ok()?;
    let real = |path: &Path| in_real_folder(&whole(running, path, compiled)?).ok();
    if let Some(pid) = directive(&text, "pid") {
        return Some((real(Path::new(&pid)), None));
    }
    let default = compiled().and_then(|compiled| real(&compiled.pid));
    let is_sure = directive(&text, "include").is_none();
    Some((default.clone().filter(|_| is_sure), default))
}

/// A configuration may be a link, and be anybody's: nobody at the other end of a fifo is waited for.
fn read_configuration(main: &Path) -> io::Result<String> {
    let mut text = String::new();
    open_plain(&fs::canonicalize(main)?)?.take(CONFIGURATION_BYTES_MAX).read_to_string(&mut text)?;
    Ok(text)
}

/// How much of a configuration is read.
const CONFIGURATION_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// The main file of the configuration that a binary with these paths reads, started as this master was.
pub(crate) fn configuration<'a>(
    running: &Running,
    compiled: impl Fn() -> Option<&'a Compiled>,
) -> Option<PathBuf> {
    let main =
        running.start.value("-c").map_or_else(|| Some(compiled()?.conf.clone()), |main| Some(main.into()));
    whole(running, &main?, compiled)
}

/// A path of the configuration as such a binary takes it: a relative one hangs on `-p`, or on what it was built with.
pub(crate) fn whole<'a>(
    running: &Running,
    path: &Path,
    compiled: impl Fn() -> Option<&'a Compiled>,
) -> Option<PathBuf> {
    if path.is_absolute() {
        return Some(path.to_owned());
    }
    let given = running.start.value("-p").map(PathBuf::from);
    let prefix = given.or_else(|| Some(compiled()?.prefix.clone()))?;
    Some(running.cwd.join(prefix).join(path))
}

/// The file that such a binary writes its errors to: as `dump` says (`-g`, then the configuration), else `-e`, else as it
/// was built. `None`: it is no file, or nobody knows.
pub(crate) fn error_log<'a>(
    running: &Running,
    dump: &str,
    compiled: impl Fn() -> Option<&'a Compiled>,
) -> Option<PathBuf> {
    let named = directive(dump, "error_log").or_else(|| running.start.value("-e").map(str::to_owned));
    let Some(named) = named else { return whole(running, compiled()?.error_log.as_deref()?, compiled) };
    let is_file = named != "stderr" && !["syslog:", "memory:"].iter().any(|kind| named.starts_with(kind));
    is_file.then(|| whole(running, Path::new(&named), compiled))?
}

/// The first value of a directive at the top level of a configuration.
#[must_use]
pub fn directive(text: &str, name: &str) -> Option<String> {
    let mut depth = 0_u32;
    let mut words: Vec<String> = Vec::new();
    for token in tokens(text) {
        match token.as_str() {
            "{" => {
                depth += 1;
                words.clear();
            }
            "}" => {
                depth = depth.saturating_sub(1);
                words.clear();
            }
            ";" => {
                if depth == 0 && words.len() >= 2 && words[0] == name {
                    return Some(words.swap_remove(1));
                }
                words.clear();
            }
            word => words.push(word.to_owned()),
        }
    }
    None
}

/// nginx's tokens: words, quoted or not, and `{`, `}`, `;`.
fn tokens(text: &str) -> Vec<String> {
    let mut all = Vec::new();
    let mut chars = text.chars().peekable();
    while let Some(&next) = chars.peek() {
        match next {
            '#' => while chars.next_if(|&c| c != '\n').is_some() {},
            '{' | '}' | ';' => all.extend(chars.next().map(String::from)),
            '"' | '\'' => {
                chars.next();
                let mut word = String::new();
                while let Some(c) = chars.next_if(|&c| c != next) {
                    word.push(if c == '\\' { chars.next().unwrap_or(c) } else { c });
                }
                chars.next();
                all.push(word);
            }
            c if c.is_whitespace() => {
                chars.next();
            }
            _ => {
                let mut word = String::new();
                let is_word = |c: &char| !c.is_whitespace() && !matches!(c, ';' | '{' | '}');
                while let Some(c) = chars.next_if(is_word) {
                    word.push(c);
                }
                all.push(word);
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_a_start_are_put_together_again() {
        let start =
            Start::from_title("nginx: master process /opt/n -p /x -c conf/a.conf -g daemon on; user a;");
        assert_eq!(start.program, "/opt/n");
        assert_eq!(start.value("-g"), Some("daemon on; user a;"));
        assert_eq!(start.arguments(), ["-p", "/x", "-c", "conf/a.conf", "-g", "daemon on; user a;"]);
        assert_eq!(Start::from_title("nginx: master process nginx -c/x").value("-c"), Some("/x"));
    }

    #[test]
    fn a_directive_counts_at_the_top_level_only() {
        let text = "# pid /no;\nevents { pid /inner; }\nworker_processes  4;\npid \"/run/my pid\";\n";
        assert_eq!(directive(text, "pid").as_deref(), Some("/run/my pid"));
        assert_eq!(directive(text, "worker_processes").as_deref(), Some("4"));
        assert_eq!(directive(text, "user"), None);
        assert_eq!(directive("error_log /var/log/e notice;", "error_log").as_deref(), Some("/var/log/e"));
    }
}
