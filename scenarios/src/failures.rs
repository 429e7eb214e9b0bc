//! The ways in which an upgrade of a running nginx was seen to go wrong, and how ours ends there.
//!
//! A number is for ever: stories, tests and talk refer to it. Numbers that are missing here need a kernel feature, a
//! supervisor or a protocol that nobody here can give, or are no failure of an upgrade.
//!
//! `docs/failures.md` is made from this table, and from the stories and tests that show each of them.

use orchestrator::machine::StuckState;

use crate::scenario::Claim;

/// One way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failure {
    /// Its name in stories, tests and on the page.
    pub number: &'static str,
    /// What goes wrong, in one sentence.
    pub sentence: &'static str,
    /// How `oldbin` ends where this could happen; several where it depends on what is asked of it.
    pub ends: &'static [End],
}

/// How `oldbin` ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The new binary serves alone.
    Upgraded,
    /// The new binary serves alone; the old master ends with its last connection.
    Draining,
    /// The old binary serves as before.
    RolledBack,
    /// Nothing was touched.
    Refused,
    /// A person must look, at this.
    Stuck(StuckState),
}

impl End {
    /// What a story expects that shows it.
    #[must_use]
    pub const fn claim(self) -> Claim {
        match self {
            Self::Upgraded => Claim::Upgraded,
            Self::Draining => Claim::Draining,
            Self::RolledBack => Claim::RolledBack,
            Self::Refused => Claim::Refused,
            Self::Stuck(_) => Claim::Stuck,
        }
    }
}

/// A failure that concerns upgrades, and that nothing here shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotShown {
    /// Its number.
    pub number: &'static str,
    /// What goes wrong.
    pub sentence: &'static str,
    /// Why nothing shows it.
    pub why: &'static str,
}

/// Every failure that a story or a test shows.
pub fn all() -> impl Iterator<Item = &'static Failure> {
    SHOWN.iter()
}

const fn fails(number: &'static str, sentence: &'static str, ends: &'static [End]) -> Failure {
    Failure { number, sentence, ends }
}

const fn not(number: &'static str, sentence: &'static str, why: &'static str) -> NotShown {
    NotShown { number, sentence, why }
}

const UPGRADED: &[End] = &[End::Upgraded];
const ROLLED_BACK: &[End] = &[End::RolledBack];
const REFUSED: &[End] = &[End::Refused];
const EITHER_WAY: &[End] = &[End::Upgraded, End::RolledBack];
const MENDED: &[End] = &[End::Refused, End::Upgraded];
const DEAD_BEHIND_COMMIT: &[End] = &[End::Stuck(StuckState::NewMasterDiedAfterCommit)];
const NOT_STARTED: &[End] = &[End::RolledBack, End::Refused];

/// All of them, in the order of the page.
pub const SHOWN: &[Failure] = &[
    fails(
        "F1",
        "The old master is told to quit while the new binary still loads, which then fails: nobody serves, and the script reports success.",
        ROLLED_BACK,
    ),
    fails(
        "F2",
        "A script means to look for the new pid file and tests something that is always true: it quits the old master whatever has become of the new one.",
        ROLLED_BACK,
    ),
    fails(
        "F3",
        "The old master is gone and the new binary still loads: clients wait until it serves.",
        UPGRADED,
    ),
    fails(
        "F4",
        "USR2, WINCH and QUIT are sent without a look between them: the master acts on QUIT first, and everything ends.",
        UPGRADED,
    ),
    fails(
        "F5",
        "The old workers are told to drain although no new master has come: nobody serves.",
        ROLLED_BACK,
    ),
    fails(
        "F6",
        "The upgrade has been given up, and the new binary comes up after all: two masters serve two releases.",
        ROLLED_BACK,
    ),
    fails(
        "F7",
        "A script dies half-way, because the pid file that it reads is not there for a moment.",
        EITHER_WAY,
    ),
    fails(
        "F8",
        "The pid file is there and empty between its creation and the number in it: whoever reads it then signals nobody, or takes it for an answer.",
        EITHER_WAY,
    ),
    fails(
        "F9",
        "The new master is up and its pid file is right, but its workers end as soon as they start.",
        ROLLED_BACK,
    ),
    fails(
        "F10",
        "The new workers accept before they are fit to answer, and answer with errors.",
        ROLLED_BACK,
    ),
    fails("F11", "Success is reported whatever has happened.", NOT_STARTED),
    fails(
        "F12",
        "The new master dies soon after the old one was told to quit: its workers serve on without a master, and nobody is told.",
        DEAD_BEHIND_COMMIT,
    ),
    fails(
        "F13",
        "A second upgrade begins while the old master of the first still drains: nginx ignores USR2, both pid files look right, and the script quits the wrong master.",
        MENDED,
    ),
    fails(
        "F14",
        "The oldbin file of a master that was killed is left, and somebody signals the number in it.",
        UPGRADED,
    ),
    fails(
        "F15",
        "A master is killed, and its workers serve on beside those of the other release.",
        EITHER_WAY,
    ),
    fails(
        "F16",
        "Whoever stops nginx in a half-finished upgrade stops the new master, and the old one comes back.",
        ROLLED_BACK,
    ),
    fails(
        "F17",
        "A restart of a half-finished upgrade knows only one of the two masters, and finds the address taken.",
        EITHER_WAY,
    ),
    fails(
        "F18",
        "The pid file is missing, so that USR2 fails and leaves a master that takes HUP for something else.",
        MENDED,
    ),
    fails(
        "F19",
        "The configuration names another pid file than the running master writes: each of both masters has its own.",
        REFUSED,
    ),
    fails(
        "F20",
        "The backup of the old binary is overwritten with the new one: there is no way back.",
        ROLLED_BACK,
    ),
    fails(
        "F21",
        "The file at the binary's path cannot be written, or is half written when it is needed.",
        ROLLED_BACK,
    ),
    fails(
        "F25",
        "nginx runs as the child of a supervisor: the new master would be nobody's child, and the supervisor would start a third.",
        REFUSED,
    ),
    fails(
        "F26",
        "nginx runs in the foreground under the parent that started it: it ignores USR2 and WINCH.",
        REFUSED,
    ),
    fails(
        "F29",
        "The upgrade fails, and so does the restart that the script then falls back to.",
        NOT_STARTED,
    ),
    fails(
        "F30",
        "A module of the new package does not fit the new binary, or is gone: it rejects the configuration.",
        REFUSED,
    ),
    fails("F32", "The live master is killed because it has not answered in time.", ROLLED_BACK),
    fails("F33", "The healthy old processes are killed because the new binary has failed.", ROLLED_BACK),
    fails(
        "F34",
        "A master has become deaf, and nothing comes of the upgrade that was asked for.",
        ROLLED_BACK,
    ),
    fails("F35", "nginx was started by a relative name, and USR2 does not find it.", REFUSED),
    fails(
        "F36",
        "USR2 gives the new binary next to no environment: what it finds in a shell is gone.",
        REFUSED,
    ),
    fails("F37", "The new binary does not take the arguments that the old one was started with.", REFUSED),
    fails("F38", "The new file cannot be executed.", REFUSED),
    fails("F39", "A module has taken USR2 for itself, and the master never hears of it.", ROLLED_BACK),
    fails(
        "F41",
        "Each worker has a socket of its own, and there are fewer of them: connections still go to sockets that nobody accepts on.",
        EITHER_WAY,
    ),
    fails(
        "F42",
        "The new configuration drops an address: the old master holds it while its workers drain, and clients hang instead of being refused.",
        ROLLED_BACK,
    ),
    fails(
        "F44",
        "Old workers that serve long connections stay for hours, and their memory with them.",
        &[End::Draining],
    ),
    fails("F45", "Old workers do not end, although they were told to drain and their time is up.", UPGRADED),
    fails("F49", "HUP to an old master that was not told to drain doubles its workers.", ROLLED_BACK),
    fails("F50", "HUP to the old master in an upgrade does not read the configuration.", ROLLED_BACK),
    fails("F52", "Logs are rotated in the overlap, and only the new master is told.", UPGRADED),
    fails(
        "F53",
        "Both releases answer in the overlap, so that one good answer says nothing about the new one.",
        ROLLED_BACK,
    ),
    fails("F57", "USR2 comes twice in quick succession.", UPGRADED),
    fails("F59", "The old process ends although the handover has failed.", ROLLED_BACK),
];

/// Those that concern upgrades and that nothing shows, in the order of the page.
pub const NOT_SHOWN: &[NotShown] = &[
    not(
        "F24",
        "A signal goes to every process of a service instead of to its master.",
        "the stories have no service; `oldbin` signals no one but the master and, when that is gone, its workers, each by a handle",
    ),
    not("F28", "A package stops and starts nginx although it could upgrade it.", "that is no handover"),
    not("F31", "An unattended upgrade fails at night.", "it is one of the others without a person"),
    not(
        "F43",
        "A request on a kept-alive connection crosses its close.",
        "HTTP has no answer to that; `oldbin-lab` counts such races and tells them apart (see [limits.md](limits.md))",
    ),
    not(
        "F48",
        "The file of a unix socket is left behind or removed.",
        "clients of the stories come by TCP; what nginx does are N1 to N5 of [statements.md](statements.md)",
    ),
    not("F51", "Caches, limits and sessions start cold.", "the fake has no shared memory"),
    not(
        "F56",
        "USR2 right after the start is ignored, because the process that has started nginx still lives.",
        "a story begins when nginx has started; a USR2 without effect is F39",
    ),
    not(
        "F58",
        "A release before 1.13.8 ignores USR2 where whoever reaps orphans is not process 1.",
        "the oldest release here is 1.18.0",
    ),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Red when a number stands twice: stories that name it would show whichever comes first.
    #[test]
    fn every_number_stands_once_and_in_order() {
        let number = |text: &str| text.strip_prefix('F').and_then(|digits| digits.parse::<u32>().ok());
        for numbers in [
            SHOWN.iter().map(|failure| failure.number).collect::<Vec<_>>(),
            NOT_SHOWN.iter().map(|failure| failure.number).collect(),
        ] {
            let read: Vec<_> = numbers.iter().map(|text| number(text).expect(text)).collect();
            assert!(read.is_sorted(), "{numbers:?}");
        }
        let both: BTreeSet<_> =
            SHOWN.iter().map(|one| one.number).chain(NOT_SHOWN.iter().map(|one| one.number)).collect();
        assert_eq!(both.len(), SHOWN.len() + NOT_SHOWN.len());
    }
}
