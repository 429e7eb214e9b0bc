//! What the running binary does, to compare the new one with: whoever fails already would tell nothing of it.

use super::workers;
use crate::compiled::Compiled;
use crate::discover::{Running, error_log};
use crate::host::linux::{Target, check, dropped, is_good, mark, taken};
use crate::machine::{Baseline, Options};
use crate::refusal::Refusal;

/// How often each probe is asked; the one in the middle counts.
const PROBES: usize = 3;

/// Asks the running nginx everything that the new one will be asked.
pub(super) fn baseline<'a>(
    running: &Running,
    (dump, compiled): (&str, impl Fn() -> Option<&'a Compiled>),
    listeners: &[u64],
    options: &Options,
    may_knock: bool,
) -> Result<Baseline, Refusal> {
    let probes_us = options.probes.iter().map(|url| probe(url)).collect::<Result<_, _>>()?;
    for command in &options.checks {
        check(command).map_err(|why| Refusal::BadCheck { command: command.clone(), why })?;
    }
    let master = running.master.identity.pid;
    Ok(Baseline {
        probes_us,
        knocked: if may_knock { taken(master, listeners, &workers(master)) } else { Vec::new() },
        log: error_log(running, dump, compiled).and_then(|path| mark(&path)),
        dropped: dropped(listeners),
    })
}

/// The probe must pass now, or it could not tell the new binary's failure from its own. Gives how many microseconds it
/// took.
fn probe(url: &str) -> Result<u64, Refusal> {
    let bad = |why: String| Refusal::BadProbe { url: url.to_owned(), why };
    let target = Target::parse(url).map_err(bad)?;
    let ask = |_| match target.get() {
        Ok((status, took_us)) if is_good(status) => Ok(took_us),
        Ok((status, _)) => Err(bad(format!("the running nginx answers {status}"))),
        Err(error) => Err(bad(format!("the running nginx does not answer: {error}"))),
    };
    let mut took_us: Vec<u64> = (0..PROBES).map(ask).collect::<Result<_, _>>()?;
    took_us.sort_unstable();
    Ok(took_us[PROBES / 2])
}
