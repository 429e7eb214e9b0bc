//! The power fails, and the machine comes up again: nothing runs that ran, what was not synced is there or not, and a
//! supervisor starts whatever is at the binary's path.

use orchestrator::machine::{Memory, Outcome, Phase, Plan};

use super::World;
use crate::model::binaries::PACKAGED;
use crate::model::excuses::Excuses;
use crate::model::fault::Fault;
use crate::model::kernel::{Content, Inode, Path};
use crate::model::power::{Restart, Unsynced};
use crate::model::shared::Shared;

impl World<'_> {
    /// From now on every write takes a second step to the disk, and before it can be lost.
    pub(in crate::model) const fn may_lose_power(&mut self) {
        self.may_lose_power = true;
    }

    /// The binary's path is about to name another file. True if that is not on disk by itself.
    pub(in crate::model) fn is_about_to_replace(&mut self) -> bool {
        let before = self.state.kernel.files().at(Path::BINARY);
        if self.may_lose_power {
            let unsynced = self.unsynced();
            unsynced.binary = unsynced.binary.or(before);
        }
        self.may_lose_power
    }

    /// The orchestrator writes its journal. True if that is not on disk by itself.
    pub(in crate::model) fn write_journal(&mut self, plan: &Plan, memory: &Memory) -> bool {
        let entry = Shared::new((plan.clone(), memory.clone()));
        let before = self.state.journal.replace(entry);
        self.state.is_journal_over = false;
        if self.may_lose_power {
            self.unsynced().journal.get_or_insert(before);
        }
        self.may_lose_power
    }

    /// Files that were filled, and of whose content nobody has asked that it be on disk.
    pub(in crate::model) fn forgets_to_sync(&mut self, file: Inode) {
        if self.may_lose_power {
            self.unsynced().copies.push(file);
        }
    }

    /// The folders are synced.
    pub(in crate::model) fn sync_folders(&mut self) {
        let copies = self.state.unsynced.take().map(|unsynced| unsynced.copies).unwrap_or_default();
        if !copies.is_empty() {
            self.unsynced().copies = copies;
        }
    }

    fn unsynced(&mut self) -> &mut Unsynced {
        self.state.unsynced.get_or_insert_default()
    }

    /// What the journal says, if it is of this boot.
    #[must_use]
    pub(in crate::model) fn entry(&self) -> Option<&(Plan, Memory)> {
        self.state.journal.as_deref().filter(|_| !self.state.is_journal_over)
    }

    /// What a restart has started and should not have, or could not.
    #[must_use]
    pub(in crate::model) fn first_wrong_start(&self) -> Option<&str> {
        self.first_wrong_start.as_deref()
    }

    /// True if the power has failed in the middle of a command, which does not know it yet.
    pub(in crate::model) const fn take_lost_power(&mut self) -> bool {
        std::mem::replace(&mut self.has_lost_power, false)
    }

    /// The power fails; `which`: of all the ways to come up. False: there are not so many.
    pub(super) fn loses_power(&mut self, which: u8) -> bool {
        let Some(restart) = Restart::nth(self.state.unsynced.as_deref(), which) else { return false };
        let right = self.may_be_started();
        let has_swapped = self.state.unsynced.as_ref().is_some_and(|unsynced| unsynced.binary.is_some());
        self.has_lost_power = self.is_commanded;
        self.command_ends();
        self.goes_dark();
        self.comes_up(restart);
        let found = self.state.kernel.files().read(Path::BINARY);
        if !matches!(found, Some(Content::Image(image)) if image == PACKAGED || right.contains(&found)) {
            let stands = self.state.journal.as_deref().map(|entry| entry.1.phase);
            let why =
                format!("a restart finds {found:?} at the binary's path, and the journal at {stands:?}");
            self.first_wrong_start.get_or_insert(why);
        }
        let announces = |entry: &(Plan, Memory)| entry.1.phase != Phase::Planned && !entry.1.is_finished();
        let is_announced = self.state.journal.as_deref().is_some_and(announces);
        if has_swapped && restart.forgets_journal && !restart.forgets_name && !is_announced {
            let why = "a restart finds the binary replaced, and no journal that has announced it";
            self.first_wrong_start.get_or_insert(why.into());
        }
        self.starts_nginx();
        // What a faulty binary does is its own.
        let is_faulty = matches!(found, Some(Content::Image(image))
            if self.setting.images[usize::from(image)].plan.fault.is_some());
        if is_faulty && !self.fresh_connection_finds_worker() {
            self.excuses = Excuses::of_a_start_in_vain();
        }
        true
    }

    /// Nobody runs any more, and nobody is blamed for it.
    fn goes_dark(&mut self) {
        self.state.clients.vanish(&mut self.state.kernel);
        self.with(|kernel, around| kernel.lose_power(around));
        self.digest();
        self.excuses = Excuses::default();
        self.struck.clear();
        self.statuses.clear();
        self.cut.clear();
        self.last_kill = None;
        self.has_hidden_blow = false;
        self.interrupted_in = None;
    }

    /// The disk is as it is, and others have begun before nginx.
    fn comes_up(&mut self, restart: Restart) {
        let unsynced = self.state.unsynced.take().map(|unsynced| *unsynced).unwrap_or_default();
        if let (true, Some(journal)) = (restart.forgets_journal, unsynced.journal) {
            self.state.journal = journal;
        }
        self.state.is_journal_over = self.state.journal.is_some();
        self.with(|kernel, around| {
            if let (true, Some(before)) = (restart.forgets_name, unsynced.binary) {
                kernel.files_mut().call(Path::BINARY, before);
            }
            if restart.tears_copies {
                unsynced.copies.iter().for_each(|&copy| kernel.files_mut().tear(copy));
            }
            if !restart.keeps_pid_files {
                let _ = kernel.unlink(Path::PID, around);
                let _ = kernel.unlink(Path::OLDBIN, around);
            }
            if restart.gives_numbers_away {
                kernel.give_numbers_away(around);
            } else {
                kernel.count_from_the_first();
            }
        });
    }

    /// What a restart may find at the binary's path. Behind the commit point, and once the way back has told the new
    /// generation to go, only one of the two has anybody who serves; before that either does.
    fn may_be_started(&self) -> [Option<Content>; 3] {
        let files = self.state.kernel.files();
        let Some((plan, memory)) = self.entry() else { return [files.read(Path::BINARY); 3] };
        let content = |file: orchestrator::machine::FileId| {
            Some(files.content(Inode(u16::try_from(file.inode).unwrap_or(0))))
        };
        let [before, old, new] = [plan.binary_before, plan.old_file, plan.new_file].map(content);
        // Whoever has lost a master goes on with the other one.
        if self.counts.faults.iter().any(|fault| fault.is_of_master() || *fault == Fault::Package) {
            return [before, old, new];
        }
        match memory.phase {
            Phase::Planned | Phase::Finished(Outcome::Refused) => [before; 3],
            Phase::Committing | Phase::Watching => [new; 3],
            Phase::Finished(Outcome::Upgraded | Outcome::Draining) => [new; 3],
            Phase::Finished(Outcome::RolledBack) => [before, old, old],
            Phase::Back if memory.is_new_told => [before, old, old],
            Phase::Installing
            | Phase::Changing
            | Phase::Draining
            | Phase::Soaking
            | Phase::Held
            | Phase::Back
            | Phase::Finished(Outcome::Held | Outcome::Stuck(_)) => [before, old, new],
        }
    }
}
