//! Rehearsals: somebody stands beside every call of a real `oldbin`, and it may have deliberate defects.
//!
//! The laboratory runs `oldbin` from this library and hands it a [`Rehearsal`]: to write down its calls, to let one
//! fail, or to kill the process right before or right after any of them. `oldbin` itself has no way to set one.

use std::fmt;

use crate::host::linux::look;
use crate::host::{Call, Host, HostError, Reply};
use crate::machine::{Action, Defect, Defects};

/// Which side of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Edge {
    /// Nothing of it has happened.
    Before,
    /// Its effect is there, and its caller does not know yet.
    After,
}

/// Told of both edges of every call; an error becomes the call's answer, whatever its effect was.
pub type Beside = Box<dyn FnMut(Edge, &Call) -> Result<(), HostError>>;

/// What differs from an operator's `oldbin`; nothing by default.
#[derive(Default)]
pub struct Rehearsal {
    /// Deliberate mistakes.
    pub defects: Defects,
    /// Who stands beside the calls.
    pub beside: Option<Beside>,
}

impl Rehearsal {
    /// One with these mistakes, and nobody beside.
    #[must_use]
    pub fn with_defects(defects: Defects) -> Self {
        Self { defects, beside: None }
    }
}

impl fmt::Debug for Rehearsal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_watched = self.beside.is_some();
        f.debug_struct("Rehearsal").field("defects", &self.defects).field("is_watched", &is_watched).finish()
    }
}

/// A host with somebody beside it.
pub(crate) struct Rehearsed<H> {
    host: H,
    defects: Defects,
    beside: Option<Beside>,
}

impl<H: Host> Rehearsed<H> {
    pub(crate) fn new(host: H, rehearsal: Rehearsal) -> Self {
        let Rehearsal { defects, beside } = rehearsal;
        Self { host, defects, beside }
    }
}

impl<H: Host> Host for Rehearsed<H> {
    fn call(&mut self, call: Call) -> Result<Reply, HostError> {
        let call = if self.defects.has(Defect::SignalsByNumber) { by_number(call) } else { call };
        let Some(beside) = &mut self.beside else { return self.host.call(call) };
        beside(Edge::Before, &call)?;
        let reply = self.host.call(call.clone());
        beside(Edge::After, &call)?;
        reply
    }
}

/// Who has the number now is meant, whoever that is.
fn by_number(mut call: Call) -> Call {
    let meant = if let Call::Act(Action::Signal { process, .. }) = &mut call {
        std::slice::from_mut(process)
    } else if let Call::Act(Action::SignalOrphans { processes, .. }) = &mut call {
        processes
    } else {
        return call;
    };
    for known in meant {
        if let Some(process) = look(known.pid) {
            *known = process.identity;
        }
    }
    call
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use super::*;
    use crate::host::HostExt;
    use crate::machine::{Identity, Signal};

    struct Clock;

    impl Host for Clock {
        fn call(&mut self, _: Call) -> Result<Reply, HostError> {
            Ok(Reply::Now { now_us: 7, is_interrupted: false })
        }
    }

    fn watched(beside: Beside) -> Rehearsal {
        Rehearsal { beside: Some(beside), ..Rehearsal::default() }
    }

    #[test]
    fn both_edges_of_a_call_are_told() {
        let told = Rc::new(RefCell::new(Vec::new()));
        let ear = Rc::clone(&told);
        let beside: Beside = Box::new(move |edge, call| {
            ear.borrow_mut().push((edge, call.clone()));
            Ok(())
        });

        let now = Rehearsed::new(Clock, watched(beside)).now();

        assert_eq!(now, Ok((7, false)));
        assert_eq!(*told.borrow(), [(Edge::Before, Call::Now), (Edge::After, Call::Now)]);
    }

    /// Red when the deliberate defect asks who it was: then nobody would notice that it has gone.
    #[test]
    fn by_number_whoever_has_it_now_is_meant() {
        let now = look(std::process::id()).unwrap().identity;
        let gone = Identity { started: now.started + 1, ..now.clone() };
        let to = |process| Call::Act(Action::Signal { process, signal: Signal::Quit, while_lives: None });

        assert_eq!(by_number(to(gone)), to(now));
    }

    #[test]
    fn an_error_from_beside_is_the_answer() {
        let beside: Beside = Box::new(|_, _| Err(HostError::os("looking", "no space left")));

        let now = Rehearsed::new(Clock, watched(beside)).now();

        assert_eq!(now, Err(HostError::os("looking", "no space left")));
    }
}
