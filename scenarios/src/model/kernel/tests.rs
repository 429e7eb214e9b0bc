//! Scripts on the simulated kernel with a real nginx machine in it.

use fake_nginx::machine::{Defects, Moment, Pid, Signal};
use fake_nginx::release::Version;

use super::*;
use crate::model::choice::{Act, Name, Who};
use crate::trace::Kind;

struct Machine {
    kernel: Kernel,
    setting: Setting,
    seen: Vec<Seen>,
}

impl Machine {
    fn booted(workers: u16) -> Self {
        let mut machine = Self::started(workers);
        machine.rest();
        machine
    }

    /// Nobody has taken a step yet.
    fn started(workers: u16) -> Self {
        let images = [Version::new(1, 22, 1), Version::new(1, 26, 3)];
        let images = images.map(|version| Image::new(version, None, Defects::default())).to_vec();
        let setting = Setting::new(images, vec![Conf { workers, reuseport: false }], 500);
        let mut machine = Self { kernel: Kernel::new(), setting, seen: Vec::new() };
        machine.with(|kernel, around| kernel.start(around));
        machine
    }

    fn with<T>(&mut self, act: impl FnOnce(&mut Kernel, &mut Around<'_>) -> T) -> T {
        let Self { kernel, setting, seen } = self;
        act(kernel, &mut Around { setting, seen })
    }

    /// Everybody goes on as long as anybody can.
    fn rest(&mut self) {
        self.go_on(|_| true);
    }

    /// Whoever may take his next step does.
    fn go_on(&mut self, may: impl Fn(Name) -> bool) {
        for _ in 0..10_000 {
            let Some(pid) = self.kernel.runnable().find(|it| may(it.next_step())).map(|it| it.pid) else {
                return;
            };
            self.with(|kernel, around| kernel.step(pid, around));
        }
        panic!("nobody comes to rest");
    }

    fn pass(&mut self, for_ms: u64) {
        let until_ms = self.kernel.now_ms() + for_ms;
        while let Some(at_ms) = self.kernel.next_timer_ms().filter(|&at_ms| at_ms <= until_ms) {
            self.with(|kernel, around| kernel.advance_to(at_ms, around));
            self.rest();
        }
        self.with(|kernel, around| kernel.advance_to(until_ms, around));
    }

    fn send(&mut self, to: Pid, signal: Signal) {
        assert!(self.with(|kernel, around| kernel.kill(LABORATORY, to, signal, around)));
        self.rest();
    }

    fn masters(&self) -> Vec<Pid> {
        self.of(Who::Master)
    }

    fn of(&self, who: Who) -> Vec<Pid> {
        self.kernel.living().filter(|process| process.actor.who == who).map(|process| process.pid).collect()
    }

    fn accepting(&self) -> Vec<String> {
        self.kernel.living().filter(|p| p.is_accepting()).map(|p| p.actor.to_string()).collect()
    }

    fn connect(&mut self, kind: Kind) -> u32 {
        let socket = self.kernel.listening(ADDRESS)[0];
        self.kernel.connect(socket, kind)
    }

    fn answered(&self) -> Vec<u32> {
        self.seen
            .iter()
            .filter_map(
                |seen| if let Seen::Answered { connection, .. } = seen { Some(*connection) } else { None },
            )
            .collect()
    }
}

#[test]
fn a_start_leaves_a_master_its_workers_and_a_pid_file() {
    let machine = Machine::booted(2);

    let masters = machine.masters();
    assert_eq!(machine.accepting(), ["old-worker-1", "old-worker-2"]);
    assert_eq!(machine.kernel.files().read(Path::PID), Some(Content::Pid(masters[0])));
    assert_eq!(machine.kernel.living().count(), 3, "the launcher has gone");
    assert!(machine.kernel.process(masters[0]).unwrap().is_asleep());
}

#[test]
fn a_fresh_connection_is_answered_and_closed() {
    let mut machine = Machine::booted(1);

    let id = machine.connect(Kind::Fresh);
    machine.rest();

    assert_eq!(machine.answered(), [id]);
    machine.kernel.hang_up(id);
    assert!(machine.kernel.connections().is_empty());
}

#[test]
fn a_slow_answer_takes_as_long_as_it_should() {
    let mut machine = Machine::booted(1);

    let id = machine.connect(Kind::Slow);
    machine.rest();
    machine.pass(499);
    assert_eq!(machine.answered(), Vec::<u32>::new());
    machine.pass(1);

    assert_eq!(machine.answered(), [id]);
}

#[test]
fn usr2_starts_a_second_generation_beside_the_first() {
    let mut machine = Machine::booted(1);
    let old = machine.masters()[0];
    machine.kernel.files_mut().rename(Path::NEW, Path::BINARY).unwrap();

    machine.send(old, Signal::Usr2);

    let masters = machine.masters();
    assert_eq!(masters.len(), 2);
    assert_eq!(machine.accepting(), ["old-worker-1", "new-worker-1"]);
    assert_eq!(machine.kernel.files().read(Path::PID), Some(Content::Pid(masters[1])));
    assert_eq!(machine.kernel.files().read(Path::OLDBIN), Some(Content::Pid(old)));
    assert_eq!(machine.kernel.sockets().len(), 1, "the socket was inherited");
}

#[test]
fn winch_drains_and_the_death_of_the_new_master_brings_the_old_workers_back() {
    let mut machine = Machine::booted(1);
    let old = machine.masters()[0];
    machine.send(old, Signal::Usr2);
    let new = machine.masters()[1];

    machine.send(old, Signal::Winch);
    assert_eq!(machine.accepting(), ["new-worker-1"]);

    machine.send(new, Signal::Kill);
    assert_eq!(machine.accepting(), ["old-worker-2", "new-worker-1"], "an orphan accepts for ever");
    assert_eq!(machine.kernel.files().read(Path::PID), Some(Content::Pid(old)));
    assert_eq!(machine.kernel.files().read(Path::OLDBIN), None);
}

#[test]
fn a_worker_that_is_killed_is_there_again_and_its_client_sees_the_end() {
    let mut machine = Machine::booted(1);
    let id = machine.connect(Kind::Slow);
    machine.rest();
    let worker = machine.of(Who::Worker)[0];

    machine.send(worker, Signal::Kill);

    let end = Seen::Ended { connection: id, how: Ending::Fin, by: Some(worker), in_answer: true };
    assert!(machine.seen.contains(&end));
    assert_eq!(machine.accepting(), ["old-worker-2"]);
}

#[test]
fn the_last_close_resets_the_queue_and_the_address_refuses() {
    let mut machine = Machine::booted(1);
    let master = machine.masters()[0];
    let worker = machine.of(Who::Worker)[0];
    machine.with(|kernel, around| kernel.kill(LABORATORY, master, Signal::Kill, around));
    let id = machine.connect(Kind::Fresh);

    machine.with(|kernel, around| kernel.kill(LABORATORY, worker, Signal::Kill, around));

    let end = Seen::Ended { connection: id, how: Ending::Rst, by: None, in_answer: false };
    assert!(machine.seen.contains(&end));
    assert!(machine.kernel.sockets().is_empty());
    assert!(machine.kernel.living().next().is_none());
}

#[test]
fn a_quiet_master_ends_with_its_pid_file_and_its_socket() {
    let mut machine = Machine::booted(2);
    let master = machine.masters()[0];

    machine.send(master, Signal::Quit);

    assert!(machine.kernel.living().next().is_none());
    assert!(machine.kernel.sockets().is_empty());
    assert_eq!(machine.kernel.files().read(Path::PID), None);
}

#[test]
fn term_ends_everybody_and_cuts_what_is_on_its_way() {
    let mut machine = Machine::booted(1);
    let master = machine.masters()[0];
    machine.connect(Kind::Slow);

    machine.send(master, Signal::Term);

    assert!(machine.kernel.living().next().is_none());
}

#[test]
fn two_signals_that_wait_are_one_and_the_highest_number_is_told_first() {
    let mut signals = Signals::default();
    signals.block();
    for (signal, sender) in [(Signal::Usr2, 7), (Signal::Usr2, 8), (Signal::Winch, 9), (Signal::Hup, 9)] {
        let arrival = fake_nginx::machine::Arrival { signal, sender: Some(Pid(sender)) };
        signals.receive_for_test(arrival);
    }

    let told: Vec<_> =
        signals.take_pending().iter().map(|arrival| (arrival.signal, arrival.sender)).collect();

    assert_eq!(
        told,
        [(Signal::Winch, Some(Pid(9))), (Signal::Usr2, Some(Pid(7))), (Signal::Hup, Some(Pid(9))),]
    );
}

#[test]
fn a_reload_replaces_the_workers_and_keeps_the_socket() {
    let mut machine = Machine::booted(1);
    let master = machine.masters()[0];

    machine.send(master, Signal::Hup);
    machine.pass(100);

    assert_eq!(machine.accepting(), ["old-worker-2"]);
    assert_eq!(machine.kernel.sockets().len(), 1);
}

/// A step of the master of this generation, other than this one.
fn is_of_master_before(generation: u8, moment: Moment) -> impl Fn(Name) -> bool {
    move |step| {
        (step.actor.who, step.actor.generation) == (Who::Master, generation) && step.act != Act::Nginx(moment)
    }
}

impl Machine {
    fn kill(&mut self, pid: Pid) {
        assert!(self.with(|kernel, around| kernel.kill(LABORATORY, pid, Signal::Kill, around)));
    }

    fn has_sigio(&self, pid: Pid) -> bool {
        self.kernel.process(pid).unwrap().signals.is_pending(Signal::Io)
    }

    /// The master reaps a child, and closes its channel.
    fn reap(&mut self, master: Pid) {
        self.go_on(is_of_master_before(1, Moment::CloseChannel));
        self.with(|kernel, around| kernel.step(master, around));
    }
}

/// Red when the end of a channel is nothing to read.
#[test]
fn the_only_worker_reads_the_end_of_its_channel_when_its_master_dies() {
    let mut machine = Machine::booted(1);
    let (master, worker) = (machine.masters()[0], machine.of(Who::Worker)[0]);

    machine.kill(master);

    assert_eq!(machine.kernel.runnable().map(|process| process.pid).collect::<Vec<_>>(), [worker]);
    machine.rest();
    assert_eq!(machine.kernel.process(worker).unwrap().own_channel, None);
    assert_eq!(machine.accepting(), ["old-worker-1"]);
}

/// Red when what is passed to a worker that reads nothing yet is closed.
#[test]
fn an_end_on_its_way_to_a_worker_is_open() {
    let mut machine = Machine::started(2);
    machine.go_on(|step| step.actor.nth != 1);
    let (master, second) = (machine.masters()[0], machine.of(Who::Worker)[1]);

    machine.kill(second);
    machine.reap(master);

    assert!(machine.has_sigio(master));
}

/// Red when what was just forked holds one end of its parent's channels only, or closes that one first.
#[test]
fn a_new_binary_holds_both_ends_of_a_channel_until_exec() {
    let mut machine = Machine::booted(2);
    let (master, second) = (machine.masters()[0], machine.of(Who::Worker)[1]);
    assert!(machine.with(|kernel, around| kernel.kill(LABORATORY, master, Signal::Usr2, around)));
    machine.go_on(is_of_master_before(1, Moment::Exec));

    machine.kill(second);
    machine.reap(master);
    assert!(!machine.has_sigio(master), "the new binary has the other side");

    let new = machine.masters()[1];
    machine.with(|kernel, around| kernel.step(new, around));
    assert!(machine.has_sigio(master));
}
