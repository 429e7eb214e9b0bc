//! The configuration as the machine sees it: numbers for paths and addresses, and one entry for each socket.
//!
//! # Source
//! `ngx_init_cycle` in `src/core/ngx_cycle.c`, nginx 1.18 to 1.30, for what a cycle holds.

use std::collections::BTreeMap;
use std::rc::Rc;

use nix::unistd::{Uid, sysconf};

use crate::conf::{self, Address, Conf, ErrorLog, Level, LoadFrom, Message};
use crate::machine::{ConfId, ConfRead, Cycle, Line, Listening, Names, Speaks};
use crate::options::Options;
use crate::stamp::Stamp;

/// What is read, and what was and is in use.
#[derive(Debug)]
pub(super) struct Reader {
    from: LoadFrom,
    confs: BTreeMap<ConfId, Rc<Conf>>,
}

impl Reader {
    pub(super) fn new(stamp: &Stamp, options: &Options) -> Self {
        let cores = sysconf(nix::unistd::SysconfVar::_NPROCESSORS_ONLN).ok().flatten().unwrap_or(1);
        let cores = u16::try_from(cores).unwrap_or(1);
        let from = LoadFrom::new(stamp, options, Uid::effective().is_root(), cores);
        Self { from, confs: BTreeMap::new() }
    }

    /// The configuration file's name with its prefix.
    pub(super) fn file(&self) -> String {
        self.from.conf_path().to_string_lossy().into_owned()
    }

    /// The built-in log.
    pub(super) fn built_in_log(&self) -> ErrorLog {
        ErrorLog { target: self.from.built_in_log(), level: Level::Notice }
    }

    /// A configuration that was read.
    pub(super) fn conf(&self, id: ConfId) -> &Rc<Conf> {
        &self.confs[&id]
    }

    /// Nobody uses this configuration any more.
    pub(super) fn forget(&mut self, id: ConfId) {
        self.confs.remove(&id);
    }

    /// Reads the file as it is now.
    pub(super) fn read(&mut self, names: &mut Names) -> ConfRead {
        let mut line =
            |message: &Message| Line::Said { level: message.level, text: names.text(&message.text) };
        match conf::load(&self.from) {
            Err(error) => {
                let said = error.warnings.iter().chain([&error.message]).map(&mut line).collect();
                ConfRead { said, cycle: None, is_syntax_ok: error.is_syntax_ok }
            }
            Ok((conf, warnings)) => {
                let said = warnings.iter().map(&mut line).collect();
                let mut free = (0..=u16::MAX).map(ConfId).filter(|id| !self.confs.contains_key(id));
                let id = free.next().expect("a master uses two configurations at most");
                let cycle = Some(cycle(&conf, id, self.from.profile.clones_sockets_without_master, names));
                self.confs.insert(id, Rc::new(conf));
                ConfRead { said, cycle, is_syntax_ok: true }
            }
        }
    }
}

fn cycle(conf: &Conf, id: ConfId, clones_without_master: bool, names: &mut Names) -> Cycle {
    let milliseconds = |ms: u64| u32::try_from(ms).unwrap_or(u32::MAX);
    let listening = conf
        .sockets(clones_without_master)
        .into_iter()
        .map(|(index, worker)| {
            let listen = &conf.listens[index];
            Listening {
                listen: u8::try_from(index).expect("at most 256 listens"),
                address: names.address(&listen.address),
                is_unix: matches!(listen.address, Address::Unix(_)),
                worker,
                backlog: listen.backlog,
                client_header_timeout_ms: milliseconds(conf.client_header_timeout_ms(index)),
                fd: None,
                speaks: match listen.address {
                    Address::Udp(_) => Speaks::Datagrams,
                    Address::Tcp(_) | Address::Unix(_) if listen.is_stream => Speaks::Stream,
                    Address::Tcp(_) | Address::Unix(_) => Speaks::Http,
                },
                is_inherited: false,
            }
        })
        .collect();
    Cycle {
        conf: id,
        pid: names.path(&conf.pid.to_string_lossy()),
        workers: conf.worker_processes,
        daemon: conf.daemon,
        master_process: conf.master_process,
        worker_connections: conf.worker_connections,
        worker_shutdown_timeout_ms: conf.worker_shutdown_timeout_ms.map(milliseconds),
        listening,
    }
}
