//! The directives that are checked and have no effect, so that common configurations load.
//!
//! TLS is among them: a `listen ... ssl` speaks plain HTTP in the fake.
//!
//! # Source
//! The `ngx_command_t` tables of nginx's modules, nginx 1.18 to 1.30.

use super::directive::{Contexts, Directive, Takes};

const MAIN: Contexts = Contexts::MAIN;
const EVENTS: Contexts = Contexts::EVENTS;
const HTTP: Contexts = Contexts::HTTP;
const SITE: Contexts = Contexts::HTTP.or(Contexts::SERVER);
const WEB: Contexts = Contexts::WEB;
const UPSTREAM: Contexts = Contexts::UPSTREAM;
const LOCATION_IF: Contexts = Contexts::LOCATION_IF;
const LIMIT: Contexts = Contexts::LIMIT;
const ANY_NUMBER: usize = usize::MAX;

/// Accepted without effect, by module.
pub(super) static ACCEPTED: &[Directive] = &[
    // The core.
    Directive::one("lock_file", MAIN, Takes::Text),
    Directive::one("timer_resolution", MAIN, Takes::Milliseconds),
    Directive::one("worker_priority", MAIN, Takes::Text),
    Directive::one("worker_cpu_affinity", MAIN, Takes::Text).many(1, ANY_NUMBER),
    Directive::one("worker_rlimit_nofile", MAIN, Takes::Number),
    Directive::one("worker_rlimit_core", MAIN, Takes::Offset),
    Directive::one("pcre_jit", MAIN, Takes::Flag),
    Directive::own("thread_pool", MAIN, 2, 3),
    Directive::one("ssl_engine", MAIN, Takes::Text),
    // Events.
    Directive::one("use", EVENTS, Takes::Text),
    Directive::one("multi_accept", EVENTS, Takes::Flag),
    Directive::one("accept_mutex", EVENTS, Takes::Flag),
    Directive::one("accept_mutex_delay", EVENTS, Takes::Milliseconds),
    Directive::one("worker_aio_requests", EVENTS, Takes::Number),
    // Logs.
    Directive::own("error_log", WEB, 1, ANY_NUMBER),
    Directive::own("access_log", WEB.or(LOCATION_IF).or(LIMIT), 1, ANY_NUMBER),
    Directive::own("log_format", HTTP, 2, ANY_NUMBER),
    Directive::one("log_subrequest", WEB, Takes::Flag),
    Directive::one("open_log_file_cache", WEB, Takes::Text).many(1, 4),
    // Connections and buffers.
    Directive::one("sendfile", WEB.or(LOCATION_IF), Takes::Flag),
    Directive::one("sendfile_max_chunk", WEB, Takes::Size),
    Directive::one("tcp_nopush", WEB, Takes::Flag),
    Directive::one("tcp_nodelay", WEB, Takes::Flag),
    Directive::one("aio", WEB, Takes::Text),
    Directive::one("directio", WEB, Takes::Text),
    Directive::one("output_buffers", WEB, Takes::Text).many(2, 2),
    Directive::one("postpone_output", WEB, Takes::Size),
    Directive::one("reset_timedout_connection", WEB, Takes::Flag),
    Directive::one("keepalive_disable", WEB, Takes::Text).many(1, 2),
    Directive::one("keepalive_time", WEB, Takes::Milliseconds).since(1, 19, 10),
    Directive::one("limit_rate_after", WEB.or(LOCATION_IF), Takes::Size),
    Directive::one("client_header_buffer_size", SITE, Takes::Size),
    Directive::one("large_client_header_buffers", SITE, Takes::Text).many(2, 2),
    Directive::one("ignore_invalid_headers", SITE, Takes::Flag),
    Directive::one("underscores_in_headers", SITE, Takes::Flag),
    Directive::one("merge_slashes", SITE, Takes::Flag),
    Directive::one("client_body_timeout", WEB, Takes::Milliseconds),
    Directive::one("client_body_buffer_size", WEB, Takes::Size),
    Directive::one("client_body_in_file_only", WEB, Takes::Text),
    Directive::one("server_names_hash_max_size", HTTP, Takes::Number),
    Directive::one("server_names_hash_bucket_size", HTTP, Takes::Number),
    Directive::one("types_hash_max_size", WEB, Takes::Number),
    Directive::one("types_hash_bucket_size", WEB, Takes::Number),
    Directive::one("variables_hash_max_size", HTTP, Takes::Number),
    Directive::one("variables_hash_bucket_size", HTTP, Takes::Number),
    Directive::one("chunked_transfer_encoding", WEB, Takes::Flag),
    Directive::one("msie_padding", WEB, Takes::Flag),
    Directive::own("resolver", WEB.or(UPSTREAM), 1, ANY_NUMBER),
    Directive::one("resolver_timeout", WEB.or(UPSTREAM), Takes::Milliseconds),
    // Temporary files.
    Directive::one("client_body_temp_path", WEB, Takes::Text).many(1, 4),
    Directive::one("proxy_temp_path", WEB, Takes::Text).many(1, 4),
    Directive::one("fastcgi_temp_path", WEB, Takes::Text).many(1, 4),
    Directive::one("uwsgi_temp_path", WEB, Takes::Text).many(1, 4),
    Directive::one("scgi_temp_path", WEB, Takes::Text).many(1, 4),
    // Files.
    Directive::own("expires", WEB.or(LOCATION_IF), 1, 2),
    Directive::one("charset", WEB.or(LOCATION_IF), Takes::Text),
    Directive::one("autoindex", WEB, Takes::Flag),
    Directive::one("open_file_cache", WEB, Takes::Text).many(1, 2),
    Directive::one("open_file_cache_valid", WEB, Takes::Seconds),
    Directive::one("open_file_cache_min_uses", WEB, Takes::Number),
    Directive::one("open_file_cache_errors", WEB, Takes::Flag),
    Directive::one("disable_symlinks", WEB, Takes::Text).many(1, 2),
    // Compression.
    Directive::one("gzip", WEB.or(LOCATION_IF), Takes::Flag),
    Directive::one("gzip_vary", WEB, Takes::Flag),
    Directive::one("gzip_buffers", WEB, Takes::Text).many(2, 2),
    Directive::one("gzip_comp_level", WEB, Takes::Number),
    Directive::one("gzip_min_length", WEB, Takes::Size),
    Directive::one("gzip_http_version", WEB, Takes::Text),
    Directive::one("gzip_proxied", WEB, Takes::Text).many(1, ANY_NUMBER),
    Directive::own("gzip_types", WEB, 1, ANY_NUMBER),
    Directive::own("gzip_disable", WEB, 1, ANY_NUMBER),
    Directive::one("gzip_static", WEB, Takes::Text),
    // TLS and HTTP/2.
    Directive::own("ssl_certificate", SITE, 1, 1),
    Directive::own("ssl_certificate_key", SITE, 1, 1),
    Directive::one("ssl_password_file", SITE, Takes::Text),
    Directive::one("ssl_protocols", SITE, Takes::Text).many(1, ANY_NUMBER).repeated(),
    Directive::one("ssl_ciphers", SITE, Takes::Text),
    Directive::one("ssl_prefer_server_ciphers", SITE, Takes::Flag),
    Directive::one("ssl_session_cache", SITE, Takes::Text).many(1, 2),
    Directive::one("ssl_session_tickets", SITE, Takes::Flag),
    Directive::one("ssl_session_ticket_key", SITE, Takes::Text).repeated(),
    Directive::one("ssl_session_timeout", SITE, Takes::Seconds),
    Directive::one("ssl_dhparam", SITE, Takes::Text),
    Directive::one("ssl_ecdh_curve", SITE, Takes::Text),
    Directive::one("ssl_buffer_size", SITE, Takes::Size),
    Directive::one("ssl_verify_client", SITE, Takes::Text),
    Directive::one("ssl_verify_depth", SITE, Takes::Number),
    Directive::one("ssl_client_certificate", SITE, Takes::Text),
    Directive::one("ssl_trusted_certificate", SITE, Takes::Text),
    Directive::one("ssl_stapling", SITE, Takes::Flag),
    Directive::one("ssl_stapling_verify", SITE, Takes::Flag),
    Directive::one("ssl_early_data", SITE, Takes::Flag),
    Directive::own("ssl_conf_command", SITE, 2, 2).since(1, 19, 4),
    Directive::one("ssl_reject_handshake", SITE, Takes::Flag).since(1, 19, 4),
    Directive::one("http2", SITE, Takes::Flag).since(1, 25, 1),
];
