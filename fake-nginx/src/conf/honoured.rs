//! The directives that do in the fake what they do in nginx.
//!
//! # Source
//! `ngx_core_commands` in `src/core/nginx.c`, `ngx_event_core_commands` in `src/event/ngx_event.c`,
//! `ngx_http_core_commands` in `src/http/ngx_http_core_module.c`, nginx 1.18 to 1.30.

use super::directive::{Contexts, Directive, Takes};

const MAIN: Contexts = Contexts::MAIN;
const EVENTS: Contexts = Contexts::EVENTS;
const HTTP: Contexts = Contexts::HTTP;
const SERVER: Contexts = Contexts::SERVER;
const LOCATION: Contexts = Contexts::LOCATION;
const WEB: Contexts = Contexts::WEB;
const SERVER_IF: Contexts = Contexts::SERVER_IF;
const LOCATION_IF: Contexts = Contexts::LOCATION_IF;

/// Honoured, by context and then by subject.
pub(super) static HONOURED: &[Directive] = &[
    Directive::one("include", Contexts::ANY, Takes::Own).repeated().honoured(),
    Directive::one("daemon", MAIN, Takes::Flag).honoured(),
    Directive::one("master_process", MAIN, Takes::Flag).honoured(),
    Directive::one("pid", MAIN, Takes::Text).honoured(),
    Directive::own("error_log", MAIN, 1, usize::MAX).honoured(),
    Directive::own("env", MAIN, 1, 1).honoured(),
    Directive::own("load_module", MAIN, 1, 1).honoured(),
    Directive::one("user", MAIN, Takes::Text).many(1, 2).honoured(),
    Directive::one("worker_processes", MAIN, Takes::Text).honoured(),
    Directive::one("working_directory", MAIN, Takes::Text).honoured(),
    Directive::one("worker_shutdown_timeout", MAIN, Takes::Milliseconds).honoured(),
    Directive::block("events", MAIN, 0, 0).honoured(),
    Directive::block("http", MAIN, 0, 0).honoured(),
    Directive::one("worker_connections", EVENTS, Takes::Text).honoured(),
    Directive::block("server", HTTP, 0, 0).repeated().honoured(),
    Directive::own("listen", SERVER, 1, usize::MAX).honoured(),
    Directive::own("server_name", SERVER, 1, usize::MAX).honoured(),
    Directive::block("location", SERVER.or(LOCATION), 1, 2).repeated().honoured(),
    Directive::own("return", SERVER.or(LOCATION).or(SERVER_IF).or(LOCATION_IF), 1, 2).honoured(),
    Directive::block("types", WEB, 0, 0).repeated().honoured(),
    Directive::one("default_type", WEB, Takes::Text).honoured(),
    Directive::own("add_header", WEB.or(LOCATION_IF), 2, 3).honoured(),
    Directive::one("limit_rate", WEB.or(LOCATION_IF), Takes::Size).honoured(),
    Directive::one("client_max_body_size", WEB, Takes::Offset).honoured(),
    Directive::one("keepalive_timeout", WEB, Takes::Text).many(1, 2).honoured(),
    Directive::one("keepalive_requests", WEB, Takes::Number).honoured(),
    Directive::one("send_timeout", WEB, Takes::Milliseconds).honoured(),
    Directive::one("lingering_close", WEB, Takes::Text).honoured(),
    Directive::one("lingering_time", WEB, Takes::Milliseconds).honoured(),
    Directive::one("lingering_timeout", WEB, Takes::Milliseconds).honoured(),
    Directive::one("keepalive_min_timeout", WEB, Takes::Milliseconds).since(1, 27, 4).honoured(),
    Directive::one("client_header_timeout", HTTP.or(SERVER), Takes::Milliseconds).honoured(),
    Directive::one("server_tokens", WEB, Takes::Text).honoured(),
    Directive::own("root", WEB.or(LOCATION_IF), 1, 1).honoured(),
    Directive::own("index", WEB, 1, usize::MAX).honoured(),
    Directive::own("error_page", WEB.or(LOCATION_IF), 2, usize::MAX).honoured(),
    Directive::own("try_files", SERVER.or(LOCATION), 2, usize::MAX).honoured(),
    Directive::one("server_name_in_redirect", WEB, Takes::Flag).honoured(),
    Directive::one("port_in_redirect", WEB, Takes::Flag).honoured(),
    Directive::one("absolute_redirect", WEB, Takes::Flag).honoured(),
    Directive::one("max_ranges", WEB, Takes::Number).honoured(),
    Directive::one("etag", WEB, Takes::Flag).honoured(),
    Directive::one("if_modified_since", WEB, Takes::Text).honoured(),
    Directive::one("log_not_found", WEB, Takes::Flag).honoured(),
    Directive::own("alias", LOCATION, 1, 1).honoured(),
    Directive::one("recursive_error_pages", WEB, Takes::Flag).honoured(),
];
