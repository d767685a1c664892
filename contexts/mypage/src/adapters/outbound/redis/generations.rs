//! The keys of the view. A rebuilt view is a new generation of keys beside the old one.

/// A number that no other generation has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Generation(pub(super) u64);

/// The view that answers: which generation, and in which run of the server it was completed. Another run may have
/// lost what was written last.
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
    pub(super) fn generation_of(&self, key: &str) -> Option<Generation> {
        let (generation, _) = key.strip_prefix(&self.prefix)?.split_once(':')?;
        generation.parse().ok().map(Generation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_name_their_generation() {
        let keys = Keys::new("rentalbook:");
        assert_eq!(keys.generation_of(&keys.row(Generation(7), 1)), Some(Generation(7)));
        assert_eq!(keys.generation_of(&keys.live()), None);
        assert_eq!(keys.generation_of("others:7:row:1"), None);
        let live = Live { generation: Generation(7), run: "abc".to_owned() };
        assert_eq!(Live::parse(&live.text()), Some(live));
    }
}
