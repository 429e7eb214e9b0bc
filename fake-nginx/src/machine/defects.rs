//! Deliberate defects of the machines, for tests that ask whether the invariants would notice.
//!
//! They come from a stamp, or from the constructor of a model; no option of nginx sets one.

/// Which defects a machine has; none by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Defects {
    /// The new binary has died and `nginx.pid.oldbin` keeps its name.
    pub forgets_to_rename_oldbin_back: bool,
    /// A second USR2 is obeyed although a new binary runs.
    pub accepts_a_second_usr2: bool,
    /// A worker that died is not forked again.
    pub respawns_nobody: bool,
    /// QUIT is passed on to the new binary.
    pub quits_the_new_binary_too: bool,
    /// The master in reserve ends and deletes `nginx.pid`, which names the new one.
    pub deletes_the_wrong_pid_file: bool,
    /// A no-accept closes the master's listening sockets too.
    pub closes_listeners_on_noaccept: bool,
}

/// A name that is no defect.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a defect; known are {known}", known = Defects::NAMES.join(", "))]
pub struct NoDefect(pub String);

impl Defects {
    /// Every name, as a stamp says it.
    pub const NAMES: [&str; 6] = [
        "forgets-to-rename-oldbin-back",
        "accepts-a-second-usr2",
        "respawns-nobody",
        "quits-the-new-binary-too",
        "deletes-the-wrong-pid-file",
        "closes-listeners-on-noaccept",
    ];

    /// The defects with these names.
    ///
    /// # Errors
    /// The first name that is none.
    pub fn named<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self, NoDefect> {
        let mut defects = Self::default();
        for name in names {
            match name {
                "forgets-to-rename-oldbin-back" => defects.forgets_to_rename_oldbin_back = true,
                "accepts-a-second-usr2" => defects.accepts_a_second_usr2 = true,
                "respawns-nobody" => defects.respawns_nobody = true,
                "quits-the-new-binary-too" => defects.quits_the_new_binary_too = true,
                "deletes-the-wrong-pid-file" => defects.deletes_the_wrong_pid_file = true,
                "closes-listeners-on-noaccept" => defects.closes_listeners_on_noaccept = true,
                unknown => return Err(NoDefect(unknown.to_owned())),
            }
        }
        Ok(defects)
    }
}
