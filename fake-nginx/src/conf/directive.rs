//! The table of directives.
