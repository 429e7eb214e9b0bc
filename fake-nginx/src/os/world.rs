//! One effect, carried out: which part of the world it concerns, and what that answers.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::Path;
use std::rc::Rc;

use nix::sys::resource::{Resource, getrlimit};
use nix::sys::signal::{SigSet, Signal as NixSignal};
use nix::unistd::{getpid, getppid};

use super::channels::Channels;
use super::clock::{self, Clock};
use super::control::Control;
use super::counter::Counter;
use super::environment::{self, Environment};
use super::listeners::Listeners;
use super::logs::Logs;
use super::reader::Reader;
use super::title::Room;
use super::worker::WorkerSockets;
use super::{arrivals, files, process};
use crate::conf::Address;
use crate::machine::{
    ConfId, Effect, Errno, Moment, Named, Names, Pid, PidFile, Reply, Slot, Title, inherited,
};
use crate::options::Options;
use crate::release::Profile;
use crate::stamp::Stamp;

/// Everything outside of the machine.
#[derive(Debug)]
pub(super) struct World {
    pub(super) stamp: Stamp,
    pub(super) profile: Profile,
    pub(super) options: Options,
    pub(super) argv: Vec<OsString>,
    pub(super) environment: Environment,
    pub(super) room: Option<Room>,
    pub(super) clock: Clock,
    pub(super) counter: Counter,
    pub(super) names: Names,
    pub(super) reader: Reader,
    pub(super) built_in_log: Option<Logs>,
    pub(super) logs: BTreeMap<ConfId, Logs>,
    pub(super) listeners: Listeners,
    pub(super) channels: Channels,
    pub(super) slot: Slot,
    /// The signals that this process was started with blocked.
    pub(super) first_mask: SigSet,
    pub(super) worker: Option<WorkerSockets>,
    /// Whether thread numbers are logged: nginx with threads does, others write 0.
    pub(super) has_threads: bool,
    /// Where moments are reported, if the stamp says so.
    pub(super) control: Option<Control>,
}

impl World {
    pub(super) fn new(stamp: Stamp, options: Options, argv: Vec<OsString>) -> Self {
        arrivals::undo_runtime();
        let environment = Environment::take();
        let control = stamp.control.clone().filter(|_| options.is_to_serve());
        let is_new_binary = environment.inherited().is_some();
        let control = control.map(|path| Control::new(path, parent_pid(), is_new_binary));
        let mut names = Names::default();
        names.argv0 = argv.first().map(|word| word.to_string_lossy().into_owned()).unwrap_or_default();
        names.version = stamp.version.to_string();
        Self {
            profile: stamp.profile(),
            reader: Reader::new(&stamp, &options),
            has_threads: stamp.configure_arguments.contains("--with-threads"),
            stamp,
            options,
            argv,
            environment,
            room: Room::find(),
            clock: Clock::new(),
            counter: Counter::new(),
            names,
            built_in_log: None,
            logs: BTreeMap::new(),
            listeners: Listeners::default(),
            channels: Channels::default(),
            slot: Slot(0),
            first_mask: arrivals::mask(),
            worker: None,
            control,
        }
    }

    /// Carries an effect out; [`World::perform`] reports it too.
    #[expect(clippy::too_many_lines, reason = "one table, one arm for each kind of effect")]
    pub(super) fn carry_out(&mut self, effect: Effect) -> Reply {
        match effect {
            Effect::Log(entry) => self.log(entry),
            Effect::Say(notice) => self.say(notice),
            Effect::Print(print) => self.print(print),
            Effect::OwnPid => Reply::Pid(own_pid()),
            Effect::ParentPid => Reply::Pid(parent_pid()),
            Effect::OpenBuiltInLog => self.open_built_in_log(),
            Effect::CloseBuiltInLog => {
                self.built_in_log = None;
                Reply::Done
            }
            Effect::ReadInherited => Reply::Inherited(
                self.environment.inherited().map(|text| inherited::parse(&text, &mut self.names)),
            ),
            Effect::NameOfSocket(fd) => match self.listeners.adopt(fd) {
                Ok(address) => Reply::Socket(Named {
                    is_unix: matches!(address, Address::Unix(_)),
                    address: self.names.address(&address),
                }),
                Err(error) => Reply::Failed(rustix_errno(error)),
            },
            Effect::ReadConf => Reply::Conf(self.reader.read(&mut self.names)),
            Effect::OpenLogs(conf) => self.open_logs(conf),
            Effect::CloseLogs(conf) => {
                self.logs.remove(&conf);
                self.reader.forget(conf);
                Reply::Done
            }
            Effect::ReopenLogs { conf, give_to_user } => self.reopen_logs(conf, give_to_user),
            Effect::RedirectStderr(conf) => {
                if let Some(logs) = self.logs.get(&conf) {
                    logs.redirect_stderr();
                }
                Reply::Done
            }
            Effect::OpenListener { conf, listening, is_test } => {
                let conf = Rc::clone(self.reader.conf(conf));
                let listen = &conf.listens[usize::from(listening.listen)];
                match self.listeners.open(listen, listening.worker.is_some(), is_test, &self.profile) {
                    Ok(fd) => Reply::Fd(fd),
                    Err((call, error)) => Reply::SocketFailed(call, rustix_errno(error)),
                }
            }
            Effect::AdjustListener { fd, backlog, reuseport } => {
                rustix_reply(self.listeners.adjust(fd, backlog, reuseport))
            }
            Effect::CloseListener(fd) => {
                self.forget_listener(fd);
                rustix_reply(self.listeners.close(fd))
            }
            Effect::UnlinkSocket(address) => match self.names.address_of(address) {
                Address::Unix(path) => io_reply(fs::remove_file(path)),
                Address::Tcp(_) | Address::Udp(_) => Reply::Done,
            },
            Effect::WritePid { file, pid } => io_reply(self.write_pid(&self.pid_file(file), pid)),
            Effect::ReadPid(path) => match files::read_pid(Path::new(self.names.path_of(path))) {
                Ok(read) => Reply::PidRead(read.map_err(|text| self.names.text(&text))),
                Err(error) => Reply::Failed(io_errno(&error)),
            },
            Effect::RenameToOldbin(path) => io_reply(files::rename_oldbin(self.names.path_of(path), false)),
            Effect::RenameBack(path) => io_reply(files::rename_oldbin(self.names.path_of(path), true)),
            Effect::UnlinkPid(file) => io_reply(fs::remove_file(self.pid_file(file))),
            Effect::LookAtSystem => self.look_at_system(),
            Effect::InstallHandlers => {
                arrivals::install_handlers();
                Reply::Done
            }
            Effect::BlockSignals => Reply::Woken(arrivals::block()),
            Effect::Sleep => Reply::Woken(arrivals::suspend()),
            Effect::StartTimer { after_ms } => {
                process::start_timer(after_ms);
                Reply::Done
            }
            Effect::Pause { for_ms } => {
                clock::pause(for_ms);
                Reply::Done
            }
            Effect::Fork(_) => match process::fork() {
                Ok(Some(pid)) => Reply::Forked(pid),
                Ok(None) => Reply::Child,
                Err(error) => Reply::Failed(errno(error as i32)),
            },
            Effect::Detach => {
                process::detach();
                Reply::Done
            }
            Effect::Exec { conf, sockets } => {
                let entries = &self.reader.conf(conf).env;
                let has_quic = self.stamp.configure_arguments.contains("--with-http_v3_module");
                let environment = self.environment.for_new_binary(entries, &sockets, has_quic);
                Reply::Failed(errno(process::exec(&environment::c_strings(&self.argv), &environment) as i32))
            }
            Effect::Exit(code) => process::exit(code),
            Effect::Crash => process::crash(NixSignal::SIGSEGV),
            Effect::SetTitle(title) => self.set_title(title),
            Effect::OpenChannel(slot) => rustix_reply(self.channels.open(slot, own_pid())),
            Effect::CloseChannel(slot) => {
                self.channels.close(slot);
                Reply::Done
            }
            Effect::Tell { to, command } => rustix_reply(self.channels.tell(to, command)),
            Effect::Kill { pid, signal } => nix_reply(process::kill(pid, signal)),
            Effect::Wait => match process::wait() {
                Ok(waited) => Reply::Waited(waited),
                Err(error) => Reply::Failed(errno(error as i32)),
            },
            Effect::BecomeUser(conf) => self.become_user(conf),
            Effect::EnterWorker(slot) => self.enter_worker(slot),
            effect @ (Effect::Watch { .. }
            | Effect::Unwatch(_)
            | Effect::WaitEvents { .. }
            | Effect::ReadChannel
            | Effect::Accept { .. }
            | Effect::AnswerDatagram { .. }
            | Effect::Receive(_)
            | Effect::Peek(_)
            | Effect::Discard(_)
            | Effect::Parse(_)
            | Effect::Respond { .. }
            | Effect::Send { .. }
            | Effect::ShutdownWrite(_)
            | Effect::Close(_)) => self.serve(&effect),
        }
    }

    pub(super) fn pid_file(&self, file: PidFile) -> String {
        match file {
            PidFile::Normal(path) => self.names.path_of(path).to_owned(),
            PidFile::Oldbin(path) => format!("{}.oldbin", self.names.path_of(path)),
        }
    }

    fn write_pid(&mut self, path: &str, pid: Option<Pid>) -> io::Result<()> {
        let file = files::create_pid(Path::new(path), pid.is_some())?;
        let Some(pid) = pid else { return Ok(()) };
        self.reach(Moment::WritePid, &Reply::Done);
        files::write_pid(file, pid)
    }

    fn look_at_system(&mut self) -> Reply {
        let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap_or((0, 0));
        let os = nix::sys::utsname::uname().map_or_else(
            |_| String::new(),
            |name| format!("{} {}", name.sysname().to_string_lossy(), name.release().to_string_lossy()),
        );
        Reply::System { os: self.names.text(&os), soft, hard }
    }

    fn set_title(&mut self, title: Title) -> Reply {
        let title = match title {
            Title::Master => {
                self.control_is_master();
                let words: Vec<_> = self.argv.iter().map(|word| word.to_string_lossy()).collect();
                format!("nginx: master process {}", words.join(" "))
            }
            Title::Worker => "nginx: worker process".to_owned(),
            Title::ShuttingDown => "nginx: worker process is shutting down".to_owned(),
        };
        if let Some(room) = &self.room {
            room.write(&title);
        }
        Reply::Done
    }
}

/// The process's own number; it changes with every fork.
pub(super) fn own_pid() -> Pid {
    Pid(getpid().as_raw().unsigned_abs())
}

fn parent_pid() -> Pid {
    Pid(getppid().as_raw().unsigned_abs())
}

pub(super) fn errno(number: i32) -> Errno {
    Errno(u16::try_from(number).unwrap_or(0))
}

pub(super) fn io_errno(error: &io::Error) -> Errno {
    errno(error.raw_os_error().unwrap_or(0))
}

pub(super) fn rustix_errno(error: rustix::io::Errno) -> Errno {
    errno(error.raw_os_error())
}

fn io_reply(outcome: io::Result<()>) -> Reply {
    outcome.map_or_else(|error| Reply::Failed(io_errno(&error)), |()| Reply::Done)
}

fn nix_reply(outcome: nix::Result<()>) -> Reply {
    outcome.map_or_else(|error| Reply::Failed(errno(error as i32)), |()| Reply::Done)
}

pub(super) fn rustix_reply(outcome: rustix::io::Result<()>) -> Reply {
    outcome.map_or_else(|error| Reply::Failed(rustix_errno(error)), |()| Reply::Done)
}
