//! What has been read of the block that is open, before inheritance.
//!
//! # Source
//! `ngx_http_core_merge_loc_conf` and `ngx_http_core_merge_srv_conf` in `src/http/ngx_http_core_module.c`,
//! `ngx_http_headers_merge` in `src/http/modules/ngx_http_headers_filter_module.c`, nginx 1.18 to 1.30.

use std::collections::BTreeSet;

use super::content::ContentRules;
use super::directive::Contexts;
use super::listen::ListenLine;
use super::patience::{Lingers, Patience};
use super::stream::Within;
use super::types::{Location, LocationMatch, Return};
use super::variable::Template;
use crate::release::Profile;

/// One open block.
#[derive(Debug)]
pub(super) struct Frame {
    /// Which kind of block.
    pub(super) context: Contexts,
    /// The directives that may not come again.
    pub(super) seen: BTreeSet<&'static str>,
    /// What was set here.
    pub(super) settings: Settings,
    /// Whether this is a `types` block, whose lines are no directives.
    pub(super) is_types: bool,
    /// Whether its lines are no directives of ours, and if so whether there may be blocks among them.
    pub(super) is_free: Option<bool>,
    /// Of `stream` and the blocks in it.
    pub(super) stream: Option<Within>,
    /// The index of the server that this block is or stands in.
    pub(super) server: usize,
    /// The place where a `server` was opened.
    pub(super) at: Option<String>,
    /// Of a `location`.
    pub(super) place: Option<LocationPlace>,
    /// The locations inside.
    pub(super) locations: Vec<Frame>,
    /// The servers inside.
    pub(super) servers: Vec<Frame>,
    /// `listen`
    pub(super) listens: Vec<ListenLine>,
    /// `server_name`, as written.
    pub(super) names: Vec<String>,
}

/// What a `location` line says, and where.
#[derive(Clone, Debug)]
pub(super) struct LocationPlace {
    /// Which requests.
    pub(super) matches: LocationMatch,
    /// `^~`
    pub(super) is_final: bool,
    /// The text of the place for errors, ` in F:N`.
    pub(super) at: String,
}

impl Frame {
    /// A block that was just opened.
    pub(super) fn new(context: Contexts) -> Self {
        Self {
            context,
            seen: BTreeSet::new(),
            settings: Settings::default(),
            is_types: false,
            is_free: None,
            stream: None,
            server: 0,
            at: None,
            place: None,
            locations: Vec::new(),
            servers: Vec::new(),
            listens: Vec::new(),
            names: Vec::new(),
        }
    }
}

/// What may be set in `http`, `server` and `location`; `None` inherits.
#[derive(Clone, Debug, Default)]
pub(super) struct Settings {
    pub(super) answer: Option<Return>,
    pub(super) default_type: Option<String>,
    pub(super) types: Option<Vec<(String, String)>>,
    pub(super) headers: Vec<(String, Template, bool)>,
    pub(super) limit_rate: Option<u64>,
    pub(super) client_max_body_size: Option<u64>,
    pub(super) keepalive_timeout: Option<(u64, u64)>,
    pub(super) keepalive_requests: Option<u64>,
    pub(super) keepalive_min_timeout_ms: Option<u64>,
    pub(super) send_timeout_ms: Option<u64>,
    pub(super) lingering_close: Option<Lingers>,
    pub(super) lingering_time_ms: Option<u64>,
    pub(super) lingering_timeout_ms: Option<u64>,
    pub(super) client_header_timeout_ms: Option<u64>,
    pub(super) server_tokens: Option<bool>,
    pub(super) content: ContentRules,
    pub(super) is_gateway: bool,
}

impl Settings {
    /// These settings inside a block with `outer`. `return` is not inherited.
    pub(super) fn within(&self, outer: &Self) -> Self {
        let inner = self.clone();
        Self {
            answer: inner.answer,
            default_type: inner.default_type.or_else(|| outer.default_type.clone()),
            types: inner.types.or_else(|| outer.types.clone()),
            headers: if inner.headers.is_empty() { outer.headers.clone() } else { inner.headers },
            limit_rate: inner.limit_rate.or(outer.limit_rate),
            client_max_body_size: inner.client_max_body_size.or(outer.client_max_body_size),
            keepalive_timeout: inner.keepalive_timeout.or(outer.keepalive_timeout),
            keepalive_requests: inner.keepalive_requests.or(outer.keepalive_requests),
            keepalive_min_timeout_ms: inner.keepalive_min_timeout_ms.or(outer.keepalive_min_timeout_ms),
            send_timeout_ms: inner.send_timeout_ms.or(outer.send_timeout_ms),
            lingering_close: inner.lingering_close.or(outer.lingering_close),
            lingering_time_ms: inner.lingering_time_ms.or(outer.lingering_time_ms),
            lingering_timeout_ms: inner.lingering_timeout_ms.or(outer.lingering_timeout_ms),
            client_header_timeout_ms: inner.client_header_timeout_ms.or(outer.client_header_timeout_ms),
            server_tokens: inner.server_tokens.or(outer.server_tokens),
            content: self.content.within(&outer.content),
            is_gateway: inner.is_gateway,
        }
    }

    fn patience(&self) -> Patience {
        let default = Patience::default();
        let or = |set: Option<u64>, default| set.map_or(default, |ms| u32::try_from(ms).unwrap_or(u32::MAX));
        Patience {
            send_ms: or(self.send_timeout_ms, default.send_ms),
            lingers: self.lingering_close.unwrap_or(default.lingers),
            linger_ms: or(self.lingering_time_ms, default.linger_ms),
            linger_timeout_ms: or(self.lingering_timeout_ms, default.linger_timeout_ms),
        }
    }

    /// The finished location, with nginx's defaults where nothing was set.
    pub(super) fn finish(self, matches: LocationMatch, nested: Vec<Location>, profile: &Profile) -> Location {
        let (keepalive_timeout_ms, keepalive_header_s) = self.keepalive_timeout.unwrap_or((75_000, 0));
        Location {
            patience: self.patience(),
            matches,
            is_final: false,
            nested,
            answer: self.answer,
            default_type: self.default_type.unwrap_or_else(|| "text/plain".to_owned()),
            types: self.types.unwrap_or_else(default_types),
            headers: self.headers,
            limit_rate: self.limit_rate.unwrap_or(0),
            client_max_body_size: self.client_max_body_size.unwrap_or(1 << 20),
            keepalive_timeout_ms,
            keepalive_header_s,
            keepalive_requests: self.keepalive_requests.unwrap_or(profile.keepalive_requests_default.into()),
            keepalive_min_timeout_ms: self.keepalive_min_timeout_ms.unwrap_or(0),
            server_tokens: self.server_tokens.unwrap_or(true),
            content: self.content,
            is_gateway: self.is_gateway,
        }
    }
}

fn default_types() -> Vec<(String, String)> {
    [("html", "text/html"), ("gif", "image/gif"), ("jpg", "image/jpeg")]
        .map(|(extension, kind)| (extension.to_owned(), kind.to_owned()))
        .to_vec()
}
