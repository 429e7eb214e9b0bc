//! Arguments as values.

use kdl::KdlValue;

use crate::scenario::Claim;

/// What an argument or property may be read as.
pub(crate) trait Value: Sized {
    /// Reads it, or says what it should have been.
    fn decode(value: &KdlValue) -> Result<Self, Expected>;
}

/// What a value should have been.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Expected {
    /// `a duration`.
    pub(crate) what: &'static str,
    /// `write it as "200ms", …`.
    pub(crate) help: Option<String>,
}

/// Free text, not empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Words(pub(crate) String);

/// A kebab-case name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Name(pub(crate) String);

/// A whole number that fits its type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Number<N>(pub(crate) N);

/// A word or a number, as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Plain(pub(crate) String);

/// A duration, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Millis(pub(crate) u64);

impl Value for Words {
    fn decode(value: &KdlValue) -> Result<Self, Expected> {
        match value.as_string() {
            Some(text) if !text.trim().is_empty() => Ok(Self(text.trim().to_owned())),
            Some(_) => Err(Expected { what: "a text that says something", help: None }),
            None => Err(Expected { what: "a text", help: Some("put it in double quotes".into()) }),
        }
    }
}

impl Value for Name {
    fn decode(value: &KdlValue) -> Result<Self, Expected> {
        let is_kebab = |text: &str| {
            text.split('-').all(|word| {
                !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
            })
        };
        match value.as_string() {
            Some(text) if is_kebab(text) => Ok(Self(text.to_owned())),
            _ => Err(Expected {
                what: "a name",
                help: Some("small letters, digits and single hyphens: \"new-binary-exits-at-start\"".into()),
            }),
        }
    }
}

impl<N: TryFrom<i128>> Value for Number<N> {
    fn decode(value: &KdlValue) -> Result<Self, Expected> {
        let bits = 8 * size_of::<N>();
        match value.as_integer() {
            Some(number) => N::try_from(number).map(Self).map_err(|_| Expected {
                what: "a number of this size",
                help: Some(format!("it must fit {bits} bits")),
            }),
            None => {
                Err(Expected { what: "a whole number", help: Some("without quotes, as in workers=2".into()) })
            }
        }
    }
}

impl Value for Plain {
    fn decode(value: &KdlValue) -> Result<Self, Expected> {
        let text = match value {
            KdlValue::String(text) if !text.contains(char::is_whitespace) => Some(text.clone()),
            KdlValue::Integer(number) => Some(number.to_string()),
            KdlValue::Float(number) => Some(number.to_string()),
            KdlValue::String(_) | KdlValue::Bool(_) | KdlValue::Null => None,
        };
        text.filter(|text| !text.is_empty())
            .map(Self)
            .ok_or(Expected { what: "a word or a number", help: None })
    }
}

impl Value for bool {
    fn decode(value: &KdlValue) -> Result<Self, Expected> {
        value
            .as_bool()
            .ok_or_else(|| Expected { what: "yes or no", help: Some("write #true or #false".into()) })
    }
}

impl Value for Claim {
    fn decode(value: &KdlValue) -> Result<Self, Expected> {
        let names = Self::ALL.map(Self::name);
        let text = value.as_string().unwrap_or_default();
        text.parse().map_err(|()| Expected { what: "a claim", help: super::whole_help(text, &names) })
    }
}

impl Value for Millis {
    fn decode(value: &KdlValue) -> Result<Self, Expected> {
        let expected = || Expected {
            what: "a duration",
            help: Some("write it as \"200ms\", \"1.5s\" or \"2s\"".into()),
        };
        value.as_string().and_then(millis).map(Self).ok_or_else(expected)
    }
}

/// `200ms` or `1.5s` in milliseconds: at most three decimals, so that nothing is rounded.
fn millis(text: &str) -> Option<u64> {
    let (number, per_unit) = match text.strip_suffix("ms") {
        Some(number) => (number, 1),
        None => (text.strip_suffix('s')?, 1000),
    };
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    let is_digits = |digits: &str| digits.bytes().all(|b| b.is_ascii_digit());
    let has_part = number.contains('.');
    let is_written_out =
        !whole.is_empty() && (!has_part || (per_unit == 1000 && (1..=3).contains(&part.len())));
    if !is_written_out || !is_digits(whole) || !is_digits(part) {
        return None;
    }
    let thousandths: u64 = if has_part { format!("{part:0<3}").parse().ok()? } else { 0 };
    whole.parse::<u64>().ok()?.checked_mul(per_unit)?.checked_add(thousandths)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_people_write_them() {
        let read = ["200ms", "2s", "1.5s", "0.05s", "1.234s"].map(millis);
        assert_eq!(read, [Some(200), Some(2000), Some(1500), Some(50), Some(1234)]);
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in [
            "",
            "s",
            "ms",
            "200",
            "200 ms",
            "1.5ms",
            "1.s",
            ".5s",
            "-1s",
            "+1s",
            "1.2345s",
            "2m",
            "99999999999999999999s",
        ] {
            assert_eq!(millis(text), None, "{text}");
        }
    }

    #[test]
    fn names_are_kebab_case() {
        let name = |text: &str| Name::decode(&KdlValue::String(text.into())).is_ok();
        assert!(name("a-2-b"));
        for text in ["", "A", "a_b", "-a", "a--b", "a b", "a."] {
            assert!(!name(text), "{text}");
        }
    }
}
