//! What is seen of the fakes on Linux after a turn.
//!
//! What the kernel does behind a turn has happened once what is seen is what was expected, so that is waited for. If
//! everybody has come to rest and it is something else, or if it never comes, what is seen is the difference.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt as _;

use scenarios::model::choice::Actor;

use super::linux::Linux;
use super::sight::{Content, Process, Sight, Stands, Title};
use crate::proc::{self, Doing};

/// How often it is looked for what was expected, every 5 ms. A busy machine is slow: this errs on the long side.
const LOOKS_MAX: usize = 4_000;
/// So many looks that agree, with everybody at rest, are not expected to be followed by another one that differs.
const LOOKS_AT_REST: usize = 60;

impl Linux {
    /// Looks until what is seen is what was expected; what was seen last, if it never is.
    pub(super) fn look(&mut self, expected: &Sight, touches_sockets: bool) -> Result<Sight, String> {
        let (mut seen, mut rests) = (Sight::default(), 0);
        for look in 0..LOOKS_MAX {
            self.hear(if look == 0 { 0 } else { (100 << look.min(6)).min(5_000) })?;
            Self::reap();
            if !self.stand_as(expected) && look < LOOKS_AT_REST {
                continue;
            }
            // It takes the kernel milliseconds to look through all of its sockets.
            if touches_sockets || look > LOOKS_AT_REST {
                self.network = proc::network();
                self.name_sockets();
            }
            let now = self.sight();
            if now == *expected && self.network.is_still {
                return Ok(now);
            }
            rests = if now == seen && now.is_at_rest() { rests + 1 } else { 0 };
            seen = now;
            if rests == LOOKS_AT_REST {
                break;
            }
        }
        Ok(seen)
    }

    /// A first and quick look: everybody is held where it should be.
    fn stand_as(&self, expected: &Sight) -> bool {
        expected.processes.iter().all(|(actor, process)| {
            let held = self.held.get(actor).map(|&(moment, _)| Stands::At(moment));
            match process.stands {
                Stands::At(_) => held == Some(process.stands),
                Stands::Sleeps | Stands::WaitsForEvents | Stands::Zombie | Stands::Runs => held.is_none(),
            }
        })
    }

    /// In one turn one socket is opened at most.
    fn name_sockets(&mut self) {
        for &inode in self.network.queues.keys() {
            if !self.sockets.contains(&inode) {
                self.sockets.push(inode);
            }
        }
    }

    fn sight(&mut self) -> Sight {
        let numbers: Vec<(u32, Actor)> = self.actors.iter().map(|(&pid, &actor)| (pid, actor)).collect();
        let seen = numbers.iter().filter_map(|&(pid, actor)| Some((actor, self.see(pid, actor)?)));
        let processes = seen.collect();
        for client in &mut self.clients {
            client.read(&self.actors);
        }
        let queue = |(name, inode)| Some((name, *self.network.queues.get(inode)?));
        let open = self.clients.iter().enumerate().filter(|(_, client)| client.stream.is_some());
        Sight {
            processes,
            pid_files: ["nginx.pid", "nginx.pid.oldbin"].map(|name| self.pid_file(name)),
            queues: self.sockets.iter().enumerate().filter_map(queue).collect(),
            clients: open.map(|(number, client)| (number, client.seen.clone())).collect(),
        }
    }

    fn pid_file(&self, name: &str) -> Option<Content> {
        let text = fs::read_to_string(self.site(name)).ok()?;
        if text.is_empty() {
            return Some(Content::Empty);
        }
        let actor = text.trim().parse().ok().and_then(|pid: u32| self.actors.get(&pid));
        Some(actor.map_or_else(|| Content::Words(text.clone()), |&actor| Content::Pid(actor)))
    }

    fn see(&self, pid: u32, actor: Actor) -> Option<Process> {
        let doing = proc::doing(pid)?;
        let is_alive = doing.state != 'Z';
        let (holds, watches) = if is_alive { self.sockets_of(pid) } else { Default::default() };
        let exe = fs::metadata(format!("/proc/{pid}/exe")).ok().filter(|_| is_alive);
        let binary = exe.and_then(|exe| self.binaries.iter().position(|&inode| inode == exe.ino()));
        Some(Process {
            parent: self.actors.get(&doing.parent).copied(),
            stands: self.stands(actor, &doing),
            title: if is_alive { title(pid) } else { Title::None },
            binary: binary.and_then(|binary| u8::try_from(binary).ok()),
            pending: if is_alive { doing.pending } else { BTreeSet::new() },
            holds,
            watches,
        })
    }

    fn stands(&self, actor: Actor, doing: &Doing) -> Stands {
        match self.held.get(&actor) {
            _ if doing.state == 'Z' => Stands::Zombie,
            Some(&(moment, _)) => Stands::At(moment),
            None if doing.waits_in(proc::SIGSUSPEND) => Stands::Sleeps,
            None if doing.waits_in(proc::EPOLL_WAIT) => Stands::WaitsForEvents,
            None => Stands::Runs,
        }
    }

    /// The listening sockets that a process has open, and those in its epoll set.
    fn sockets_of(&self, pid: u32) -> (BTreeSet<usize>, BTreeSet<usize>) {
        let (mut holds, mut watched) = (Vec::new(), BTreeSet::new());
        for entry in fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten() {
            let Some(fd) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else {
                continue;
            };
            let Ok(link) = fs::read_link(entry.path()) else { continue };
            let link = link.to_str().unwrap_or_default();
            if link == "anon_inode:[eventpoll]" {
                watched.extend(proc::watched(pid, fd));
            } else if let Some(inode) = proc::inode_of_socket(link)
                && let Some(name) = self.sockets.iter().position(|&known| known == inode)
            {
                holds.push((fd, name));
            }
        }
        let watches = holds.iter().filter(|(fd, _)| watched.contains(fd)).map(|&(_, name)| name).collect();
        (holds.into_iter().map(|(_, name)| name).collect(), watches)
    }
}

fn title(pid: u32) -> Title {
    let bytes = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    match text.trim_end_matches('\0') {
        "nginx: worker process" => Title::Worker,
        "nginx: worker process is shutting down" => Title::ShuttingDown,
        other if other.starts_with("nginx: master process") => Title::Master,
        _ => Title::CommandLine,
    }
}

impl Sight {
    /// True if nobody is between two moments.
    fn is_at_rest(&self) -> bool {
        self.processes.values().all(|process| process.stands != Stands::Runs)
    }
}
