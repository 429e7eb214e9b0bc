//! Asking the new generation: its probes, the operator's checks, its listening sockets and its log.

use std::collections::BTreeSet;

use crate::host::linux::is_good;
use crate::host::{Host, HostError, HostExt};
use crate::machine::{Answers, Defect, Depth, Intent, Memory, Observation, Plan, SLOWER_MS_MIN};

/// Asks everything that this depth holds; of probes, checks and sockets the first that fails is the answer.
///
/// # Errors
/// Whatever the host fails with.
pub(crate) fn ask(
    host: &mut impl Host,
    intent: &Intent,
    memory: &Memory,
    seen: &Observation,
    depth: Depth,
) -> Result<Answers, HostError> {
    let Intent { plan, defects, .. } = intent;
    let mut failed = probe(host, plan)?;
    if failed.is_none() {
        failed = check(host, plan)?;
    }
    if failed.is_none() && depth == Depth::Thorough {
        failed = knock(host, plan, seen)?;
    }
    if plan.baseline.log.is_none() && plan.baseline.dropped.is_none() || defects.has(Defect::IgnoresTheLog) {
        return Ok(Answers { failed, troubles: Vec::new() });
    }
    let processes = seen.new.iter().flat_map(|new| std::iter::once(&new.master).chain(&new.children));
    let identities = processes.map(|process| &process.identity).chain(&memory.new_workers);
    let pids: BTreeSet<u32> = identities.map(|identity| identity.pid).collect();
    Ok(Answers { failed, troubles: host.troubles(pids.into_iter().collect())? })
}

/// Sockets that the new configuration drops, and may, are left out: the old master still holds them.
fn knock(host: &mut impl Host, plan: &Plan, seen: &Observation) -> Result<Option<String>, HostError> {
    let Some(new) = &seen.new else { return Ok(None) };
    let is_served = |inode: &&u64| new.unserved.as_ref().is_none_or(|unserved| !unserved.contains(inode));
    let listeners: Vec<u64> = plan.baseline.knocked.iter().filter(is_served).copied().collect();
    if listeners.is_empty() {
        return Ok(None);
    }
    let workers = new.workers().map(|worker| worker.identity.clone()).collect();
    let untaken = host.knock(&listeners, workers)?;
    Ok(untaken.first().map(|address| format!("no worker takes a connection from {address}")))
}

fn probe(host: &mut impl Host, plan: &Plan) -> Result<Option<String>, HostError> {
    let slower_max = u64::from(plan.options.slower_max);
    for (index, url) in plan.options.probes.iter().enumerate() {
        let (status, took_us) = match host.probe(url)? {
            Ok(answer) => answer,
            Err(error) => return Ok(Some(format!("{url}: {error}"))),
        };
        if !is_good(status) {
            return Ok(Some(format!("{url} answers {status}")));
        }
        let before_us = plan.baseline.probes_us.get(index).copied().filter(|_| slower_max > 0);
        let is_slow = |before_us: u64| {
            took_us > before_us.saturating_mul(slower_max) && took_us > before_us + SLOWER_MS_MIN * 1_000
        };
        if let Some(before_us) = before_us.filter(|&before_us| is_slow(before_us)) {
            let ms = |us: u64| us / 1_000;
            return Ok(Some(format!("{url} takes {} ms, it took {} ms", ms(took_us), ms(before_us))));
        }
    }
    Ok(None)
}

fn check(host: &mut impl Host, plan: &Plan) -> Result<Option<String>, HostError> {
    for command in &plan.options.checks {
        if let Err(how) = host.check(command)? {
            return Ok(Some(format!("`{command}` {how}")));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::host::{Call, Reply};
    use crate::machine::{Baseline, Defects, Drops, FileId, Goal, Identity, Options, PidFile};

    /// Answers probes with this status, after so many microseconds.
    struct Page(u16, u64);

    impl Host for Page {
        fn call(&mut self, _: Call) -> Result<Reply, HostError> {
            Ok(Reply::Probe(Ok((self.0, self.1))))
        }
    }

    /// A probe that took 20 ms, and may take ten times as long.
    fn plan() -> Plan {
        let file = FileId { device: 1, inode: 1 };
        Plan {
            pid_file: PathBuf::new(),
            binary: PathBuf::new(),
            old_link: PathBuf::new(),
            new_link: PathBuf::new(),
            binary_before: file,
            old_file: file,
            new_file: file,
            old: Identity { pid: 1, started: 1, exe: None },
            old_workers: 1,
            new_workers: 1,
            listeners: Vec::new(),
            oldbin_before: PidFile::Absent,
            baseline: Baseline { probes_us: vec![20_000], ..Baseline::default() },
            old_version: String::new(),
            new_version: String::new(),
            options: Options { probes: vec!["http://a/".to_owned()], slower_max: 10, ..Options::NONE },
        }
    }

    /// Red when the baseline is not looked at, or when a short answer on a busy machine counts as slow.
    #[test]
    fn a_probe_fails_by_its_status_or_by_its_time() {
        let mut plan = plan();
        assert_eq!(probe(&mut Page(200, 200_000), &plan), Ok(None));
        let slow = "http://a/ takes 201 ms, it took 20 ms".to_owned();
        assert_eq!(probe(&mut Page(301, 201_000), &plan), Ok(Some(slow)));
        assert_eq!(probe(&mut Page(404, 1), &plan), Ok(Some("http://a/ answers 404".to_owned())));
        plan.baseline.probes_us = vec![200];
        assert_eq!(probe(&mut Page(200, 100_000), &plan), Ok(None), "two busy cores");
        plan.options.slower_max = 0;
        assert_eq!(probe(&mut Page(200, u64::MAX), &plan), Ok(None));
    }

    /// A log with one bad line, and nothing else to ask.
    struct BadLog;

    impl Host for BadLog {
        fn call(&mut self, _: Call) -> Result<Reply, HostError> {
            Ok(Reply::Troubles(vec!["[alert] 2#2: bad luck".to_owned()]))
        }
    }

    /// Red when the log is not read, and it is not with the deliberate defect of that name.
    #[test]
    fn the_log_is_read_unless_that_is_deliberately_forgotten() {
        let baseline = Baseline { dropped: Some(Drops::default()), ..Baseline::default() };
        let plan = Plan { baseline, options: Options::NONE, ..plan() };
        let seen = Observation {
            is_interrupted: false,
            pid_file: PidFile::Absent,
            oldbin: PidFile::Absent,
            binary: None,
            old: None,
            new: None,
            orphans: Vec::new(),
            answers: None,
        };
        for (defects, count) in [(Defects::default(), 1), ([Defect::IgnoresTheLog].into_iter().collect(), 0)]
        {
            let intent = Intent { goal: Goal::Forward, plan: plan.clone(), defects };
            let told = ask(&mut BadLog, &intent, &Memory::new(), &seen, Depth::Brief);
            assert_eq!(told.map(|answers| answers.troubles.len()), Ok(count));
        }
    }
}
