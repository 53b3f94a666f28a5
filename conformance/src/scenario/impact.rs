//! Which failures have the impact that the front matter's `impact` describes.

use super::{Codes, Scenario, Step, parse};

impl Scenario {
    /// Whether a failure at this line has the impact that `impact` describes: where `!impact`
    /// stands, or, without any, at the only statement that can fail.
    ///
    /// `contradicts`: the opposite of what is expected was observed, and not merely something else
    /// or nothing.
    #[must_use]
    pub fn has_impact(&self, line: u32, contradicts: bool) -> bool {
        let mut marked = self.steps.iter().flat_map(|step| &step.impact).peekable();
        if marked.peek().is_some() {
            return marked.any(|it| it.line == line && (contradicts || it.always));
        }
        let mut judged = self.judged();
        let alone = judged.next().is_some_and(|step| step.line == line) && judged.next().is_none();
        alone && contradicts
    }

    /// The statements that a server can break.
    pub(super) fn judged(&self) -> impl Iterator<Item = &Step> {
        self.steps
            .iter()
            .filter(|step| parse::can_fail(&step.action))
    }
}

impl Codes {
    /// Whether a reply with this code says the opposite: only refusals are expected (4yz and 5yz,
    /// RFC 959 §4.2.1), and it is none. Of a command that was refused against expectation nobody
    /// knows what would have come of it.
    #[must_use]
    pub fn are_contradicted_by(&self, code: u16) -> bool {
        let mut first_digits = self.0.iter().map(|pattern| pattern.0[0]);
        code < 400 && first_digits.all(|digit| matches!(digit, Some(4 | 5)))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is a failed test")]
    use crate::scenario::{Codes, ScenarioId, format, parse};
    use rstest::rstest;

    #[rstest]
    #[case::refused_with_another_code("530", 551, false)]
    #[case::refused_for_now("503", 450, false)]
    #[case::not_refused("530", 230, true)]
    #[case::begun("4yz | 5yz", 350, true)]
    #[case::refused_against_expectation("230 | 331", 530, false)]
    #[case::either_will_do("331 | 530", 230, false)]
    fn only_a_success_contradicts_an_expected_refusal(
        #[case] codes: &str,
        #[case] code: u16,
        #[case] contradicted: bool,
    ) {
        let codes: Codes = codes.parse().unwrap();
        assert_eq!(codes.are_contradicted_by(code), contradicted);
    }

    #[rstest]
    #[case::the_only_statement("> NOOP\n< 200\n", 9, (true, false))]
    #[case::one_of_two_without_a_mark("> NOOP\n< 200\n@alive\n", 9, (false, false))]
    #[case::marked("> NOOP\n< 200\n!about a\n!impact\n@alive\n", 9, (true, false))]
    #[case::however_it_fails("> NOOP\n< 200\n!impact always\n@alive\n", 9, (true, true))]
    #[case::beside_the_mark("> NOOP\n< 200\n!impact\n@alive\n", 11, (false, false))]
    #[case::the_wish("> NOOP\n< 2yz\n!should 200\n!impact\n", 10, (true, false))]
    #[case::not_what_will_do("> NOOP\n< 2yz\n!should 200\n!impact\n", 9, (false, false))]
    fn the_impact_is_that_of_the_marked_statement(
        #[case] dialogue: &str,
        #[case] line: u32,
        #[case] (contradicted, failed_otherwise): (bool, bool),
    ) {
        let text = format!(
            "+++\ntitle  = \"t\"\nimpact = \"m.\"\ncites  = [\"RFC 959 §5.4\"]\n\
             covers = [\"a\"]\nlevel  = \"must\"\n+++\n{dialogue}"
        );
        assert_eq!(format(&text), text);
        let scenario = parse(ScenarioId("a/b".into()), &text).unwrap();
        assert_eq!(scenario.has_impact(line, true), contradicted);
        assert_eq!(scenario.has_impact(line, false), failed_otherwise);
    }
}
