//! What can be said on the command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::machine::Options;

/// Change the binary of a running nginx without dropping a connection
#[derive(Debug, Parser)]
#[command(name = "oldbin", version, subcommand_required = true, arg_required_else_help = true)]
#[command(after_help = "Every command but `status` leaves nginx as it was, or says exactly what it left.")]
pub(super) struct Arguments {
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    Upgrade(Upgrade),
    Rollback(Rollback),
    /// Let the old master of a held upgrade go
    Commit(Resume),
    Recover(Recover),
    /// Tell which generations run, who accepts on which socket, and where an upgrade stands
    Status(Resume),
    Completions(Completions),
}

/// Replace a running nginx binary without dropping a connection
///
/// Starts the new binary beside the old one, waits until it serves, drains the old
/// workers, and only then lets the old master go. Until that commit point, any
/// failure, and Ctrl-C, brings the old workers back.
#[derive(Debug, Args)]
#[command(after_help = UPGRADE_AFTER)]
pub(super) struct Upgrade {
    /// Binary to change to
    #[arg(long, value_name = "PATH")]
    pub(super) new: PathBuf,
    /// Path that nginx executes, and that the new binary takes [default: found from the master]
    #[arg(long, value_name = "PATH")]
    pub(super) binary: Option<PathBuf>,
    #[command(flatten)]
    pub(super) pace: Pace,
    /// Wait this long for the old master of an earlier upgrade that still drains [default: refuse at once]
    #[arg(long, value_name = "SECONDS", default_value = "0", hide_default_value = true, value_parser = milliseconds)]
    pub(super) wait_for_old: u64,
    /// Stop after the soak, with the old master in reserve: `oldbin commit` or `oldbin rollback` decides
    #[arg(long)]
    pub(super) hold: bool,
    /// Print the plan and send no signal
    #[arg(long)]
    pub(super) dry_run: bool,
    #[command(flatten)]
    pub(super) common: Common,
}

/// Go back to the binary that served before
///
/// Before the commit point (a held upgrade, or one whose oldbin was killed) the old
/// workers come back first, and only then the new master goes. After a finished
/// upgrade the kept old binary is upgraded to, in the same careful way.
#[derive(Debug, Args)]
#[command(after_help = ROLLBACK_AFTER)]
pub(super) struct Rollback {
    #[command(flatten)]
    pub(super) pace: Pace,
    #[command(flatten)]
    pub(super) common: Common,
}

/// Finish or undo an upgrade whose oldbin was killed, or that a script left half-done
///
/// Without a journal it goes by what runs, whoever began it.
#[derive(Debug, Args)]
pub(super) struct Recover {
    #[command(flatten)]
    pub(super) drain: Drain,
    #[command(flatten)]
    pub(super) common: Common,
}

#[derive(Debug, Args)]
pub(super) struct Resume {
    #[command(flatten)]
    pub(super) common: Common,
}

#[derive(Debug, Args)]
pub(super) struct Pace {
    /// Serve from the new binary this long before committing (30, 0.5, 200ms, 5m)
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = milliseconds)]
    pub(super) soak: u64,
    /// Request that must succeed at every step, http:// only (can be repeated)
    #[arg(long, value_name = "URL")]
    pub(super) probe: Vec<String>,
    /// Shell command that must succeed at every step, within 10 s (can be repeated)
    #[arg(long, value_name = "COMMAND")]
    pub(super) check: Vec<String>,
    /// A probe that takes this many times as long as with the old binary fails; 0: it may take as long as it likes
    #[arg(long, value_name = "TIMES", default_value = "10")]
    pub(super) slower: u32,
    /// Failures of the new binary to forgive: a probe or check that fails twice running, a worker that ends, a line at
    /// alert or emerg in the error log, a connection that a full queue dropped
    #[arg(long, value_name = "COUNT", default_value = "0")]
    pub(super) error_budget: u32,
    /// Do not open a connection to each listening socket to see who takes it
    #[arg(long)]
    pub(super) no_knock: bool,
    /// Roll back if the new binary does not accept within this time
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = milliseconds)]
    pub(super) ready_within: u64,
    #[command(flatten)]
    pub(super) drain: Drain,
    /// Watch the new binary this long behind the commit point [default: a tenth of the soak]
    #[arg(long, value_name = "SECONDS", value_parser = milliseconds)]
    pub(super) watch: Option<u64>,
    /// Go on although the new configuration accepts on fewer sockets: clients of the others hang until the commit
    #[arg(long)]
    pub(super) drop_listeners: bool,
}

impl Pace {
    pub(super) fn options(&self, is_held: bool) -> Options {
        let usual = self.drain.limits(Options::usual(self.soak));
        Options {
            is_held,
            ready_within_ms: self.ready_within,
            watch_ms: self.watch.unwrap_or(usual.watch_ms),
            probes: self.probe.clone(),
            checks: self.check.clone(),
            slower_max: self.slower,
            forgiven: self.error_budget,
            may_drop_listeners: self.drop_listeners,
            is_way_back: false,
            ..usual
        }
    }
}

/// What a command line asks for, as far as the machine is concerned.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Asked {
    /// `oldbin upgrade`
    Upgrade(Options),
    /// `oldbin rollback`
    Rollback(Options),
    /// `oldbin commit`
    Commit,
    /// `oldbin recover`
    Recover,
    /// A command that changes nothing.
    Look,
}

impl From<&Arguments> for Asked {
    fn from(arguments: &Arguments) -> Self {
        match &arguments.command {
            Command::Upgrade(Upgrade { dry_run: true, .. })
            | Command::Status(_)
            | Command::Completions(_) => Self::Look,
            Command::Upgrade(asked) => Self::Upgrade(asked.pace.options(asked.hold)),
            Command::Rollback(asked) => Self::Rollback(asked.pace.options(false)),
            Command::Commit(_) => Self::Commit,
            Command::Recover(_) => Self::Recover,
        }
    }
}

/// What becomes of connections that hold old workers.
#[derive(Debug, Args)]
pub(super) struct Drain {
    /// Wait no longer than this for requests that old workers still serve [default: as long as they need]
    #[arg(long, value_name = "SECONDS", value_parser = milliseconds)]
    pub(super) drain_within: Option<u64>,
    /// Behind that time: cut them, or leave them to the old master, which ends with the last one
    #[arg(long, value_name = "WHAT", default_value = "cut", requires = "drain_within")]
    drain_then: Then,
}

impl Drain {
    /// These choices, with the limit that was said.
    pub(super) fn limits(&self, options: Options) -> Options {
        let leaves_drain = self.drain_then == Then::Leave;
        Options { drain_within_ms: self.drain_within, leaves_drain, ..options }
    }
}

/// What becomes of old workers behind the limit of the drain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Then {
    Cut,
    Leave,
}

#[derive(Debug, Args)]
pub(super) struct Common {
    /// Pid file of the running master [default: found from the master]
    #[arg(long, value_name = "PATH")]
    pub(super) pid_file: Option<PathBuf>,
    /// Folder of the journal
    #[arg(long, value_name = "PATH", default_value = "/var/lib/oldbin")]
    pub(super) state_dir: PathBuf,
    /// Print the result as one JSON object
    #[arg(long)]
    pub(super) json: bool,
    /// Write what was done and seen, as JSON Lines
    #[arg(long, value_name = "PATH")]
    pub(super) trace: Option<PathBuf>,
}

/// Print a completion script
#[derive(Debug, Args)]
pub(super) struct Completions {
    /// The shell
    pub(super) shell: clap_complete::Shell,
}

const UPGRADE_AFTER: &str = "\
Exit codes:
   0  upgraded: the new binary serves alone (with --hold: the old master is in reserve;
      with --drain-then leave: it may still end its last connections)
   2  wrong usage
   3  refused: nothing was touched
   4  rolled back: the old binary serves as before
   5  stuck: neither is certain; see the message, a person must look
  70  a bug in this program

Example:
  oldbin upgrade --new /opt/nginx-1.30.6/nginx --probe http://127.0.0.1/healthz";

const ROLLBACK_AFTER: &str = "\
Exit codes:
   0  rolled back: the old binary serves alone and is the file at its path
   2  wrong usage
   3  refused: nothing was touched
   5  stuck: a person must look; the message says what serves
  70  a bug in this program

Example:
  oldbin rollback --soak 5";

/// `30`, `0.5`, `200ms`, `30s`, `5m`.
fn milliseconds(text: &str) -> Result<u64, String> {
    let units = [("ms", 1.0), ("s", 1_000.0), ("m", 60_000.0)];
    let (number, factor) = units
        .iter()
        .find_map(|(unit, factor)| text.strip_suffix(unit).map(|number| (number, *factor)))
        .unwrap_or((text, 1_000.0));
    let value: f64 = number.trim().parse().map_err(|_| "not a number of seconds, like 30, 0.5 or 200ms")?;
    let product = value * factor;
    if !(0.0..=86_400_000.0).contains(&product) {
        return Err("must be between 0 and one day".to_owned());
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and a day")]
    Ok(product.round() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::{READY_MS, SLOWER_MAX, SOAK_MS};

    #[test]
    fn durations_are_seconds_unless_they_say_otherwise() {
        assert_eq!(milliseconds("30"), Ok(30_000));
        assert_eq!(milliseconds("0.25"), Ok(250));
        assert_eq!(milliseconds("200ms"), Ok(200));
        assert_eq!(milliseconds("5m"), Ok(300_000));
        assert!(milliseconds("-1").is_err());
        assert!(milliseconds("soon").is_err());
        assert!(milliseconds("nan").is_err());
    }

    #[test]
    fn the_help_s_defaults_are_the_machine_s() {
        let arguments = Arguments::try_parse_from(["oldbin", "upgrade", "--new", "/n"]).unwrap();
        assert_eq!(Asked::from(&arguments), Asked::Upgrade(Options::usual(SOAK_MS)));
        assert_eq!((SOAK_MS, READY_MS, SLOWER_MAX), (30_000, 60_000, 10));
    }
}
