//! Again and again: reloads and chained upgrades leave no descriptor, no memory and no environment behind.
//!
//! `OLDBIN_ROUNDS` says how often, 30 times if it says nothing.
#![expect(clippy::print_stdout, reason = "what was measured is told")]

use std::fs;

use rustix::process::Signal;

use crate::stage::{Stage, release, wait_for};

pub(crate) const TESTS: &[(&str, fn())] = &[
    ("reloads_leave_nothing_behind", reloads_leave_nothing_behind),
    ("chained_upgrades_leave_nothing_behind", chained_upgrades_leave_nothing_behind),
];

/// What an allocator may keep for itself; 4 KiB lost in each round would be more.
const MEMORY_KIB_MAX: u64 = 100;

fn rounds() -> u32 {
    std::env::var("OLDBIN_ROUNDS").map_or(30, |rounds| rounds.parse().expect("OLDBIN_ROUNDS is a number"))
}

/// What a master has: descriptors, private memory in KiB, and the length of its environment.
#[derive(Debug, Clone, Copy)]
struct Has {
    descriptors: usize,
    memory_kib: u64,
    environment: usize,
}

impl Has {
    fn look(stage: &Stage, master: i32) -> Self {
        let status = fs::read_to_string(format!("/proc/{master}/status")).unwrap();
        let memory = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
        Self {
            descriptors: stage.descriptors_of(&[master]),
            memory_kib: memory.trim().trim_end_matches(" kB").parse().unwrap(),
            environment: fs::read(format!("/proc/{master}/environ")).unwrap().len(),
        }
    }

    fn has_no_more_than(&self, before: &Self) -> bool {
        self.descriptors <= before.descriptors
            && self.memory_kib <= before.memory_kib + MEMORY_KIB_MAX
            && self.environment <= before.environment
    }
}

fn reloads_leave_nothing_behind() {
    let stage = Stage::new(&release("1.26.3"));
    let master = stage.start();
    let reload = || {
        let old = stage.workers_of(master, 2);
        stage.signal(master, Signal::HUP);
        old.iter().for_each(|&worker| stage.gone(worker));
    };
    reload();
    let first = Has::look(&stage, master);

    (0..rounds()).for_each(|_| reload());

    // The master closes its end of a worker's channel when it has reaped it.
    wait_for("no more than before", || {
        let last = Has::look(&stage, master);
        last.has_no_more_than(&first).then(|| println!("{first:?}, then {last:?}"))
    });
}

fn chained_upgrades_leave_nothing_behind() {
    let stage = Stage::new(&release("1.26.3"));
    let mut master = stage.start();
    let mut upgrade = || {
        let old = master;
        stage.signal(old, Signal::USR2);
        master = wait_for("the new master", || {
            let now: i32 = fs::read_to_string(stage.path("nginx.pid")).ok()?.trim_end().parse().ok()?;
            (now != old).then_some(now)
        });
        stage.workers_of(master, 2);
        stage.signal(old, Signal::QUIT);
        stage.gone(old);
        // The kernel gives a process's children away behind its memory: until then USR2 would be refused.
        wait_for("another parent", || {
            stage.processes().iter().any(|it| it.pid == master && it.parent != old).then_some(())
        });
        master
    };
    upgrade();
    // The first new master has another parent than those behind it; from then on all are alike.
    let second = upgrade();
    let first = Has::look(&stage, second);

    let last = (0..rounds()).map(|_| upgrade()).last().unwrap_or(second);

    let last = Has::look(&stage, last);
    assert!(last.has_no_more_than(&first), "{first:?}, then {last:?}");
    println!("{first:?}, then {last:?}");
}
