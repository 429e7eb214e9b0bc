//! Scripts that nobody wrote: drawn at random, with whatever makes no sense left out.

use std::cell::RefCell;
use std::path::Path as FilePath;

use fake_nginx::machine::Signal;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};
use scenarios::model::kernel::Path;

use crate::script::{Client, Op, Socket, Text, Who};
use crate::{Nonsense, compare};

/// How many scripts are drawn.
const SCRIPTS: u32 = 300;
/// How many operations one has at most, those included that are left out.
const OPS_MAX: usize = 40;

/// Plays random scripts; the smallest that goes two ways, if one does.
pub(crate) fn play(folder: &FilePath) -> Result<(), String> {
    let config =
        Config { cases: SCRIPTS, failure_persistence: None, max_shrink_iters: 60, ..Config::default() };
    let why = RefCell::new(String::new());
    // The same scripts in every run: a change that breaks one is told from a script that nobody had tried.
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let outcome = TestRunner::new_with_rng(config, rng).run(&vec(op(), 1..OPS_MAX), |drawn| {
        compare(&drawn, Nonsense::LeftOut, folder).map_err(|difference| {
            why.replace(difference);
            TestCaseError::fail("it differs")
        })?;
        Ok(())
    });
    match outcome {
        Ok(()) => Ok(()),
        Err(TestError::Fail(_, drawn)) => {
            // The last difference that shrinking saw may be another one.
            Err(compare(&drawn, Nonsense::LeftOut, folder).err().unwrap_or_else(|| why.take()))
        }
        Err(TestError::Abort(reason)) => Err(reason.to_string()),
    }
}

/// Births, signals and connections come most often. Timers and a full disk are in scripts by hand only: whether a
/// timer has struck already shows nowhere on Linux.
fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        3 => who().prop_map(Op::Fork),
        2 => (who(), path()).prop_map(|(who, path)| Op::Exec(who, path)),
        1 => (who(), 0..3_u8).prop_map(|(who, code)| Op::Exit(who, code)),
        5 => (who(), signal()).prop_map(|(to, signal)| Op::Kill(to, signal)),
        2 => (who(), who(), signal()).prop_map(|(from, to, signal)| Op::Send(from, to, signal)),
        3 => who().prop_map(Op::Wait),
        1 => who().prop_map(Op::Reuse),
        3 => who().prop_map(Op::Handle),
        3 => who().prop_map(Op::Block),
        1 => who().prop_map(Op::Unblock),
        2 => who().prop_map(Op::Sleep),
        2 => (who(), path()).prop_map(|(who, path)| Op::Open(who, path)),
        3 => (who(), text()).prop_map(|(who, text)| Op::Write(who, text)),
        1 => who().prop_map(Op::Close),
        2 => (path(), path()).prop_map(|(from, to)| Op::Rename(from, to)),
        1 => (path(), path()).prop_map(|(from, to)| Op::Link(from, to)),
        1 => path().prop_map(Op::Unlink),
        2 => (who(), any::<bool>()).prop_map(|(who, reuseport)| Op::Listen(who, reuseport, 200)),
        1 => (who(), socket()).prop_map(|(who, socket)| Op::CloseListener(who, socket)),
        3 => (who(), socket()).prop_map(|(who, socket)| Op::Watch(who, socket)),
        1 => (who(), socket()).prop_map(|(who, socket)| Op::Unwatch(who, socket)),
        4 => who().prop_map(Op::WaitEvents),
        4 => Just(Op::Connect),
        2 => client().prop_map(Op::Ask),
        2 => client().prop_map(Op::HangUp),
        4 => (who(), socket()).prop_map(|(who, socket)| Op::Accept(who, socket)),
        3 => (who(), client()).prop_map(|(who, client)| Op::Receive(who, client)),
        2 => (who(), client()).prop_map(|(who, client)| Op::Answer(who, client)),
        1 => (who(), client()).prop_map(|(who, client)| Op::Shutdown(who, client)),
        1 => (who(), client()).prop_map(|(who, client)| Op::CloseConnection(who, client)),
    ]
}

fn who() -> impl Strategy<Value = Who> {
    (0..4_u8).prop_map(Who)
}

fn socket() -> impl Strategy<Value = Socket> {
    (0..2_u8).prop_map(Socket)
}

fn client() -> impl Strategy<Value = Client> {
    (0..3_u8).prop_map(Client)
}

fn path() -> impl Strategy<Value = Path> {
    select(vec![Path::PID, Path::OLDBIN, Path::BINARY, Path::NEW, Path::BESIDE])
}

fn text() -> impl Strategy<Value = Text> {
    prop_oneof![4 => Just(Text::OwnPid), 1 => Just(Text::Words), 1 => (0..2_u8).prop_map(Text::Binary)]
}

fn signal() -> impl Strategy<Value = Signal> {
    let mut signals = Signal::HANDLED.to_vec();
    signals.push(Signal::Kill);
    select(signals)
}
