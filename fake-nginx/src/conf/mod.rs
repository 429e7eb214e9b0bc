//! nginx's configuration: files in, a [`Conf`] or nginx's own error out.
//!
//! Directives are of three kinds and no fourth: honoured, accepted without effect, unknown. The table says
//! which ([`directive::all`]); `fake-nginx directives` prints it.
//!
//! # Source
//! `ngx_conf_parse` and `ngx_conf_read_token` in `src/core/ngx_conf_file.c`, nginx 1.18 to 1.30.
//!
//! # Not modelled
//! Dynamic modules, upstreams, variables beyond those listed in [`variable`].
//!
//! # Units
//! Durations are milliseconds and end in `_ms`.

mod accepted;
mod built;
mod content;
pub mod directive;
mod frame;
mod gateways;
mod glob;
mod honoured;
mod listen;
mod load;
mod main_context;
mod modules;
mod patience;
mod pattern;
mod read;
mod site;
mod stream;
mod token;
mod types;
mod upstream;
mod value;
pub mod variable;
mod web_context;

pub use content::{ContentRules, ErrorPage, IfModifiedSince, Otherwise, Root, TryFiles};
pub use load::{LoadFrom, load};
pub use patience::{Lingers, Patience};
pub use pattern::{Captures, Pattern};
pub(crate) use read::os_reason;
pub use types::{
    Address, AddressServers, Conf, ConfError, EnvEntry, ErrorLog, Level, Listen, Location, LocationMatch,
    LogTarget, Message, Return, Server, ServerName, SourceFile, User, Warning,
};
pub use variable::Template;
