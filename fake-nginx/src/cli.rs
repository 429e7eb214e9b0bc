//! The command line of an unstamped `fake-nginx`: it makes stamped copies and tells what they can do.
//!
//! A stamped copy takes nginx's own options instead, see [`crate::options`].

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};
use serde::Serialize;
use strum::VariantArray;

use crate::conf::directive;
use crate::fault::{self, Fault};
use crate::overrides::{Flag, OLDEST_PROVEN, Override};
use crate::release::{Profile, Version};
use crate::stamp::{self, Stamp};

/// Make fakes of nginx releases
///
/// A fake has nginx's command line, processes, signals, pid files, socket inheritance and drain, and answers HTTP.
/// It is one file: copy it, move it, start it and upgrade it as you would nginx.
#[derive(Debug, Parser)]
#[command(name = "fake-nginx", disable_version_flag = true, after_help = EXAMPLES)]
struct Arguments {
    /// Print the version of this program, not of a fake
    #[arg(long)]
    version: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write an executable that plays one release of nginx
    ///
    /// The file is a copy of this program that carries its identity. It is written beside PATH and then renamed, so
    /// PATH is never half a program. What releases do differently follows from the version.
    #[command(after_help = STAMP_EXAMPLES)]
    Stamp(StampArguments),
    /// List the directives that a fake honours, and those that it accepts without effect
    ///
    /// Every other directive is unknown to it, and it fails as nginx does.
    Directives {
        /// Print one JSON object per line
        #[arg(long)]
        json: bool,
    },
    /// Tell what a release does otherwise than others: the flags that --profile changes
    Profile {
        /// Release, such as 1.26.3
        version: Version,
        /// Print one JSON object per line
        #[arg(long)]
        json: bool,
    },
    /// List the faults that can be stamped
    Faults {
        /// Print one JSON object per line
        #[arg(long)]
        json: bool,
    },
    /// Print a completion script for a shell
    Completions {
        /// Shell to complete for
        shell: clap_complete::Shell,
    },
}

#[derive(Debug, clap::Args)]
struct StampArguments {
    /// Release to play, such as 1.26.3
    #[arg(long, value_name = "VERSION")]
    version: Version,
    /// Flag of the release to set (debian-pidfile) or to take back (no-logs-sender), see `fake-nginx profile`
    /// (can be repeated)
    #[arg(long = "profile", value_name = "PROFILE")]
    profiles: Vec<Override>,
    /// Misbehaviour, such as "exits-at-start status=1"; see `fake-nginx faults`
    #[arg(long, value_name = "FAULT")]
    fault: Option<Fault>,
    /// Unix socket at which every process reports its moments, and waits to be told to go on; see `fake_nginx::control`
    #[arg(long, value_name = "SOCKET", value_parser = control_socket)]
    control: Option<PathBuf>,
    /// Deliberate defect, for tests that must notice it (can be repeated)
    #[arg(long = "defect", value_name = "NAME", hide = true)]
    defects: Vec<String>,
    /// What `-V` tells; --prefix, --conf-path, --pid-path and --error-log-path in it also set the built-in paths
    #[arg(
        long,
        value_name = "ARGUMENTS",
        default_value = "",
        hide_default_value = true,
        allow_hyphen_values = true
    )]
    configure_arguments: String,
    /// File to write; an existing one is replaced
    #[arg(long, value_name = "PATH")]
    output: PathBuf,
}

const EXAMPLES: &str = "\
Exit codes:
  0  done
  1  failed, or started like nginx without a stamp
  2  wrong usage

Example:
  fake-nginx stamp --version 1.26.3 --output ./nginx
  ./nginx -p . -c nginx.conf";

const STAMP_EXAMPLES: &str = "\
Examples:
  fake-nginx stamp --version 1.22.1 --profile debian-pidfile --output ./nginx-old
  fake-nginx stamp --version 1.26.3 --fault \"exits-at-start status=1\" --output ./nginx-new";

const UNSTAMPED: &str = "\
fake-nginx: this executable carries no stamp, so it does not know which nginx to be
Make a release first, then start that one like nginx:
  fake-nginx stamp --version 1.26.3 --output ./nginx
  ./nginx -p . -c nginx.conf
See `fake-nginx --help`.
";

/// Runs `fake-nginx` with this process's arguments.
#[must_use]
pub fn main() -> ExitCode {
    main_from(std::env::args_os().collect())
}

/// Runs `fake-nginx` with `argv` (the program's name first).
#[must_use]
pub fn main_from(argv: Vec<OsString>) -> ExitCode {
    if is_like_nginx(&argv) {
        // Nobody is left to tell when standard error is closed.
        let _ = io::stderr().write_all(UNSTAMPED.as_bytes());
        return ExitCode::FAILURE;
    }
    let arguments = match Arguments::try_parse_from(argv) {
        Ok(arguments) => arguments,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    match run(arguments, &mut io::stdout().lock()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(failure) => {
            let _ = writeln!(io::stderr(), "fake-nginx: {}", failure.chain());
            ExitCode::FAILURE
        }
    }
}

/// The absolute path of a unix socket: a process of nginx may run anywhere.
fn control_socket(text: &str) -> Result<PathBuf, String> {
    let path = std::path::absolute(text).map_err(|error| error.to_string())?;
    match path.as_os_str().len() {
        length if length > SOCKET_PATH_BYTES_MAX => {
            Err(format!("the path of a unix socket has at most {SOCKET_PATH_BYTES_MAX} bytes, not {length}"))
        }
        _ => Ok(path),
    }
}

/// `sun_path` without the zero behind it.
const SOCKET_PATH_BYTES_MAX: usize = 107;

/// Whether somebody took this for a stamped copy: nothing to do, or one of nginx's options.
fn is_like_nginx(argv: &[OsString]) -> bool {
    match argv.get(1).and_then(|word| word.to_str()) {
        None => argv.len() < 2,
        Some("-h" | "--help" | "--version") => false,
        Some(word) => word.starts_with('-') && !word.starts_with("--"),
    }
}

#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("cannot write the output")]
    Output(#[from] io::Error),
    #[error(transparent)]
    Stamp(#[from] stamp::StampError),
}

impl Failure {
    /// The failure and its causes on one line.
    fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        text
    }
}

fn run(arguments: Arguments, output: &mut dyn Write) -> Result<(), Failure> {
    match arguments.command {
        None if arguments.version => writeln!(output, "fake-nginx {}", env!("CARGO_PKG_VERSION"))?,
        None => output.write_all(UNSTAMPED.as_bytes())?,
        Some(Command::Stamp(arguments)) => {
            let stamp = Stamp {
                overrides: arguments.profiles,
                fault: arguments.fault,
                control: arguments.control,
                defects: arguments.defects,
                ..Stamp::configured(arguments.version, &arguments.configure_arguments)
            };
            stamp::write(&stamp, &arguments.output)?;
            if stamp.version < OLDEST_PROVEN {
                writeln!(output, "{}", unproven(stamp.version))?;
            }
        }
        Some(Command::Directives { json }) => directives(json, output)?,
        Some(Command::Profile { version, json }) => profile(version, json, output)?,
        Some(Command::Faults { json }) => faults(json, output)?,
        Some(Command::Completions { shell }) => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Arguments::command(), "fake-nginx", &mut script);
            output.write_all(&script)?;
        }
    }
    Ok(())
}

/// A line of `fake-nginx directives --json`.
#[derive(Serialize)]
struct DirectiveRow {
    directive: &'static str,
    kind: &'static str,
    contexts: Vec<&'static str>,
    since: Option<String>,
}

fn directives(json: bool, output: &mut dyn Write) -> io::Result<()> {
    let mut rows: Vec<DirectiveRow> = directive::all()
        .map(|directive| DirectiveRow {
            directive: directive.name,
            kind: directive.kind.word(),
            contexts: directive.contexts.names().collect(),
            since: directive.since.map(|version| version.to_string()),
        })
        .collect();
    rows.sort_by_key(|row| (row.kind != directive::Kind::Honoured.word(), row.directive));
    for row in rows {
        if json {
            writeln!(output, "{}", serde_json::to_string(&row)?)?;
            continue;
        }
        let since = row.since.map_or_else(String::new, |version| format!(" (since {version})"));
        writeln!(output, "{:<30} {:<24} {}{since}", row.directive, row.kind, row.contexts.join(", "))?;
    }
    Ok(())
}

/// A line of `fake-nginx profile --json`.
#[derive(Serialize)]
struct FlagRow {
    flag: &'static str,
    holds: bool,
    sentence: &'static str,
    is_proven: bool,
}

fn profile(version: Version, json: bool, output: &mut dyn Write) -> io::Result<()> {
    let mut profile = Profile::of(version);
    let is_proven = version >= OLDEST_PROVEN;
    for &flag in Flag::VARIANTS {
        let row = FlagRow {
            flag: flag.into(),
            holds: *flag.of(&mut profile),
            sentence: flag.sentence(),
            is_proven,
        };
        if json {
            writeln!(output, "{}", serde_json::to_string(&row)?)?;
        } else {
            let holds = if row.holds { "yes" } else { "no" };
            writeln!(output, "{:<30} {holds:<4} {}", row.flag, row.sentence)?;
        }
    }
    if !is_proven && !json {
        writeln!(output, "{}", unproven(version))?;
    }
    Ok(())
}

fn unproven(version: Version) -> String {
    format!(
        "unproven: {version} is older than {OLDEST_PROVEN}, the oldest release that the tests compare with nginx"
    )
}

/// A line of `fake-nginx faults --json`.
#[derive(Serialize)]
struct FaultRow {
    fault: &'static str,
    arguments: &'static [&'static str],
    example: &'static str,
    sentence: &'static str,
}

fn faults(json: bool, output: &mut dyn Write) -> io::Result<()> {
    for fault in fault::ALL {
        if json {
            let fault::Description { name, arguments, example, sentence } = *fault;
            writeln!(
                output,
                "{}",
                serde_json::to_string(&FaultRow { fault: name, arguments, example, sentence })?
            )?;
        } else {
            writeln!(output, "{:<43} {}", fault.example, fault.sentence)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(line: &str) -> String {
        let mut output = Vec::new();
        let arguments = Arguments::try_parse_from(line.split(' ')).unwrap();
        run(arguments, &mut output).unwrap();
        String::from_utf8(output).unwrap()
    }

    fn refused(line: &[&str]) -> String {
        Arguments::try_parse_from(line).unwrap_err().to_string()
    }

    #[test]
    fn help_teaches_how_to_make_a_fake() {
        let mut command = Arguments::command().term_width(100);
        insta::assert_snapshot!(command.render_help(), @r#"
        Make fakes of nginx releases

        Usage: fake-nginx [COMMAND]

        Commands:
          stamp        Write an executable that plays one release of nginx
          directives   List the directives that a fake honours, and those that it accepts without effect
          profile      Tell what a release does otherwise than others: the flags that --profile changes
          faults       List the faults that can be stamped
          completions  Print a completion script for a shell
          help         Print this message or the help of the given subcommand(s)

        Options:
              --version  Print the version of this program, not of a fake
          -h, --help     Print help (see more with '--help')

        Exit codes:
          0  done
          1  failed, or started like nginx without a stamp
          2  wrong usage

        Example:
          fake-nginx stamp --version 1.26.3 --output ./nginx
          ./nginx -p . -c nginx.conf
        "#);
        let stamp = command.find_subcommand_mut("stamp").unwrap();
        insta::assert_snapshot!(stamp.render_help(), @r#"
        Write an executable that plays one release of nginx

        Usage: stamp [OPTIONS] --version <VERSION> --output <PATH>

        Options:
              --version <VERSION>
                  Release to play, such as 1.26.3
              --profile <PROFILE>
                  Flag of the release to set (debian-pidfile) or to take back (no-logs-sender), see
                  `fake-nginx profile` (can be repeated)
              --fault <FAULT>
                  Misbehaviour, such as "exits-at-start status=1"; see `fake-nginx faults`
              --control <SOCKET>
                  Unix socket at which every process reports its moments, and waits to be told to go on; see
                  `fake_nginx::control`
              --configure-arguments <ARGUMENTS>
                  What `-V` tells; --prefix, --conf-path, --pid-path and --error-log-path in it also set the
                  built-in paths
              --output <PATH>
                  File to write; an existing one is replaced
          -h, --help
                  Print help (see more with '--help')

        Examples:
          fake-nginx stamp --version 1.22.1 --profile debian-pidfile --output ./nginx-old
          fake-nginx stamp --version 1.26.3 --fault "exits-at-start status=1" --output ./nginx-new
        "#);
    }

    #[test]
    fn a_profile_tells_its_flags_and_whether_anybody_has_compared_it() {
        assert!(
            printed("fake-nginx profile 1.22.1").contains("\nhas-error-log-option           yes  option -e")
        );
        assert!(!printed("fake-nginx profile 1.18.0").contains("unproven"));
        assert!(printed("fake-nginx profile 1.14.2").ends_with("compare with nginx\n"));
        let refused =
            refused(&["fake-nginx", "stamp", "--version", "1.14.2", "--output", "x", "--profile", "debian"]);
        assert!(refused.contains("no profile has a flag \"debian\""), "{refused}");
    }

    #[test]
    fn a_fault_that_does_not_exist_is_a_usage_error_that_lists_those_that_do() {
        let line =
            ["fake-nginx", "stamp", "--version", "1.26.3", "--output", "x", "--fault", "exit-at-start"];
        insta::assert_snapshot!(refused(&line), @r#"
        error: invalid value 'exit-at-start' for '--fault <FAULT>': there is no fault "exit-at-start" (did you mean "exits-at-start"?); there are: exits-at-start, loads-then-fails, loads-then-serves, hangs-at-start, fails-test, dies-after, loses-signal, workers-exit-at-start, workers-exit-after, never-drains, answers

        For more information, try '--help'.
        "#);
        let line = ["fake-nginx", "stamp", "--version", "1.26", "--output", "x"];
        insta::assert_snapshot!(refused(&line), @r#"
        error: invalid value '1.26' for '--version <VERSION>': "1.26" is not a version of nginx such as 1.26.3

        For more information, try '--help'.
        "#);
    }

    #[test]
    fn faults_and_directives_are_listed_for_people_and_for_programs() {
        insta::assert_snapshot!(printed("fake-nginx faults"), @r#"
        exits-at-start status=1                     Ends before it reads its configuration.
        loads-then-fails seconds=3 status=1         Reads its configuration for a while, then ends without having served.
        loads-then-serves seconds=3                 Reads its configuration for a while, then serves.
        hangs-at-start                              Never comes to its pid file.
        fails-test status=1                         Fails `-t`; started all the same, it serves.
        dies-after seconds=1 status=1               Its master serves for a while, then ends and leaves its workers alone.
        loses-signal signal=WINCH                   Its master never hears of that signal.
        workers-exit-at-start seconds=0.1 status=2  Its workers end before they serve: with status 2 for good, else started again for ever.
        workers-exit-after requests=3 status=1      Each worker ends instead of answering that request.
        never-drains                                A worker that shuts down gracefully never ends by itself.
        answers code=503                            Answers every request with that status.
        "#);
        let table = printed("fake-nginx directives");
        insta::assert_snapshot!(table.lines().take(4).collect::<Vec<_>>().join("\n"), @r#"
        absolute_redirect              honoured                 http, server, location
        add_header                     honoured                 http, server, location, if in location
        alias                          honoured                 location
        client_header_timeout          honoured                 http, server
        "#);
        let json = printed("fake-nginx directives --json");
        assert_eq!(table.lines().count(), json.lines().count());
        insta::assert_snapshot!(json.lines().next().unwrap(), @r#"{"directive":"absolute_redirect","kind":"honoured","contexts":["http","server","location"],"since":null}"#);
    }

    #[test]
    fn an_unstamped_fake_started_like_nginx_is_recognised() {
        let like_nginx = |line: &str| is_like_nginx(&line.split(' ').map(OsString::from).collect::<Vec<_>>());
        for line in ["nginx", "nginx -t", "nginx -c x", "nginx -v", "nginx -V"] {
            assert!(like_nginx(line), "{line}");
        }
        for line in
            ["nginx --help", "nginx -h", "nginx stamp", "nginx --version", "nginx --nosuch", "nginx x"]
        {
            assert!(!like_nginx(line), "{line}");
        }
    }

    #[test]
    fn configure_arguments_set_the_built_in_paths() {
        let arguments =
            "--prefix=/usr/share/nginx --pid-path=/run/nginx.pid --error-log-path=stderr --with-threads";
        let stamp = Stamp::configured(Version::new(1, 22, 1), arguments);
        assert_eq!(stamp.prefix, PathBuf::from("/usr/share/nginx/"));
        assert_eq!(stamp.pid, PathBuf::from("/run/nginx.pid"));
        assert_eq!(stamp.conf, PathBuf::from("conf/nginx.conf"));
        assert_eq!(stamp.error_log, PathBuf::from("stderr"));
    }
}
