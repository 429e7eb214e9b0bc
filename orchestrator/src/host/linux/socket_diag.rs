//! The TCP sockets of this network namespace, asked of the kernel by sock_diag(7).
//!
//! `/proc/net/tcp` would do, but the kernel walks its whole connection table for every read of it: measured at
//! 5 to 20 ms on a quiet machine and a second on a busy one, against 20 us for this.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::OwnedFd;

use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink, recv, send, socket_with,
};

const SOCK_DIAG_BY_FAMILY: u16 = 20;
const NLM_F_REQUEST: u16 = 1;
const NLM_F_REQUEST_DUMP: u16 = NLM_F_REQUEST | 0x300;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;
const IPPROTO_TCP: u8 = 6;
const TCP_LISTEN: u8 = 10;
/// `struct nlmsghdr`, and in front of it where a message's payload begins.
const HEAD: usize = 16;
/// Where `struct inet_diag_msg` has the connections that wait, if it is a listening socket.
const QUEUE: usize = 56;
/// Where it has the inode.
const INODE: usize = 68;
/// How long it is; attributes follow.
const MESSAGE: usize = 72;
/// What an error message begins with if there is no such connection: `-ENOENT`.
const NOT_FOUND: [u8; 4] = (-2_i32).to_ne_bytes();
/// `INET_DIAG_SKMEMINFO`, and which of its words is `SK_MEMINFO_DROPS`.
const SKMEMINFO: u16 = 7;
const DROPS: usize = 8;
/// `INET_DIAG_NOCOOKIE`, twice.
const NO_COOKIE: [u8; 8] = [0xff; 8];

/// A socket to ask by.
pub struct SocketDiag(OwnedFd);

impl SocketDiag {
    /// Opens it, where the kernel has it.
    ///
    /// # Errors
    /// The kernel's.
    pub fn open() -> io::Result<Self> {
        let kind = (AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC);
        Ok(Self(socket_with(kind.0, kind.1, kind.2, Some(netlink::SOCK_DIAG))?))
    }

    /// The listening sockets, by inode.
    ///
    /// # Errors
    /// The kernel's; a kernel without sock_diag says so here.
    pub fn listeners(&self) -> io::Result<BTreeMap<u64, String>> {
        let told = |(inode, address): (u64, SocketAddr)| (inode, address.to_string());
        Ok(self.addresses()?.into_iter().map(told).collect())
    }

    /// The addresses of the listening sockets, by inode.
    ///
    /// # Errors
    /// As [`SocketDiag::listeners`].
    pub fn addresses(&self) -> io::Result<BTreeMap<u64, SocketAddr>> {
        let mut found = BTreeMap::new();
        self.each(|message| found.extend(socket(message)))?;
        Ok(found)
    }

    /// How many connections each listening socket has dropped, by inode.
    ///
    /// # Errors
    /// As [`SocketDiag::listeners`].
    pub fn dropped(&self) -> io::Result<BTreeMap<u64, u32>> {
        let mut found = BTreeMap::new();
        self.each(|message| {
            let inode = word(message, INODE).map(u64::from);
            found.extend(inode.zip(drops(message.get(MESSAGE..).unwrap_or_default())));
        })?;
        Ok(found)
    }

    /// The inode of the end of a connection that is at `local`: 0 while it waits to be accepted; `None`: there is no
    /// such connection.
    ///
    /// # Errors
    /// As [`SocketDiag::listeners`].
    pub fn inode_of(&self, local: SocketAddr, remote: SocketAddr) -> io::Result<Option<u64>> {
        send(&self.0, &question_of(local, remote), SendFlags::empty())?;
        let mut buffer = vec![0; 4_096];
        let (read, _) = recv(&self.0, &mut buffer, RecvFlags::empty())?;
        let mut found = None;
        match take_in(&buffer[..read], &mut |message| found = word(message, INODE).map(u64::from)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            Ok(_) | Err(_) => Ok(found),
        }
    }

    /// How many connections to this port wait to be accepted, whatever the address.
    ///
    /// # Errors
    /// As [`SocketDiag::listeners`].
    pub fn queued(&self, port: u16) -> io::Result<u32> {
        let mut queued = 0;
        self.each(|message| {
            let is_meant = socket(message).is_some_and(|(_, address)| address.port() == port);
            queued += word(message, QUEUE).filter(|_| is_meant).unwrap_or(0);
        })?;
        Ok(queued)
    }

    /// Every listening TCP socket, as a `struct inet_diag_msg`.
    fn each(&self, mut take: impl FnMut(&[u8])) -> io::Result<()> {
        for family in [AF_INET, AF_INET6] {
            send(&self.0, &question(family), SendFlags::empty())?;
            let mut buffer = vec![0; 32_768];
            loop {
                let (read, _) = recv(&self.0, &mut buffer, RecvFlags::empty())?;
                if take_in(&buffer[..read], &mut take)? {
                    break;
                }
            }
        }
        Ok(())
    }
}

/// Every listening TCP socket of a family.
fn question(family: u8) -> Vec<u8> {
    let mut message = request(family, NLM_F_REQUEST_DUMP, 1 << TCP_LISTEN);
    message.resize(REQUEST, 0); // any address
    message
}

/// One connection.
fn question_of(local: SocketAddr, remote: SocketAddr) -> Vec<u8> {
    let family = if local.is_ipv4() { AF_INET } else { AF_INET6 };
    let mut message = request(family, NLM_F_REQUEST, u32::MAX);
    message.extend_from_slice(&local.port().to_be_bytes());
    message.extend_from_slice(&remote.port().to_be_bytes());
    for end in [local, remote] {
        let mut bytes = [0; 16];
        match end.ip() {
            IpAddr::V4(ip) => bytes[..4].copy_from_slice(&ip.octets()),
            IpAddr::V6(ip) => bytes = ip.octets(),
        }
        message.extend_from_slice(&bytes);
    }
    message.extend_from_slice(&[0; 4]); // any interface
    message.extend_from_slice(&NO_COOKIE);
    message
}

/// The length of a whole request.
const REQUEST: usize = HEAD + 56;

/// The begin of a request, up to whom it is about: `struct nlmsghdr`, `struct inet_diag_req_v2`.
fn request(family: u8, flags: u16, states: u32) -> Vec<u8> {
    let mut message = Vec::with_capacity(REQUEST);
    message.extend_from_slice(&u32::try_from(REQUEST).unwrap_or_default().to_ne_bytes());
    message.extend_from_slice(&SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    message.extend_from_slice(&flags.to_ne_bytes());
    message.extend_from_slice(&[0; 8]); // sequence, port
    message.extend_from_slice(&[family, IPPROTO_TCP, 1 << (SKMEMINFO - 1), 0]);
    message.extend_from_slice(&states.to_ne_bytes());
    message
}

/// Reads the messages of one datagram; true if the last one says that there are no more.
fn take_in(mut bytes: &[u8], take: &mut impl FnMut(&[u8])) -> io::Result<bool> {
    while bytes.len() >= HEAD {
        let length = u32::from_ne_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) as usize;
        let message = bytes.get(HEAD..length).ok_or(io::ErrorKind::InvalidData)?;
        match u16::from_ne_bytes([bytes[4], bytes[5]]) {
            NLMSG_DONE => return Ok(true),
            NLMSG_ERROR if message.get(..4) == Some(&NOT_FOUND) => return Err(io::ErrorKind::NotFound.into()),
            NLMSG_ERROR => return Err(io::Error::other("the kernel does not know sock_diag")),
            _ => take(message),
        }
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Ok(false)
}

/// Inode and address of a `struct inet_diag_msg`.
fn socket(message: &[u8]) -> Option<(u64, SocketAddr)> {
    let port = u16::from_be_bytes(message.get(4..6)?.try_into().ok()?);
    let ip: IpAddr = match *message.first()? {
        AF_INET => Ipv4Addr::from(<[u8; 4]>::try_from(message.get(8..12)?).ok()?).into(),
        _ => Ipv6Addr::from(<[u8; 16]>::try_from(message.get(8..24)?).ok()?).into(),
    };
    Some((u64::from(word(message, INODE)?), SocketAddr::new(ip, port)))
}

/// The drops among the attributes, each a `struct nlattr`.
fn drops(mut attributes: &[u8]) -> Option<u32> {
    while let Some((head, rest)) = attributes.split_at_checked(4) {
        let length = usize::from(u16::from_ne_bytes([head[0], head[1]])).checked_sub(4)?;
        if u16::from_ne_bytes([head[2], head[3]]) == SKMEMINFO {
            return word(rest.get(..length)?, 4 * DROPS);
        }
        attributes = rest.get(length.next_multiple_of(4)..)?;
    }
    None
}

fn word(message: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(message.get(at..at + 4)?.try_into().ok()?))
}
