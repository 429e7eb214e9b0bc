//! What the subject says it has done, it was expected to do, and it has done it.
//!
//! A claim is judged at its own instant, give or take [`SIGHT_MS`]. Processes of the other generation may still
//! be there if they are on their way out (a draining worker, a master that was told to go), because a graceful
//! shutdown takes as long as its slowest answer; that they really go is another invariant's business.
//! *Stuck* and *failed* promise nothing.

use orchestrator::machine::StuckState;

use super::excuse::{Excuses, has_saved};
use super::{Finding, Process, SIGHT_MS, Side, State};
use crate::scenario::Claim;
use crate::trace::{Content, Evidence, Header, Role, Trace, What};

pub(super) fn check(trace: &Trace) -> Finding {
    let excuses = Excuses::of(trace);
    let mut began = act_began(trace, 0);
    let mut has_claimed = false;
    let mut unchecked = None;
    for position in 0..trace.events.len() {
        let What::Claimed { act, claim, expected, said, .. } = &trace.events[position].what else { continue };
        has_claimed = true;
        if claim != expected && !(*claim == Claim::Stuck && may_be_stuck(trace, position, said, &excuses)) {
            let why = format!("act {act} claims {claim}, and should claim {expected}: {}", last_line(said));
            return Finding::violated(trace, position, why);
        }
        let answer = match claim {
            _ if excuses.excuse_claim(trace, began, position) => Finding::Held,
            // What the run did meanwhile is not the subject's doing, and cannot be told from it.
            Claim::Refused if excuses.have_struck(began, position) => Finding::Held,
            Claim::Refused => touched(trace, began, position),
            Claim::Upgraded | Claim::Draining | Claim::Held | Claim::RolledBack => {
                in_sight(trace, position, &Promise::of(trace, position, *claim), &excuses)
            }
            Claim::Stuck | Claim::Failed => Finding::Held,
        };
        match answer {
            Finding::Held => {}
            Finding::Violated { .. } => return answer,
            Finding::Unchecked { .. } => unchecked = unchecked.or(Some(answer)),
        }
        began = act_began(trace, position + 1);
    }
    match unchecked {
        _ if !has_claimed => Finding::unchecked("nothing was claimed"),
        Some(unchecked) => unchecked,
        None => Finding::Held,
    }
}

/// True if what went wrong excuses a subject that gives up: two faults, or one that felled the last master.
fn may_be_stuck(trace: &Trace, claimed: usize, said: &str, excuses: &Excuses) -> bool {
    let has_no_master = || State::at(trace, claimed).masters().iter().all(|master| master.told_to_go);
    excuses.faults() >= 2
        || (excuses.has_felled_master() && has_no_master())
        // The way back after a finished upgrade has none of its own: the newer binary serves as before.
        || (excuses.faults() == 1 && said.contains(StuckState::WayBackUndone.says()))
}

/// What a claim says about the world.
struct Promise<'t> {
    claim: Claim,
    /// The release that serves.
    release: &'t str,
    /// Both generations run the same release, so only their age tells them apart.
    is_same_release: bool,
    /// When the upgrade began that the claim is about.
    began_us: u64,
}

impl<'t> Promise<'t> {
    fn of(trace: &'t Trace, claimed: usize, claim: Claim) -> Self {
        let (old, began_us) = served_before(trace, claimed);
        let new = trace.header.new.as_str();
        let release = if claim == Claim::RolledBack { old } else { new };
        Self { claim, release, is_same_release: old == new, began_us }
    }

    fn is_of(&self, header: &Header, process: &Process) -> bool {
        match process.version.as_deref() {
            Some(version) => version == self.release,
            None => process.side(header) == if self.release == header.new { Side::New } else { Side::Old },
        }
    }
}

/// The release that served when the upgrade began that an act is about, and when that was. A command that only
/// goes on with an upgrade, or refuses to begin one, begins none.
fn served_before(trace: &Trace, until: usize) -> (&str, u64) {
    let mut found = (trace.header.old.as_str(), 0);
    for (position, event) in trace.events.iter().enumerate().take(until) {
        let What::StepBegan { text, .. } = &event.what else { continue };
        if !text.starts_with("oldbin upgrade") || !has_saved(trace, position) {
            continue;
        }
        let state = State::at(trace, position);
        let version = state.masters().last().and_then(|master| master.version.clone());
        let release =
            if version.as_ref() == Some(&trace.header.new) { &trace.header.new } else { &trace.header.old };
        found = (release, event.at_us);
    }
    found
}

/// Where an act begins that comes behind `from`: what is there before it is not its doing.
fn act_began(trace: &Trace, from: usize) -> usize {
    let is_beginning = |what: &What| matches!(what, What::StepBegan { .. } | What::Quiescent);
    let found = trace.events.iter().skip(from).position(|event| is_beginning(&event.what));
    found.map_or(from, |offset| from + offset)
}

/// A refusal promises that nothing was touched.
fn touched(trace: &Trace, began: usize, claimed: usize) -> Finding {
    for position in began..claimed {
        let what = match &trace.events[position].what {
            What::Signal { signal, .. } if !asks_for_something(signal) => continue,
            What::Signal { to, signal, .. } => format!("{signal} was sent to {to}"),
            What::SignalToStranger { pid, signal } => format!("{signal} was sent to {pid}"),
            What::Binary { .. } => "the binary's file was changed".to_owned(),
            What::PidFile { .. } => "a pid file was changed".to_owned(),
            What::Born { pid, .. } => format!("process {pid} was born"),
            What::Draining { .. }
            | What::Died { .. }
            | What::Listening { .. }
            | What::NotListening { .. }
            | What::Request(_)
            | What::Log { .. }
            | What::StepBegan { .. }
            | What::StepEnded { .. }
            | What::Claimed { .. }
            | What::Moment { .. }
            | What::Quiescent
            | What::Survivor { .. } => continue,
        };
        return Finding::violated(trace, position, format!("{what}, and the claim is refused"));
    }
    if trace.header.blind_to.contains(&Evidence::Signals) {
        return Finding::unchecked("a signal that changed nothing would not be seen");
    }
    Finding::Held
}

/// True for a signal that somebody sends; the others are the kernel's or the master's own business.
fn asks_for_something(signal: &str) -> bool {
    matches!(signal, "HUP" | "INT" | "QUIT" | "KILL" | "USR1" | "USR2" | "TERM" | "WINCH")
}

/// Looks for an instant within sight of the claim at which it is true.
fn in_sight(trace: &Trace, claimed: usize, promise: &Promise<'_>, excuses: &Excuses) -> Finding {
    let until_us = trace.events[claimed].at_us + SIGHT_MS * 1000;
    let mut state = State::at(trace, claimed);
    // What is told is what was wrong at the claim itself.
    let mut why = untrue(trace, &state, promise, excuses);
    for event in trace.events.iter().skip(claimed + 1).take_while(|event| event.at_us <= until_us) {
        if why.is_none() {
            break;
        }
        state.apply(event);
        why = why.filter(|_| untrue(trace, &state, promise, excuses).is_some());
    }
    match why {
        Some(why) => Finding::violated(trace, claimed, format!("claims {}, but {why}", promise.claim)),
        None if state.binary.is_none() => Finding::unchecked("nobody looked at the binary's file"),
        None => Finding::Held,
    }
}

/// Why a claim is not true in this state.
fn untrue(trace: &Trace, state: &State, promise: &Promise<'_>, excuses: &Excuses) -> Option<String> {
    let header = &trace.header;
    let release = promise.release;
    let masters = state.masters();
    let mut serving = masters.iter().filter(|master| promise.is_of(header, master));
    let serving = if promise.claim == Claim::RolledBack { serving.next() } else { serving.next_back() };
    let Some(serving) = serving else { return Some(format!("no master of {release} runs")) };
    if state.serving(serving.pid) == 0 {
        return Some(format!("master {} of {release} has no worker that takes connections", serving.pid));
    }
    if let Some(found) = state.binary.as_ref().filter(|found| found.as_deref() != Some(release)) {
        let found = found.as_deref().unwrap_or("no nginx");
        return Some(format!("the binary's file is {found} and not {release}"));
    }
    let is_other = |process: &&Process| {
        let is_of_other_release = !promise.is_of(header, process);
        let is_of_other_age = promise.is_same_release && process.generation != serving.generation;
        // Workers of a master that was felled before this upgrade began are none of its business, and those of a new
        // one serve on while the decision is open.
        let before_us = if promise.claim == Claim::Held { u64::MAX } else { promise.began_us };
        // By its generation: who is seen only when its master is gone has another parent.
        let is_its =
            |master: &Process| master.role == Role::Master && master.generation == process.generation;
        let mut masters = state.processes.values().filter(|master| is_its(master));
        let is_older =
            process.role == Role::Worker && masters.any(|master| excuses.has_felled(master.pid, before_us));
        process.is_alive() && (is_of_other_release || is_of_other_age) && !is_older
    };
    let mut others = state.processes.values().filter(is_other);
    if promise.claim == Claim::Held {
        return untrue_reserve(&masters, serving, others);
    }
    if let Some(other) = others.clone().find(|other| !is_leaving(trace, other)) {
        return Some(format!("{} {} of the other release is still there", role(other), other.pid));
    }
    let has_other_master = others.any(|other| other.role == Role::Master);
    match &state.oldbin {
        Some(content)
            if promise.claim == Claim::RolledBack && *content != Content::Absent && !has_other_master =>
        {
            // A master that was felled leaves its file behind, and the next upgrade takes it away.
            let is_left = excuses.has_felled_master() && *content != Content::Pid(serving.pid);
            (!is_left).then(|| "the oldbin file is still there".into())
        }
        _ => None,
    }
}

/// Why there is no master in reserve.
fn untrue_reserve<'a>(
    masters: &[&Process],
    serving: &Process,
    mut others: impl Iterator<Item = &'a Process>,
) -> Option<String> {
    if !masters.iter().any(|master| master.pid != serving.pid) {
        return Some("no old master is in reserve".into());
    }
    let busy = others.find(|other| other.is_serving())?;
    Some(format!("worker {} of the old master still takes connections", busy.pid))
}

/// True for a process that is on its way out.
fn is_leaving(trace: &Trace, process: &Process) -> bool {
    let dies = || {
        let died = |what| if let &What::Died { pid, .. } = what { Some(pid) } else { None };
        trace.select(died).any(|(.., pid)| pid == process.pid)
    };
    match process.role {
        Role::Worker => process.draining_us.is_some(),
        Role::Master => process.told_to_go || (trace.header.blind_to.contains(&Evidence::Signals) && dies()),
    }
}

fn role(process: &Process) -> &'static str {
    match process.role {
        Role::Master => "master",
        Role::Worker => "worker",
    }
}

fn last_line(text: &str) -> &str {
    text.trim().lines().last().unwrap_or("it said nothing")
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Run, judge};
    use super::*;
    use crate::trace::PidFile;

    const NAME: &str = "claim-is-true";

    /// The new generation serves, the old workers are gone, and the file is the new one.
    fn held() -> Run {
        Run::new()
            .rest(5)
            .binary(10, "1.26.3")
            .file(11, PidFile::Oldbin, Content::Pid(10))
            .new_generation(20)
            .drains(30, 11)
            .drains(30, 12)
            .died(31, 11, None)
            .died(31, 12, None)
    }

    fn upgraded() -> Run {
        held().died(35, 10, None).file(36, PidFile::Oldbin, Content::Absent)
    }

    fn rolled_back() -> Run {
        held()
            .binary(32, "1.22.1")
            .worker(33, 13, 10)
            .drains(35, 21)
            .drains(35, 22)
            .signal(36, 20, "QUIT")
            .died(37, 21, None)
            .died(37, 22, None)
            .died(38, 20, None)
            .file(39, PidFile::Oldbin, Content::Absent)
    }

    fn why(run: &Run) -> String {
        let claimed = run.trace.events.iter().rposition(|event| matches!(event.what, What::Claimed { .. }));
        match judge(NAME, run) {
            Finding::Violated { event, why, .. } if Some(event) == claimed => why,
            other @ (Finding::Held | Finding::Violated { .. } | Finding::Unchecked { .. }) => {
                panic!("not violated at the claim: {other:?}")
            }
        }
    }

    #[test]
    fn true_claims_hold() {
        assert_eq!(judge(NAME, &upgraded().claims(40, Claim::Upgraded)), Finding::Held);
        assert_eq!(judge(NAME, &held().claims(40, Claim::Held)), Finding::Held);
        assert_eq!(judge(NAME, &rolled_back().claims(40, Claim::RolledBack)), Finding::Held);
        assert_eq!(judge(NAME, &Run::new().rest(5).claims(40, Claim::Refused)), Finding::Held);
        assert_eq!(judge(NAME, &held().claims(40, Claim::Failed)), Finding::Held);
    }

    #[test]
    fn another_claim_than_the_expected_one_violates_it() {
        let run = upgraded().claims_but_should(40, Claim::Upgraded, Claim::RolledBack);
        assert_eq!(why(&run), "act 1 claims upgraded, and should claim rolled-back: said");
    }

    #[test]
    fn upgraded_is_untrue_while_the_new_release_does_not_serve_alone() {
        assert_eq!(
            why(&Run::new().binary(10, "1.26.3").claims(40, Claim::Upgraded)),
            "claims upgraded, but no master of 1.26.3 runs"
        );
        assert_eq!(
            why(&held().drains(38, 21).drains(38, 22).claims(40, Claim::Upgraded)),
            "claims upgraded, but master 20 of 1.26.3 has no worker that takes connections"
        );
        assert_eq!(
            why(&upgraded().binary(39, "1.22.1").claims(40, Claim::Upgraded)),
            "claims upgraded, but the binary's file is 1.22.1 and not 1.26.3"
        );
        assert_eq!(
            why(&held().claims(40, Claim::Upgraded)),
            "claims upgraded, but master 10 of the other release is still there"
        );
    }

    #[test]
    fn what_is_on_its_way_out_may_still_be_there() {
        let leaving = Run::new().binary(10, "1.26.3").new_generation(20).signal(30, 10, "QUIT");
        let drains = leaving.clone().drains(31, 11).drains(31, 12).claims(40, Claim::Upgraded);
        assert_eq!(judge(NAME, &drains), Finding::Held);
        let drains = leaving.clone().drains(31, 11).drains(31, 12).claims(40, Claim::Draining);
        assert_eq!(judge(NAME, &drains), Finding::Held);
        let idle = held().claims(40, Claim::Draining);
        assert_eq!(why(&idle), "claims draining, but master 10 of the other release is still there");
        let one_stays = leaving.drains(31, 11).claims(40, Claim::Upgraded);
        assert_eq!(why(&one_stays), "claims upgraded, but worker 12 of the other release is still there");
    }

    #[test]
    fn a_claim_may_run_ahead_of_what_is_seen_but_not_far() {
        let ahead = |ms| held().claims(40, Claim::Upgraded).died(ms, 10, None);
        assert_eq!(judge(NAME, &ahead(40 + SIGHT_MS)), Finding::Held);
        assert!(judge(NAME, &ahead(41 + SIGHT_MS)).is_violated());
    }

    #[test]
    fn held_is_untrue_without_a_reserve_or_while_the_old_workers_serve() {
        assert_eq!(why(&upgraded().claims(40, Claim::Held)), "claims held, but no old master is in reserve");
        let busy = Run::new().binary(10, "1.26.3").new_generation(20).claims(40, Claim::Held);
        assert_eq!(why(&busy), "claims held, but worker 11 of the old master still takes connections");
    }

    #[test]
    fn rolled_back_is_untrue_with_the_new_file_or_an_oldbin_file_or_new_processes() {
        let wrong_file = rolled_back().binary(39, "1.26.3").claims(40, Claim::RolledBack);
        assert_eq!(why(&wrong_file), "claims rolled-back, but the binary's file is 1.26.3 and not 1.22.1");
        let oldbin = rolled_back().file(39, PidFile::Oldbin, Content::Pid(10)).claims(40, Claim::RolledBack);
        assert_eq!(why(&oldbin), "claims rolled-back, but the oldbin file is still there");
        let orphan = rolled_back().worker(39, 23, 20).claims(40, Claim::RolledBack);
        assert_eq!(why(&orphan), "claims rolled-back, but worker 23 of the other release is still there");
    }

    #[test]
    fn refused_is_untrue_once_anything_was_touched_since_the_act_began() {
        let touched = [
            Run::new().rest(5).signal(20, 10, "USR2"),
            Run::new().rest(5).binary(20, "1.26.3"),
            Run::new().rest(5).file(20, PidFile::Current, Content::Empty),
            Run::new().rest(5).worker(20, 13, 10),
        ];
        for run in touched {
            let event = run.last();
            let finding = judge(NAME, &run.claims(40, Claim::Refused));
            assert!(matches!(finding, Finding::Violated { event: e, .. } if e == event), "{finding:?}");
        }
        let second = upgraded().claims(40, Claim::Upgraded).rest(50).claims(60, Claim::Refused);
        assert_eq!(judge(NAME, &second), Finding::Held);
    }

    #[test]
    fn it_is_unchecked_without_a_claim_a_look_at_the_binary_or_sight_of_signals() {
        assert!(matches!(judge(NAME, &Run::new()), Finding::Unchecked { .. }));
        let blind = Run::new().rest(5).claims(40, Claim::Refused).blind_to(Evidence::Signals);
        assert!(matches!(judge(NAME, &blind), Finding::Unchecked { .. }));
        let mut unseen = upgraded().claims(40, Claim::Upgraded);
        unseen.trace.events.retain(|event| !matches!(event.what, What::Binary { .. }));
        assert!(matches!(judge(NAME, &unseen), Finding::Unchecked { .. }));
    }

    /// Red when anything else excuses a subject that gives up, or when nothing does.
    #[test]
    fn who_gives_up_is_excused_by_two_faults_or_by_the_last_masters_end() {
        let gives_up = |run: Run, said: &str| {
            let run = run.claims_but_should(60, Claim::Stuck, Claim::Upgraded);
            let mut trace = run.trace;
            if let Some(What::Claimed { said: words, .. }) =
                trace.events.last_mut().map(|event| &mut event.what)
            {
                said.clone_into(words);
            }
            !judge(NAME, &Run { trace }).is_violated()
        };
        let disk = |run: Run| run.moment(41, "struck.full-disk");
        let undone = StuckState::WayBackUndone.says();
        assert!(!gives_up(held(), ""));
        assert!(!gives_up(disk(held()), ""), "one fault is no excuse");
        assert!(gives_up(disk(disk(held())), ""));
        assert!(gives_up(disk(held()), undone), "a way back has none of its own");
        assert!(!gives_up(held(), undone), "nothing struck");
        assert!(!gives_up(held().struck(50, 20, "KILL", "kill-new-master").died(51, 20, None), ""));
        let last = held().died(35, 10, None).struck(50, 20, "KILL", "kill-new-master");
        assert!(gives_up(last, ""), "it is told to go, and was the last");
        assert!(!gives_up(upgraded().signal(50, 20, "QUIT"), ""), "the run has felled nobody");
        let failed = disk(disk(held())).claims_but_should(60, Claim::Failed, Claim::Upgraded);
        assert!(judge(NAME, &failed).is_violated(), "it was not stuck");
    }

    #[test]
    fn what_struck_behind_the_last_look_is_none_of_the_subjects_business() {
        let begun = || Run::new().rest(5).moment(20, "subject.last-look");
        let killed =
            upgraded().struck(39, 21, "KILL", "kill-new-worker").struck(39, 22, "KILL", "kill-new-worker");
        let nobody = killed.died(40, 21, None).died(40, 22, None).claims(41, Claim::Upgraded);
        assert_eq!(judge(NAME, &nobody), Finding::Held);
        let touched = begun().struck(30, 11, "KILL", "kill-old-worker").claims(40, Claim::Refused).rest(50);
        assert_eq!(judge(NAME, &touched), Finding::Held);
        let disk = begun().moment(30, "struck.full-disk").binary(31, "1.26.3").claims(40, Claim::Refused);
        assert_eq!(judge(NAME, &disk), Finding::Held, "who did that is not to be told");
        let before =
            Run::new().moment(1, "struck.full-disk").rest(5).binary(31, "1.26.3").claims(40, Claim::Refused);
        assert!(judge(NAME, &before).is_violated());
    }

    #[test]
    fn what_moves_between_two_acts_is_nobodys_doing() {
        let first = upgraded().rest(39).claims(40, Claim::Upgraded);
        let second = first.binary(45, "1.26.3").rest(50).claims(60, Claim::Refused);
        assert_eq!(judge(NAME, &second), Finding::Held);
    }

    #[test]
    fn the_masters_own_signals_touch_nothing() {
        let chld = Run::new().rest(5).signal(20, 10, "CHLD").claims(40, Claim::Refused);
        assert_eq!(judge(NAME, &chld), Finding::Held);
    }

    /// Red when the age of a process is not asked for where its release tells nothing.
    #[test]
    fn generations_are_told_apart_where_versions_are_not() {
        let same: fn(Run) -> Run = Run::of_one_release;
        let unseen: fn(Run) -> Run = |run| run.with_versions(None);
        for change in [same, unseen] {
            assert_eq!(judge(NAME, &change(upgraded().claims(40, Claim::Upgraded))), Finding::Held);
            assert_eq!(judge(NAME, &change(rolled_back().claims(40, Claim::RolledBack))), Finding::Held);
            let reserve = why(&change(held().claims(40, Claim::Upgraded)));
            assert!(reserve.contains("master 10 of the other release is still there"), "{reserve}");
            let stays = why(&change(rolled_back().worker(39, 23, 20).claims(40, Claim::RolledBack)));
            assert!(stays.contains("worker 23 of the other release is still there"), "{stays}");
            let nobody = why(&change(held().drains(38, 21).drains(38, 22).claims(40, Claim::Upgraded)));
            assert!(nobody.contains("master 20 of 1.26.3 has no worker"), "{nobody}");
        }
        let two = held().binary(32, "1.22.1").claims(40, Claim::RolledBack);
        assert!(why(&same(two)).contains("master 10 of 1.26.3 has no worker"), "the older one is meant");
    }

    /// The second upgrade is taken back to what the first one brought.
    #[test]
    fn a_way_back_leads_to_what_served_when_the_upgrade_began() {
        let chained = |saved: &str| {
            let first = upgraded().claims(40, Claim::Upgraded).rest(50);
            let second = first.step(60, 2, "oldbin upgrade --new nginx").moment(61, saved);
            second.claims(70, Claim::RolledBack)
        };
        assert_eq!(judge(NAME, &chained("subject.save")), Finding::Held);
        assert_eq!(why(&chained("subject.look")), "claims rolled-back, but no master of 1.22.1 runs");
        let by_hand = upgraded().step(60, 2, "kill -USR2").moment(61, "subject.save");
        assert!(judge(NAME, &by_hand.claims(70, Claim::RolledBack)).is_violated(), "that began no upgrade");
        let first = Run::new().step(6, 1, "oldbin upgrade --new nginx").moment(7, "subject.save");
        assert_eq!(judge(NAME, &first.claims(70, Claim::RolledBack)), Finding::Held);
    }

    /// Red when the workers of a master that the run felled are called the subject's, or those of any other are not.
    #[test]
    fn workers_of_a_master_that_was_felled_before_the_upgrade_are_none_of_its_business() {
        let felled = |at_ms, fault: &str| {
            let run = Run::new().master(1, 30, 1, 3, "1.22.1").push(
                1,
                What::Born {
                    pid: 31,
                    parent: 30,
                    role: Role::Worker,
                    generation: 3,
                    version: Some("1.22.1".into()),
                },
            );
            let run = run.signal(at_ms, 30, "KILL").moment(at_ms, fault).died(at_ms, 30, None);
            let run = run.step(10, 1, "oldbin upgrade").moment(11, "subject.save").binary(12, "1.26.3");
            let run = run.new_generation(20).died(31, 11, None).died(31, 12, None).died(32, 10, None);
            run.moment(35, "subject.last-look").claims(40, Claim::Upgraded)
        };
        assert_eq!(judge(NAME, &felled(2, "struck.kill-old-master")), Finding::Held);
        assert!(judge(NAME, &felled(2, "something-else")).is_violated());
        assert!(judge(NAME, &felled(15, "struck.kill-old-master")).is_violated(), "it could see them");
    }

    #[test]
    fn another_masters_end_excuses_no_worker_of_the_old_one() {
        let run = Run::new().master(1, 30, 1, 3, "1.22.1").struck(2, 30, "KILL", "kill-old-master");
        let run = run.died(2, 30, None).step(10, 1, "oldbin upgrade").moment(11, "subject.save");
        let run = run.binary(12, "1.26.3").new_generation(20).died(31, 11, None).died(32, 10, None);
        let left = run.moment(35, "subject.last-look").claims(40, Claim::Upgraded);
        assert_eq!(why(&left), "claims upgraded, but worker 12 of the other release is still there");
    }

    /// nginx gives the file its name back when it has reaped the other master.
    #[test]
    fn an_oldbin_file_is_there_as_long_as_a_master_is_on_its_way_out() {
        let retired = held().binary(32, "1.22.1").worker(33, 13, 10).drains(35, 21).drains(35, 22);
        let leaving = retired.signal(36, 20, "QUIT").died(37, 21, None);
        assert_eq!(judge(NAME, &leaving.clone().claims(40, Claim::RolledBack)), Finding::Held);
        let gone = leaving.died(38, 20, None).claims(40, Claim::RolledBack);
        assert_eq!(why(&gone), "claims rolled-back, but the oldbin file is still there");
    }

    #[test]
    fn an_oldbin_file_may_be_left_only_by_another_master_that_was_felled() {
        let left = |pid, fault: &str| {
            let run = Run::new().moment(1, fault).signal(2, 20, "KILL").moment(2, "struck.kill-new-master");
            let run = if fault.is_empty() { Run::new() } else { run };
            let run = run.file(6, PidFile::Oldbin, Content::Pid(pid)).rest(7).moment(8, "subject.last-look");
            judge(NAME, &run.claims(40, Claim::RolledBack)).is_violated()
        };
        assert!(!left(99, "felled"));
        assert!(left(10, "felled"), "it is the one that serves");
        assert!(left(99, ""), "nobody was felled");
    }

    #[test]
    fn where_signals_are_not_seen_a_master_that_ends_was_told_to_go() {
        let ends = held().claims(40, Claim::Upgraded).died(900, 10, None).blind_to(Evidence::Signals);
        assert_eq!(judge(NAME, &ends), Finding::Held);
        let stays = held().claims(40, Claim::Upgraded).died(900, 20, None).blind_to(Evidence::Signals);
        assert!(judge(NAME, &stays).is_violated());
    }
}
