//! A file as an answer: index files, folders, conditions, parts.
//!
//! # Source
//! `ngx_http_index_handler` in `src/http/modules/ngx_http_index_module.c`, `ngx_http_static_handler` in
//! `src/http/modules/ngx_http_static_module.c`, `ngx_http_core_content_phase` in
//! `src/http/ngx_http_core_module.c`, `src/http/modules/ngx_http_range_filter_module.c`, nginx 1.18 to 1.30.

use std::io;
use std::ops::Range;

use super::conditions::{self, Verdict};
use super::files::{self, Found};
use super::range::{self, Wanted};
use super::respond::{Content, content_type};
use super::types::Piece;
use super::walk::{Next, Walk, is_nothing};
use crate::conf::Level;
use crate::release::Version;

/// The first release that is sure to escape the path of a redirect; 1.18.0 does not.
const ESCAPES_LOCATION: Version = Version::new(1, 21, 1);

/// What the files under the place say to the path.
pub(super) fn content(walk: &mut Walk<'_, '_>) -> Next {
    let is_allowed = ["GET", "HEAD", "POST"].contains(&walk.method.as_str());
    if walk.scope.path.ends_with(b"/") {
        if is_allowed && let Some(next) = index(walk) {
            return next;
        }
        if !is_allowed {
            return Next::Status(405);
        }
        let folder = files::map(&walk.scope, &walk.scope.path);
        let text = format!("directory index of \"{}\" is forbidden", String::from_utf8_lossy(&folder));
        walk.say(Level::Error, text);
        return Next::Status(403);
    }
    if !is_allowed {
        return Next::Status(405);
    }
    let path = files::map(&walk.scope, &walk.scope.path);
    match walk.files.open(files::name(&path)) {
        Ok(Found::File { size, modified_s }) => file(walk, size, modified_s),
        Ok(Found::Folder) => Next::Say(Box::new(folder(walk))),
        Ok(Found::Other) => {
            walk.say(Level::Crit, format!("\"{}\" is not a regular file", String::from_utf8_lossy(&path)));
            Next::Status(404)
        }
        Err(error) => {
            let (level, status) = badness(&error);
            if status != 404 || walk.scope.place.content.log_not_found.unwrap_or(true) {
                let text = format!("open() \"{}\" failed", String::from_utf8_lossy(&path));
                walk.say_why(level, text, &error);
            }
            Next::Status(status)
        }
    }
}

fn badness(error: &io::Error) -> (Level, u16) {
    if is_nothing(error) {
        (Level::Error, 404)
    } else if error.kind() == io::ErrorKind::PermissionDenied {
        (Level::Error, 403)
    } else {
        (Level::Crit, 500)
    }
}

/// The first index file that is there; `None` if none is, and the folder is.
fn index(walk: &mut Walk<'_, '_>) -> Option<Next> {
    let names = walk.scope.place.content.index.clone();
    let names = names.map_or_else(
        || vec![b"index.html".to_vec()],
        |names| names.iter().map(|name| walk.render(name)).collect(),
    );
    let folder = files::map(&walk.scope, &walk.scope.path);
    let mut has_looked = false;
    for name in names {
        if name.starts_with(b"/") {
            return Some(Next::Uri(name, walk.scope.args.clone()));
        }
        let path = [folder.as_slice(), &name].concat();
        let shown = String::from_utf8_lossy(&path).into_owned();
        match walk.files.look(files::name(&path)) {
            Ok(_) => {
                let path = [walk.scope.path.as_slice(), &name].concat();
                return Some(Next::Uri(path, walk.scope.args.clone()));
            }
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                walk.say_why(Level::Error, format!("\"{shown}\" is forbidden"), &error);
                return Some(Next::Status(403));
            }
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
                return Some(not_found(walk, &shown, &error));
            }
            Err(error) => {
                if !has_looked && let Some(next) = test_folder(walk, &folder, &shown) {
                    return Some(next);
                }
                has_looked = true;
                if error.kind() != io::ErrorKind::NotFound {
                    walk.say_why(Level::Crit, format!("stat() \"{shown}\" failed"), &error);
                    return Some(Next::Status(500));
                }
            }
        }
    }
    None
}

/// What is wrong with the folder of an index file that is not there.
fn test_folder(walk: &mut Walk<'_, '_>, folder: &[u8], shown: &str) -> Option<Next> {
    let bare = folder.strip_suffix(b"/").filter(|bare| !bare.is_empty()).unwrap_or(folder);
    match walk.files.look(files::name(bare)) {
        Ok(Found::Folder) => None,
        Ok(_) => {
            walk.say(Level::Alert, format!("\"{}\" is not a directory", String::from_utf8_lossy(bare)));
            Some(Next::Status(500))
        }
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => None,
        Err(error) if is_nothing(&error) => Some(not_found(walk, shown, &error)),
        Err(error) => {
            let text = format!("stat() \"{}\" failed", String::from_utf8_lossy(bare));
            walk.say_why(Level::Crit, text, &error);
            Some(Next::Status(500))
        }
    }
}

fn not_found(walk: &mut Walk<'_, '_>, shown: &str, error: &io::Error) -> Next {
    if walk.scope.place.content.log_not_found.unwrap_or(true) {
        walk.say_why(Level::Error, format!("\"{shown}\" is not found"), error);
    }
    Next::Status(404)
}

/// A folder that was asked for without its slash.
fn folder(walk: &Walk<'_, '_>) -> Content {
    let scope = &walk.scope;
    let escapes = scope.context.profile.version >= ESCAPES_LOCATION;
    let mut location = if escapes { escape(&scope.path) } else { scope.path.clone() };
    location.push(b'/');
    if !scope.args.is_empty() {
        location.push(b'?');
        location.extend_from_slice(&scope.args);
    }
    Content { location: Some(location), ..super::respond::special(301, scope) }
}

/// As `ngx_escape_uri` does for a path.
fn escape(path: &[u8]) -> Vec<u8> {
    let mut escaped = Vec::with_capacity(path.len());
    for &byte in path {
        match byte {
            0..=b' '
            | b'"'
            | b'#'
            | b'%'
            | b'<'
            | b'>'
            | b'?'
            | b'\\'
            | b'^'
            | b'`'
            | b'{'
            | b'|'
            | b'}'
            | 0x7f.. => escaped.extend(format!("%{byte:02X}").into_bytes()),
            byte => escaped.push(byte),
        }
    }
    escaped
}

/// A file that is open.
fn file(walk: &Walk<'_, '_>, size: u64, modified_s: i64) -> Next {
    let scope = &walk.scope;
    let (request, rules) = (scope.request, &scope.place.content);
    if walk.method == "POST" {
        return Next::Status(405);
    }
    let etag = rules.etag.unwrap_or(true).then(|| format!("\"{modified_s:x}-{size:x}\""));
    let kind = content_type(scope.place, &scope.path);
    let mut content = Content {
        status: walk.status_or(200),
        content_type: Some(kind.clone()),
        modified_s: Some(modified_s),
        tests_expect: walk.err_status.is_none(),
        ..Content::default()
    };
    content.before.extend(etag.iter().map(|etag| ("ETag".to_owned(), etag.clone().into_bytes())));
    content.pieces = vec![Piece::File(0..size)];
    if content.status != 200 {
        return Next::Say(Box::new(content));
    }
    match conditions::verdict(request, rules, modified_s, etag.as_deref()) {
        Verdict::Failed => return Next::Status(412),
        Verdict::NotModified => {
            content.status = 304;
            content.is_unchanged = true;
            content.pieces.clear();
            return Next::Say(Box::new(content));
        }
        Verdict::Send => {}
    }
    let max = rules.max_ranges.unwrap_or(u64::MAX);
    if max == 0 || request.version < 10 {
        return Next::Say(Box::new(content));
    }
    let mut behind = |name: &str, value: String| content.behind.push((name.to_owned(), value.into_bytes()));
    match range::wanted(request, size, modified_s, etag.as_deref(), max) {
        Wanted::Whole => behind("Accept-Ranges", "bytes".to_owned()),
        Wanted::Nothing => {
            let mut refused = super::respond::special(416, scope);
            // They were added to the answer that the range was asked of, and are added to the page again.
            refused.before = super::respond::added(scope, 200);
            refused.before.push(("Content-Range".to_owned(), format!("bytes */{size}").into_bytes()));
            return Next::Say(Box::new(refused));
        }
        Wanted::Parts(parts) => {
            content.status = 206;
            if let [part] = parts.as_slice() {
                behind("Content-Range", shown(part, size));
                content.pieces = vec![Piece::File(part.clone())];
            } else {
                let boundary = format!("{:020}", scope.context.connection);
                content.content_type = Some(format!("multipart/byteranges; boundary={boundary}"));
                content.pieces = several(&parts, size, &kind, &boundary);
            }
        }
    }
    Next::Say(Box::new(content))
}

fn shown(part: &Range<u64>, size: u64) -> String {
    format!("bytes {}-{}/{size}", part.start, part.end - 1)
}

/// `multipart/byteranges`
fn several(parts: &[Range<u64>], size: u64, kind: &str, boundary: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    for part in parts {
        let head = format!(
            "\r\n--{boundary}\r\nContent-Type: {kind}\r\nContent-Range: {}\r\n\r\n",
            shown(part, size)
        );
        pieces.push(Piece::Bytes(head.into_bytes()));
        pieces.push(Piece::File(part.clone()));
    }
    pieces.push(Piece::Bytes(format!("\r\n--{boundary}--\r\n").into_bytes()));
    pieces
}
