//! Deliberate defects of the machines, for tests that ask whether the invariants would notice.
//!
//! They come from a stamp, or from the constructor of a model; no option of nginx sets one.

/// Which defects a machine has; none by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Defects {
    /// The new binary has died and `nginx.pid.oldbin` keeps its name.
    pub forgets_to_rename_oldbin_back: bool,
    /// The new binary has died after a no-accept and no worker is started.
    pub forgets_to_restart_workers: bool,
    /// A second USR2 is obeyed although a new binary runs.
    pub accepts_a_second_usr2: bool,
}

/// A name that is no defect.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a defect; known are {known}", known = Defects::NAMES.join(", "))]
pub struct NoDefect(pub String);

impl Defects {
    /// Every name, as a stamp says it.
    pub const NAMES: [&str; 3] =
        ["forgets-to-rename-oldbin-back", "forgets-to-restart-workers", "accepts-a-second-usr2"];

    /// The defects with these names.
    ///
    /// # Errors
    /// The first name that is none.
    pub fn named<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self, NoDefect> {
        let mut defects = Self::default();
        for name in names {
            match name {
                "forgets-to-rename-oldbin-back" => defects.forgets_to_rename_oldbin_back = true,
                "forgets-to-restart-workers" => defects.forgets_to_restart_workers = true,
                "accepts-a-second-usr2" => defects.accepts_a_second_usr2 = true,
                unknown => return Err(NoDefect(unknown.to_owned())),
            }
        }
        Ok(defects)
    }
}
