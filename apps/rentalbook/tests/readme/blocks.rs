//! The commands of a document.

/// A command, and what must stand in its output.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) command: String,
    pub(super) expected: Vec<String>,
}

impl Step {
    /// Whether it changes nothing.
    pub(super) fn is_a_look(&self) -> bool {
        self.command.starts_with("curl ")
            && ![" -d ", " -X "].iter().any(|change| self.command.contains(change))
    }
}

/// The commands of every `sh` block, in their order. A line `# → text` says what the command before it prints.
pub(super) fn steps(document: &str) -> Vec<Step> {
    let mut steps = Vec::<Step>::new();
    let mut inside = false;
    for line in document.lines() {
        match line.strip_prefix("```") {
            Some(language) => inside = !inside && language == "sh",
            None if !inside => {}
            None => match line.strip_prefix("# → ") {
                Some(text) => {
                    let step = steps.last_mut().unwrap_or_else(|| panic!("\"{line}\" follows no command"));
                    step.expected.push(text.to_owned());
                }
                None => steps.push(Step { command: line.to_owned(), expected: Vec::new() }),
            },
        }
    }
    steps
}

#[test]
fn commands_and_what_they_print_are_found() {
    let document =
        "text\n```sh\nls\n# → a\n# → b\nmake run\n```\n```\nno\n```\n```json\n{}\n```\n```sh\npwd\n```\n";
    let step = |command: &str, expected: &[&str]| Step {
        command: command.to_owned(),
        expected: expected.iter().map(|text| (*text).to_owned()).collect(),
    };
    assert_eq!(steps(document), [step("ls", &["a", "b"]), step("make run", &[]), step("pwd", &[])]);
}
