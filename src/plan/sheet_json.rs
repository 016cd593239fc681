//! Bytebase's Sheet JSON: a sheet with its name and its text in base64.

use super::fault::Faults;
use super::field::{Fields, range};
use super::name::SheetName;
use super::parse::with_object;
use super::schema;
use base64::Engine;

/// A sheet that names itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SheetFile {
    /// `projects/{project}/sheets/{sheet}`.
    pub name: SheetName,
    /// For people; may be empty.
    pub title: String,
    /// The dialect that it says it is in, if it does.
    pub engine: Option<String>,
    /// Its bytes.
    pub content: Vec<u8>,
}

/// Reads a Sheet JSON.
///
/// # Errors
/// Every fault of the text.
pub fn parse_sheet(text: &str) -> Result<SheetFile, Faults> {
    let sheet = with_object(text, "the sheet", |object, finds| {
        let fields = Fields::of(object, "a sheet", schema::SHEET, finds);
        fields.required("a sheet", "name", finds);
        fields.required("a sheet", "content", finds);
        let title = fields.text("title", finds).unwrap_or_default();
        let engine = fields.text("engine", finds);
        let name = fields.string("name", finds).and_then(|text| {
            text.value.parse().map_err(|error: super::BadName| finds.add(range(text), error.to_string())).ok()
        });
        let content = fields.string("content", finds).and_then(|text| {
            base64::engine::general_purpose::STANDARD
                .decode(text.value.as_bytes())
                .map_err(|error| finds.add(range(text), format!("`content` is no base64: {error}")))
                .ok()
        });
        if let (Some(content), Some(size)) = (&content, size(&fields))
            && size != content.len().to_string()
        {
            let message = format!("`contentSize` says {size} bytes, but `content` has {}", content.len());
            let help = "Bytebase cuts the content off unless it is asked for raw; fetch it with `?raw=true`.";
            finds.add_help(fields.place("contentSize"), message, help);
        }
        Some(SheetFile { name: name?, title, engine, content: content? })
    })?;
    sheet.ok_or_else(|| Faults::of_file("the sheet is not whole", None))
}

/// protojson writes 64-bit numbers as strings.
fn size(fields: &Fields<'_, '_>) -> Option<String> {
    let value = fields.value("contentSize")?;
    value
        .as_string_lit()
        .map(|text| text.value.clone().into_owned())
        .or_else(|| value.as_number_lit().map(|number| number.value.to_owned()))
}
