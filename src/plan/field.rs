//! Reading fields of a JSON object: each knows its place, a wrong type is a fault, and `null`, `""`, `{}` and `[]` are unset.

use super::fault::{Faults, Found, KEPT_MAX};
use jsonc_parser::ast::{Array, Object, ObjectProp, StringLit, Value};
use jsonc_parser::common::Ranged;
use std::collections::HashMap;
use std::ops::Range;

/// How unlike a name may be to be taken for a mistyped one: this many letters in ten.
const UNLIKE_TENTHS: usize = 5;
/// A longer name is not compared with others.
const COMPARED_BYTES_MAX: usize = 200;
/// How many names are compared for one file, so that no file costs more than a moment.
const COMPARED_MAX: usize = 50_000;
/// How much of a name is shown in a sentence.
const SHOWN_CHARS_MAX: usize = 80;

/// The faults that were found so far.
pub(super) struct Finds {
    found: Vec<Found>,
    /// How many there are besides.
    more: usize,
    /// How many names may still be compared.
    compared_left: usize,
}

impl Finds {
    pub fn new() -> Self {
        Self { found: Vec::new(), more: 0, compared_left: COMPARED_MAX }
    }

    pub fn push(&mut self, found: Found) {
        if self.found.len() < KEPT_MAX {
            self.found.push(found);
        } else {
            self.more += 1;
        }
    }

    pub fn add(&mut self, range: Range<usize>, message: impl Into<String>) {
        self.push(Found { range, message: message.into(), help: None, also: None, unfinished: false });
    }

    pub fn add_help(&mut self, range: Range<usize>, message: impl Into<String>, help: impl Into<String>) {
        let (message, help) = (message.into(), Some(help.into()));
        self.push(Found { range, message, help, also: None, unfinished: false });
    }

    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    pub fn into_faults(self, text: &str) -> Faults {
        Faults::new(text, self.found, self.more)
    }

    /// The known name that a mistyped one is nearest to, as a sentence.
    pub fn nearest<'a>(&mut self, name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
        if name.len() > COMPARED_BYTES_MAX {
            return None;
        }
        let lower = name.to_lowercase();
        let (distance, best) = known
            .into_iter()
            .filter(|known| known.len() <= COMPARED_BYTES_MAX)
            .map_while(|known| {
                self.compared_left = self.compared_left.checked_sub(1)?;
                Some((strsim::damerau_levenshtein(&lower, &known.to_lowercase()), known))
            })
            .min()?;
        let is_near = distance * 10 <= best.len().max(name.len()) * UNLIKE_TENTHS;
        is_near.then(|| format!("Did you mean `{}`?", shown(best)))
    }
}

/// A name from a file as it may stand in a sentence: not too long, and nothing in it that a terminal would obey.
pub(super) fn shown(name: &str) -> String {
    let mut text = String::new();
    for c in name.chars().take(SHOWN_CHARS_MAX) {
        if c.is_control() { text.extend(c.escape_default()) } else { text.push(c) }
    }
    if name.chars().nth(SHOWN_CHARS_MAX).is_some() {
        text.push('…');
    }
    text
}

/// The bytes of a value.
pub(super) fn range(node: &impl Ranged) -> Range<usize> {
    let range = node.range();
    range.start..range.end
}

fn is_unset(value: &Value<'_>) -> bool {
    match value {
        Value::NullKeyword(_) => true,
        Value::StringLit(text) => text.value.is_empty(),
        Value::Object(object) => object.properties.is_empty(),
        Value::Array(array) => array.elements.is_empty(),
        Value::NumberLit(_) | Value::BooleanLit(_) => false,
    }
}

fn type_of(value: &Value<'_>) -> &'static str {
    match value {
        Value::NullKeyword(_) => "null",
        Value::StringLit(_) => "a string",
        Value::Object(_) => "an object",
        Value::Array(_) => "an array",
        Value::NumberLit(_) => "a number",
        Value::BooleanLit(_) => "a boolean",
    }
}

/// An object being read: what is asked for is looked up, and what nobody knows is a fault at once.
pub(super) struct Fields<'a, 'b> {
    fields: HashMap<&'b str, &'b ObjectProp<'a>>,
    pub range: Range<usize>,
}

impl<'a, 'b> Fields<'a, 'b> {
    /// Looks through an object whose fields are called `known`.
    pub fn of(object: &'b Object<'a>, what: &str, known: &[&str], finds: &mut Finds) -> Self {
        let mut fields: HashMap<&str, &ObjectProp<'_>> = HashMap::new();
        for field in &object.properties {
            let name = field.name.as_str();
            let place = range(&field.name);
            if !known.contains(&name) {
                let help = finds
                    .nearest(name, known.iter().copied())
                    .unwrap_or_else(|| format!("It has: {}.", known.join(", ")));
                finds.add_help(place, format!("{what} has no field `{}`", shown(name)), help);
            } else if let Some(first) = fields.get(name) {
                finds.push(Found {
                    range: place,
                    message: format!("the field `{name}` is given twice"),
                    help: Some("Take one of them out: which one was meant cannot be known.".to_owned()),
                    also: Some((range(&first.name), "the first".to_owned())),
                    unfinished: false,
                });
            } else {
                fields.insert(name, field);
            }
        }
        Self { fields, range: range(object) }
    }

    /// The value of a field that is set.
    pub fn value(&self, name: &str) -> Option<&'b Value<'a>> {
        self.fields.get(name).map(|field| &field.value).filter(|value| !is_unset(value))
    }

    /// The bytes of a field's value, or of the object where it is not there.
    pub fn place(&self, name: &str) -> Range<usize> {
        self.fields
            .get(name)
            .map_or_else(|| self.range.start..self.range.start + 1, |field| range(&field.value))
    }

    fn wrong(&self, name: &str, wanted: &str, value: &Value<'_>, finds: &mut Finds) {
        finds.add(range(value), format!("`{name}` must be {wanted}, not {}", type_of(value)));
    }

    pub fn string(&self, name: &str, finds: &mut Finds) -> Option<&'b StringLit<'a>> {
        match self.value(name)? {
            Value::StringLit(text) => Some(text),
            other => {
                self.wrong(name, "a string", other, finds);
                None
            }
        }
    }

    pub fn text(&self, name: &str, finds: &mut Finds) -> Option<String> {
        self.string(name, finds).map(|text| text.value.clone().into_owned())
    }

    pub fn object(&self, name: &str, finds: &mut Finds) -> Option<&'b Object<'a>> {
        match self.value(name)? {
            Value::Object(object) => Some(object),
            other => {
                self.wrong(name, "an object", other, finds);
                None
            }
        }
    }

    pub fn array(&self, name: &str, finds: &mut Finds) -> Option<&'b Array<'a>> {
        match self.value(name)? {
            Value::Array(array) => Some(array),
            other => {
                self.wrong(name, "an array", other, finds);
                None
            }
        }
    }

    /// A field that must be set.
    pub fn required(&self, what: &str, name: &str, finds: &mut Finds) {
        if self.value(name).is_none() {
            finds.add(self.place(name), format!("{what} needs the field `{name}`, and it is not set"));
        }
    }
}
