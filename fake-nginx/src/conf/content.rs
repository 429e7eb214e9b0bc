//! What a place says about files: where they lie, what is tried, which pages stand for errors.
//!
//! # Source
//! `ngx_http_core_root`, `ngx_http_core_error_page` and `ngx_http_core_merge_loc_conf` in
//! `src/http/ngx_http_core_module.c`; `ngx_http_index_set_index` in `src/http/modules/ngx_http_index_module.c`;
//! `ngx_http_try_files` in `src/http/modules/ngx_http_try_files_module.c`, nginx 1.18 to 1.30.

use super::read::{Fail, full_name};
use super::value;
use super::variable::Template;

/// Where the files of a place lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Root {
    /// The folder, with the prefix.
    pub path: Template,
    /// Whether it stands for the location's name (`alias`) or goes before the whole path (`root`).
    pub is_alias: bool,
}

/// What `try_files` does when nothing was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Otherwise {
    /// `=404`
    Status(u16),
    /// `/index.php?$args` or `@name`
    Uri(Template),
}

/// A `try_files` directive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TryFiles {
    /// What is looked for, and whether it has to be a folder.
    pub names: Vec<(Template, bool)>,
    /// The last argument.
    pub otherwise: Otherwise,
}

/// One status of an `error_page` directive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorPage {
    /// For this status.
    pub status: u16,
    /// `=200`; 0 is `=` alone: what the page itself answers.
    pub overwrite: Option<u16>,
    /// Where the page is.
    pub uri: Template,
}

/// `if_modified_since`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IfModifiedSince {
    /// Never asked.
    Off,
    /// The very time.
    Exact,
    /// That time or later.
    Before,
}

/// The switches of files and redirects; what was not said is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContentRules {
    /// `root` or `alias`
    pub root: Option<Root>,
    /// `index`, in order.
    pub index: Option<Vec<Template>>,
    /// `try_files`, which is not inherited.
    pub try_files: Option<TryFiles>,
    /// `error_page`, in order.
    pub error_pages: Vec<ErrorPage>,
    /// `recursive_error_pages`
    pub recursive_error_pages: Option<bool>,
    /// `etag`
    pub etag: Option<bool>,
    /// `if_modified_since`
    pub if_modified_since: Option<IfModifiedSince>,
    /// `max_ranges`
    pub max_ranges: Option<u64>,
    /// `log_not_found`
    pub log_not_found: Option<bool>,
    /// `absolute_redirect`
    pub absolute_redirect: Option<bool>,
    /// `port_in_redirect`
    pub port_in_redirect: Option<bool>,
    /// `server_name_in_redirect`
    pub server_name_in_redirect: Option<bool>,
}

impl ContentRules {
    /// These rules inside a block with `outer`.
    pub(super) fn within(&self, outer: &Self) -> Self {
        let inner = self.clone();
        Self {
            root: inner.root.or_else(|| outer.root.clone()),
            index: inner.index.or_else(|| outer.index.clone()),
            try_files: inner.try_files,
            error_pages: if inner.error_pages.is_empty() {
                outer.error_pages.clone()
            } else {
                inner.error_pages
            },
            recursive_error_pages: inner.recursive_error_pages.or(outer.recursive_error_pages),
            etag: inner.etag.or(outer.etag),
            if_modified_since: inner.if_modified_since.or(outer.if_modified_since),
            max_ranges: inner.max_ranges.or(outer.max_ranges),
            log_not_found: inner.log_not_found.or(outer.log_not_found),
            absolute_redirect: inner.absolute_redirect.or(outer.absolute_redirect),
            port_in_redirect: inner.port_in_redirect.or(outer.port_in_redirect),
            server_name_in_redirect: inner.server_name_in_redirect.or(outer.server_name_in_redirect),
        }
    }

    /// Every text with variables.
    pub(super) fn templates(&self) -> impl Iterator<Item = &Template> {
        let tried = self.try_files.iter().flat_map(|tried| {
            let last = match &tried.otherwise {
                Otherwise::Uri(uri) => Some(uri),
                Otherwise::Status(_) => None,
            };
            tried.names.iter().map(|(name, _)| name).chain(last)
        });
        let pages = self.error_pages.iter().map(|page| &page.uri);
        let root = self.root.iter().map(|root| &root.path);
        root.chain(self.index.iter().flatten()).chain(tried).chain(pages)
    }

    /// Takes one directive; whether it was one of these.
    pub(super) fn apply(
        &mut self,
        name: &str,
        arguments: &[String],
        number: u64,
        prefix: &str,
    ) -> Result<bool, Fail> {
        let flag = Some(number == 1);
        match name {
            "root" | "alias" => self.set_root(name, &arguments[0], prefix)?,
            "index" => self.add_index(arguments)?,
            "try_files" => self.set_try_files(arguments)?,
            "error_page" => self.add_error_pages(arguments)?,
            "if_modified_since" => {
                self.if_modified_since = Some(match arguments[0].as_str() {
                    "off" => IfModifiedSince::Off,
                    "exact" => IfModifiedSince::Exact,
                    "before" => IfModifiedSince::Before,
                    other => return Err(Fail::Said(format!("invalid value \"{other}\""))),
                });
            }
            "recursive_error_pages" => self.recursive_error_pages = flag,
            "etag" => self.etag = flag,
            "max_ranges" => self.max_ranges = Some(number),
            "log_not_found" => self.log_not_found = flag,
            "absolute_redirect" => self.absolute_redirect = flag,
            "port_in_redirect" => self.port_in_redirect = flag,
            "server_name_in_redirect" => self.server_name_in_redirect = flag,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn set_root(&mut self, name: &str, path: &str, prefix: &str) -> Result<(), Fail> {
        let is_alias = name == "alias";
        if let Some(known) = &self.root {
            if known.is_alias == is_alias {
                return Err(Fail::Word("is duplicate"));
            }
            let earlier = if known.is_alias { "alias" } else { "root" };
            return Err(Fail::Said(format!(
                "\"{name}\" directive is duplicate, \"{earlier}\" directive was specified earlier"
            )));
        }
        for variable in ["document_root", "realpath_root"] {
            if [format!("${variable}"), format!("${{{variable}}}")].iter().any(|text| path.contains(text)) {
                return Err(Fail::Said(format!(
                    "the ${variable} variable cannot be used in the \"{name}\" directive"
                )));
            }
        }
        let path = if is_alias { path } else { path.strip_suffix('/').unwrap_or(path) };
        let full =
            if path.starts_with('$') || path.is_empty() { path.to_owned() } else { full_name(prefix, path) };
        self.root = Some(Root { path: Template::compile(&full).map_err(Fail::Said)?, is_alias });
        Ok(())
    }

    fn add_index(&mut self, names: &[String]) -> Result<(), Fail> {
        let known = self.index.get_or_insert_default();
        for name in names {
            if name.is_empty() {
                return Err(Fail::Said(format!("index \"{name}\" in \"index\" directive is invalid")));
            }
            known.push(Template::compile(name).map_err(Fail::Said)?);
        }
        Ok(())
    }

    fn set_try_files(&mut self, arguments: &[String]) -> Result<(), Fail> {
        if self.try_files.is_some() {
            return Err(Fail::Word("is duplicate"));
        }
        let Some((last, names)) = arguments.split_last() else { return Ok(()) };
        let compile = |text: &str| Template::compile(text).map_err(Fail::Said);
        let names = names.iter().map(|name| match name.strip_suffix('/') {
            Some(folder) => Ok((compile(folder)?, true)),
            None => Ok((compile(name)?, false)),
        });
        let names = names.collect::<Result<_, Fail>>()?;
        let otherwise = match last.strip_prefix('=') {
            Some(code) => {
                let status = value::number(code).filter(|&status| status <= 999);
                let status = status.and_then(|status| u16::try_from(status).ok());
                Otherwise::Status(status.ok_or_else(|| Fail::Said(format!("invalid code \"{last}\"")))?)
            }
            None => Otherwise::Uri(compile(last)?),
        };
        self.try_files = Some(TryFiles { names, otherwise });
        Ok(())
    }

    fn add_error_pages(&mut self, arguments: &[String]) -> Result<(), Fail> {
        let Some((uri, codes)) = arguments.split_last() else { return Ok(()) };
        let invalid = |text: &str| Fail::Said(format!("invalid value \"{text}\""));
        let mut codes = codes;
        let mut overwrite = None;
        if let Some((last, before)) = codes.split_last()
            && let Some(code) = last.strip_prefix('=')
        {
            if before.is_empty() {
                return Err(invalid(last));
            }
            codes = before;
            let status = if code.is_empty() { Some(0) } else { value::number(code) };
            let status = status.and_then(|status| u16::try_from(status).ok());
            overwrite = Some(status.ok_or_else(|| invalid(last))?);
        }
        let uri = Template::compile(uri).map_err(Fail::Said)?;
        for code in codes {
            let status = value::number(code).filter(|&status| status != 499).ok_or_else(|| invalid(code))?;
            let status = u16::try_from(status).ok().filter(|status| (300..=599).contains(status));
            let status =
                status.ok_or_else(|| Fail::Said(format!("value \"{code}\" must be between 300 and 599")))?;
            let of_own = matches!(status, 494..=497).then_some(400);
            self.error_pages.push(ErrorPage { status, overwrite: overwrite.or(of_own), uri: uri.clone() });
        }
        Ok(())
    }
}
