//! The text of a statement as the client library wants it. Dumps write binary columns byte by byte, so a statement need not be UTF-8; the
//! server alone knows which character set the session has, and checks it.

/// The same bytes as a text, whatever they are: only for `Queryable::query_iter`.
#[allow(unsafe_code)]
pub(crate) fn as_text(sql: &[u8]) -> &str {
    // SAFETY: texts of statements may be of any bytes (`rsd_str` in the ABI). This one goes to `Conn::query_iter` of the crate `mysql`
    // 28, which does nothing but take its bytes and write them to the wire; nobody else sees it.
    unsafe { std::str::from_utf8_unchecked(sql) }
}
