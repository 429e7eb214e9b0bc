//! Schedules: whole upgrades in which the simulated kernel says who takes the next turn, and Linux is made to follow.
//!
//! A schedule is a list of [`Turn`]s: a process of nginx goes on from one of its named moments to the next, or
//! somebody sends a signal, connects, asks, hangs up. It is drawn in the model, and played at once on Linux by fakes
//! whose stamp names a control socket: everybody is held at their moments, and only the one whose turn it is is
//! answered. After each turn what can be seen of both is compared ([`Sight`]).
//!
//! | file | what it knows |
//! |---|---|
//! | `turn` | a turn, and its name |
//! | `sight` | what is compared, and how a difference is told |
//! | `draw` | which turn comes next |
//! | `simulated` | the simulated kernel with the fake's machines on it |
//! | `linux`, `look` | fakes, held at their moments; what is seen of them |
//! | `still` | timers that never strike by themselves |
//! | `shrink` | a schedule that goes two ways, made small |
//!
//! # What is not compared
//! *Late wakers.* Whoever waits in sigsuspend or epoll_wait on Linux wakes at once, so it does in the model: what two
//! events do before somebody has woken is in the scripts of single calls.
//! *What Linux decides and the model leaves open.* Which of several things epoll tells first, and which of several dead
//! children of different generations is waited for first: a schedule that comes to such a place ends there.
//! *Which of several workers Linux wakes.* With more than one worker per generation nginx asks for EPOLLEXCLUSIVE, which
//! the model does not know, so there clients connect only while nobody watches the socket.

mod draw;
mod linux;
mod look;
mod shrink;
mod sight;
mod simulated;
mod still;
mod turn;

use std::collections::BTreeSet;
use std::path::Path;

use fake_nginx::machine::Moment;
use scenarios::model::choice::{Act, Name};
use scenarios::model::kernel::Defect;
use strum::VariantArray as _;

use draw::Draw;
use linux::Linux;
use simulated::Simulated;
use turn::Turn;

/// Turns after which a schedule is broken off: it has seen enough.
const TURNS_MAX: usize = 300;

/// How many schedules are played.
const SCHEDULES: &str = "OLDBIN_SCHEDULES";
/// As many as take a few seconds.
const SCHEDULES_DEFAULT: u64 = 30;
/// Below this number nobody asks whether every step was taken.
const SCHEDULES_MIN: u32 = 100;
/// The seed of the only schedule that is played.
const SEED: &str = "OLDBIN_SCHEDULE";

/// The names of the trials that play schedules; each plays a part of them. Red when the simulated kernel does anything
/// else than Linux under nginx's own moments, or the fake anything else than its machines say.
const NAMES: [&str; 2] = [
    "random_schedules_go_the_same_way_on_linux_and_in_the_model_1",
    "random_schedules_go_the_same_way_on_linux_and_in_the_model_2",
];
/// Of the trials in which the simulated kernel has a deliberate defect; its word follows. Red when nobody notices it.
const FINDS: &str = "random_schedules_find_that_the_simulated_kernel_";
/// How many schedules are played to find one.
const SCHEDULES_TO_FIND: u64 = 300;

/// Every trial, and whether it is too slow for every day.
pub(crate) fn names() -> impl Iterator<Item = (String, bool)> {
    let finds = Defect::VARIANTS.iter().map(|&defect| (format!("{FINDS}{}", <&str>::from(defect)), true));
    NAMES.into_iter().map(|name| (name.to_owned(), false)).chain(finds)
}

/// Plays the trial of that name.
pub(crate) fn trial(name: &str, folder: &Path) -> Result<(), String> {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let defect = match name.strip_prefix(FINDS) {
        Some(word) => Some(word.parse::<Defect>().map_err(|_| format!("{word} is no defect"))?),
        None => None,
    };
    let part = NAMES.iter().position(|known| *known == name);
    let seeds: Vec<u64> = match (number(SEED), part) {
        (Some(seed), _) => vec![seed],
        (None, None) => (1..=SCHEDULES_TO_FIND).collect(),
        (None, Some(part)) => {
            let all = 1..=number(SCHEDULES).unwrap_or(SCHEDULES_DEFAULT);
            all.skip(part).step_by(NAMES.len()).collect()
        }
    };
    let mut tally = Tally::default();
    let found = play(&seeds, defect, folder, &mut tally)?;
    let found = found.map(|told| {
        format!(
            "{told}replay: {SEED}={} cargo test -p scenarios --test kernel {name} -- --include-ignored",
            tally.last
        )
    });
    if defect.is_some() {
        return found.map(|told| eprintln!("{told}")).ok_or_else(|| format!("nobody noticed: {tally:?}"));
    }
    let Tally { schedules, turns, broken_off, .. } = tally;
    eprintln!("{schedules} schedules, {turns} turns; {broken_off} schedules ended where Linux decides");
    let missed = if schedules < SCHEDULES_MIN { Vec::new() } else { tally.missed() };
    match found {
        Some(told) => Err(told),
        None if missed.is_empty() => Ok(()),
        None => Err(format!("nobody came to {missed:?}")),
    }
}

/// A schedule that went two ways.
#[derive(Debug)]
struct Difference {
    /// All turns, the last of which went two ways.
    turns: Vec<Turn>,
    /// What was seen then, line by line.
    told: String,
}

/// What was played.
#[derive(Debug, Default)]
struct Tally {
    /// The seed of the last one.
    last: u64,
    schedules: u32,
    turns: usize,
    broken_off: u32,
    steps: BTreeSet<Moment>,
}

impl Tally {
    fn count(&mut self, turns: &[Turn]) {
        self.schedules += 1;
        self.turns += turns.len();
        let moment = |turn: &Turn| {
            if let Turn::Step(Name { act: Act::Nginx(moment), .. }) = *turn { Some(moment) } else { None }
        };
        self.steps.extend(turns.iter().filter_map(moment));
    }

    /// Steps that no number of schedules may leave out.
    fn missed(&self) -> Vec<&'static str> {
        let wanted = [Moment::RenameToOldbin, Moment::RenameBack, Moment::Exec, Moment::EndPause];
        let wanted =
            wanted.into_iter().chain([Moment::Accept, Moment::Send, Moment::Close, Moment::CloseChannel]);
        wanted.filter(|moment| !self.steps.contains(moment)).map(Moment::word).collect()
    }
}

/// Plays the schedules of these seeds; the first that goes two ways, told.
fn play(
    seeds: &[u64],
    defect: Option<Defect>,
    folder: &Path,
    tally: &mut Tally,
) -> Result<Option<String>, String> {
    if std::process::id() != 1 {
        return Err(
            "whoever plays ends everybody else, so it must be the first process of a namespace".into()
        );
    }
    still::stand_still()?;
    let mut linux = Linux::new(folder)?;
    for &seed in seeds {
        tally.last = seed;
        let Err(difference) = compare(&mut Draw::new(seed), defect, &mut linux, tally)? else { continue };
        if defect.is_some() {
            return Ok(Some(tell(seed, &difference)));
        }
        let small = shrink::shrink(difference, |turns| {
            compare(&mut Draw::again(seed, turns), defect, &mut linux, tally).ok().and_then(Result::err)
        });
        return Ok(Some(tell(seed, &small)));
    }
    Ok(None)
}

fn tell(seed: u64, difference: &Difference) -> String {
    let names: Vec<String> = difference.turns.iter().map(ToString::to_string).collect();
    format!("schedule {seed} goes two ways at its last turn:\n  {}\n{}", names.join("\n  "), difference.told)
}

/// Plays one schedule on both. The outer error is one of this test, and no difference.
fn compare(
    draw: &mut Draw,
    defect: Option<Defect>,
    linux: &mut Linux,
    tally: &mut Tally,
) -> Result<Result<(), Difference>, String> {
    let mut simulated = Simulated::new(draw.workers(), defect);
    linux.begin(draw.workers())?;
    let mut turns = Vec::new();
    let told = loop {
        let expected = simulated.sight();
        let seen = linux.look(&expected, simulated.touches_sockets())?;
        if seen != expected {
            break Some(expected.against(&seen));
        }
        let next = if turns.len() < TURNS_MAX { draw.next(&simulated) } else { None };
        let Some(turn) = next else { break None };
        let struck = simulated.take(turn);
        turns.push(turn);
        if simulated.is_undecided() {
            tally.broken_off += 1;
            break None;
        }
        if let Err(why) = linux.take(turn, &struck) {
            break Some(format!("linux   {why}"));
        }
    };
    linux.end()?;
    tally.count(&turns);
    Ok(told.map_or(Ok(()), |told| Err(Difference { turns, told })))
}
