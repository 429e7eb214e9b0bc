//! From file names to a [`Conf`].
//!
//! # Source
//! `ngx_init_cycle` in `src/core/ngx_cycle.c` and `ngx_process_options` in `src/core/nginx.c`, nginx 1.18 to
//! 1.30.

use std::path::PathBuf;

use super::directive::Contexts;
use super::frame::Frame;
use super::main_context::with_slash;
use super::read::{Reader, full_name};
use super::types::{Conf, ConfError, ErrorLog, Level, LogTarget, Warning};
use crate::options::Options;
use crate::release::Profile;
use crate::stamp::Stamp;

/// What to load, and for whom.
#[derive(Clone, Debug)]
pub struct LoadFrom {
    /// The configuration file, as given by `-c` or built in; relative to `prefix`.
    pub conf: PathBuf,
    /// `-p` or built in.
    pub prefix: PathBuf,
    /// `-g`
    pub directives: Option<String>,
    /// What the release does.
    pub profile: Profile,
    /// The built-in pid file, relative to `prefix`.
    pub pid: PathBuf,
    /// The built-in error log, or `-e`; relative to `prefix`. `stderr` and the empty path are standard error.
    pub error_log: PathBuf,
    /// The arguments of the configure script: they tell which modules there are. Empty is all of them.
    pub configure_arguments: String,
    /// Whether the process's effective user is root.
    pub is_root: bool,
    /// What `worker_processes auto` means.
    pub cores: u16,
}

impl LoadFrom {
    /// What `options` ask `stamp` to load.
    #[must_use]
    pub fn new(stamp: &Stamp, options: &Options, is_root: bool, cores: u16) -> Self {
        let given = |given: &Option<String>, built_in: &PathBuf| {
            given.as_ref().map_or_else(|| built_in.clone(), PathBuf::from)
        };
        Self {
            conf: given(&options.conf, &stamp.conf),
            prefix: given(&options.prefix, &stamp.prefix),
            directives: options.directives.clone(),
            profile: stamp.profile(),
            pid: stamp.pid.clone(),
            error_log: given(&options.error_log, &stamp.error_log),
            configure_arguments: stamp.configure_arguments.clone(),
            is_root,
            cores,
        }
    }

    /// The configuration file's full name, as every message about it says it.
    #[must_use]
    pub fn conf_path(&self) -> PathBuf {
        full_name(&with_slash(&self.prefix.to_string_lossy()), &self.conf.to_string_lossy()).into()
    }

    /// Where messages go until the configuration is read: the built-in log or `-e`.
    #[must_use]
    pub fn built_in_log(&self) -> LogTarget {
        let name = self.error_log.to_string_lossy();
        if name.is_empty() || name == "stderr" {
            return LogTarget::Stderr;
        }
        LogTarget::File(full_name(&with_slash(&self.prefix.to_string_lossy()), &name).into())
    }
}

/// Reads the configuration. No log is opened and no address bound.
///
/// # Errors
/// nginx's own, see [`ConfError`].
pub fn load(from: &LoadFrom) -> Result<(Conf, Vec<Warning>), ConfError> {
    let conf_path = from.conf_path();
    let conf_text = conf_path.to_string_lossy();
    let conf_prefix = conf_text.rfind('/').map_or(String::new(), |slash| conf_text[..=slash].to_owned());
    let mut reader = Reader::new(from, conf_prefix);
    let mut frame = Frame::new(Contexts::MAIN);
    if let Some(directives) = from.directives.as_deref().filter(|text| !text.is_empty()) {
        reader.read_parameter(directives, &mut frame)?;
    }
    reader.read_file(conf_path.clone(), &mut frame, "")?;
    reader.finish_main()?;
    let prefix = reader.prefix();
    let main = reader.main;
    let mut error_logs = main.error_logs;
    if !main.has_error_log {
        error_logs.push(ErrorLog { target: from.built_in_log(), level: Level::Error });
    }
    let pid = main.pid.unwrap_or_else(|| from.pid.to_string_lossy().into_owned());
    let conf = Conf {
        daemon: main.daemon.unwrap_or(true),
        master_process: main.master_process.unwrap_or(true),
        pid: full_name(&prefix, &pid).into(),
        error_logs,
        user: main.user,
        worker_processes: main.worker_processes.unwrap_or(1),
        clones_early: (!from.profile.reuseport_after_parse)
            .then(|| main.worker_processes_at_http.unwrap_or(1)),
        working_directory: main.working_directory.map(Into::into),
        worker_shutdown_timeout_ms: main.worker_shutdown_timeout_ms.filter(|&timeout_ms| timeout_ms > 0),
        worker_connections: main.worker_connections.unwrap_or(512),
        env: main.env,
        listens: main.listens,
        servers: main.servers,
        streams: main.streams,
        prefix,
        hostname: nix::unistd::gethostname()
            .map(|name| name.to_string_lossy().to_ascii_lowercase())
            .unwrap_or_default(),
        files: reader.files,
    };
    Ok((conf, reader.warnings))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::conf::{EnvEntry, LocationMatch, Message};
    use crate::release::Version;

    fn from(folder: &Path) -> LoadFrom {
        let stamp = Stamp::new(Version::new(1, 26, 3));
        let options = Options { prefix: Some(folder.to_string_lossy().into_owned()), ..Options::default() };
        LoadFrom { conf: "n.conf".into(), ..LoadFrom::new(&stamp, &options, false, 3) }
    }

    fn loaded(text: &str) -> Conf {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("n.conf"), text).unwrap();
        let conf = load(&from(folder.path())).unwrap().0;
        Conf { files: Vec::new(), ..conf }
    }

    /// What ends the loading, without the folder's name.
    fn error(text: &str) -> String {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("n.conf"), text).unwrap();
        let error = load(&from(folder.path())).unwrap_err();
        error.to_string().replace(&folder.path().display().to_string(), "DIR")
    }

    #[test]
    fn what_is_not_said_is_as_in_nginx() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("n.conf"), "events {}").unwrap();
        let (conf, warnings) = load(&from(folder.path())).unwrap();
        assert!(conf.daemon && conf.master_process && conf.user.is_none() && warnings.is_empty());
        assert_eq!(conf.pid, folder.path().join("logs/nginx.pid"));
        let log =
            ErrorLog { target: LogTarget::File(folder.path().join("logs/error.log")), level: Level::Error };
        assert_eq!(conf.error_logs, [log]);
        assert_eq!((conf.worker_processes, conf.worker_connections), (1, 512));
        assert_eq!(conf.files.len(), 1);
    }

    #[test]
    fn the_main_context_is_honoured() {
        let conf = loaded(
            "daemon off; master_process off; pid /p; worker_processes auto; worker_shutdown_timeout 1500ms;\n\
             error_log stderr; error_log /l notice; env A=b=c; env D; events { worker_connections 7; }",
        );
        assert!(!conf.daemon && !conf.master_process);
        assert_eq!(conf.pid, Path::new("/p"));
        assert_eq!((conf.worker_processes, conf.worker_connections), (3, 7));
        assert_eq!(conf.worker_shutdown_timeout_ms, Some(1500));
        let logs: Vec<_> = conf.error_logs.iter().map(|log| (log.target.clone(), log.level)).collect();
        let file = LogTarget::File("/l".into());
        assert_eq!(logs, [(LogTarget::Stderr, Level::Error), (file, Level::Notice)]);
        let entry =
            |name: &str, value: Option<&str>| EnvEntry { name: name.into(), value: value.map(Into::into) };
        assert_eq!(conf.env, [entry("A", Some("b=c")), entry("D", None)]);
    }

    /// The order was read off the bind errors of 1.18.0 and 1.30.6.
    #[test]
    fn sockets_are_merged_and_ordered_as_in_nginx() {
        let conf = loaded(
            "events {} worker_processes 3; http {
             server { listen 127.0.0.1:18302; listen 18301; listen unix:/a; listen [::1]:18301; }
             server { listen 127.0.0.2:18301 backlog=5; listen 127.0.0.1:18301; listen unix:/b backlog=3;
                      listen [::]:18301; listen 127.0.0.2:18302; listen 127.0.0.3:18302 reuseport;
                      listen [::1]:18302; }
             server { listen 127.0.0.2:18302; listen 127.0.0.1:18303; } }",
        );
        let bound: Vec<String> = conf.listens.iter().map(|listen| listen.address.to_string()).collect();
        let expected = [
            "127.0.0.3:18302",
            "127.0.0.1:18302",
            "127.0.0.2:18302",
            "127.0.0.2:18301",
            "0.0.0.0:18301",
            "unix:/b",
            "unix:/a",
            "[::]:18301",
            "[::1]:18302",
            "127.0.0.1:18303",
        ];
        assert_eq!(bound, expected);
        assert_eq!(conf.listens[3].backlog, 5);
        let behind: Vec<_> = conf.listens[4].addresses.iter().map(|address| address.local).collect();
        assert_eq!(behind, [Some("127.0.0.1".parse().unwrap()), None]);
        assert_eq!(conf.listens[2].addresses[0].servers, [1, 2]);
        let sockets = conf.sockets(false);
        assert_eq!((sockets[0], sockets[1]), ((0, Some(0)), (1, None)));
        assert_eq!(sockets[10..], [(0, Some(1)), (0, Some(2))]);
    }

    #[test]
    fn before_1_15_2_sockets_are_cloned_for_the_workers_that_are_known_when_http_ends() {
        let sockets = |text: &str| {
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(folder.path().join("n.conf"), text).unwrap();
            let profile = Profile::of(crate::release::Version::new(1, 14, 2));
            load(&LoadFrom { profile, ..from(folder.path()) }).unwrap().0.sockets(true)
        };
        let http = "http { server { listen 127.0.0.1:1 reuseport; listen 127.0.0.1:2; } }";

        let after = sockets(&format!("events {{}} {http} worker_processes 2;"));
        let before = sockets(&format!("events {{}} worker_processes 2; {http}"));

        assert_eq!(after, [(0, Some(0)), (1, None)]);
        assert_eq!(before, [(0, Some(0)), (0, Some(1)), (1, None)]);
    }

    #[test]
    fn blocks_inherit_what_they_do_not_say() {
        let conf = loaded(
            "events {} http { keepalive_timeout 5 9; default_type a/b; add_header X 1; client_header_timeout 2s;
             server { limit_rate 3k; location /a { keepalive_timeout 6; add_header Y 2; location /a/b { } }
                      location = /c { return 204; } } }",
        );
        let server = &conf.servers[0];
        let (a, inner, c) = (&server.locations[0], &server.locations[0].nested[0], &server.locations[1]);
        assert_eq!((a.keepalive_timeout_ms, a.keepalive_header_s, a.limit_rate), (6000, 0, 3072));
        assert_eq!((inner.keepalive_timeout_ms, inner.headers.len()), (6000, 1));
        assert_eq!(inner.headers[0].0, "Y");
        assert_eq!((c.keepalive_timeout_ms, c.keepalive_header_s, c.headers[0].0.as_str()), (5000, 9, "X"));
        assert_eq!((c.matches.clone(), c.default_type.as_str()), (LocationMatch::Exact("/c".into()), "a/b"));
        assert!(a.answer.is_none() && c.answer.as_ref().unwrap().status == 204);
        assert_eq!(conf.client_header_timeout_ms(0), 2000);
    }

    /// checks: C6
    #[test]
    fn includes_are_read_in_order_and_kept_for_the_dump() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        write("n.conf", "include e.conf; http { include b*.inc; include none*.inc; }");
        write("e.conf", "events {}");
        write("b2.inc", "server { listen 127.0.0.1:2; }");
        write("b1.inc", "server { listen 127.0.0.1:1; }");
        let conf = load(&from(folder.path())).unwrap().0;
        let names = conf.files.iter().map(|file| file.path.file_name().unwrap().to_str().unwrap());
        assert_eq!(names.collect::<Vec<_>>(), ["n.conf", "e.conf", "b1.inc", "b2.inc"]);
        assert_eq!(conf.listens[0].address.to_string(), "127.0.0.1:1");
    }

    #[test]
    fn each_kind_of_mistake_has_the_words_of_nginx() {
        for (text, expected) in [
            ("foo;", "unknown directive \"foo\" in DIR/n.conf:1"),
            ("\nlisten 80;", "\"listen\" directive is not allowed here in DIR/n.conf:2"),
            ("daemon;", "invalid number of arguments in \"daemon\" directive in DIR/n.conf:1"),
            ("daemon on {", "directive \"daemon\" is not terminated by \";\" in DIR/n.conf:1"),
            ("events;", "directive \"events\" has no opening \"{\" in DIR/n.conf:1"),
            ("daemon on; daemon on;", "\"daemon\" directive is duplicate in DIR/n.conf:1"),
            ("events {", "unexpected end of file, expecting \"}\" in DIR/n.conf:1"),
            ("}", "unexpected \"}\" in DIR/n.conf:1"),
            ("", "no \"events\" section in configuration"),
            ("include x;", "open() \"DIR/x\" failed (2: No such file or directory) in DIR/n.conf:1"),
            ("include n.conf;", "open() \"DIR/n.conf\" failed (24: Too many open files) in DIR/n.conf:1"),
        ] {
            assert_eq!(error(text), format!("[emerg] {expected}"), "{text}");
        }
        assert_eq!(
            error("load_module x.so;"),
            "[emerg] dlopen() \"DIR/x.so\" failed (DIR/x.so: cannot open shared object file: No such file or \
             directory) in DIR/n.conf:1"
        );
        assert_eq!(
            error("load_module n.conf; events {}"),
            "[emerg] dlopen() \"DIR/n.conf\" failed (DIR/n.conf: invalid ELF header) in DIR/n.conf:1"
        );
        assert_eq!(
            error("events {}\nload_module x.so;"),
            "[emerg] \"load_module\" directive is specified too late in DIR/n.conf:2"
        );
        let missing = load(&from(Path::new("/nonexistent"))).unwrap_err().to_string();
        assert_eq!(missing, "[emerg] open() \"/nonexistent/n.conf\" failed (2: No such file or directory)");
    }

    /// The directives of the configurations that nginx.org and Debian install.
    #[test]
    fn stock_configurations_load() {
        let conf = loaded(
            "worker_processes auto; worker_cpu_affinity auto; pid /run/nginx.pid; error_log /var/log/e;
             include modules-enabled/*.conf;
             events { worker_connections 768; # multi_accept on;
             }
             http {
                 sendfile on; tcp_nopush on; types_hash_max_size 2048; server_tokens build;
                 types { text/html html htm; application/wasm wasm; }
                 default_type application/octet-stream;
                 ssl_protocols TLSv1.2 TLSv1.3; ssl_prefer_server_ciphers off;
                 log_format main '$remote_addr - $remote_user [$time_local] \"$request\" '
                                 '$status $body_bytes_sent';
                 access_log /var/log/nginx/access.log main; gzip on; keepalive_timeout 65;
                 server {
                     listen 80 default_server; listen [::]:80 default_server;
                     root /var/www/html; index index.html index.htm; server_name _;
                     location / { try_files $uri $uri/ =404; }
                     error_page 500 502 503 504 /50x.html;
                     location = /50x.html { root html; }
                 }
             }",
        );
        assert_eq!((conf.listens.len(), conf.servers[0].locations.len()), (2, 2));
        assert_eq!(conf.servers[0].locations[0].keepalive_timeout_ms, 65_000);
    }

    proptest::proptest! {
        /// Directives of nginx with any words behind them, in any order and nesting: loaded or refused.
        #[test]
        fn any_directives_are_loaded_or_refused(
            lines in proptest::collection::vec((any_directive(), ".{0,8}", 0..4_u8, 0..8_u8), 0..30)
        ) {
            let text: String = lines.iter().map(|(name, word, words, end)| {
                let words = format!(" {word}").repeat(usize::from(*words));
                format!("{name}{words}{}\n", ["; }", " {", ";", ";", ";", ";", " {", ";"][usize::from(*end)])
            }).collect();
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(folder.path().join("n.conf"), text).unwrap();
            if let Err(error) = load(&from(folder.path())) {
                proptest::prop_assert!(!error.to_string().is_empty());
            }
        }
    }

    fn any_directive() -> impl proptest::strategy::Strategy<Value = &'static str> {
        let known = crate::conf::directive::all().map(|directive| directive.name).collect::<Vec<_>>();
        proptest::sample::select(known)
    }

    /// checks: S10
    #[test]
    fn user_is_for_root_only() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("n.conf"), "user root;\nevents {}").unwrap();
        let as_root = LoadFrom { is_root: true, ..from(folder.path()) };
        assert_eq!(load(&as_root).unwrap().0.user.map(|user| user.uid), Some(0));
        let (conf, warnings) = load(&from(folder.path())).unwrap();
        assert!(conf.user.is_none());
        let [Message { level: Level::Warn, text }] = warnings.as_slice() else { panic!("{warnings:?}") };
        assert!(
            text.starts_with("the \"user\" directive makes sense only if the master process runs"),
            "{text}"
        );
    }
}
