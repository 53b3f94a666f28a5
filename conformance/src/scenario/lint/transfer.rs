//! Refusals of transfer commands: RFC 959 §6 has two diagrams for them.

use super::{Expect, Linter};

/// The commands of the second diagram of RFC 959 §6, and MLSD, which is like them (RFC 3659 §7.1).
const TRANSFERS: [&str; 7] = ["APPE", "LIST", "NLST", "RETR", "STOR", "STOU", "MLSD"];
/// Those of them that send data to the server.
const UPLOADS: [&str; 3] = ["APPE", "STOR", "STOU"];

impl Linter<'_> {
    /// A server may reply 1yz and then 4yz or 5yz, which is a failure as well: an expected refusal
    /// has to allow it. A server that begins an upload waits for the end of the data connection, so
    /// that has to be closed first.
    pub(super) fn refusal(
        &mut self,
        line: u32,
        verb: &str,
        expect: &Expect,
        has_data_connection: bool,
    ) {
        let mut first_digits = expect.codes.0.iter().map(|code| code.0[0]);
        let refused = first_digits.all(|digit| matches!(digit, Some(4 | 5)));
        let preliminary = [125, 150].iter().all(|code| expect.goes_before(*code));
        if TRANSFERS.contains(&verb) && refused && !preliminary {
            let message = format!("{verb} may be refused after a preliminary reply as well");
            let help = "RFC 959 §6: `!after 125 | 150` allows it".to_owned();
            self.error(self.line(line), message, Some(help));
        }
        if UPLOADS.contains(&verb) && refused && has_data_connection {
            let message =
                format!("after a preliminary reply the server waits for the data of {verb}");
            let help = "`@close` before this line ends the data connection".to_owned();
            self.error(self.line(line), message, Some(help));
        }
    }
}
