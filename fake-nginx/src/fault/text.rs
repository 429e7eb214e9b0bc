//! A fault as a text, `exits-at-start status=1`, and what is said of a text that is none.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use super::{ALL, Description, Fault};
use crate::machine::Signal;

/// Why a text is no fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoFault {
    /// Nobody has heard of it.
    #[error("there is no fault \"{name}\"{}; there are: {}", did_you_mean(name), names())]
    UnknownName {
        /// The name given.
        name: String,
    },
    /// It does not take this argument.
    #[error("the fault \"{name}\" takes no argument \"{argument}\"; write for example \"{example}\"")]
    UnknownArgument {
        /// The fault.
        name: &'static str,
        /// The argument given.
        argument: String,
        /// One that is right.
        example: &'static str,
    },
    /// It needs this argument.
    #[error("the fault \"{name}\" needs {argument}=...; write for example \"{example}\"")]
    MissingArgument {
        /// The fault.
        name: &'static str,
        /// The argument that is not there.
        argument: &'static str,
        /// One that is right.
        example: &'static str,
    },
    /// The argument is there twice.
    #[error("the fault \"{name}\" has {argument}=... twice")]
    RepeatedArgument {
        /// The fault.
        name: &'static str,
        /// The argument.
        argument: &'static str,
    },
    /// The argument's value is none.
    #[error("\"{value}\" is no {argument}: {}", expected(argument))]
    InvalidValue {
        /// The argument.
        argument: &'static str,
        /// What was given.
        value: String,
    },
}

/// The signals by which somebody asks a master for something.
const COMMANDS: [Signal; 6] =
    [Signal::Hup, Signal::Quit, Signal::Term, Signal::Usr1, Signal::Usr2, Signal::Winch];

/// `WINCH`
fn command_word(signal: Signal) -> &'static str {
    signal.name().trim_start_matches("SIG")
}

/// The longest time that a fault may say; a day is a typing error.
const SECONDS_MAX: u64 = 86_400;

fn names() -> String {
    ALL.iter().map(|fault| fault.name).collect::<Vec<_>>().join(", ")
}

fn expected(argument: &str) -> &'static str {
    match argument {
        "status" => "give an exit status from 0 to 255",
        "signal" => "give HUP, QUIT, TERM, USR1, USR2 or WINCH",
        "requests" => "give a number from 1 to 65535",
        "code" => "give a status from 400 to 599",
        _ => "give seconds such as 3 or 0.25, at most a day",
    }
}

fn did_you_mean(name: &str) -> String {
    let nearest = ALL.iter().map(|fault| (distance(name, fault.name), fault.name)).min();
    match nearest {
        Some((steps, nearest)) if steps <= nearest.len() / 2 => format!(" (did you mean \"{nearest}\"?)"),
        _ => String::new(),
    }
}

/// How many letters must be inserted, left out or replaced to come from one word to the other.
fn distance(one: &str, two: &str) -> usize {
    let two: Vec<char> = two.chars().collect();
    let mut row: Vec<usize> = (0..=two.len()).collect();
    for (line, letter) in one.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = line + 1;
        for (column, other) in two.iter().enumerate() {
            let replaced = diagonal + usize::from(letter != *other);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[two.len()]
}

/// The words behind a fault's name.
struct Arguments<'a> {
    fault: &'static Description,
    given: Vec<(&'static str, &'a str)>,
}

impl<'a> Arguments<'a> {
    fn read(fault: &'static Description, words: impl Iterator<Item = &'a str>) -> Result<Self, NoFault> {
        let mut given = Vec::new();
        for word in words {
            let (argument, value) = word.split_once('=').unwrap_or((word, ""));
            let known = fault.arguments.iter().find(|known| **known == argument).copied();
            let argument = known.ok_or_else(|| NoFault::UnknownArgument {
                name: fault.name,
                argument: argument.to_owned(),
                example: fault.example,
            })?;
            if given.iter().any(|(other, _)| *other == argument) {
                return Err(NoFault::RepeatedArgument { name: fault.name, argument });
            }
            given.push((argument, value));
        }
        Ok(Self { fault, given })
    }

    fn value(&self, argument: &'static str) -> Result<&'a str, NoFault> {
        let found = self.given.iter().find(|(name, _)| *name == argument).map(|(_, value)| *value);
        found.ok_or(NoFault::MissingArgument { name: self.fault.name, argument, example: self.fault.example })
    }

    fn status(&self) -> Result<u8, NoFault> {
        let value = self.value("status")?;
        let digits = value.bytes().all(|byte| byte.is_ascii_digit());
        value.parse().ok().filter(|_| digits).ok_or_else(|| invalid("status", value))
    }

    fn seconds_ms(&self) -> Result<u64, NoFault> {
        let value = self.value("seconds")?;
        milliseconds(value).ok_or_else(|| invalid("seconds", value))
    }

    fn number(&self, argument: &'static str, valid: RangeInclusive<u16>) -> Result<u16, NoFault> {
        let value = self.value(argument)?;
        let digits = value.bytes().all(|byte| byte.is_ascii_digit());
        let number = value.parse().ok().filter(|number| digits && valid.contains(number));
        number.ok_or_else(|| invalid(argument, value))
    }

    fn signal(&self) -> Result<Signal, NoFault> {
        let value = self.value("signal")?;
        let known = COMMANDS.into_iter().find(|signal| command_word(*signal) == value);
        known.ok_or_else(|| invalid("signal", value))
    }
}

fn invalid(argument: &'static str, value: &str) -> NoFault {
    NoFault::InvalidValue { argument, value: value.to_owned() }
}

/// Seconds with up to three decimals.
fn milliseconds(text: &str) -> Option<u64> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(decimals) || decimals.len() > 3 {
        return None;
    }
    let whole: u64 = whole.parse().ok().filter(|&seconds| seconds <= SECONDS_MAX)?;
    let decimals: u64 = format!("{decimals:0<3}").parse().ok()?;
    Some(whole * 1000 + decimals).filter(|&ms| ms <= SECONDS_MAX * 1000)
}

impl FromStr for Fault {
    type Err = NoFault;

    fn from_str(text: &str) -> Result<Self, NoFault> {
        let mut words = text.split_whitespace();
        let name = words.next().unwrap_or("");
        let known = ALL.iter().find(|fault| fault.name == name);
        let fault = known.ok_or_else(|| NoFault::UnknownName { name: name.to_owned() })?;
        let arguments = Arguments::read(fault, words)?;
        match fault.name {
            "exits-at-start" => Ok(Self::ExitsAtStart { status: arguments.status()? }),
            "loads-then-fails" => {
                Ok(Self::LoadsThenFails { load_ms: arguments.seconds_ms()?, status: arguments.status()? })
            }
            "loads-then-serves" => Ok(Self::LoadsThenServes { load_ms: arguments.seconds_ms()? }),
            "hangs-at-start" => Ok(Self::HangsAtStart),
            "fails-test" => Ok(Self::FailsTest { status: arguments.status()? }),
            "dies-after" => {
                Ok(Self::DiesAfter { serve_ms: arguments.seconds_ms()?, status: arguments.status()? })
            }
            "loses-signal" => Ok(Self::LosesSignal { signal: arguments.signal()? }),
            "workers-exit-at-start" => {
                Ok(Self::WorkersExitAtStart { live_ms: arguments.seconds_ms()?, status: arguments.status()? })
            }
            "workers-exit-after" => Ok(Self::WorkersExitAfter {
                requests: arguments.number("requests", 1..=u16::MAX)?,
                status: arguments.status()?,
            }),
            "never-drains" => Ok(Self::NeverDrains),
            _ => Ok(Self::Answers { code: arguments.number("code", 400..=599)? }),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::ExitsAtStart { status } => write!(f, "exits-at-start status={status}"),
            Self::LoadsThenFails { load_ms, status } => {
                write!(f, "loads-then-fails seconds={} status={status}", Seconds(load_ms))
            }
            Self::LoadsThenServes { load_ms } => write!(f, "loads-then-serves seconds={}", Seconds(load_ms)),
            Self::HangsAtStart => f.write_str("hangs-at-start"),
            Self::FailsTest { status } => write!(f, "fails-test status={status}"),
            Self::DiesAfter { serve_ms, status } => {
                write!(f, "dies-after seconds={} status={status}", Seconds(serve_ms))
            }
            Self::LosesSignal { signal } => write!(f, "loses-signal signal={}", command_word(signal)),
            Self::WorkersExitAtStart { live_ms, status } => {
                write!(f, "workers-exit-at-start seconds={} status={status}", Seconds(live_ms))
            }
            Self::WorkersExitAfter { requests, status } => {
                write!(f, "workers-exit-after requests={requests} status={status}")
            }
            Self::NeverDrains => f.write_str("never-drains"),
            Self::Answers { code } => write!(f, "answers code={code}"),
        }
    }
}

/// Milliseconds, written as seconds without needless zeros.
struct Seconds(u64);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{}.{:03}", self.0 / 1000, self.0 % 1000);
        f.write_str(text.trim_end_matches('0').trim_end_matches('.'))
    }
}

impl TryFrom<String> for Fault {
    type Error = NoFault;

    fn try_from(text: String) -> Result<Self, NoFault> {
        text.parse()
    }
}

impl From<Fault> for String {
    fn from(fault: Fault) -> Self {
        fault.to_string()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_example_is_a_fault_that_displays_as_written() {
        for fault in ALL {
            assert_eq!(fault.example.parse::<Fault>().unwrap().to_string(), fault.example);
        }
    }

    #[test]
    fn errors_say_what_would_be_right() {
        let error = |text: &str| text.parse::<Fault>().unwrap_err().to_string();
        insta::assert_snapshot!(error("exit-at-start status=1"), @r#"there is no fault "exit-at-start" (did you mean "exits-at-start"?); there are: exits-at-start, loads-then-fails, loads-then-serves, hangs-at-start, fails-test, dies-after, loses-signal, workers-exit-at-start, workers-exit-after, never-drains, answers"#);
        insta::assert_snapshot!(error("xyz"), @r#"there is no fault "xyz"; there are: exits-at-start, loads-then-fails, loads-then-serves, hangs-at-start, fails-test, dies-after, loses-signal, workers-exit-at-start, workers-exit-after, never-drains, answers"#);
        insta::assert_snapshot!(error("exits-at-start"), @r#"the fault "exits-at-start" needs status=...; write for example "exits-at-start status=1""#);
        insta::assert_snapshot!(error("exits-at-start status=256"), @r#""256" is no status: give an exit status from 0 to 255"#);
        insta::assert_snapshot!(error("loads-then-serves seconds=1.2345"), @r#""1.2345" is no seconds: give seconds such as 3 or 0.25, at most a day"#);
        insta::assert_snapshot!(error("loads-then-serves secs=1"), @r#"the fault "loads-then-serves" takes no argument "secs"; write for example "loads-then-serves seconds=3""#);
    }

    fn faults() -> impl Strategy<Value = Fault> {
        let load_ms = || 0..=SECONDS_MAX * 1000;
        prop_oneof![
            any::<u8>().prop_map(|status| Fault::ExitsAtStart { status }),
            (load_ms(), any::<u8>()).prop_map(|(load_ms, status)| Fault::LoadsThenFails { load_ms, status }),
            load_ms().prop_map(|load_ms| Fault::LoadsThenServes { load_ms }),
            any::<u8>().prop_map(|status| Fault::FailsTest { status }),
            (load_ms(), any::<u8>()).prop_map(|(serve_ms, status)| Fault::DiesAfter { serve_ms, status }),
            (0..COMMANDS.len()).prop_map(|at| Fault::LosesSignal { signal: COMMANDS[at] }),
            (load_ms(), any::<u8>())
                .prop_map(|(live_ms, status)| Fault::WorkersExitAtStart { live_ms, status }),
            (1..=u16::MAX, any::<u8>())
                .prop_map(|(requests, status)| Fault::WorkersExitAfter { requests, status }),
            Just(Fault::NeverDrains),
            Just(Fault::HangsAtStart),
            (400..=599u16).prop_map(|code| Fault::Answers { code }),
        ]
    }

    proptest! {
        /// What a fault displays is that fault.
        #[test]
        fn a_fault_is_what_it_displays(fault in faults()) {
            prop_assert_eq!(fault.to_string().parse(), Ok(fault));
            let json = serde_json::to_string(&fault).unwrap();
            prop_assert_eq!(serde_json::from_str::<Fault>(&json).unwrap(), fault);
        }
    }
}
