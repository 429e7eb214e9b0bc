//! The directives outside all blocks, and those of `events`.
//!
//! # Source
//! `ngx_set_user`, `ngx_set_env`, `ngx_set_worker_processes` and `ngx_core_module_init_conf` in
//! `src/core/nginx.c`, `ngx_log_set_log` in `src/core/ngx_log.c`, `ngx_event_init_conf` in
//! `src/event/ngx_event.c`, nginx 1.18 to 1.30.

use std::io::Read;
use std::path::PathBuf;

use nix::unistd::{Group, User as SystemUser};

use super::read::{Fail, Reader, full_name, os_reason};
use super::types::{ConfError, EnvEntry, ErrorLog, Level, Listen, LogTarget, Server, User};
use super::value;
use super::variable::Template;

/// The group that nginx's configure script finds on a system without the group `nobody`.
const DEFAULT_GROUPS: [&str; 2] = ["nobody", "nogroup"];

/// How a shared object begins.
const ELF: &[u8; 4] = b"\x7fELF";

/// What the main context said.
#[derive(Debug, Default)]
pub(super) struct Main {
    pub(super) daemon: Option<bool>,
    pub(super) master_process: Option<bool>,
    pub(super) pid: Option<String>,
    pub(super) error_logs: Vec<ErrorLog>,
    /// Whether any `error_log` stood there, one without effect included.
    pub(super) has_error_log: bool,
    pub(super) user: Option<User>,
    pub(super) worker_processes: Option<u16>,
    /// The same, when `http` ended.
    pub(super) worker_processes_at_http: Option<u16>,
    pub(super) worker_shutdown_timeout_ms: Option<u64>,
    pub(super) working_directory: Option<String>,
    pub(super) worker_connections: Option<u32>,
    pub(super) env: Vec<EnvEntry>,
    pub(super) has_events: bool,
    pub(super) servers: Vec<Server>,
    pub(super) streams: Vec<Template>,
    pub(super) listens: Vec<Listen>,
}

impl Reader<'_> {
    pub(super) fn apply_main(
        &mut self,
        name: &str,
        arguments: &[String],
        number: u64,
        place: &str,
    ) -> Result<(), Fail> {
        match name {
            "daemon" => self.main.daemon = Some(number == 1),
            "master_process" => self.main.master_process = Some(number == 1),
            "pid" => self.main.pid = Some(arguments[0].clone()),
            "working_directory" => self.main.working_directory = Some(arguments[0].clone()),
            "worker_shutdown_timeout" => self.main.worker_shutdown_timeout_ms = Some(number),
            "worker_processes" => self.main.worker_processes = Some(self.worker_processes(&arguments[0])?),
            "env" => self.main.env.push(env(&arguments[0])),
            "error_log" => {
                self.main.has_error_log = true;
                let log = error_log(arguments, &self.prefix())?;
                self.main.error_logs.extend(log);
            }
            "load_module" => self.load_module(&arguments[0])?,
            "user" if self.from.is_root => self.main.user = Some(user(arguments)?),
            "user" => self.warn(format!(
                "the \"user\" directive makes sense only if the master process runs with super-user privileges, \
                 ignored{place}"
            )),
            _ => {}
        }
        Ok(())
    }

    /// A module that is there is taken for one that fits and does nothing.
    fn load_module(&mut self, name: &str) -> Result<(), Fail> {
        if self.main.has_events {
            return Err(Fail::Word("is specified too late"));
        }
        let path = full_name(&self.prefix(), name);
        let reason = |error: &std::io::Error| {
            let text = os_reason(error);
            text.split_once(": ").map_or(text.clone(), |(_, why)| why.to_owned())
        };
        let mut begin = [0; ELF.len()];
        let why = match std::fs::File::open(&path).map(|mut file| file.read_exact(&mut begin)) {
            Err(error) => format!("cannot open shared object file: {}", reason(&error)),
            Ok(Err(error)) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                "file too short".to_owned()
            }
            Ok(Err(error)) => format!("cannot read file data: {}", reason(&error)),
            Ok(Ok(())) if begin != *ELF => "invalid ELF header".to_owned(),
            Ok(Ok(())) => {
                self.loaded.push(path);
                return Ok(());
            }
        };
        Err(Fail::Said(format!("dlopen() \"{path}\" failed ({path}: {why})")))
    }

    fn worker_processes(&self, text: &str) -> Result<u16, Fail> {
        if text == "auto" {
            return Ok(self.from.cores);
        }
        let count = value::number(text).ok_or(Fail::Word("invalid value"))?;
        Ok(u16::try_from(count).unwrap_or(u16::MAX))
    }

    /// `-p` with a slash at its end.
    pub(super) fn prefix(&self) -> String {
        with_slash(&self.from.prefix.to_string_lossy())
    }

    /// What holds once all was read: the unprivileged user, and room for the listening sockets.
    pub(super) fn finish_main(&mut self) -> Result<(), ConfError> {
        self.check_main().map_err(|text| ConfError { is_syntax_ok: true, ..self.error(Level::Emerg, text) })
    }

    /// What is wrong although every directive is right (`ngx_core_module_init_conf`, `ngx_event_init_conf`).
    fn check_main(&mut self) -> Result<(), String> {
        if self.from.is_root && self.main.user.is_none() {
            self.main.user = Some(default_user()?);
        }
        if !self.main.has_events {
            return Err("no \"events\" section in configuration".to_owned());
        }
        let connections = *self.main.worker_connections.get_or_insert(512) as usize;
        let sockets = self.main.listens.len();
        if connections < sockets + 1 {
            return Err(format!(
                "{connections} worker_connections are not enough for {sockets} listening sockets"
            ));
        }
        Ok(())
    }
}

/// The prefix as nginx keeps it.
pub(super) fn with_slash(prefix: &str) -> String {
    if prefix.is_empty() || prefix.ends_with('/') { prefix.to_owned() } else { format!("{prefix}/") }
}

fn env(text: &str) -> EnvEntry {
    match text.split_once('=') {
        Some((name, value)) => EnvEntry { name: name.to_owned(), value: Some(value.to_owned()) },
        None => EnvEntry { name: text.to_owned(), value: None },
    }
}

/// `None` where the log goes to syslog or to memory, which the fake does not do.
pub(super) fn error_log(arguments: &[String], prefix: &str) -> Result<Option<ErrorLog>, Fail> {
    let name = arguments[0].as_str();
    let target = if name == "stderr" || name.is_empty() {
        Some(LogTarget::Stderr)
    } else if name.starts_with("syslog:") || name.starts_with("memory:") {
        None
    } else {
        Some(LogTarget::File(PathBuf::from(full_name(prefix, name))))
    };
    let mut level = None;
    for word in &arguments[1..] {
        let named = if word.starts_with("debug_") { Some(Level::Debug) } else { Level::of_word(word) };
        let named = named.ok_or_else(|| Fail::Said(format!("invalid log level \"{word}\"")))?;
        if level.is_some() && !word.starts_with("debug_") {
            return Err(Fail::Said(format!("duplicate log level \"{word}\"")));
        }
        level = Some(named);
    }
    let level = level.unwrap_or(Level::Error);
    Ok(target.map(|target| ErrorLog { target, level }))
}

fn user(arguments: &[String]) -> Result<User, Fail> {
    let name = arguments[0].as_str();
    let group = arguments.get(1).map_or(name, String::as_str);
    let uid = SystemUser::from_name(name).ok().flatten();
    let uid = uid.ok_or_else(|| Fail::Said(format!("getpwnam(\"{name}\") failed")))?.uid;
    let gid = Group::from_name(group).ok().flatten();
    let gid = gid.ok_or_else(|| Fail::Said(format!("getgrnam(\"{group}\") failed")))?.gid;
    Ok(User { name: name.to_owned(), uid: uid.as_raw(), gid: gid.as_raw() })
}

fn default_user() -> Result<User, String> {
    let name = "nobody";
    let user = SystemUser::from_name(name).ok().flatten().ok_or("getpwnam(\"nobody\") failed")?;
    let group = DEFAULT_GROUPS.iter().find_map(|group| Group::from_name(group).ok().flatten());
    let group = group.ok_or("getgrnam(\"nogroup\") failed")?;
    Ok(User { name: name.to_owned(), uid: user.uid.as_raw(), gid: group.gid.as_raw() })
}
