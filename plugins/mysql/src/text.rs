//! Names and texts in SQL of the driver's own.

/// A name, whatever is in it.
pub(crate) fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// A text that means the same whatever the session's sql_mode and character set are.
pub(crate) fn literal(text: &str) -> String {
    let digits: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
    format!("_utf8mb4 X'{digits}'")
}
