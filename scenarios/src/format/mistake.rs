//! What is wrong with a file, and where.

use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;

use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, SourceSpan};

/// Everything that is wrong with one file.
#[derive(Debug, Clone, thiserror::Error, Diagnostic)]
#[error("{file} is no {what} that this program reads")]
pub struct FormatError {
    /// The file's name, as the caller knows it.
    pub file: String,
    /// `scenario` or `runbook`.
    pub what: &'static str,
    /// The mistakes, by their place in the file.
    #[related]
    pub mistakes: Vec<Mistake>,
}

/// One mistake.
#[derive(Debug, Clone, thiserror::Error, Diagnostic)]
#[error("{message}")]
pub struct Mistake {
    /// What is wrong.
    pub message: String,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// What can be done.
    #[help]
    pub help: Option<String>,
    /// Where it is; the first is the mistake's own place.
    #[label(collection)]
    labels: Vec<LabeledSpan>,
    #[source_code]
    text: NamedSource<Arc<str>>,
}

impl FormatError {
    pub(super) fn new(what: &'static str, file: &str, text: &str, raw: Vec<RawMistake>) -> Self {
        let text: Arc<str> = Arc::from(text);
        let mut mistakes: Vec<_> = raw.into_iter().map(|raw| raw.place(file, &text)).collect();
        mistakes.sort_by_key(|mistake| (mistake.line, mistake.column));
        Self { file: file.to_owned(), what, mistakes }
    }

    /// The error as a terminal shows it, each mistake with the lines that it is about.
    #[must_use]
    pub fn render(&self, in_colour: bool) -> String {
        let theme = if in_colour { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
        let handler = GraphicalReportHandler::new_themed(theme).with_width(100);
        let mut text = String::new();
        match handler.render_report(&mut text, self) {
            Ok(()) => text,
            Err(fmt::Error) => self.to_string(),
        }
    }
}

/// The mistakes of a file while it is being read. Decoders share it, so it is filled from behind a `&`.
#[derive(Debug, Default)]
pub(crate) struct Mistakes {
    list: RefCell<Vec<RawMistake>>,
}

/// A mistake by its place in bytes.
#[derive(Debug)]
pub(super) struct RawMistake {
    message: String,
    help: Option<String>,
    labels: Vec<LabeledSpan>,
}

impl Mistakes {
    /// Notes a mistake at a place.
    pub(crate) fn add(
        &self,
        span: impl Into<SourceSpan>,
        message: String,
        label: impl Into<String>,
        help: Option<String>,
    ) {
        let labels = vec![LabeledSpan::new_with_span(Some(label.into()), span)];
        self.list.borrow_mut().push(RawMistake { message, help, labels });
    }

    /// Notes that something stands twice.
    pub(crate) fn add_twice(&self, first: SourceSpan, second: SourceSpan, message: String) {
        let labels = vec![
            LabeledSpan::new_with_span(Some("second".into()), second),
            LabeledSpan::new_with_span(Some("first".into()), first),
        ];
        self.list.borrow_mut().push(RawMistake { message, help: Some("keep one of them".into()), labels });
    }

    /// Notes what the KDL reader did not understand.
    pub(super) fn add_syntax(&self, error: kdl::KdlError) {
        for diagnostic in error.diagnostics {
            let message = diagnostic.message.unwrap_or_else(|| "this is no KDL".to_owned());
            self.add(
                diagnostic.span,
                message,
                diagnostic.label.unwrap_or_else(|| "here".into()),
                diagnostic.help,
            );
        }
    }

    pub(super) fn into_list(self) -> Vec<RawMistake> {
        self.list.into_inner()
    }
}

impl RawMistake {
    fn place(self, file: &str, text: &Arc<str>) -> Mistake {
        let offset = self.labels.first().map_or(0, LabeledSpan::offset).min(text.len());
        let before = text.get(..offset).unwrap_or_default();
        let line_starts = before.rfind('\n').map_or(0, |newline| newline + 1);
        Mistake {
            message: self.message,
            line: before.matches('\n').count() + 1,
            column: before[line_starts..].chars().count() + 1,
            help: self.help,
            labels: self.labels,
            text: NamedSource::new(file, Arc::clone(text)).with_language("kdl"),
        }
    }
}
