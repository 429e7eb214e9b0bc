//! Status lines and nginx's own pages.
//!
//! # Source
//! `ngx_http_status_lines` in `src/http/ngx_http_header_filter_module.c` and `ngx_http_error_pages` in
//! `src/http/ngx_http_special_response.c`, nginx 1.18 to 1.30.

use crate::release::{Profile, Version};

/// What browsers needed in order not to replace a short page by their own.
const PADDING: &str = "<!-- a padding to disable MSIE and Chrome friendly error page -->\r\n";

/// Status, what its line says, what its page says when that is something else.
const STATUSES: &[(u16, &str, &str)] = &[
    (200, "OK", ""),
    (201, "Created", ""),
    (202, "Accepted", ""),
    (204, "No Content", ""),
    (206, "Partial Content", ""),
    (301, "Moved Permanently", ""),
    (302, "Moved Temporarily", "Found"),
    (303, "See Other", ""),
    (304, "Not Modified", ""),
    (307, "Temporary Redirect", ""),
    (308, "Permanent Redirect", ""),
    (400, "Bad Request", ""),
    (401, "Unauthorized", "Authorization Required"),
    (402, "Payment Required", ""),
    (403, "Forbidden", ""),
    (404, "Not Found", ""),
    (405, "Not Allowed", ""),
    (406, "Not Acceptable", ""),
    (407, "Proxy Authentication Required", ""),
    (408, "Request Time-out", ""),
    (409, "Conflict", ""),
    (410, "Gone", ""),
    (411, "Length Required", ""),
    (412, "Precondition Failed", ""),
    (413, "Request Entity Too Large", ""),
    (414, "Request-URI Too Large", ""),
    (415, "Unsupported Media Type", ""),
    (416, "Requested Range Not Satisfiable", ""),
    (421, "Misdirected Request", ""),
    (429, "Too Many Requests", ""),
    (500, "Internal Server Error", ""),
    (501, "Not Implemented", ""),
    (502, "Bad Gateway", ""),
    (503, "Service Temporarily Unavailable", ""),
    (504, "Gateway Time-out", ""),
    (505, "HTTP Version Not Supported", ""),
    (507, "Insufficient Storage", ""),
];

/// nginx's own statuses, which clients see as 400, and what their pages add.
const OWN_STATUSES: &[(u16, &str)] = &[
    (494, "Request Header Or Cookie Too Large"),
    (495, "The SSL certificate error"),
    (496, "No required SSL certificate was sent"),
    (497, "The plain HTTP request was sent to HTTPS port"),
];

/// The release that first had a line and a page for 407.
const HAS_407: Version = Version::new(1, 29, 0);

fn known(status: u16, profile: &Profile) -> Option<(&'static str, &'static str)> {
    let (_, line, page) = STATUSES.iter().find(|(known, ..)| *known == status)?;
    let is_known = status != 407 || profile.version >= HAS_407;
    is_known.then_some((*line, if page.is_empty() { *line } else { *page }))
}

/// `404 Not Found`; an unknown status keeps its blank.
pub(super) fn status_line(status: u16, profile: &Profile) -> String {
    if OWN_STATUSES.iter().any(|(own, _)| *own == status) {
        return "400 Bad Request".to_owned();
    }
    let text = known(status, profile).map_or("", |(line, _)| line);
    format!("{status:03} {text}")
}

/// The page of a redirect or an error; `None` for a status that nginx has no page for.
pub(super) fn page(status: u16, server: &str, is_padded: bool, profile: &Profile) -> Option<String> {
    let (title, heading, addition) = match OWN_STATUSES.iter().find(|(own, _)| *own == status) {
        Some((_, text)) => {
            (format!("400 {text}"), "400 Bad Request".to_owned(), format!("<center>{text}</center>\r\n"))
        }
        None => {
            let title = format!("{status} {}", known(status, profile)?.1);
            (title.clone(), title, String::new())
        }
    };
    let padding = if is_padded && status >= 400 { PADDING.repeat(6) } else { String::new() };
    Some(format!(
        "<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{heading}</h1></center>\r\n\
         {addition}<hr><center>{server}</center>\r\n</body>\r\n</html>\r\n{padding}"
    ))
}
