//! One nginx through every release that is here and back down again, under load.
#![expect(clippy::print_stdout, reason = "what was counted is told")]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::release;
use super::site::Site;

/// How often the whole way is gone: `OLDBIN_ROUNDS=100 cargo test --test oldbin chain`.
const ROUNDS: &str = "OLDBIN_ROUNDS";

/// The releases, oldest first; those that are not here are left out.
pub(crate) const RELEASES: [&str; 4] = ["1.18.0", "1.22.1", "1.26.3", "1.30.6"];

/// How many clients keep their connection.
const KEPT: usize = 2;

pub(crate) const TESTS: &[(&str, fn())] =
    &[("a_chain_of_upgrades_up_and_down_loses_no_fresh_connection", up_and_down)];

fn up_and_down() {
    let rounds: usize = std::env::var(ROUNDS).ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    let here: Vec<_> = RELEASES.into_iter().filter(|version| release(version).is_some()).collect();
    let site = Site::start(here[0]);
    let fresh = site.light_load();
    let is_over = Arc::new(AtomicBool::new(false));
    let kept: Vec<_> = (0..KEPT)
        .map(|_| {
            let (address, is_over) = (site.address(), Arc::clone(&is_over));
            std::thread::spawn(move || Kept::default().ask(&address, &is_over))
        })
        .collect();
    let way = || here.iter().skip(1).chain(here.iter().rev().skip(1));
    for version in (0..rounds).flat_map(|_| way()) {
        let new = release(version).unwrap();
        let said = site.oldbin(&["upgrade".into(), "--new".into(), new.into(), "--soak".into(), "0".into()]);
        assert_eq!((said.outcome(), said.code), ("upgraded", 0), "to {version}: {said:?}");
        assert_eq!(site.answer(), *version);
    }
    is_over.store(true, Ordering::Relaxed);
    let kept = kept.into_iter().map(|client| client.join().unwrap()).fold(Kept::default(), Kept::and);
    let (served, lost) = fresh.end();
    println!(
        "chain: {} upgrades over {} releases: {served} fresh connections, {} lost; {} requests on kept ones, {} crossed \
         the end of an idle connection and were sent again, {} lost",
        rounds * way().count(),
        here.len(),
        lost.len(),
        kept.served,
        kept.crossed,
        kept.lost.len()
    );
    assert_eq!((lost, kept.lost), (Vec::new(), Vec::new()));
    assert!(kept.served > 0);
    site.serves_alone(here[0]);
}

/// A client that keeps its connection as long as it can.
#[derive(Default)]
struct Kept {
    served: usize,
    /// The server closed an idle connection while a request was on its way, as HTTP allows; it was sent again.
    crossed: usize,
    lost: Vec<String>,
}

impl Kept {
    fn ask(mut self, address: &str, is_over: &AtomicBool) -> Self {
        let mut connection: Option<TcpStream> = None;
        while !is_over.load(Ordering::Relaxed) {
            let is_fresh = connection.is_none();
            let told = connection.take().map_or_else(|| TcpStream::connect(address), Ok).and_then(one_more);
            match told {
                Ok((stream, is_kept)) => {
                    self.served += 1;
                    connection = is_kept.then_some(stream);
                }
                Err(_) if !is_fresh => self.crossed += 1,
                Err(error) => self.lost.push(error.to_string()),
            }
        }
        self
    }

    fn and(self, other: Self) -> Self {
        let lost = self.lost.into_iter().chain(other.lost).collect();
        Self { served: self.served + other.served, crossed: self.crossed + other.crossed, lost }
    }
}

/// One request; true beside the connection if it may be used again. An error means that nothing of an answer came, or
/// that it was cut, which is told as another error on a fresh connection.
fn one_more(mut stream: TcpStream) -> std::io::Result<(TcpStream, bool)> {
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")?;
    let mut answer = Vec::new();
    loop {
        let mut bytes = [0; 1024];
        let count = match stream.read(&mut bytes)? {
            0 if answer.is_empty() => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            0 => panic!("cut: {}", String::from_utf8_lossy(&answer)),
            count => count,
        };
        answer.extend_from_slice(&bytes[..count]);
        let text = String::from_utf8_lossy(&answer);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")).unwrap();
        if body.len() >= length.parse().unwrap() {
            assert!(head.starts_with("HTTP/1.1 200"), "{text}");
            let is_kept = head.contains("Connection: keep-alive");
            return Ok((stream, is_kept));
        }
    }
}
