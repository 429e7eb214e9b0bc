//! The master as tables: signals in, acts out. A world of a few numbers stands for the kernel.

use std::collections::BTreeSet;

use smallvec::smallvec;

use super::{Birth, Child, Master, NewBinary};
use crate::machine::{
    Arrival, ConfId, ConfRead, Cycle, Defects, Effect, Errno, ExitStatus, Kind, Line, Listening, Names,
    PathId, Pid, Process, Reply, Signal, Waited,
};
use crate::release::{Profile, Version};

const OWN: Pid = Pid(100);
const PARENT: Pid = Pid(50);

/// A master with two workers, asleep, and what its world would answer.
struct Stage {
    process: Process,
    names: Names,
    next_pid: u32,
    parent: Pid,
    dead: Vec<(Pid, ExitStatus)>,
    failing: BTreeSet<&'static str>,
}

impl Stage {
    fn new(defects: Defects) -> Self {
        let mut names = Names::default();
        names.path("/run/nginx.pid");
        names.argv0 = "/usr/sbin/nginx".to_owned();
        let birth = Birth {
            cycle: cycle(0),
            profile: Profile::of(Version::new(1, 22, 1)),
            defects,
            fault: None,
            own: OWN,
            parent: PARENT,
            is_daemonized: true,
        };
        let mut stage = Self {
            process: Process::Master(Master::new(birth)),
            names,
            next_pid: 101,
            parent: Pid(1),
            dead: Vec::new(),
            failing: BTreeSet::new(),
        };
        let effects = stage.run(Reply::Begin);
        assert_eq!(effects.last().map(String::as_str), Some("sleep"), "{effects:?}");
        stage
    }

    fn master(&self) -> &Master {
        let Process::Master(master) = &self.process else { panic!("{:?}", self.process) };
        master
    }

    fn workers(&self) -> usize {
        let is_worker = |child: &&Child| child.pid.is_some() && matches!(child.kind, Kind::Worker(_));
        self.master().children().iter().filter(is_worker).count()
    }

    /// Wakes the master with these signals and says what it does until it sleeps again or exits.
    fn wake(&mut self, signals: &[Signal]) -> Vec<String> {
        let arrivals = signals.iter().map(|&signal| Arrival { signal, sender: Some(Pid(7)) }).collect();
        self.run(Reply::Woken(arrivals))
    }

    fn child_ends(&mut self, pid: u32, status: ExitStatus) -> Vec<String> {
        self.dead.push((Pid(pid), status));
        self.wake(&[Signal::Chld])
    }

    fn run(&mut self, first: Reply) -> Vec<String> {
        let mut reply = first;
        let mut told = Vec::new();
        for _ in 0..1000 {
            let effect = self.process.next(reply);
            told.extend(self.word(&effect));
            if matches!(effect, Effect::Sleep | Effect::Exit(_)) {
                return told;
            }
            reply = self.answer(&effect);
        }
        panic!("it neither sleeps nor exits: {told:?}");
    }

    /// An effect in a word; what is of no interest here is left out.
    #[expect(clippy::wildcard_enum_match_arm, reason = "most effects are of no interest here")]
    fn word(&self, effect: &Effect) -> Option<String> {
        Some(match effect {
            Effect::Log(entry) => {
                let is_signal = matches!(entry.line, Line::Signal { .. });
                return (!is_signal).then(|| entry.line.shown(&self.names).to_string());
            }
            Effect::Sleep => "sleep".to_owned(),
            Effect::Exit(code) => format!("exit {code}"),
            Effect::RenameToOldbin(_) => "rename to oldbin".to_owned(),
            Effect::RenameBack(_) => "rename back".to_owned(),
            Effect::UnlinkPid(file) => {
                format!("unlink {}", if format!("{file:?}").starts_with('N') { "pid" } else { "oldbin" })
            }
            Effect::Tell { to, command } if !format!("{command:?}").contains("Channel") => {
                format!("tell {} {command:?}", to.0)
            }
            Effect::Kill { pid, signal } => format!("kill {} {}", pid.0, signal.name()),
            Effect::CloseListener(fd) => format!("close {}", fd.0),
            Effect::StartTimer { after_ms } => format!("timer {after_ms}"),
            Effect::Pause { for_ms } => format!("pause {for_ms}"),
            Effect::ReadConf => "read".to_owned(),
            _ => return None,
        })
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "most effects just succeed")]
    fn answer(&mut self, effect: &Effect) -> Reply {
        let fails = |name| if self.failing.contains(name) { Reply::Failed(Errno(2)) } else { Reply::Done };
        match effect {
            Effect::BlockSignals => Reply::Woken(smallvec![]),
            Effect::ParentPid => Reply::Pid(self.parent),
            Effect::RenameToOldbin(_) => fails("rename"),
            Effect::Fork(_) if self.failing.contains("fork") => Reply::Failed(Errno(11)),
            Effect::Fork(_) => {
                self.next_pid += 1;
                Reply::Forked(Pid(self.next_pid - 1))
            }
            Effect::Wait => Reply::Waited(match self.dead.pop() {
                Some((pid, status)) => Waited::Exited { pid, status },
                None => Waited::Nobody,
            }),
            Effect::ReadConf if self.failing.contains("read") => {
                Reply::Conf(ConfRead { said: smallvec![], cycle: None, is_syntax_ok: false })
            }
            Effect::ReadConf => {
                Reply::Conf(ConfRead { said: smallvec![], cycle: Some(cycle(1)), is_syntax_ok: true })
            }
            _ => Reply::Done,
        }
    }
}

fn cycle(conf: u16) -> Cycle {
    let mut names = Names::default();
    let address = crate::conf::Address::Unix("/run/web".into());
    Cycle {
        conf: ConfId(conf),
        pid: PathId(0),
        workers: 2,
        daemon: true,
        master_process: true,
        worker_connections: 64,
        worker_shutdown_timeout_ms: None,
        listening: smallvec![Listening {
            listen: 0,
            address: names.address(&address),
            is_unix: false,
            worker: None,
            backlog: 511,
            client_header_timeout_ms: 60_000,
            fd: Some(crate::machine::Fd(4)),
            speaks: crate::machine::Speaks::Http,
            is_inherited: false,
        }],
    }
}

const KILLED: ExitStatus = ExitStatus::Signal { number: 9, core: false };
const ENDED: ExitStatus = ExitStatus::Code(0);

/// checks: U1
#[test]
fn usr2_renames_the_pid_file_before_it_starts_the_new_binary() {
    let mut stage = Stage::new(Defects::default());

    let acts = stage.wake(&[Signal::Usr2]);

    assert_eq!(acts, ["changing binary", "rename to oldbin", "start new binary process 103", "sleep"]);
    assert_eq!(stage.master().new_binary(), NewBinary::Runs(Pid(103)));
}

/// checks: G5
#[test]
fn a_second_usr2_is_ignored_while_the_new_binary_runs() {
    let mut stage = Stage::new(Defects::default());
    stage.wake(&[Signal::Usr2]);

    let acts = stage.wake(&[Signal::Usr2]);

    assert!(acts[0].starts_with("the changing binary signal is ignored"), "{acts:?}");
    assert_eq!(acts[1..], ["sleep"]);
}

/// checks: G5 M2
#[test]
fn usr2_is_ignored_while_the_parent_from_the_start_lives() {
    let mut stage = Stage::new(Defects::default());
    stage.parent = PARENT;

    let acts = stage.wake(&[Signal::Usr2]);

    assert!(acts[0].starts_with("the changing binary signal is ignored"), "{acts:?}");
    assert_eq!(stage.master().new_binary(), NewBinary::None);
}

/// checks: M3 G14
#[test]
fn usr2_and_quit_in_one_wake_up_are_a_plain_shutdown() {
    let mut stage = Stage::new(Defects::default());

    let acts = stage.wake(&[Signal::Usr2, Signal::Quit]);

    assert_eq!(acts, ["tell 0 Quit", "tell 1 Quit", "close 4", "sleep"]);
}

/// checks: U20
#[test]
fn a_missing_pid_file_turns_every_later_reload_into_more_workers() {
    let mut stage = Stage::new(Defects::default());
    stage.failing.insert("rename");

    let acts = stage.wake(&[Signal::Usr2]);

    assert!(acts[2].starts_with("rename() /run/nginx.pid to /run/nginx.pid.oldbin failed"), "{acts:?}");
    assert_eq!(stage.master().new_binary(), NewBinary::Failed);
    let acts = stage.wake(&[Signal::Hup]);
    assert_eq!(acts[0], "start worker processes", "no `reconfiguring`, nothing read");
    assert_eq!(stage.workers(), 4);
}

/// checks: U20
#[test]
fn a_failed_fork_gives_the_pid_file_its_name_back_and_counts_as_an_attempt() {
    let mut stage = Stage::new(Defects::default());
    stage.failing.insert("fork");

    let acts = stage.wake(&[Signal::Usr2]);

    assert_eq!(acts[1], "rename to oldbin");
    assert_eq!(acts[3..], ["rename back", "sleep"]);
    assert_eq!(stage.master().new_binary(), NewBinary::Failed);
}

/// checks: U13 R5
#[test]
fn the_death_of_the_new_binary_renames_back_and_starts_workers_after_a_no_accept() {
    let mut stage = Stage::new(Defects::default());
    stage.wake(&[Signal::Usr2]);
    stage.wake(&[Signal::Winch]);
    stage.child_ends(101, ENDED);
    stage.child_ends(102, ENDED);

    let acts = stage.child_ends(103, KILLED);

    assert_eq!(
        acts,
        [
            "new binary process 103 exited on signal 9",
            "rename back",
            "start worker processes",
            "start worker process 104",
            "start worker process 105",
            "sleep"
        ]
    );
    assert!(!stage.master().is_noaccepting());
}

/// checks: U13 R5
#[test]
fn the_death_of_the_new_binary_without_a_no_accept_only_renames() {
    let mut stage = Stage::new(Defects::default());
    stage.wake(&[Signal::Usr2]);

    let acts = stage.child_ends(103, ExitStatus::Code(1));

    assert_eq!(acts, ["new binary process 103 exited with code 1", "rename back", "sleep"]);
}

/// checks: R1 R2
#[test]
fn hup_to_the_old_master_starts_workers_without_reading_the_configuration() {
    let mut stage = Stage::new(Defects::default());
    stage.wake(&[Signal::Usr2]);

    let acts = stage.wake(&[Signal::Hup]);

    assert_eq!(
        acts,
        ["start worker processes", "start worker process 104", "start worker process 105", "sleep"]
    );
    assert_eq!(stage.workers(), 4, "nobody asked whether there were workers");
}

/// checks: R4 G4
#[test]
fn an_old_master_that_forgot_that_it_lives_leaves_its_fresh_workers_behind() {
    let mut stage = Stage::new(Defects::default());
    stage.wake(&[Signal::Usr2]);
    stage.wake(&[Signal::Winch]);
    stage.child_ends(101, ENDED);
    stage.child_ends(102, ENDED);
    stage.wake(&[Signal::Hup]);

    let acts = stage.wake(&[Signal::Quit]);

    assert_eq!(acts, ["unlink oldbin", "exit", "close 4", "exit 0"], "no worker is told");
}

/// checks: L2
#[test]
fn a_reload_starts_new_workers_waits_and_tells_only_the_old_ones() {
    let mut stage = Stage::new(Defects::default());

    let acts = stage.wake(&[Signal::Hup]);

    assert_eq!(
        acts,
        [
            "reconfiguring",
            "read",
            "using the \"epoll\" event method",
            "start worker processes",
            "start worker process 103",
            "start worker process 104",
            "pause 100",
            "tell 0 Quit",
            "tell 1 Quit",
            "sleep"
        ]
    );
}

/// checks: M5 L1
#[test]
fn a_failed_reload_leaves_the_flags_behind_it_pending_until_the_next_signal() {
    let mut stage = Stage::new(Defects::default());
    stage.failing.insert("read");

    let first = stage.wake(&[Signal::Usr1, Signal::Hup]);
    let second = stage.wake(&[Signal::Io]);

    assert_eq!(first, ["reconfiguring", "read", "sleep"]);
    assert_eq!(second, ["reopening logs", "tell 0 Reopen", "tell 1 Reopen", "sleep"]);
}

/// checks: M4
#[test]
fn after_quit_only_term_and_the_deaths_of_children_count() {
    let mut stage = Stage::new(Defects::default());
    stage.wake(&[Signal::Quit]);

    let acts = stage.wake(&[Signal::Hup, Signal::Usr1, Signal::Usr2, Signal::Winch]);

    assert_eq!(acts, ["sleep"]);
}

/// checks: G2
#[test]
fn term_escalates_to_kill_when_the_delay_has_doubled_beyond_a_second() {
    let mut stage = Stage::new(Defects::default());
    let mut acts = stage.wake(&[Signal::Term]);

    for _ in 0..6 {
        acts.extend(stage.wake(&[Signal::Alrm]));
    }

    let timers: Vec<&str> = acts.iter().filter_map(|act| act.strip_prefix("timer ")).collect();
    assert_eq!(timers, ["50", "100", "200", "400", "800", "1600", "3200"]);
    assert_eq!(acts.iter().filter(|act| *act == "tell 0 Terminate").count(), 5, "{acts:?}");
    assert_eq!(acts.iter().filter(|act| *act == "kill 101 SIGKILL").count(), 1, "{acts:?}");
}

/// checks: W1 W2 W3 W4
#[test]
fn a_worker_that_dies_is_started_again_unless_its_code_was_2() {
    let mut stage = Stage::new(Defects::default());

    let killed = stage.child_ends(101, KILLED);
    let fatal = stage.child_ends(102, ExitStatus::Code(2));

    assert_eq!(killed, ["worker process 101 exited on signal 9", "start worker process 103", "sleep"]);
    assert_eq!(
        fatal,
        [
            "worker process 102 exited with code 2",
            "worker process 102 exited with fatal code 2 and cannot be respawned",
            "sleep"
        ]
    );
    assert_eq!(stage.workers(), 1);
}

/// checks: X1
#[test]
fn a_master_without_children_exits_at_once() {
    let mut stage = Stage::new(Defects::default());
    stage.wake(&[Signal::Winch]);
    stage.child_ends(101, ENDED);
    stage.child_ends(102, ENDED);

    assert_eq!(stage.wake(&[Signal::Term]), ["unlink pid", "exit", "close 4", "exit 0"]);
}

#[test]
fn a_defective_master_forgets_the_rename() {
    let defects = Defects::named(["forgets-to-rename-oldbin-back"]).unwrap();
    let mut stage = Stage::new(defects);
    stage.wake(&[Signal::Usr2]);

    let acts = stage.child_ends(103, KILLED);

    assert_eq!(acts, ["new binary process 103 exited on signal 9", "sleep"]);
}
