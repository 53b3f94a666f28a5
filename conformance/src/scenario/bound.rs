//! Which requirements a failure is about, and how far they were looked at.

use super::Scenario;

impl Scenario {
    /// The requirements of a finding whose statement has `said`: these, or else those without any
    /// `!about`. Empty means every requirement of the scenario.
    #[must_use]
    pub fn is_about(&self, said: &[String]) -> Vec<String> {
        if !said.is_empty() {
            return said.to_vec();
        }
        let unclaimed = self.about.covers.iter().filter(|id| !self.claims(id));
        let unclaimed: Vec<String> = unclaimed.cloned().collect();
        match unclaimed.len() == self.about.covers.len() {
            true => Vec::new(),
            false => unclaimed,
        }
    }

    /// The requirements of which not everything was looked at when playing ended at that line.
    #[must_use]
    pub fn unjudged_after(&self, last: u32) -> Vec<String> {
        let ids = self.about.covers.iter();
        let left = ids.filter(|id| {
            // Requirements without `!about` belong to the whole dialogue.
            !self.claims(id) || self.bound_to(id).any(|line| line >= last)
        });
        left.cloned().collect()
    }

    /// The lines whose failure is about this requirement, as far as the scenario says so.
    pub fn bound_to<'a>(&'a self, id: &'a str) -> impl Iterator<Item = u32> + 'a {
        let bound = self.steps.iter().flat_map(|step| &step.about);
        bound
            .filter(move |bound| bound.requirements.iter().any(|it| it == id))
            .map(|bound| bound.line)
    }

    fn claims(&self, id: &str) -> bool {
        self.bound_to(id).next().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Scenario, ScenarioId, format, parse};
    use rstest::rstest;

    fn scenario(covers: &str, dialogue: &str) -> Scenario {
        let text = format!(
            "+++\ntitle  = \"t\"\ncites  = [\"RFC 959 §5.4\"]\ncovers = [{covers}]\nlevel  = \"must\"\n+++\n{dialogue}\n"
        );
        assert_eq!(format(&text), text);
        parse(ScenarioId("a/b".into()), &text).expect("a test scenario is sound")
    }

    const TWO: &str = r#""a", "b""#;

    #[rstest]
    #[case::nothing_is_said("> NOOP\n< 200", 8, &[])]
    #[case::said("> NOOP\n< 200\n!about a", 8, &["a"])]
    #[case::both("> NOOP\n< 200\n!about b a", 8, &["b", "a"])]
    #[case::unclaimed("> NOOP\n< 200\n!about a\n> NOOP\n< 200", 11, &["b"])]
    #[case::all_claimed("> NOOP\n< 200\n!about a\n@alive\n!about b\n@alive", 12, &[])]
    #[case::the_wish_of_it("> NOOP\n< 2yz\n!about a\n!should 200\n!ends 500", 10, &["a"])]
    #[case::the_wish_itself("> NOOP\n< 2yz\n!should 200\n!about b\n!after 1yz", 9, &["b"])]
    #[case::before_the_wish("> NOOP\n< 2yz\n!should 200\n!about b\n!after 1yz", 8, &["a"])]
    #[case::of_another_connection("B@login\nB> NOOP\nB< 200\nB!about a", 9, &["a"])]
    fn a_failure_is_about_what_its_statement_says(
        #[case] dialogue: &str,
        #[case] line: u32,
        #[case] about: &[&str],
    ) {
        let scenario = scenario(TWO, dialogue);
        let at = |step: &&super::super::Step| step.line <= line;
        let step = scenario.steps.iter().rfind(at).expect("there is one");
        assert_eq!(scenario.is_about(step.is_about(line)), about);
    }

    #[rstest]
    #[case::before_both(7, &["a", "b"])]
    #[case::at_the_second(10, &["b"])]
    #[case::behind_both(13, &[])]
    fn statements_after_the_end_are_not_judged(#[case] last: u32, #[case] left: &[&str]) {
        let dialogue = "> NOOP\n< 200\n!about a\n> NOOP\n< 200\n!about b\n> NOOP\n< 200";
        assert_eq!(scenario(TWO, dialogue).unjudged_after(last), left);
    }

    #[rstest]
    #[case(
        "> NOOP\n!about a\n< 200",
        "`!about` must come right after a statement"
    )]
    #[case(
        "> NOOP\n< 200\n!ends 500\n!about a",
        "`!about` must come right after a statement"
    )]
    #[case("> NOOP\n< 200\n!about", "`!about` does not name a requirement")]
    #[case("> NOOP\n< 200\n!about a\n!about b", "`!about` is a duplicate")]
    #[case(
        "B@login\nB> NOOP\nB< 200\nC!about a",
        "`!about` must come right after a statement"
    )]
    fn an_about_that_is_about_nothing_is_an_error(#[case] dialogue: &str, #[case] message: &str) {
        let text = format!(
            "+++\ntitle = \"t\"\ncites = [\"RFC 959 §5.4\"]\ncovers = [\"a\"]\nlevel = \"must\"\n+++\n{dialogue}\n"
        );
        let problems = parse(ScenarioId("a/b".into()), &text).expect_err("it is broken");
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].message.starts_with(message), "{problems:?}");
    }
}
