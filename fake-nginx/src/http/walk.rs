//! A request's way through a server: locations, files, error pages, and from one to the next.
//!
//! # Source
//! `ngx_http_core_run_phases`, `ngx_http_internal_redirect` and `ngx_http_named_location` in
//! `src/http/ngx_http_core_module.c`, `ngx_http_special_response_handler` and `ngx_http_send_error_page` in
//! `src/http/ngx_http_special_response.c`, `src/http/modules/ngx_http_try_files_module.c`, nginx 1.18 to 1.30.

use std::io;

use super::files::{self, Files, Found};
use super::respond::{Content, REDIRECTS, SILENT, content_type, special};
use super::route;
use super::static_file;
use super::types::Body;
use super::variables::Scope;
use crate::conf::{Level, Location, LocationMatch, Message, Otherwise, Server, Template};

/// One more than the redirects inside nginx that a request may take.
const URI_CHANGES: u8 = 11;

/// Where a request goes next.
pub(super) enum Next {
    /// Here is what is said.
    Say(Box<Content>),
    /// A status, for which there may be a page.
    Status(u16),
    /// Another path, with arguments.
    Uri(Vec<u8>, Vec<u8>),
    /// A named location.
    Named(Vec<u8>),
}

/// A request on its way.
pub(super) struct Walk<'a, 'f> {
    pub(super) server: &'a Server,
    pub(super) scope: Scope<'a>,
    pub(super) files: &'f mut dyn Files,
    /// What the log is told.
    pub(super) said: Vec<Message>,
    /// The status of an error whose page is on its way; 0 lets the page have its own.
    pub(super) err_status: Option<u16>,
    /// The method by which files are asked for: an error page is fetched.
    pub(super) method: String,
    changes_left: u8,
    has_error_page: bool,
    discards_body: bool,
}

impl<'a, 'f> Walk<'a, 'f> {
    pub(super) fn new(server: &'a Server, scope: Scope<'a>, files: &'f mut dyn Files) -> Self {
        Self {
            server,
            method: scope.request.method.clone(),
            scope,
            files,
            said: Vec::new(),
            err_status: None,
            changes_left: URI_CHANGES,
            has_error_page: false,
            discards_body: false,
        }
    }

    /// Walks to the end; an error is the status of silence.
    pub(super) fn run(&mut self) -> Result<Content, u16> {
        let mut next = self.enter();
        loop {
            next = match next {
                Next::Say(content) => return Ok(*content),
                Next::Status(status) if SILENT.contains(&status) => return Err(status),
                Next::Status(status) => {
                    self.discards_body = true;
                    match self.error_page(status) {
                        Some(next) => next,
                        None => return Ok(special(status, &self.scope)),
                    }
                }
                Next::Uri(path, args) => self.redirect(path, args),
                Next::Named(name) => self.enter_named(&name),
            };
        }
    }

    /// The server's own `return`, then the location of the path.
    fn enter(&mut self) -> Next {
        let server = self.server;
        self.scope.place = &server.root;
        if server.root.answer.is_some() {
            return self.answer();
        }
        if let Some((location, captures)) = route::location(&server.locations, &self.scope.path) {
            self.scope.place = location;
            self.scope.captures.extend(captures);
        }
        self.at_place(true)
    }

    /// `is_found`: a location that was looked for, which is where the size of a body is asked.
    fn at_place(&mut self, is_found: bool) -> Next {
        let place: &Location = self.scope.place;
        let is_too_large = matches!(self.scope.request.body, Body::Length(length)
            if place.client_max_body_size > 0 && length > place.client_max_body_size);
        if is_found && is_too_large && !self.discards_body {
            return Next::Status(413);
        }
        if place.answer.is_some() {
            return self.answer();
        }
        if let Some(next) = self.try_files() {
            return next;
        }
        if place.is_gateway {
            return Next::Status(502);
        }
        static_file::content(self)
    }

    fn redirect(&mut self, path: Vec<u8>, args: Vec<u8>) -> Next {
        self.changes_left -= 1;
        if self.changes_left == 0 {
            let path = String::from_utf8_lossy(&path).into_owned();
            return self.cycle(&format!("internally redirecting to \"{path}\""));
        }
        self.scope.path = path;
        self.scope.args = args;
        self.enter()
    }

    fn enter_named(&mut self, name: &[u8]) -> Next {
        self.changes_left -= 1;
        let text = String::from_utf8_lossy(name).into_owned();
        if self.changes_left == 0 {
            return self.cycle(&format!("redirect to named location \"{text}\""));
        }
        let found = self.server.locations.iter().find(
            |location| matches!(&location.matches, LocationMatch::Named(other) if other.as_bytes() == name),
        );
        match found {
            Some(location) => {
                self.scope.place = location;
                self.at_place(false)
            }
            None => {
                self.say(Level::Error, format!("could not find named location \"{text}\""));
                Next::Status(500)
            }
        }
    }

    fn cycle(&mut self, doing: &str) -> Next {
        self.say(Level::Error, format!("rewrite or internal redirection cycle while {doing}"));
        // Not behind the last change: there is no page for it.
        self.changes_left = 0;
        Next::Status(500)
    }

    /// `return`
    fn answer(&mut self) -> Next {
        let Some(answer) = &self.scope.place.answer else { return Next::Status(404) };
        let text = answer.text.as_ref().filter(|text| !text.pieces.is_empty());
        let status = answer.status;
        if status >= 400 && text.is_none() {
            return Next::Status(status);
        }
        let text = text.map_or_else(Vec::new, |text| self.render(text));
        let mut content = if REDIRECTS.contains(&status) {
            Content { location: Some(text), ..special(status, &self.scope) }
        } else {
            Content {
                status: self.status_or(status),
                content_type: Some(content_type(self.scope.place, &self.scope.path)),
                body: text,
                ..Content::default()
            }
        };
        content.tests_expect = true;
        Next::Say(Box::new(content))
    }

    fn try_files(&mut self) -> Option<Next> {
        let place: &'a Location = self.scope.place;
        let tried = place.content.try_files.as_ref()?;
        let (folder, _) = files::split(&self.scope, &self.scope.path);
        let alias = place.content.root.as_ref().filter(|root| root.is_alias);
        let own_name = alias.map_or("", |_| place.matches.text()).as_bytes();
        for (name, is_folder) in &tried.names {
            let has_variables = name.has_variables();
            let name = self.render(name);
            // A name without variables is taken as it is written.
            let below = name.strip_prefix(own_name).filter(|_| has_variables).unwrap_or(&name);
            let path = [folder.as_slice(), below].concat();
            match self.files.look(files::name(&path)) {
                Ok(found) if (found == Found::Folder) == *is_folder => {
                    self.scope.path = [own_name, below].concat();
                    return None;
                }
                Ok(_) => {}
                Err(error) if is_nothing(&error) => {}
                Err(error) => {
                    let text = format!("stat() \"{}\" failed", String::from_utf8_lossy(&path));
                    self.say_why(Level::Crit, text, &error);
                }
            }
        }
        Some(match &tried.otherwise {
            Otherwise::Status(status) => Next::Status(*status),
            Otherwise::Uri(uri) => uri_or_name(&self.render(uri)),
        })
    }

    /// What stands for a status, if anything does.
    fn error_page(&mut self, status: u16) -> Option<Next> {
        self.err_status = Some(status);
        let rules = &self.scope.place.content;
        if self.has_error_page || self.changes_left == 0 || rules.error_pages.is_empty() {
            return None;
        }
        self.has_error_page = !rules.recursive_error_pages.unwrap_or(false);
        let page = rules.error_pages.iter().find(|page| page.status == status)?;
        if let Some(overwrite) = page.overwrite {
            self.err_status = Some(overwrite);
        }
        let uri = self.render(&page.uri);
        if uri.starts_with(b"@") {
            return Some(Next::Named(uri));
        }
        if uri.starts_with(b"/") {
            if self.method != "HEAD" {
                "GET".clone_into(&mut self.method);
            }
            return Some(uri_or_name(&uri));
        }
        let status = self.err_status.filter(|status| REDIRECTS.contains(status)).unwrap_or(302);
        Some(Next::Say(Box::new(Content { location: Some(uri), ..special(status, &self.scope) })))
    }

    /// The status of an error whose page this is, or its own.
    pub(super) fn status_or(&self, own: u16) -> u16 {
        self.err_status.filter(|&status| status != 0).unwrap_or(own)
    }

    pub(super) fn render(&self, text: &Template) -> Vec<u8> {
        text.render(|name| self.scope.value(name))
    }

    pub(super) fn say(&mut self, level: Level, text: String) {
        self.said.push(Message { level, text });
    }

    /// With the error's number and its text.
    pub(super) fn say_why(&mut self, level: Level, text: String, error: &io::Error) {
        self.say(level, format!("{text} ({})", crate::conf::os_reason(error)));
    }
}

/// Nothing is there, or cannot be.
pub(super) fn is_nothing(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidFilename, InvalidInput, NotADirectory, NotFound};
    matches!(error.kind(), NotFound | NotADirectory | InvalidFilename | InvalidInput)
}

fn uri_or_name(uri: &[u8]) -> Next {
    if uri.starts_with(b"@") {
        return Next::Named(uri.to_vec());
    }
    let end = uri.iter().position(|&byte| byte == b'?').unwrap_or(uri.len());
    Next::Uri(uri[..end].to_vec(), uri.get(end + 1..).unwrap_or_default().to_vec())
}
