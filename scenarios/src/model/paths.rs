//! Paths by number. Everything has one folder, which is there.

use super::kernel::Path;

/// The words behind [`Path`]s; it only grows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    words: Vec<String>,
}

/// The prefix of a model world's nginx.
pub(super) const PREFIX: &str = "/nginx/";

impl Paths {
    /// The fixed ones, in the order of their numbers.
    #[must_use]
    pub fn new() -> Self {
        let words = [
            "/nginx/logs/nginx.pid",
            "/nginx/logs/nginx.pid.oldbin",
            "/nginx/sbin/nginx",
            "/nginx/staged/nginx",
            "/nginx/sbin/.nginx.oldbin-next",
            "/nginx/sbin/.nginx.oldbin-new",
            "/nginx/conf/nginx.conf",
        ];
        Self { words: words.map(str::to_owned).to_vec() }
    }

    /// The number of a path.
    ///
    /// # Panics
    /// With more than 256 different paths.
    pub fn number(&mut self, text: &str) -> Path {
        let known = self.words.iter().position(|word| word == text).unwrap_or_else(|| {
            self.words.push(text.to_owned());
            self.words.len() - 1
        });
        Path(u8::try_from(known).expect("a run names fewer than 256 paths"))
    }

    /// The words of a number.
    #[must_use]
    pub fn words(&self, path: Path) -> &str {
        &self.words[usize::from(path.0)]
    }
}

impl Default for Paths {
    fn default() -> Self {
        Self::new()
    }
}
