//! The keys of the view. A rebuilt view is a new generation of keys beside the old one.

/// A number that no other generation has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Generation(pub(super) u64);

/// Digits of a generation: it is the time in microseconds, from 2001 to 2286.
const DIGITS: usize = 16;

/// The view that answers: which generation, and in which run of the server it was completed. Another run may have
/// lost what was written last, and so may have the same one that has thrown keys away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Live {
    pub(super) generation: Generation,
    pub(super) run: String,
}

impl Live {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (generation, run) = text.split_once(' ')?;
        Some(Self { generation: Generation(generation.parse().ok()?), run: run.to_owned() })
    }

    pub(super) fn text(&self) -> String {
        format!("{} {}", self.generation.0, self.run)
    }
}

/// The names of keys.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    prefix: String,
}

impl Keys {
    pub(super) fn new(prefix: &str) -> Self {
        Self { prefix: prefix.to_owned() }
    }

    pub(super) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Says which generation is [`Live`].
    pub(super) fn live(&self) -> String {
        format!("{}live", self.prefix)
    }

    /// Says which generation is being built. It expires when nobody goes on building it.
    pub(super) fn next(&self) -> String {
        format!("{}next", self.prefix)
    }

    /// What all keys of a generation begin with.
    pub(super) fn base(&self, generation: Generation) -> String {
        format!("{}{}:", self.prefix, generation.0)
    }

    pub(super) fn row(&self, generation: Generation, order_id: i64) -> String {
        format!("{}{}:row:{order_id}", self.prefix, generation.0)
    }

    /// The generation that a key belongs to, if it belongs to one.
    ///
    /// Whoever asks is going to delete it, and others may have keys that begin as ours: another library `lib:1:` beside
    /// ours `lib:`. So it has to look in every part like a key that we write.
    pub(super) fn generation_of(&self, key: &str) -> Option<Generation> {
        let (generation, what) = key.strip_prefix(&self.prefix)?.split_once(':')?;
        let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let is_ours = match what.split_once(':') {
            None => what == "ids",
            Some(("row", order_id)) => order_id.parse::<i64>().is_ok(),
            Some((what, _)) => what == "of",
        };
        let is_generation = generation.len() == DIGITS && is_number(generation);
        if is_ours && is_generation { generation.parse().ok().map(Generation) } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Generation = Generation(1_600_000_000_000_000);

    #[test]
    fn keys_name_their_generation() {
        let keys = Keys::new("rentalbook:");
        let base = keys.base(NOW);
        for ours in [keys.row(NOW, 1), keys.row(NOW, -1), format!("{base}ids"), format!("{base}of:kim:1")] {
            assert_eq!(keys.generation_of(&ours), Some(NOW), "{ours}");
        }
        assert_eq!(keys.generation_of(&keys.live()), None);
        assert_eq!(keys.generation_of(&Keys::new("others:").row(NOW, 1)), None);
        let live = Live { generation: Generation(7), run: "abc".to_owned() };
        assert_eq!(Live::parse(&live.text()), Some(live));
    }

    #[test]
    fn keys_of_others_that_begin_as_ours_belong_to_no_generation_of_ours() {
        let (ours, others) = (Keys::new("lib:"), Keys::new("lib:1:"));
        let theirs = ["ids", "of:kim", "row:1"].map(|what| format!("{}{what}", others.base(NOW)));
        for theirs in theirs.into_iter().chain([others.live(), others.next()]) {
            assert_eq!(ours.generation_of(&theirs), None, "{theirs}");
        }
        for of_another_program in
            ["lib:7:row:1", "lib:1600000000000000:row:", "lib:1600000000000000:session:1"]
        {
            assert_eq!(ours.generation_of(of_another_program), None, "{of_another_program}");
        }
    }
}
