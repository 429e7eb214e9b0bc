//! Listening sockets: opened, adopted from `NGINX`, closed. They are the only descriptors that live through
//! exec.
//!
//! # Source
//! `ngx_open_listening_sockets`, `ngx_configure_listening_sockets` and `ngx_set_inherited_sockets` in
//! `src/core/ngx_connection.c`, nginx 1.18 to 1.30.
#![expect(unsafe_code, reason = "a descriptor's number comes from the environment")]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use rustix::io::Errno;
use rustix::net::{self, AddressFamily, SocketAddrUnix, SocketFlags, SocketType, sockopt};

use crate::conf::{Address, Listen};
use crate::machine::{Fd, SocketCall};
use crate::release::{Profile, Version};

/// All listening sockets of the process.
#[derive(Debug, Default)]
pub(super) struct Listeners {
    sockets: BTreeMap<Fd, OwnedFd>,
}

impl Listeners {
    /// Opens a socket and lets it listen.
    pub(super) fn open(
        &mut self,
        listen: &Listen,
        reuseport: bool,
        is_test: bool,
        profile: &Profile,
    ) -> Result<Fd, (SocketCall, Errno)> {
        let is_udp = matches!(listen.address, Address::Udp(_));
        // Or a test would take datagrams away.
        let shares = !(is_udp && is_test && profile.version >= Version::new(1, 21, 1));
        let socket = create(listen, reuseport, shares).map_err(|errno| (SocketCall::Socket, errno))?;
        bind(&socket, &listen.address).map_err(|errno| (SocketCall::Bind, errno))?;
        if let Address::Unix(path) = &listen.address {
            let mode = std::fs::Permissions::from_mode(0o666);
            drop(std::fs::set_permissions(path, mode));
            if is_test {
                drop(std::fs::remove_file(path));
            }
        }
        if !is_udp {
            net::listen(&socket, listen.backlog).map_err(|errno| (SocketCall::Listen, errno))?;
        }
        let fd = Fd(u16::try_from(socket.as_raw_fd()).unwrap_or(u16::MAX));
        self.sockets.insert(fd, socket);
        Ok(fd)
    }

    /// Takes an inherited socket over and says its address.
    pub(super) fn adopt(&mut self, fd: Fd) -> Result<Address, Errno> {
        let number = RawFd::from(fd.0);
        has_flags(number)?;
        // SAFETY: it is open, and nothing closes it during this call.
        let borrowed = unsafe { BorrowedFd::borrow_raw(number) };
        let address = net::getsockname(borrowed)?;
        let address = match address.address_family() {
            AddressFamily::UNIX => {
                let unix = SocketAddrUnix::try_from(address)?;
                let path = unix.path().map(|path| path.to_string_lossy().into_owned()).unwrap_or_default();
                Address::Unix(PathBuf::from(path))
            }
            _ if sockopt::socket_type(borrowed)? == SocketType::DGRAM => {
                Address::Udp(SocketAddr::try_from(address)?)
            }
            _ => Address::Tcp(SocketAddr::try_from(address)?),
        };
        // SAFETY: it is open, was left for this process by name, and nobody else here owns it.
        self.sockets.insert(fd, unsafe { OwnedFd::from_raw_fd(number) });
        Ok(address)
    }

    /// Does what a configuration asks of a socket that is already bound.
    pub(super) fn adjust(&self, fd: Fd, backlog: Option<i32>, reuseport: bool) -> Result<(), Errno> {
        let socket = self.get(fd).ok_or(Errno::BADF)?;
        if reuseport {
            sockopt::set_socket_reuseport(socket, true)?;
        }
        if let Some(backlog) = backlog {
            net::listen(socket, backlog)?;
        }
        Ok(())
    }

    /// The socket.
    pub(super) fn get(&self, fd: Fd) -> Option<BorrowedFd<'_>> {
        self.sockets.get(&fd).map(|socket| socket.as_fd())
    }

    /// Closes it.
    pub(super) fn close(&mut self, fd: Fd) -> Result<(), Errno> {
        match self.sockets.remove(&fd) {
            Some(socket) => {
                drop(socket);
                Ok(())
            }
            // No socket of ours: there may be no such descriptor, and if there is, it stays.
            None => has_flags(RawFd::from(fd.0)),
        }
    }
}

/// Whether there is such a descriptor.
fn has_flags(number: RawFd) -> Result<(), Errno> {
    // SAFETY: only asked for its flags; if there is no such descriptor, that fails.
    rustix::io::fcntl_getfd(unsafe { BorrowedFd::borrow_raw(number) }).map(drop)
}

fn create(listen: &Listen, reuseport: bool, shares: bool) -> Result<OwnedFd, Errno> {
    let family = match &listen.address {
        Address::Tcp(SocketAddr::V4(_)) | Address::Udp(SocketAddr::V4(_)) => AddressFamily::INET,
        Address::Tcp(SocketAddr::V6(_)) | Address::Udp(SocketAddr::V6(_)) => AddressFamily::INET6,
        Address::Unix(_) => AddressFamily::UNIX,
    };
    let kind = if matches!(listen.address, Address::Udp(_)) { SocketType::DGRAM } else { SocketType::STREAM };
    let socket = net::socket_with(family, kind, SocketFlags::NONBLOCK, None)?;
    if shares {
        sockopt::set_socket_reuseaddr(&socket, true)?;
    }
    if reuseport {
        sockopt::set_socket_reuseport(&socket, true)?;
    }
    if family == AddressFamily::INET6 {
        sockopt::set_ipv6_v6only(&socket, listen.ipv6only)?;
    }
    Ok(socket)
}

fn bind(socket: &OwnedFd, address: &Address) -> Result<(), Errno> {
    match address {
        Address::Tcp(address) | Address::Udp(address) => net::bind(socket, address),
        Address::Unix(path) => net::bind(socket, &SocketAddrUnix::new(path.as_os_str().as_bytes())?),
    }
}
