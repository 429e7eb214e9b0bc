//! The environment: what came in, what a new binary gets.
//!
//! # Source
//! `ngx_set_environment` and `ngx_exec_new_binary` in `src/core/nginx.c`, nginx 1.18 to 1.30.
#![expect(unsafe_code, reason = "the environment may only be changed while there is one thread")]

use std::ffi::{CString, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};

use crate::conf::EnvEntry;
use crate::machine::{Fd, inherited};

/// Room that nginx leaves itself behind the environment for a long title.
const SPARE: &str = "SPARE=XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX\
XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX\
XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX\
XXXXXXXXXXXXXXXXXXXXXXXXXXXXXX";

/// The environment of the start.
#[derive(Debug)]
pub(super) struct Environment {
    variables: Vec<(OsString, OsString)>,
}

impl Environment {
    /// Takes the environment out of the process: its memory will hold the title. Only `TZ` stays.
    pub(super) fn take() -> Self {
        let variables: Vec<_> = std::env::vars_os().collect();
        // SAFETY: the process has one thread, and nobody holds a pointer into the environment.
        unsafe {
            for (name, value) in &variables {
                std::env::remove_var(name);
                if name == "TZ" {
                    std::env::set_var(name, value);
                }
            }
        }
        Self { variables }
    }

    fn value(&self, wanted: &str) -> Option<&OsString> {
        self.variables.iter().find(|(name, _)| name == wanted).map(|(_, value)| value)
    }

    /// The variable `NGINX`, even if empty.
    pub(super) fn inherited(&self) -> Option<String> {
        self.value("NGINX").map(|value| value.to_string_lossy().into_owned())
    }

    /// What a new binary gets: the variables of `env` directives, `TZ`, the sockets, room for a title; and from a
    /// build with QUIC (1.25.0) the descriptors of its BPF maps, of which there is none.
    pub(super) fn for_new_binary(
        &self,
        entries: &[EnvEntry],
        sockets: &[Fd],
        has_quic: bool,
    ) -> Vec<CString> {
        let own = |name: &str| self.value(name).map(|value| value.as_bytes().to_vec());
        let mut variables: Vec<Vec<u8>> = entries
            .iter()
            .filter_map(|entry| {
                let value = entry.value.clone().map(String::into_bytes).or_else(|| own(&entry.name))?;
                Some([entry.name.as_bytes(), b"=", &value].concat())
            })
            .collect();
        if !entries.iter().any(|entry| entry.name == "TZ")
            && let Some(value) = own("TZ")
        {
            variables.push([b"TZ=", value.as_slice()].concat());
        }
        if has_quic {
            variables.push(b"NGINX_BPF_MAPS=".to_vec());
        }
        variables.push(format!("NGINX={}", inherited::render(sockets)).into_bytes());
        variables.push(SPARE.into());
        variables.into_iter().filter_map(|variable| CString::new(variable).ok()).collect()
    }
}

/// A command line as execve(2) takes it.
pub(super) fn c_strings(words: &[OsString]) -> Vec<CString> {
    words.iter().filter_map(|word| CString::new(word.clone().into_vec()).ok()).collect()
}
