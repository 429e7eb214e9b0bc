//! nginx's own command line: C1 to C5 and C13 to C15 of the process model.
//!
//! # Source
//! `ngx_get_options` and `ngx_show_version_info` in `src/core/nginx.c`, nginx 1.18 to 1.30.

use std::fmt::Write as _;

use crate::release::Profile;
use crate::stamp::Stamp;

/// What the arguments ask for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// `-v`, `-V`, `-h` or `-?`: print [`version_text`], then go on only to test (C3).
    pub show_version: bool,
    /// `-V`
    pub show_configure: bool,
    /// `-h` or `-?`
    pub show_help: bool,
    /// `-t` or `-T`
    pub test: bool,
    /// `-T`
    pub dump: bool,
    /// `-q`
    pub quiet: bool,
    /// `-p`
    pub prefix: Option<String>,
    /// `-c`
    pub conf: Option<String>,
    /// `-e`
    pub error_log: Option<String>,
    /// `-g`
    pub directives: Option<String>,
    /// `-s`; with `-t` it is ignored.
    pub signal: Option<SignalWord>,
}

/// What `-s` sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignalWord {
    /// TERM
    Stop,
    /// QUIT
    Quit,
    /// USR1
    Reopen,
    /// HUP
    Reload,
}

impl Options {
    /// True if nothing is printed, tested or signalled: this process shall serve.
    #[must_use]
    pub const fn is_to_serve(&self) -> bool {
        !self.show_version && !self.test && self.signal.is_none()
    }
}

/// Reads `argv` without the program's name. The error is what nginx says on standard error before exit 1,
/// without the line's end.
///
/// # Errors
/// `nginx: invalid option: "x"` and its like.
pub fn parse(argv: &[String], profile: &Profile) -> Result<Options, String> {
    let mut options = Options::default();
    let mut words = argv.iter();
    while let Some(word) = words.next() {
        let Some(letters) = word.strip_prefix('-') else {
            return Err(format!("nginx: invalid option: \"{word}\""));
        };
        for (at, letter) in letters.char_indices() {
            if let Some(needs) = value_needed(letter, profile) {
                let attached = &letters[at + letter.len_utf8()..];
                let next =
                    if attached.is_empty() { words.next().map(String::as_str) } else { Some(attached) };
                // An empty word is a value too; only a missing one is an error.
                let value = next.ok_or_else(|| format!("nginx: option \"-{letter}\" requires {needs}"))?;
                options.set_value(letter, value)?;
                break;
            }
            options.set_flag(letter)?;
        }
    }
    Ok(options)
}

/// What an option that takes a value calls it.
fn value_needed(letter: char, profile: &Profile) -> Option<&'static str> {
    match letter {
        'p' => Some("directory name"),
        'c' => Some("file name"),
        'e' if profile.has_error_log_option => Some("file name"),
        'g' | 's' => Some("parameter"),
        _ => None,
    }
}

impl Options {
    fn set_value(&mut self, letter: char, value: &str) -> Result<(), String> {
        let value = value.to_owned();
        match letter {
            'p' => self.prefix = Some(value),
            'c' => self.conf = Some(value),
            'e' => self.error_log = Some(value),
            'g' => self.directives = Some(value),
            _ => {
                self.signal = Some(match value.as_str() {
                    "stop" => SignalWord::Stop,
                    "quit" => SignalWord::Quit,
                    "reopen" => SignalWord::Reopen,
                    "reload" => SignalWord::Reload,
                    other => return Err(format!("nginx: invalid option: \"-s {other}\"")),
                });
            }
        }
        Ok(())
    }

    fn set_flag(&mut self, letter: char) -> Result<(), String> {
        match letter {
            '?' | 'h' => {
                self.show_version = true;
                self.show_help = true;
            }
            'v' => self.show_version = true,
            'V' => {
                self.show_version = true;
                self.show_configure = true;
            }
            't' => self.test = true,
            'T' => {
                self.test = true;
                self.dump = true;
            }
            'q' => self.quiet = true,
            other => return Err(format!("nginx: invalid option: \"{other}\"")),
        }
        Ok(())
    }
}

/// What `-v`, `-V` and `-h` print on standard error.
#[must_use]
pub fn version_text(stamp: &Stamp, options: &Options) -> String {
    let mut text = format!("nginx version: nginx/{}\n", stamp.version);
    if options.show_help {
        text.push_str(&usage(stamp));
    }
    if options.show_configure {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "configure arguments:{}", configure(&stamp.configure_arguments));
    }
    text
}

/// nginx's build script puts a blank before each argument.
fn configure(arguments: &str) -> String {
    if arguments.is_empty() { String::new() } else { format!(" {arguments}") }
}

fn usage(stamp: &Stamp) -> String {
    let has_error_log = stamp.profile().has_error_log_option;
    let head = if has_error_log {
        "Usage: nginx [-?hvVtTq] [-s signal] [-p prefix]\n             [-e filename] [-c filename] [-g directives]\n"
    } else {
        "Usage: nginx [-?hvVtTq] [-s signal] [-c filename] [-p prefix] [-g directives]\n"
    };
    let error_log = if has_error_log {
        format!("  -e filename   : set error log file (default: {})\n", stamp.error_log.display())
    } else {
        String::new()
    };
    format!(
        "{head}
Options:
  -?,-h         : this help
  -v            : show version and exit
  -V            : show version and configure options then exit
  -t            : test configuration and exit
  -T            : test configuration, dump it and exit
  -q            : suppress non-error messages during configuration testing
  -s signal     : send signal to a master process: stop, quit, reopen, reload
  -p prefix     : set prefix path (default: {})
{error_log}  -c filename   : set configuration file (default: {})
  -g directives : set global directives out of configuration file

",
        stamp.prefix.display(),
        stamp.conf.display(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::release::Version;

    fn parsed(line: &str) -> Result<Options, String> {
        let argv: Vec<String> = line.split(' ').map(str::to_owned).collect();
        parse(&argv, &Profile::of(Version::new(1, 26, 3)))
    }

    /// checks: C1
    #[test]
    fn letters_are_bundled_and_a_value_ends_the_bundle() {
        let options = parsed("-tqp/dir -c n.conf").unwrap();
        assert!(options.test && options.quiet);
        assert_eq!(options.prefix.as_deref(), Some("/dir"));
        assert_eq!(options.conf.as_deref(), Some("n.conf"));
    }

    #[test]
    fn a_lone_dash_is_nothing_and_a_second_dash_an_invalid_option() {
        assert_eq!(parsed("-"), Ok(Options::default()));
        assert_eq!(parsed("--"), Err("nginx: invalid option: \"-\"".to_owned()));
    }

    /// checks: C13
    #[test]
    fn the_error_log_option_is_unknown_before_1_19_5() {
        let old = Profile::of(Version::new(1, 19, 4));
        assert_eq!(parse(&["-e".to_owned()], &old), Err("nginx: invalid option: \"e\"".to_owned()));
        assert_eq!(parsed("-e"), Err("nginx: option \"-e\" requires file name".to_owned()));
    }
}
