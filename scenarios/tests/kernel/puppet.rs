//! A process of a script on Linux: it does what it is told, and nothing else, until whoever tells it is gone.
#![expect(
    unsafe_code,
    reason = "fork, _exit, sigaction, setitimer and descriptors by number have no safe form"
)]

use std::ffi::CString;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::net::SocketAddr;
use std::os::fd::{BorrowedFd, FromRawFd as _, IntoRawFd as _, OwnedFd};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use fake_nginx::machine::Signal;
use nix::libc;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, SigmaskHow, Signal as NixSignal};
use nix::unistd::{self, ForkResult};
use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::net::{self, AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, sockopt};
use rustix::process::WaitOptions;

use crate::script::Text;
use crate::wire::{self, Answer, Order};

/// The first argument of such a process; the second is the path of the socket where it is told.
pub(crate) const PUPPET: &str = "__puppet";

/// In epoll, connections have numbers from here on; below, listening sockets.
pub(crate) const CLIENTS: u64 = 1 << 32;

/// More handlers than can run between two looks.
const STORED_MAX: usize = 64;

static COUNT: AtomicUsize = AtomicUsize::new(0);
static STORED: [AtomicU64; STORED_MAX] = [const { AtomicU64::new(0) }; STORED_MAX];

/// Lives as a puppet.
pub(crate) fn main(path: &str) -> ! {
    let life = Puppet::new(path.to_owned()).and_then(Puppet::obey);
    exit(if life.is_ok() { 0 } else { 70 })
}

struct Puppet {
    path: String,
    control: OwnedFd,
    epoll: Option<OwnedFd>,
    written: Vec<File>,
}

impl Puppet {
    fn new(path: String) -> io::Result<Self> {
        let control = wire::connect(&path)?;
        wire::send(&control, &Answer::Born(std::process::id()))?;
        Ok(Self { path, control, epoll: None, written: Vec::new() })
    }

    fn obey(mut self) -> io::Result<()> {
        while let Some(order) = wire::receive(&self.control)? {
            let answer = match self.carry_out(order) {
                Ok(answer) => answer,
                Err(error) => Answer::Failed(error.raw_os_error().unwrap_or(0)),
            };
            wire::send(&self.control, &answer)?;
        }
        Ok(())
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "the rest concerns sockets")]
    fn carry_out(&mut self, order: Order) -> io::Result<Answer> {
        Ok(match order {
            Order::Fork => match fork()? {
                Some(child) => Answer::Forked(child),
                None => {
                    self.epoll = None;
                    self.control = wire::connect(&self.path)?;
                    Answer::Born(std::process::id())
                }
            },
            Order::Exec(program) => {
                let words =
                    [program.as_str(), PUPPET, &self.path].map(|word| CString::new(word).unwrap_or_default());
                match unistd::execve(&words[0], &words, &[] as &[CString]) {
                    Ok(never) => match never {},
                    Err(errno) => Answer::Failed(errno as i32),
                }
            }
            Order::Exit(code) => exit(i32::from(code)),
            Order::Kill(pid, signal) => {
                let pid = unistd::Pid::from_raw(pid.cast_signed());
                nix::sys::signal::kill(pid, NixSignal::try_from(i32::from(signal))?)?;
                Answer::Done
            }
            Order::Wait => match rustix::process::waitpid(None, WaitOptions::NOHANG)? {
                Some((pid, status)) => {
                    Answer::Exited(pid.as_raw_nonzero().get().cast_unsigned(), status.as_raw())
                }
                None => Answer::Nobody,
            },
            Order::Handle => {
                install_handlers()?;
                Answer::Done
            }
            Order::Block => {
                nix::sys::signal::sigprocmask(SigmaskHow::SIG_BLOCK, Some(&handled()), None)?;
                Answer::Met(take())
            }
            Order::Unblock => {
                nix::sys::signal::sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None)?;
                Answer::Done
            }
            Order::Sleep => {
                SigSet::empty().suspend()?;
                Answer::Woken(take(), Vec::new())
            }
            Order::Timer(after_ms) => {
                start_timer(after_ms);
                Answer::Done
            }
            Order::Open(path) => {
                let opened =
                    OpenOptions::new().write(true).create(true).truncate(true).mode(0o755).open(path)?;
                self.written.push(opened);
                Answer::Done
            }
            Order::Write(text) => {
                let file = self.written.last().ok_or(io::ErrorKind::NotFound)?;
                file.write_all_at(&bytes(text)?, 0)?;
                Answer::Done
            }
            Order::Close => {
                self.written.clear();
                Answer::Done
            }
            order => self.carry_out_on_sockets(order)?,
        })
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "the rest was carried out before")]
    fn carry_out_on_sockets(&mut self, order: Order) -> io::Result<Answer> {
        Ok(match order {
            Order::Listen { port, reuseport, backlog } => Answer::Fd(listen(port, reuseport, backlog)?),
            Order::CloseListener(fd) | Order::CloseConnection(fd) => {
                close(fd);
                Answer::Done
            }
            Order::Watch(fd, number) => {
                epoll::add(
                    self.epoll()?,
                    borrow(fd),
                    EventData::new_u64(number),
                    EventFlags::IN | EventFlags::RDHUP,
                )?;
                Answer::Done
            }
            Order::Unwatch(fd) => {
                epoll::delete(self.epoll()?, borrow(fd))?;
                Answer::Done
            }
            Order::WaitEvents => {
                let mut events = Vec::with_capacity(16);
                let ready = match epoll::wait(self.epoll()?, spare_capacity(&mut events), None) {
                    Ok(_) => {
                        events.iter().map(|&event| ({ event.data }.u64(), { event.flags }.bits())).collect()
                    }
                    Err(rustix::io::Errno::INTR) => Vec::new(),
                    Err(error) => return Err(error.into()),
                };
                Answer::Woken(take(), ready)
            }
            Order::Accept(fd) => {
                let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
                let (socket, remote) = match net::acceptfrom_with(borrow(fd), flags) {
                    Err(rustix::io::Errno::AGAIN) => return Ok(Answer::Nobody),
                    accepted => accepted?,
                };
                let interest = EventFlags::IN | EventFlags::OUT | EventFlags::RDHUP | EventFlags::ET;
                let port =
                    remote.and_then(|remote| SocketAddr::try_from(remote).ok()).map_or(0, |at| at.port());
                epoll::add(self.epoll()?, &socket, EventData::new_u64(CLIENTS + u64::from(port)), interest)?;
                Answer::Accepted(socket.into_raw_fd(), port)
            }
            Order::Receive(fd) => {
                let mut buffer = [0; 4_096];
                Answer::Bytes(net::recv(borrow(fd), &mut buffer[..], RecvFlags::empty())?.0)
            }
            Order::Send(fd, bytes) => {
                let text = vec![b'a'; usize::try_from(bytes).unwrap_or(0)];
                Answer::Bytes(net::send(borrow(fd), &text, SendFlags::NOSIGNAL)?)
            }
            Order::Shutdown(fd) => {
                net::shutdown(borrow(fd), net::Shutdown::Write)?;
                Answer::Done
            }
            order => unreachable!("{order:?} was carried out before"),
        })
    }

    fn epoll(&mut self) -> io::Result<&OwnedFd> {
        if self.epoll.is_none() {
            self.epoll = Some(epoll::create(CreateFlags::CLOEXEC)?);
        }
        self.epoll.as_ref().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

/// Numbers are written at one width, so that a later one covers an earlier one.
fn bytes(text: Text) -> io::Result<Vec<u8>> {
    Ok(match text {
        Text::OwnPid => format!("{:07}\n", std::process::id()).into_bytes(),
        Text::Words => b"words\n".to_vec(),
        Text::Binary(image) => binary(image)?,
    })
}

/// The bytes of a binary: what is loaded of this very program, and a mark that tells which it is.
pub(crate) fn binary(image: u8) -> io::Result<Vec<u8>> {
    let program = File::open("/proc/self/exe")?;
    let mut bytes = Vec::new();
    (&program).take(loaded(&program)?).read_to_end(&mut bytes)?;
    bytes.extend(std::iter::repeat_n(b'!', usize::from(image) + 1));
    Ok(bytes)
}

/// Where the last segment of an ELF file ends that is loaded; what lies behind it is for debuggers.
pub(crate) fn loaded(program: &File) -> io::Result<u64> {
    let number = |at, size: usize| {
        let mut bytes = [0; 8];
        program.read_exact_at(&mut bytes[..size], at)?;
        io::Result::Ok(u64::from_le_bytes(bytes))
    };
    let (table, size, count) = (number(32, 8)?, number(54, 2)?, number(56, 2)?);
    (0..count).try_fold(0, |end, nth| {
        let header = table + nth * size;
        let is_loaded = number(header, 4)? == 1;
        let segment = number(header + 8, 8)? + number(header + 32, 8)?;
        Ok(if is_loaded { segment.max(end) } else { end })
    })
}

fn listen(port: u16, reuseport: bool, backlog: i32) -> io::Result<i32> {
    // It lives through exec, as nginx's does.
    let socket = net::socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::NONBLOCK, None)?;
    sockopt::set_socket_reuseaddr(&socket, true)?;
    if reuseport {
        sockopt::set_socket_reuseport(&socket, true)?;
    }
    net::bind(&socket, &SocketAddr::from(([127, 0, 0, 1], port)))?;
    net::listen(&socket, backlog)?;
    Ok(socket.into_raw_fd())
}

fn fork() -> nix::Result<Option<u32>> {
    // SAFETY: the process has one thread, so the child may do whatever the parent may.
    match unsafe { unistd::fork() }? {
        ForkResult::Parent { child } => Ok(Some(child.as_raw().unsigned_abs())),
        ForkResult::Child => Ok(None),
    }
}

fn exit(code: i32) -> ! {
    // SAFETY: the call does not return, and leaves nothing that the kernel does not clean up.
    unsafe { libc::_exit(code) }
}

fn borrow(fd: i32) -> BorrowedFd<'static> {
    // SAFETY: the number is one that this process was given by a call, and nothing but an order closes it.
    unsafe { BorrowedFd::borrow_raw(fd) }
}

fn close(fd: i32) {
    // SAFETY: as above, and no order names it again.
    drop(unsafe { OwnedFd::from_raw_fd(fd) });
}

fn start_timer(after_ms: u32) {
    let value = libc::timeval {
        tv_sec: libc::time_t::from(after_ms / 1000),
        tv_usec: libc::suseconds_t::from(after_ms % 1000 * 1000),
    };
    let timer = libc::itimerval { it_interval: libc::timeval { tv_sec: 0, tv_usec: 0 }, it_value: value };
    // SAFETY: the struct outlives the call; the old value is not asked for.
    unsafe { libc::setitimer(libc::ITIMER_REAL, &raw const timer, std::ptr::null_mut()) };
}

extern "C" fn store(number: libc::c_int, info: *mut libc::siginfo_t, _context: *mut libc::c_void) {
    // SAFETY: with SA_SIGINFO the kernel passes a valid siginfo_t; its sender field may always be read.
    let sender = if info.is_null() { 0 } else { unsafe { (*info).si_pid() } };
    let place = COUNT.fetch_add(1, Ordering::SeqCst);
    if let Some(stored) = STORED.get(place) {
        let both = (u64::from(sender.unsigned_abs()) << 8) | u64::from(number.unsigned_abs());
        stored.store(both, Ordering::SeqCst);
    }
}

fn install_handlers() -> nix::Result<()> {
    let action = SigAction::new(SigHandler::SigAction(store), SaFlags::empty(), SigSet::empty());
    for signal in handled().iter() {
        // SAFETY: the handler touches nothing but atomics.
        unsafe { nix::sys::signal::sigaction(signal, &action) }?;
    }
    Ok(())
}

fn handled() -> SigSet {
    Signal::HANDLED
        .into_iter()
        .filter_map(|signal| NixSignal::try_from(i32::from(signal.number())).ok())
        .collect()
}

/// What handlers have stored. No signal comes meanwhile: a script goes on when this one has answered.
fn take() -> Vec<(u8, u32)> {
    let count = COUNT.swap(0, Ordering::SeqCst).min(STORED_MAX);
    let parts = |stored: u64| Some((u8::try_from(stored & 0xff).ok()?, u32::try_from(stored >> 8).ok()?));
    STORED[..count].iter().filter_map(|stored| parts(stored.load(Ordering::SeqCst))).collect()
}
