//! nginx's own command line.
//!
//! # Source
//! `ngx_get_options` and `ngx_show_version_info` in `src/core/nginx.c`, nginx 1.18 to 1.30.

use crate::release::Profile;

/// What the arguments ask for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// `-v`, `-V`, `-h` or `-?`
    pub show_version: bool,
    /// `-V`
    pub show_configure: bool,
    /// `-h` or `-?`
    pub show_help: bool,
    /// `-t` or `-T`
    pub test: bool,
    /// `-T`
    pub dump: bool,
    /// `-q`
    pub quiet: bool,
    /// `-p`
    pub prefix: Option<String>,
    /// `-c`
    pub conf: Option<String>,
    /// `-e`
    pub error_log: Option<String>,
    /// `-g`
    pub directives: Option<String>,
    /// `-s`
    pub signal: Option<SignalWord>,
}

/// What `-s` sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignalWord {
    /// TERM
    Stop,
    /// QUIT
    Quit,
    /// USR1
    Reopen,
    /// HUP
    Reload,
}

/// Reads `argv` without the program's name. The error is what nginx says on standard error before exit 1.
///
/// # Errors
/// `nginx: invalid option: "x"` and its like.
pub fn parse(argv: &[String], profile: &Profile) -> Result<Options, String> {
    let _ = (argv, profile);
    unimplemented!("options are not read yet")
}
