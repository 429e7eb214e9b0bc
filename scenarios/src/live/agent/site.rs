//! The nginx of a conformance sequence: its configuration, and its start, whatever its first process becomes.

use std::fs;
use std::path::PathBuf;

use super::Stop;
use super::config::Parts;
use super::run::Run;
use super::sequence::Stage;
use super::subject::ending;
use crate::conformance::{Listens, PidPath, Runs, Site};
use crate::live::order::Paths;

/// A line that is no directive.
const MISTAKE: &str = "no_such_directive on;\n";

/// Where the pid file is.
pub(super) fn pid_path(paths: &Paths, path: PidPath) -> PathBuf {
    match path {
        PidPath::Usual => paths.pid.clone(),
        PidPath::Other => paths.prefix.join("other.pid"),
    }
}

/// Where the unix socket is.
pub(super) fn socket_path(paths: &Paths) -> PathBuf {
    paths.prefix.join("site.sock")
}

/// The text of nginx.conf, the same on both sides. Nothing runs out of time while a sequence plays.
fn text(paths: &Paths, site: Site, port: u16) -> String {
    let listen = |address| format!("listen {address};");
    let parts = Parts {
        main: match site.runs {
            Runs::Daemon => Vec::new(),
            Runs::Foreground => vec!["daemon off;".into()],
            Runs::Single => vec!["master_process off;".into()],
        },
        workers: site.workers,
        pid: &pid_path(paths, site.pid),
        http: vec!["keepalive_timeout 10m;".into(), "client_header_timeout 10m;".into()],
        server: addresses(paths, site.listens, port).into_iter().map(listen).collect(),
    };
    parts.text(paths)
}

fn addresses(paths: &Paths, listens: Listens, port: u16) -> Vec<String> {
    let first = format!("127.0.0.1:{port}");
    match listens {
        Listens::Plain => vec![first],
        Listens::Two => vec![first, format!("127.0.0.2:{port}")],
        Listens::Unix => vec![first, format!("unix:{}", socket_path(paths).display())],
        Listens::Reuseport => vec![format!("{first} reuseport")],
        Listens::Wide => vec![format!("{port}")],
    }
}

impl Run<'_> {
    /// Writes the configuration.
    pub(super) fn write_site(&self, site: Site) -> Result<(), Stop> {
        fs::write(&self.world.paths.conf, text(&self.world.paths, site, self.port))
            .map_err(Stop::broken("write the configuration"))
    }

    /// Adds a mistake to it.
    pub(super) fn break_site(&self) -> Result<(), Stop> {
        let conf = &self.world.paths.conf;
        fs::read_to_string(conf)
            .and_then(|text| fs::write(conf, text + MISTAKE))
            .map_err(Stop::broken("break the configuration"))
    }

    /// `nginx` from its path, with an option or none: what it says and how it ends; or that it stays.
    pub(super) fn call_nginx(&mut self, stage: &mut Stage, option: &str) -> Result<(), Stop> {
        let mut command = self.world.nginx();
        command.args(option.split_whitespace());
        let stays = option.is_empty() && stage.site.runs == Runs::Foreground;
        let started =
            if stays { self.world.start_nginx(&mut command) } else { self.world.start(&mut command) };
        let pid = match started {
            Ok(pid) => pid,
            // What cannot be executed says so in the words of this laboratory.
            Err(Stop::Broken(_)) => {
                stage.said.push("the file cannot be executed".into());
                return Ok(());
            }
            Err(stop) => return Err(stop),
        };
        if stays && self.has_become_master(pid)? {
            stage.said.push("it stays".into());
            return Ok(());
        }
        stage.sight.commands.insert(pid);
        let ended = self.world.finish(pid)?;
        self.world.observer.look();
        stage.sight.name_the_new(&self.world);
        stage.said.push(ending(ended.exit));
        for bytes in [&ended.out, &ended.err] {
            stage.said.extend(stage.sight.output(&self.world, self.port, bytes));
        }
        Ok(())
    }

    /// Waits until a program that was started has ended, or serves.
    fn has_become_master(&mut self, pid: u32) -> Result<bool, Stop> {
        while !self.world.has_ended(pid) {
            self.world.observer.look();
            if self.world.observer.processes.get(&pid).is_some_and(super::process::Process::is_alive) {
                return Ok(true);
            }
            self.world.turn(u64::MAX)?;
        }
        Ok(false)
    }
}
