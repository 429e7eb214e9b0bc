//! The numbered statements of nginx's process model, and those that no test here can check.
//!
//! A number is for ever: tests, findings and talk refer to it. M is the master's loop, C the command line, S the
//! start, G signals, X the exit, U the upgrade, R the rollback, D the drain, W the death of workers, L the reload,
//! N sockets beyond TCP, Y what runs nginx.

/// One thing that nginx does.
pub(crate) struct Statement {
    /// Its name in tests and on the page.
    pub(crate) number: &'static str,
    /// What nginx does, in one sentence.
    pub(crate) sentence: &'static str,
}

const fn says(number: &'static str, sentence: &'static str) -> Statement {
    Statement { number, sentence }
}

/// All of them, in the order of the page.
pub(crate) const STATEMENTS: &[Statement] = &[
    says(
        "M1",
        "A master takes its signals only while it waits, and their handlers do no more than set flags and log.",
    ),
    says("M2", "The parent that a master compares with is the one it had when its process began."),
    says(
        "M3",
        "One wake-up does its work in one fixed order, the reaping of children first and the no-accept last.",
    ),
    says("M4", "After QUIT a master obeys only TERM, INT and the deaths of its children."),
    says("M5", "A wake-up that ends early at HUP leaves what stood behind it to the next signal."),
    says("M6", "Of several pending signals the highest number is logged first, whatever is done first."),
    says("C1", "Option letters may stand together, and a value may be attached or be the next word."),
    says("C2", "`-v`, `-V` and `-h` print on standard error and succeed."),
    says("C3", "With `-t` they print and test; with `-s` they print and send nothing."),
    says("C4", "`-t` tells of the syntax and then of the whole, and its exit code is the answer."),
    says("C5", "`-q` hides the two lines of success and nothing else."),
    says("C6", "`-T` dumps every file of a sound configuration on standard output."),
    says(
        "C7",
        "`-t` makes an empty pid file and takes free addresses for a moment; a taken address is no error.",
    ),
    says("C8", "`-s` knows stop, quit, reopen and reload, and no other word."),
    says("C9", "`-s` reads the configuration first, and sends nothing if it is broken."),
    says("C10", "`-s` means the process that the pid file names, during an upgrade the new master."),
    says("C11", "`-s` fails in three ways: no pid file, no number in it, no such process."),
    says(
        "C12",
        "`-s` succeeds in silence as soon as the signal is sent; together with `-t` it sends nothing.",
    ),
    says(
        "C13",
        "Relative paths belong to the prefix of `-p`, those of includes to the configuration's folder; `-e` came with 1.19.5.",
    ),
    says(
        "C14",
        "`-g` is read before the file: a directive said in both is a duplicate, a mistake is one in command line.",
    ),
    says(
        "C15",
        "A bad option, a word without a dash and a missing value are refused with nginx's words and 1.",
    ),
    says("C16", "Until the master's loop runs, warnings and worse are also told on standard error."),
    says("C17", "A missing configuration file is an emerg and exit code 1."),
    says(
        "C18",
        "The exit code is 0 for success, 1 for a failed start, test or signal, 2 for a worker that cannot set itself up.",
    ),
    says(
        "S1",
        "A start reads, opens logs, binds, becomes a daemon, writes the pid file and then starts workers.",
    ),
    says("S2", "Addresses are bound before the launcher leaves, so that a failure to bind is its exit code."),
    says("S3", "A stock launcher leaves before the pid file is written: it may say 0 when nothing runs."),
    says("S4", "Debian's launcher writes the pid file itself, and says 1 if it cannot although nginx runs."),
    says(
        "S5",
        "The pid file is one decimal number and a line end, mode 0644 for a daemon, and an old one is overwritten.",
    ),
    says(
        "S6",
        "A daemon leads a session of its own, with standard input and output on /dev/null, in the folder of its start.",
    ),
    says("S7", "A taken address is tried five times in two and a half seconds, then the start fails with 1."),
    says(
        "S8",
        "Titles name master, worker and worker that is shutting down; a new master has its command line until it spawns.",
    ),
    says(
        "S9",
        "`daemon off` changes neither process nor session; `master_process off` is one process that serves.",
    ),
    says(
        "S10",
        "Root's workers become `user`; for others the directive is a warning; an unknown name is an error.",
    ),
    says("S11", "A worker's environment is TZ and what `env` names."),
    says(
        "S12",
        "With NGINX in its environment, even empty, a start believes to be an upgrade and stays in the foreground.",
    ),
    says("S13", "A signal to a first start that is not yet a daemon kills it."),
    says("S14", "Without `error_log` the level is error, and no notice is logged."),
    says("S15", "More listening sockets than worker_connections are an error at the start."),
    says("S16", "A signal between the handlers and the first wait is logged, and done at the next signal."),
    says("G1", "A master started with NGINX counts as a daemon, so WINCH works on it."),
    says("G2", "A fast shutdown repeats TERM at doubling delays and kills after three seconds."),
    says(
        "G3",
        "A graceful shutdown closes the master's sockets at once and waits for its workers without limit.",
    ),
    says("G4", "Whether children live is found anew only when one dies."),
    says("G5", "USR2 is refused, with a crit, under a living parent of the start or beside a new binary."),
    says(
        "G6",
        "So USR2 is refused under a supervisor in the foreground, and taken once the starting process is gone.",
    ),
    says("G7", "A new master that begins after its parent's death refuses USR2 for ever."),
    says("G8", "A master tells its workers over a channel: they drain without a signal in their log."),
    says("G9", "WINCH straight to a worker of a daemon drains it, and it ends with `aborting`."),
    says("G10", "TERM or INT to a worker ends it at once with code 0 and cuts its requests."),
    says("G11", "A worker that is ended behind its master's back is started again."),
    says("G12", "USR1 reopens logs in the master first, which hands them to the workers' user."),
    says("G13", "The end of a worker reaches its master as SIGIO too."),
    says("G14", "USR2 and QUIT in one wake-up are a plain shutdown, and two USR2 are one."),
    says("G15", "HUP from a closing terminal makes a foreground master reload."),
    says(
        "X1",
        "A master at its end deletes its pid file, or the oldbin file if it ever tried an upgrade, logs `exit` and returns 0.",
    ),
    says(
        "U1",
        "USR2 renames the pid file to oldbin, forks and executes the words of the start, while old workers accept on.",
    ),
    says("U2", "The path is the one of the start and is not searched for in PATH."),
    says("U3", "If it cannot be executed, the child ends with 1 and the old master is as before."),
    says("U4", "The new binary's environment is what `env` names, TZ, NGINX and a filler."),
    says("U5", "NGINX holds one number and a semicolon per listening socket; bad text is told and survived."),
    says("U6", "Only listening sockets and the standard descriptors reach the new binary."),
    says(
        "U7",
        "The new master is the old one's child, in the same session and group, with the same blocked signals.",
    ),
    says(
        "U8",
        "It tells of inherited sockets in the built-in log, and does not become a daemon; a bad descriptor is skipped.",
    ),
    says("U9", "Each configured address takes the first inherited socket of that address."),
    says(
        "U10",
        "What is not inherited is bound, what is not configured is closed, and if unix its path is deleted.",
    ),
    says("U11", "From the rename until the new master has written it there is no pid file."),
    says("U12", "Signals to a new binary that still starts wait for its loop."),
    says(
        "U13",
        "When the new binary ends, in whatever way, the pid file gets its name back, and workers after a WINCH.",
    ),
    says(
        "U14",
        "A new master that stops deletes its own pid file first; one that is killed leaves its workers behind, serving.",
    ),
    says("U15", "An old master that ends deletes only the oldbin file and leaves the new one alone."),
    says(
        "U16",
        "A killed old master leaves the oldbin file and serving workers; the new one can be upgraded again.",
    ),
    says("U17", "While the old master drains, the new one refuses USR2 and obeys HUP."),
    says("U18", "If the new master dies while the old one drains, nobody serves."),
    says("U19", "QUIT to the old master before the new one has started ends it all the same."),
    says(
        "U20",
        "USR2 without a pid file fails, and later HUPs add workers instead of reading the configuration.",
    ),
    says("U21", "An upgraded master can be upgraded again once the old one is gone."),
    says(
        "U22",
        "With another `pid` in the file, the old master keeps to the old path and the new one writes the new.",
    ),
    says("U23", "Shared memory is not inherited."),
    says("U24", "In the overlap both generations accept from the same sockets."),
    says("U25", "The pid file is there before the workers are: it does not prove that anybody serves."),
    says("U26", "HUP to the old master while the new one still starts adds workers."),
    says("R1", "HUP to an old master starts workers from memory and reads no file."),
    says("R2", "It does so again at every HUP; a reload or WINCH later ends them all."),
    says(
        "R3",
        "WINCH drains all workers, the master keeps its sockets, and a drained worker is not replaced however it ends.",
    ),
    says(
        "R4",
        "USR2, WINCH, HUP and then QUIT to the old master leaves its fresh workers behind as orphans.",
    ),
    says(
        "R5",
        "If the new master dies after WINCH, workers start again; without WINCH only the name goes back.",
    ),
    says("R6", "QUIT to the new master before HUP to the old leaves nobody to accept until it has drained."),
    says("R7", "Only HUP beside a new binary, or its death, forgets a WINCH: a reload does not."),
    says("R8", "After WINCH without an upgrade connections wait in the queue until HUP."),
    says("R9", "WINCH to the new master drains its workers, and HUP reloads."),
    says(
        "R10",
        "A worker of the old master that crashes in the overlap is replaced by one of the old release.",
    ),
    says(
        "D1",
        "A worker told to quit says so in log and title, closes its sockets and its idle connections.",
    ),
    says("D2", "A connection between two requests is idle and is closed at once."),
    says(
        "D3",
        "A connection that has sent nothing, or half a request, is not idle: it is served, or timed out.",
    ),
    says(
        "D4",
        "Since 1.21.6 an answer given while draining says `Connection: close`; before, it is closed without a word.",
    ),
    says("D5", "HTTP/2 drains with GOAWAY; upgraded and stream connections are left alone."),
    says("D6", "A worker without work logs `exiting` and `exit` and ends with 0."),
    says("D7", "worker_shutdown_timeout cuts what is left when it has passed."),
    says("D8", "Since 1.27.4 keepalive_min_timeout keeps a connection from being idle."),
    says("D9", "Lingering close keeps a draining worker while it discards what the client still sends."),
    says("D10", "What waits in the queue of a socket is lost only when its last holder closes it."),
    says(
        "D11",
        "With reuseport every worker has a socket; fewer workers in the new master strand some clients.",
    ),
    says("D12", "A crashed worker's reuseport socket waits in the master for the next one."),
    says("D13", "accept_mutex is off by default; shared sockets then wake one worker each."),
    says("D14", "QUIC listeners stay open while draining."),
    says("D15", "Upstream connections that end while draining are not kept."),
    says("W1", "A death is a notice with its code or an alert with its signal."),
    says("W2", "A worker that dies unasked is replaced at once, without limit."),
    says("W3", "A worker that ends with 2 is not replaced; HUP tries again."),
    says("W4", "A replacement is logged by its own line alone."),
    says("W5", "A dead worker's locks on shared memory are freed."),
    says(
        "W6",
        "A killed master's workers serve on, block the next start, and can be told to quit one by one.",
    ),
    says("L1", "A reload that fails says why and changes nothing."),
    says("L2", "A reload starts new workers, waits a tenth of a second and tells the old ones to quit."),
    says("L3", "An address that stays keeps its socket."),
    says("L4", "A new `pid` path replaces the old file before sockets are bound, even if that then fails."),
    says("L5", "`daemon` and `master_process` stay as they were; the rest is for new workers."),
    says("L6", "A reload never changes the binary."),
    says("N1", "A unix socket has mode 0666, and a path that exists stops the start."),
    says("N2", "Who deletes the path of a unix socket depends on signal, age and release."),
    says(
        "N3",
        "Since 1.19.1 it is deleted only without a new binary, and not if inherited from a living parent.",
    ),
    says(
        "N4",
        "Sockets of UDP and of IPv6 are inherited as others are; a draining worker reads no datagram more.",
    ),
    says("N5", "A unix socket whose path is gone is inherited and unreachable."),
    says("Y1", "As process 1 of a container nginx refuses USR2."),
    says("Y2", "If process 1 is nginx itself, its end is the end of all."),
    says("Y3", "systemd follows the pid file when the main process ends."),
    says("Y4", "Until the old master ends, systemd's main pid is the old one."),
    says("Y5", "A stock launcher may leave before systemd can read the pid file."),
    says("Y6", "Under systemd's Type=simple USR2 is refused."),
    says("Y7", "Debian's init script waits for both files and looks at nothing else."),
];

/// What no test here checks, and why.
pub(crate) const NOT_CHECKED: &[(&str, &str)] = &[
    (
        "S11",
        "cannot be observed: a worker's title overwrites the environment that others can read; U4 checks the same list",
    ),
    (
        "S16",
        "cannot be observed: the instant between handlers and first wait is some microseconds, and real nginx cannot be held in it",
    ),
    ("G15", "cannot be observed apart: the kernel's HUP is no other than one that is sent (M3)"),
    ("U23", "not modelled: shared-memory zones"),
    ("D5", "not modelled: HTTP/2, upgraded connections and streams"),
    ("D14", "not modelled: QUIC"),
    ("D15", "not modelled: upstreams"),
    ("W5", "not modelled: shared-memory zones"),
    ("Y1", "about docker; what nginx does there is G5"),
    ("Y2", "about process 1, which is the kernel's"),
    ("Y3", "about systemd"),
    ("Y4", "about systemd; what nginx does then is R2"),
    ("Y5", "about systemd; what nginx does then is S3"),
    ("Y6", "about systemd; what nginx does then is G6"),
    ("Y7", "about Debian's script"),
];

/// What still waits for its test. It only shrinks: its length is part of its type, and one that has a test fails the run.
pub(crate) const NO_TEST_YET: [&str; 0] = [];
