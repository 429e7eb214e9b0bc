//! Sources, blocks and the checks that every directive goes through.
//!
//! # Source
//! `ngx_conf_parse`, `ngx_conf_handler`, `ngx_conf_param` and `ngx_conf_include` in
//! `src/core/ngx_conf_file.c`, nginx 1.18 to 1.30.

use std::io;
use std::path::PathBuf;

use super::built;
use super::directive::{self, Contexts, Directive, Kind, Takes};
use super::frame::Frame;
use super::glob;
use super::load::LoadFrom;
use super::main_context::Main;
use super::site::Ports;
use super::stream::Within;
use super::token::{Token, Tokenizer};
use super::types::{ConfError, Level, Message, SourceFile, Warning};
use super::upstream::Upstreams;
use super::value::{self, Unit};
use super::variable::Template;

/// How deep files may include each other; nginx runs out of file descriptors instead.
const INCLUDE_DEPTH_MAX: usize = 100;

/// Why a directive was refused.
#[derive(Debug)]
pub(super) enum Fail {
    /// The whole text but the place.
    Said(String),
    /// What is wrong with it; the text becomes `"x" directive WORD`.
    Word(&'static str),
    /// A finished error.
    Done(ConfError),
}

/// Whether reading goes to the end of a file or of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Extent {
    File,
    Block,
    Parameter,
}

/// A source that is being read: its name (none for `-g`) and where the reader stands.
pub(super) struct Source<'a> {
    name: Option<PathBuf>,
    tokens: Tokenizer<'a>,
}

impl Source<'_> {
    /// ` in F:N`
    pub(super) fn place(&self) -> String {
        match &self.name {
            Some(name) => format!(" in {}:{}", name.display(), self.tokens.line),
            None => " in command line".to_owned(),
        }
    }
}

/// Everything that was read so far.
pub(super) struct Reader<'a> {
    pub(super) from: &'a LoadFrom,
    /// The folder of the configuration file, with a slash: includes are relative to it.
    pub(super) conf_prefix: String,
    pub(super) main: Main,
    pub(super) ports: Ports,
    /// The same of `stream`.
    pub(super) stream_ports: Ports,
    pub(super) warnings: Vec<Warning>,
    pub(super) files: Vec<SourceFile>,
    /// The variables that the configuration makes.
    pub(super) defined: Vec<String>,
    /// The variables that directives without effect name, in order.
    pub(super) named: Vec<Template>,
    /// The files of modules that were loaded.
    pub(super) loaded: Vec<String>,
    /// Other servers that are named.
    pub(super) upstreams: Upstreams,
    include_depth: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(from: &'a LoadFrom, conf_prefix: String) -> Self {
        Self {
            from,
            conf_prefix,
            main: Main::default(),
            ports: Ports::default(),
            stream_ports: Ports::default(),
            warnings: Vec::new(),
            files: Vec::new(),
            defined: Vec::new(),
            named: Vec::new(),
            loaded: Vec::new(),
            upstreams: Upstreams::default(),
            include_depth: 0,
        }
    }

    /// The error that ends the loading.
    pub(super) fn error(&mut self, level: Level, text: String) -> ConfError {
        let warnings = std::mem::take(&mut self.warnings);
        ConfError { warnings, message: Message { level, text }, is_syntax_ok: false }
    }

    pub(super) fn warn(&mut self, text: String) {
        self.warnings.push(Message { level: Level::Warn, text });
    }

    /// Reads the parameter of `-g`.
    pub(super) fn read_parameter(&mut self, text: &str, frame: &mut Frame) -> Result<(), ConfError> {
        let mut source = Source { name: None, tokens: Tokenizer::of_parameter(text.as_bytes()) };
        self.read(&mut source, frame, Extent::Parameter)
    }

    /// Reads the file `path`; `place` is that of the `include`, empty for the first file.
    pub(super) fn read_file(
        &mut self,
        path: PathBuf,
        frame: &mut Frame,
        place: &str,
    ) -> Result<(), ConfError> {
        let content = match self.content_of(&path) {
            Ok(content) => content,
            Err(error) if error.kind() == io::ErrorKind::IsADirectory => {
                let text = format!("pread() \"{}\" failed (21: Is a directory)", path.display());
                return Err(self.error(Level::Crit, text));
            }
            Err(error) => {
                let reason = os_reason(&error);
                let text = format!("open() \"{}\" failed ({reason}){place}", path.display());
                return Err(self.error(Level::Emerg, text));
            }
        };
        if !self.files.iter().any(|file| file.path == path) {
            self.files.push(SourceFile { path: path.clone(), content: content.clone() });
        }
        let mut source = Source { name: Some(path), tokens: Tokenizer::of_file(&content) };
        self.read(&mut source, frame, Extent::File)
    }

    fn content_of(&self, path: &std::path::Path) -> io::Result<Vec<u8>> {
        if self.include_depth > INCLUDE_DEPTH_MAX {
            return Err(io::Error::from_raw_os_error(nix::libc::EMFILE));
        }
        std::fs::read(path)
    }

    fn read(&mut self, source: &mut Source<'_>, frame: &mut Frame, extent: Extent) -> Result<(), ConfError> {
        loop {
            let token = match source.tokens.next() {
                Ok(token) => token,
                Err(text) => return Err(self.error_at(source, text)),
            };
            let (words, opens) = match token {
                Token::Done if extent == Extent::Block => {
                    return Err(self.error_at(source, "unexpected end of file, expecting \"}\"".to_owned()));
                }
                Token::BlockDone if extent != Extent::Block => {
                    return Err(self.error_at(source, "unexpected \"}\"".to_owned()));
                }
                Token::Done | Token::BlockDone => return Ok(()),
                Token::BlockStart(_) if extent == Extent::Parameter => {
                    let text = "block directives are not supported in -g option".to_owned();
                    return Err(self.error_at(source, text));
                }
                Token::BlockStart(words) => (words, true),
                Token::Directive(words) => (words, false),
            };
            self.directive(source, frame, &words, opens).map_err(|fail| match fail {
                Fail::Said(text) => self.error_at(source, text),
                Fail::Word(word) => self.error_at(source, format!("\"{}\" directive {word}", words[0])),
                Fail::Done(error) => error,
            })?;
        }
    }

    /// Reads to the end of a block.
    pub(super) fn read_block(&mut self, source: &mut Source<'_>, frame: &mut Frame) -> Result<(), ConfError> {
        self.read(source, frame, Extent::Block)
    }

    fn error_at(&mut self, source: &Source<'_>, text: String) -> ConfError {
        let text = text + &source.place();
        self.error(Level::Emerg, text)
    }

    fn directive(
        &mut self,
        source: &mut Source<'_>,
        frame: &mut Frame,
        words: &[String],
        opens: bool,
    ) -> Result<(), Fail> {
        if frame.is_types {
            return self.types_line(source, frame, words, opens);
        }
        if let Some(within) = frame.stream {
            return self.stream_line(source, frame, words, opens, within);
        }
        if let Some(nests) = frame.is_free {
            return self.free_line(source, frame, words, opens, nests);
        }
        let name = &words[0];
        let version = self.from.profile.version;
        let is_built = built::has(name, &self.from.configure_arguments, &self.loaded);
        let Some(found) = directive::named(name, version)
            .filter(|_| is_built)
            .find(|found| found.contexts.contains(frame.context))
        else {
            let is_known = is_built && directive::named(name, version).next().is_some();
            return Err(Fail::Said(if is_known {
                format!("\"{name}\" directive is not allowed here")
            } else {
                format!("unknown directive \"{name}\"")
            }));
        };
        let is_block = found.takes == Takes::Block;
        if opens && !is_block {
            return Err(Fail::Said(format!("directive \"{name}\" is not terminated by \";\"")));
        }
        if !opens && is_block {
            return Err(Fail::Said(format!("directive \"{name}\" has no opening \"{{\"")));
        }
        let arguments = &words[1..];
        if arguments.len() < found.arguments_min || arguments.len() > found.arguments_max {
            return Err(Fail::Said(format!("invalid number of arguments in \"{name}\" directive")));
        }
        if !frame.seen.insert(found.name) && !found.repeats {
            return Err(Fail::Word("is duplicate"));
        }
        let number = check(found, arguments)?;
        match found.name {
            "include" => self.include(source, frame, &arguments[0]),
            _ if is_block => self.block(source, frame, found.name, arguments),
            _ if found.contexts == Contexts::MAIN => {
                let place = source.place();
                self.apply_main(found.name, arguments, number, &place)
            }
            _ if found.kind == Kind::Accepted
                && found.contexts != Contexts::MAIN
                && !["error_log", "use"].contains(&found.name) =>
            {
                self.accept(frame, found.name, arguments, &source.place())
            }
            _ => self.apply_web(frame, found.name, arguments, number, &source.place()),
        }
    }

    pub(super) fn include(&mut self, source: &Source<'_>, frame: &mut Frame, name: &str) -> Result<(), Fail> {
        let full = full_name(&self.conf_prefix, name);
        let paths = if glob::is_pattern(&full) { glob::expand(&full) } else { vec![PathBuf::from(full)] };
        self.include_depth += 1;
        for path in paths {
            self.read_file(path, frame, &source.place()).map_err(Fail::Done)?;
        }
        self.include_depth -= 1;
        Ok(())
    }

    /// Reads the block that `name` opened and gives it to what it stands in.
    fn block(
        &mut self,
        source: &mut Source<'_>,
        frame: &mut Frame,
        name: &str,
        arguments: &[String],
    ) -> Result<(), Fail> {
        let context = match name {
            "events" => Contexts::EVENTS,
            "http" => Contexts::HTTP,
            "server" => Contexts::SERVER,
            "location" => Contexts::LOCATION,
            "upstream" => Contexts::UPSTREAM,
            "limit_except" => Contexts::LIMIT,
            "if" if frame.context == Contexts::SERVER => Contexts::SERVER_IF,
            "if" => Contexts::LOCATION_IF,
            _ => frame.context,
        };
        let mut inner = Frame::new(context);
        inner.is_types = name == "types";
        inner.is_free = match name {
            "mail" => Some(true),
            "map" | "geo" | "split_clients" | "charset_map" => Some(false),
            _ => None,
        };
        inner.stream = (name == "stream").then_some(Within::Stream);
        self.open(name, arguments);
        inner.server = if name == "server" { frame.servers.len() } else { frame.server };
        if name == "location" {
            inner.place = Some(self.location_place(frame, arguments, source.place())?);
        }
        if name == "types" {
            inner.settings.types = frame.settings.types.take();
        }
        if name == "server" {
            inner.at = Some(source.place());
        }
        self.read(source, &mut inner, Extent::Block).map_err(Fail::Done)?;
        match name {
            "http" => {
                self.main.worker_processes_at_http = self.main.worker_processes;
                self.finish_http(inner, &source.place())
            }
            "server" => self.finish_server(frame, inner),
            "stream" => self.finish_stream(inner),
            "types" => {
                frame.settings.types = Some(inner.settings.types.unwrap_or_default());
                Ok(())
            }
            "location" => {
                frame.locations.push(inner);
                Ok(())
            }
            "events" => {
                self.main.has_events = true;
                Ok(())
            }
            "upstream" if !inner.seen.contains("server") => {
                Err(Fail::Said("no servers are inside upstream".to_owned()))
            }
            _ => Ok(()),
        }
    }
}

/// What nginx's slot functions check, and the number that they store.
fn check(directive: &Directive, arguments: &[String]) -> Result<u64, Fail> {
    let first = arguments.first().map_or("", String::as_str);
    let invalid = Fail::Word("invalid value");
    match directive.takes {
        Takes::Text | Takes::Own | Takes::Block => Ok(0),
        Takes::Flag => value::flag(first).map(u64::from).ok_or_else(|| {
            let name = directive.name;
            Fail::Said(format!(
                "invalid value \"{first}\" in \"{name}\" directive, it must be \"on\" or \"off\""
            ))
        }),
        Takes::Number => value::number(first).ok_or(Fail::Word("invalid number")),
        Takes::Milliseconds => value::duration(first, Unit::Milliseconds).ok_or(invalid),
        Takes::Seconds => value::duration(first, Unit::Seconds).ok_or(invalid),
        Takes::Size => value::size(first).ok_or(invalid),
        Takes::Offset => value::offset(first).ok_or(invalid),
    }
}

/// `name` under `prefix` unless it is absolute.
pub(super) fn full_name(prefix: &str, name: &str) -> String {
    if name.starts_with('/') { name.to_owned() } else { format!("{prefix}{name}") }
}

/// `2: No such file or directory`
pub(crate) fn os_reason(error: &io::Error) -> String {
    let number = error.raw_os_error().unwrap_or(0);
    format!("{number}: {}", nix::errno::Errno::from_raw(number).desc())
}
