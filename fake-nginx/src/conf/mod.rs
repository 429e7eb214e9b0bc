//! nginx's configuration: files in, a [`Conf`] or nginx's own error out.
//!
//! Directives are of three kinds and no fourth: honoured, accepted without effect, unknown. The table says
//! which ([`directive::all`]); `fake-nginx directives` prints it.
//!
//! # Source
//! `ngx_conf_parse` and `ngx_conf_read_token` in `src/core/ngx_conf_file.c`, nginx 1.18 to 1.30.
//!
//! # Not modelled
//! Dynamic modules, regular expressions, upstreams, variables beyond those listed in [`variable`].
//!
//! # Units
//! Durations are milliseconds and end in `_ms`.

mod accepted;
pub mod directive;
mod frame;
mod glob;
mod honoured;
mod listen;
mod load;
mod main_context;
mod read;
mod site;
mod token;
mod types;
mod value;
pub mod variable;
mod web_context;

pub use load::{LoadFrom, load};
pub use types::{
    Address, AddressServers, Conf, ConfError, EnvEntry, ErrorLog, Level, Listen, Location, LocationMatch,
    LogTarget, Message, Return, Server, ServerName, SourceFile, User, Warning,
};
