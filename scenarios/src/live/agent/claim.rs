//! What a subject that is a process claims, by its exit code and, for ours, by what it printed.

use serde::Deserialize;

use super::child::Child;
use crate::scenario::Claim;
use crate::trace::Exit;

/// A claim, with what it is taken from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Said {
    /// What was claimed.
    pub(super) claim: Claim,
    /// The exit code, where there is one.
    pub(super) exit_code: Option<i32>,
    /// The last words.
    pub(super) said: String,
}

/// The part of `oldbin --json` that is a claim.
#[derive(Debug, Deserialize)]
struct Outcome {
    outcome: String,
    #[serde(default)]
    reason: Option<String>,
}

/// What a program claims that knows nothing of the laboratory: success is an upgrade.
pub(super) fn of_command(child: &Child) -> Said {
    let claim = if child.exit == Some(Exit::Code(0)) { Claim::Upgraded } else { Claim::Failed };
    Said { claim, exit_code: code(child.exit), said: child.last_words() }
}

/// What `oldbin --json` claims. Its exit code must say the same, or it claims nothing.
pub(super) fn of_oldbin(child: &Child) -> Said {
    let exit_code = code(child.exit);
    let out = String::from_utf8_lossy(&child.out);
    let printed = out
        .lines()
        .rev()
        .find_map(|line| serde_json::from_str::<Outcome>(line).ok())
        .or_else(|| serde_json::from_str(&out).ok());
    let reason = printed.as_ref().and_then(|printed| printed.reason.clone());
    let mut said = reason.unwrap_or_else(|| child.last_words());
    let printed = printed.and_then(|Outcome { outcome, .. }| outcome.parse::<Claim>().ok());
    let claim = match printed {
        Some(claim) if exit_code.is_some_and(|code| codes_of(claim).contains(&code)) => claim,
        Some(claim) => {
            said = format!("it printed {claim} and ended with {:?}; {said}", child.exit);
            Claim::Failed
        }
        None => Claim::Failed,
    };
    Said { claim, exit_code, said }
}

/// The exit codes that may stand beside a claim: a wanted rollback is a success.
fn codes_of(claim: Claim) -> &'static [i32] {
    match claim {
        Claim::Upgraded | Claim::Draining | Claim::Held => &[0],
        Claim::RolledBack => &[0, 4],
        Claim::Refused => &[3],
        Claim::Stuck => &[5],
        Claim::Failed => &[],
    }
}

fn code(exit: Option<Exit>) -> Option<i32> {
    match exit {
        Some(Exit::Code(code)) => Some(code),
        Some(Exit::Signal(_)) | None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn child(out: &str, code: i32) -> Child {
        Child { out: out.into(), err: Vec::new(), exit: Some(Exit::Code(code)) }
    }

    #[test]
    fn a_claim_is_what_was_printed_if_the_exit_code_agrees() {
        assert_eq!(of_oldbin(&child("{\"outcome\":\"upgraded\",\"x\":1}\n", 0)).claim, Claim::Upgraded);
        assert_eq!(of_oldbin(&child("{\n \"outcome\": \"rolled-back\"\n}\n", 4)).claim, Claim::RolledBack);
        assert_eq!(of_oldbin(&child("{\"outcome\":\"draining\"}\n", 0)).claim, Claim::Draining);
        let lie = of_oldbin(&child("{\"outcome\":\"upgraded\"}\n", 5));
        assert_eq!(lie.claim, Claim::Failed);
        assert!(lie.said.contains("printed upgraded"), "{}", lie.said);
    }

    #[test]
    fn a_program_claims_by_its_exit_code() {
        assert_eq!(of_command(&child("done", 0)).claim, Claim::Upgraded);
        assert_eq!(of_command(&child("oh", 1)).claim, Claim::Failed);
    }
}
