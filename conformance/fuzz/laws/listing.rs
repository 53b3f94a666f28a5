//! Listings as clean-up reads them: whatever a server sends, no name leads out of the directory.

use ftpspec::internals::runner::{Form, entries};

/// The octets are a listing in any of the forms.
pub fn listing(octets: &[u8]) {
    for form in [Form::Facts, Form::Long, Form::Names] {
        for entry in entries(form, octets) {
            let name = entry.name.as_slice();
            assert!(!matches!(name, b"" | b"." | b".."), "{form:?}");
            assert!(
                !name.iter().any(|octet| b"/\\\n\0".contains(octet)),
                "{form:?}: {}",
                name.escape_ascii()
            );
            assert!(
                octets.windows(name.len()).any(|part| part == name),
                "{form:?}: {} is not in it",
                name.escape_ascii()
            );
        }
    }
}
