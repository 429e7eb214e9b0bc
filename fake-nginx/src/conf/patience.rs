//! How long a client may take, and what becomes of a connection whose client still sends.
//!
//! # Source
//! `ngx_http_core_merge_loc_conf` in `src/http/ngx_http_core_module.c`, nginx 1.18 to 1.30, for the defaults.

/// How long a client may take for an answer, and for what it still sends behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Patience {
    /// `send_timeout`
    pub send_ms: u32,
    /// `lingering_close`
    pub lingers: Lingers,
    /// `lingering_time`
    pub linger_ms: u32,
    /// `lingering_timeout`
    pub linger_timeout_ms: u32,
}

/// When a connection is closed for writing first, and for reading when its client has finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, strum::EnumString)]
pub enum Lingers {
    /// Never.
    #[strum(serialize = "off")]
    Never,
    /// If the client may send more than was read.
    #[strum(serialize = "on")]
    IfUnread,
    /// Always.
    #[strum(serialize = "always")]
    Always,
}

impl Default for Patience {
    fn default() -> Self {
        Self { send_ms: 60_000, lingers: Lingers::IfUnread, linger_ms: 30_000, linger_timeout_ms: 5_000 }
    }
}
